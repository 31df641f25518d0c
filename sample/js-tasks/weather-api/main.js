// A plain `main`: fetch blocks, has the JSON parsed in `body`, and throws typed errors.
const CONDITIONS = {
  0: 'clear sky', 1: 'mainly clear', 2: 'partly cloudy', 3: 'overcast', 45: 'fog', 48: 'rime fog',
  51: 'light drizzle', 53: 'drizzle', 55: 'dense drizzle', 61: 'light rain', 63: 'rain', 65: 'heavy rain',
  71: 'light snow', 73: 'snow', 75: 'heavy snow', 80: 'rain showers', 81: 'rain showers', 82: 'violent rain showers',
  95: 'thunderstorm', 96: 'thunderstorm with hail', 99: 'thunderstorm with hail',
};

function main(input) {
  const city = input.city || input.location;
  const units = input.units || 'metric';
  const place = findPlace(city, input.base_url || 'https://geocoding-api.open-meteo.com');
  console.info(`Found ${place.name}, ${place.country}`, { latitude: place.latitude, longitude: place.longitude });

  const query = new URLSearchParams({
    latitude: place.latitude,
    longitude: place.longitude,
    current: 'temperature_2m,relative_humidity_2m,wind_speed_10m,weather_code',
    temperature_unit: units === 'imperial' ? 'fahrenheit' : 'celsius',
    wind_speed_unit: units === 'imperial' ? 'mph' : 'kmh',
  });
  const answer = fetch(`${input.base_url || 'https://api.open-meteo.com'}/v1/forecast?${query}`).body;
  if (!answer.current) throw new DataError(`The forecast for ${place.name} holds no current weather`);

  return {
    city: place.name,
    country: place.country,
    units,
    temperature: answer.current.temperature_2m,
    temperature_unit: answer.current_units.temperature_2m,
    humidity: answer.current.relative_humidity_2m,
    wind_speed: answer.current.wind_speed_10m,
    wind_speed_unit: answer.current_units.wind_speed_10m,
    condition: CONDITIONS[answer.current.weather_code] || 'unknown',
    observed_at: answer.current.time,
  };
}

function findPlace(city, baseUrl) {
  const { body } = fetch(`${baseUrl}/v1/search?${new URLSearchParams({ name: city, count: 1 })}`);
  const place = body.results && body.results[0];
  if (!place) throw new DataError(`No city is named "${city}"`);
  return place;
}

/** A loopback server that plays the HTTP APIs of the samples, with every way of failing that tests need, and counts its calls. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export interface HttpApi {
  /** Such as `http://127.0.0.1:41234`, without a slash at the end. */
  readonly url: string;
  /** How many requests came, for one path (without query) or for all. */
  calls(path?: string): number;
  close(): Promise<void>;
}

interface Call {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
  readonly body: string;
  /** Calls of this path so far, this one included. */
  readonly count: number;
}

/**
 * Starts it on a free port of 127.0.0.1.
 *
 * | path | answer |
 * |---|---|
 * | `/v1/search?name=` | geocoding: Berlin, London, Tokyo and New York are known |
 * | `/v1/forecast?latitude=&longitude=` | current weather, the same for the same place |
 * | `/json`, `/text`, `/empty` | fixed content |
 * | `/echo` | what was sent: method, headers, body, query |
 * | `/status/<code>` | that status with a JSON body; 429 and 503 with `retry-after` |
 * | `/flaky/<name>?fails=2&status=503` | fails that often, then 200 |
 * | `/slow?ms=` | answers after a while |
 * | `/never` | never answers |
 * | `/drop` | closes the connection without an answer |
 * | `/redirect?to=&status=302` | sends the caller elsewhere |
 */
export async function startHttpApi(): Promise<HttpApi> {
  const counts = new Map<string, number>();
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const count = (counts.get(url.pathname) ?? 0) + 1;
    counts.set(url.pathname, count);
    text(request).then(
      (body) => answer({ request, response, url, body, count }),
      () => response.destroy(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    calls: (path) => (path === undefined ? [...counts.values()].reduce((a, b) => a + b, 0) : (counts.get(path) ?? 0)),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function answer(call: Call): void {
  const [, first = '', second = ''] = call.url.pathname.split('/');
  const route = ROUTES[first] ?? ((missing: Call) => json(missing, 404, { error: 'no such path' }));
  route(call, second);
}

const ROUTES: Readonly<Record<string, (call: Call, rest: string) => void>> = {
  v1: (call, rest) => (rest === 'search' ? search(call) : forecast(call)),
  json: (call) => json(call, 200, { message: 'hello', items: [1, 2, 3] }),
  text: (call) => call.response.writeHead(200, { 'content-type': 'text/plain' }).end('plain text'),
  empty: (call) => call.response.writeHead(204).end(),
  echo: (call) =>
    json(call, 200, {
      method: call.request.method,
      headers: call.request.headers,
      body: call.body,
      query: Object.fromEntries(call.url.searchParams),
    }),
  status: (call, code) => failing(call, Number(code)),
  flaky: (call) => {
    const fails = Number(call.url.searchParams.get('fails') ?? 1);
    if (call.count <= fails) return failing(call, Number(call.url.searchParams.get('status') ?? 503));
    return json(call, 200, { ok: true, calls: call.count });
  },
  slow: (call) => {
    const timer = setTimeout(() => json(call, 200, { slow: true }), Number(call.url.searchParams.get('ms') ?? 100));
    call.response.on('close', () => clearTimeout(timer));
  },
  never: () => {},
  drop: (call) => {
    call.request.socket.destroy();
  },
  redirect: (call) =>
    call.response
      .writeHead(Number(call.url.searchParams.get('status') ?? 302), {
        location: call.url.searchParams.get('to') ?? '/json',
      })
      .end(),
};

const PLACES = [
  { name: 'Berlin', country: 'Germany', latitude: 52.52, longitude: 13.41, timezone: 'Europe/Berlin' },
  { name: 'London', country: 'United Kingdom', latitude: 51.51, longitude: -0.13, timezone: 'Europe/London' },
  { name: 'Tokyo', country: 'Japan', latitude: 35.69, longitude: 139.69, timezone: 'Asia/Tokyo' },
  { name: 'New York', country: 'United States', latitude: 40.71, longitude: -74.01, timezone: 'America/New_York' },
];

function search(call: Call): void {
  const name = (call.url.searchParams.get('name') ?? '').toLowerCase();
  const results = PLACES.filter((place) => place.name.toLowerCase() === name);
  json(call, 200, results.length === 0 ? { generationtime_ms: 0.5 } : { results, generationtime_ms: 0.5 });
}

function forecast(call: Call): void {
  const query = call.url.searchParams;
  const latitude = Number(query.get('latitude'));
  const fahrenheit = query.get('temperature_unit') === 'fahrenheit';
  const celsius = Math.round((40 - Math.abs(latitude) / 2) * 10) / 10;
  json(call, 200, {
    latitude,
    longitude: Number(query.get('longitude')),
    current_units: { temperature_2m: fahrenheit ? '°F' : '°C', wind_speed_10m: fahrenheit ? 'mp/h' : 'km/h' },
    current: {
      time: '2026-01-15T12:00',
      temperature_2m: fahrenheit ? Math.round((celsius * 1.8 + 32) * 10) / 10 : celsius,
      relative_humidity_2m: 61,
      wind_speed_10m: 12.4,
      weather_code: 3,
    },
  });
}

function failing(call: Call, status: number): void {
  if (status === 429 || status === 503) call.response.setHeader('retry-after', '1');
  json(call, status, { error: `status ${status}` });
}

function json(call: Call, status: number, body: unknown): void {
  call.response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

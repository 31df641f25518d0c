// An `async main` has the standard fetch: a status that is no success does not throw.
async function main({ url, headers }) {
  const response = await fetch(url, { headers });
  const type = response.headers.get('content-type') || '';
  const text = await response.text();
  console.info(`GET ${url}: ${response.status}`, { bytes: text.length });
  return { ok: response.ok, status: response.status, content_type: type, body: type.includes('json') && text !== '' ? JSON.parse(text) : text };
}

/** What the page to try queries on does in a browser: runs what is typed, shows results as they come, lists the schema. */

export const PLAYGROUND_SCRIPT = `
const at = (id) => document.getElementById(id);
let running = null;
const headers = (accept) => {
  const key = at('key').value;
  return { 'content-type': 'application/json', accept, ...(key === '' ? {} : { 'x-api-key': key }) };
};
const show = (value) => { at('result').textContent = typeof value === 'string' ? value : JSON.stringify(value, null, 2); };
async function ask(body, accept, signal) {
  return fetch(location.pathname, { method: 'POST', headers: headers(accept), body: JSON.stringify(body), signal });
}
async function stream(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let waiting = '';
  const results = [];
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    waiting += value;
    const parts = waiting.split('\\n\\n');
    waiting = parts.pop();
    for (const part of parts) {
      const data = part.split('\\n').find((line) => line.startsWith('data: {'));
      if (data === undefined) continue;
      results.unshift(JSON.parse(data.slice(6)));
      if (results.length > 200) results.pop();
      show(results.map((result) => JSON.stringify(result, null, 2)).join('\\n'));
    }
  }
}
async function run() {
  running?.abort();
  running = new AbortController();
  at('stop').disabled = false;
  at('state').textContent = 'running';
  try {
    const query = at('query').value;
    const text = at('variables').value.trim();
    const body = { query, variables: text === '' ? {} : JSON.parse(text) };
    const isStream = /(^|[}\\s])subscription\\b/.test(query);
    const response = await ask(body, isStream ? 'text/event-stream' : 'application/graphql-response+json', running.signal);
    const streams = (response.headers.get('content-type') ?? '').startsWith('text/event-stream');
    if (streams) await stream(response); else show(await response.json());
    at('state').textContent = String(response.status);
  } catch (error) {
    if (error.name !== 'AbortError') show(String(error));
    at('state').textContent = '';
  } finally {
    at('stop').disabled = true;
  }
}
function list(types) {
  for (const { name, kind, fields, inputFields, enumValues } of types) {
    if (name.startsWith('__') || kind === 'SCALAR') continue;
    const details = document.createElement('details');
    const summary = document.createElement('summary');
    summary.textContent = name;
    const items = document.createElement('ul');
    for (const { name: field, description } of fields ?? inputFields ?? enumValues ?? []) {
      const item = document.createElement('li');
      item.textContent = description ? field + ': ' + description : field;
      items.append(item);
    }
    details.append(summary, items);
    at('schema').append(details);
  }
}
async function schema() {
  const part = '{ name description }';
  const query = '{ __schema { types { name kind fields ' + part + ' inputFields ' + part + ' enumValues ' + part + ' } } }';
  const { data } = await (await ask({ query }, 'application/json')).json();
  if (data) list(data.__schema.types);
}
at('run').addEventListener('click', run);
at('stop').addEventListener('click', () => running?.abort());
at('query').addEventListener('keydown', (event) => { if (event.ctrlKey && event.key === 'Enter') run(); });
schema().catch(() => undefined);
`;

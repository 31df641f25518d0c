/** Secrets of every kind go in at every place where one can stand; nothing that is kept or told shows any of them. */
import { createHmac, randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { subscribe } from '../support/graphql-live.ts';
import { type HttpApi, startHttpApi } from '../support/http-api.ts';
import { eventually, type Home, openHome, ratchet, type ServerProcess, startServerProcess } from '../support/server.ts';

const made = (kind: string): string => `${kind}-${randomBytes(24).toString('hex')}`;
/** Each where it is used only, so that what leaks is known by its name. */
const SECRETS = {
  adminKey: made('adminkey'),
  wrongKey: made('wrongkey'),
  jwtSecret: made('jwtsecret'),
  hookSecret: made('hooksecret'),
  hookWrong: made('hookwrong'),
  taskSecret: made('tasksecret'),
  graphqlValue: made('graphqlvalue'),
  wrongTyped: made('wrongtyped'),
  brokenBody: made('brokenbody'),
  idempotencyKey: made('idempotency'),
  initKey: made('initkey'),
} as const;

let home: Home;
let api: HttpApi;
let server: ServerProcess;
/** Everything that was answered, over any interface. */
const answers: string[] = [];

beforeAll(async () => {
  home = openHome();
  api = await startHttpApi();
  server = await startServerProcess(home, {
    more: `auth:
  api_keys:
    - { key: "${SECRETS.adminKey}", name: canary, roles: [admin] }
  jwt: { secret: "${SECRETS.jwtSecret}" }
secrets:
  token: { value: "${SECRETS.taskSecret}", allowed_hosts: ["127.0.0.1"] }
webhooks:
  shop: { secret: "${SECRETS.hookSecret}", task: echo }
logging:
  level: trace
  sinks:
    - { type: file, path: server.log }
    - { type: console }
mcp:
  audit_log_file: audit.log
`,
  });
});
afterAll(async () => {
  await server.stop();
  await api.close();
  home[Symbol.dispose]();
});

const KEY = { 'x-api-key': SECRETS.adminKey };

async function ask(
  method: string,
  path: string,
  body: unknown,
  headers: Record<string, string> = KEY,
): Promise<Record<string, unknown>> {
  const isText = typeof body === 'string';
  const answer = await fetch(`${server.url}${path}`, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: isText ? body : JSON.stringify(body) }),
  });
  const text = await answer.text();
  answers.push(`${method} ${path.split('?')[0]}: ${text} ${JSON.stringify([...answer.headers])}`);
  return text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : { text };
}

const post = (path: string, body: unknown, headers?: Record<string, string>) =>
  ask('POST', `/api/v1${path}`, body, headers);

const base64url = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A token as whoever knows `secret` would sign it. */
function token(secret: string): string {
  const now = Math.floor(Date.now() / 1_000);
  const signed = `${base64url({ alg: 'HS256', typ: 'JWT' })}.${base64url({ sub: 'canary', iss: 'ratchet', role: 'admin', iat: now, exp: now + 600 })}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

async function wrongCredentials(): Promise<readonly string[]> {
  const { wrongKey, adminKey } = SECRETS;
  const forged = token(wrongKey);
  const wrong: readonly Record<string, string>[] = [
    { 'x-api-key': wrongKey },
    { authorization: `Bearer ${wrongKey}` },
    { authorization: `Basic ${Buffer.from(`user:${wrongKey}`).toString('base64')}` },
    { authorization: `Bearer ${forged}` },
    { cookie: `api_key=${wrongKey}` },
  ];
  for (const headers of wrong) await ask('GET', '/api/v1/tasks', undefined, headers);
  // Right ones, where none belongs.
  await ask('GET', `/api/v1/tasks?api_key=${adminKey}`, undefined, {});
  await ask('GET', `/api/v1/tasks?api_key=${adminKey}`, undefined);
  await post('/tasks/execute', { task_id: 'echo', input: {}, api_key: adminKey });
  await ask('GET', '/api/v1/tasks', undefined, { cookie: `x-api-key=${adminKey}`, ...KEY });
  return [forged];
}

async function tasksWithSecrets(): Promise<void> {
  await post('/tasks', { name: 'echo', code: 'function main(input) { return input; }' });
  await post('/tasks', {
    name: 'leaking',
    input_schema: { type: 'object', properties: { auth: { type: 'string', default: '{{secret:token}}' } } },
    code: `async function main({ url, how, auth }) {
      const token = secret('token');
      console.log('with', token, auth);
      const basic = 'Basic ' + btoa('me:' + token);
      const answer = await fetch(url + '/echo?key=' + token, { method: 'POST', headers: { authorization: basic, 'x-token': token }, body: JSON.stringify({ token }) });
      const echoed = await answer.text();
      console.error(echoed);
      span('named ' + token, () => undefined);
      reportProgress({ progress: 0.5, step: token, message: echoed });
      if (how === 'throws') throw new Error(token + ' was answered by ' + echoed);
      if (how === 'userinfo') await fetch(url.replace('://', '://me:' + token + '@') + '/echo');
      if (how === 'elsewhere') await fetch('http://localhost:1/' + token, { headers: { authorization: token } });
      return { token, echoed };
    }`,
  });
  for (const how of ['returns', 'throws', 'userinfo', 'elsewhere']) {
    const { execution_id: id } = await post('/tasks/execute', { task_id: 'leaking', input: { url: api.url, how } });
    for (const path of ['', '/logs', '/trace', '/steps', '/events', '/analysis'])
      await ask('GET', `/api/v1/executions/${String(id)}${path}`, undefined);
    await post(`/executions/${String(id)}/replay`, {});
  }
}

async function webhooksWithSecrets(): Promise<void> {
  const body = '{"order":1}';
  const at = String(Math.floor(Date.now() / 1_000));
  for (const secret of [SECRETS.hookSecret, SECRETS.hookWrong]) {
    const signature = `sha256=${createHmac('sha256', secret).update(`${at}.${body}`).digest('hex')}`;
    await ask('POST', '/webhooks/shop', body, {
      'x-webhook-timestamp': at,
      'x-webhook-signature': signature,
      'x-webhook-id': 'one',
    });
  }
  await ask('POST', '/webhooks/shop', body, {
    'x-webhook-signature': SECRETS.hookWrong,
    authorization: SECRETS.hookWrong,
  });
}

async function wrongValues(): Promise<void> {
  const { graphqlValue, wrongTyped, brokenBody, idempotencyKey } = SECRETS;
  const graphql = (query: string, variables?: object) => ask('POST', '/graphql', { query, variables });
  await graphql('query ($n: Int!) { executions(first: $n) { edges { cursor } } }', { n: graphqlValue });
  await graphql(`{ executions(first: "${graphqlValue}") { edges { cursor } } }`);
  await graphql(`{ executions(status: ${graphqlValue.replace('-', '_')}) { edges { cursor } } }`);
  await graphql(`{ executions(first: 1 "${graphqlValue}") { edges { cursor } } }`);
  await graphql('mutation ($k: JSON) { executeTask(input: { taskId: "echo", input: 1, priority: $k }) { status } }', {
    k: graphqlValue,
  });
  await graphql('query ($k: ID!) { __typename }', { k: { apiKey: graphqlValue } });
  await post('/tasks/execute', { task_id: 'echo', input: {}, priority: wrongTyped, trace: wrongTyped });
  await post('/keys', { name: 'canary', role: wrongTyped });
  await ask('GET', `/api/v1/tasks?limit=${wrongTyped}&include_schemas=${wrongTyped}`, undefined);
  await post('/tasks/execute', `{"password": ${brokenBody}}`);
  await post('/tasks/execute', `{"password": "${brokenBody}`);
  await post('/tasks/execute', { task_id: 'echo', input: 1 }, { ...KEY, 'idempotency-key': idempotencyKey });
  await post('/tasks/execute', { task_id: 'echo', input: 2 }, { ...KEY, 'idempotency-key': idempotencyKey });
}

/** Says hello with a key over a socket; answers how it was closed, or that it was let in. */
function initialised(payload: object): Promise<string> {
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  const { promise, resolve } = Promise.withResolvers<string>();
  socket.on('open', () => socket.send(JSON.stringify({ type: 'connection_init', payload })));
  socket.on('message', (data: Buffer) => {
    answers.push(`socket: ${data.toString()}`);
    resolve('let in');
    socket.close();
  });
  socket.on('close', (code, reason) => {
    answers.push(`socket closed: ${code} ${reason.toString()}`);
    resolve(`${code}`);
  });
  socket.on('error', () => undefined);
  return promise;
}

/** The forms in which a secret may stand in bytes. */
function formsOf(secret: string): readonly string[] {
  return [
    secret,
    secret.replace('-', '_'),
    Buffer.from(secret).toString('base64').replace(/=+$/, ''),
    Buffer.from(secret).toString('hex'),
    Buffer.from(`me:${secret}`).toString('base64').slice(8, -8),
  ];
}

function filesBelow(folder: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesBelow(path) : entry.isFile() ? [path] : [];
  });
}

it('no secret that came by any way is in an answer, an event, a log, a read model, the audit trail, a stream or a recording', async () => {
  await tasksWithSecrets();
  const query = 'subscription { events(from: "") { type data } }';
  const heard = subscribe(server.url, query, {}, { connectionParams: { apiKey: SECRETS.adminKey } });
  const [forged = ''] = await wrongCredentials();
  await webhooksWithSecrets();
  await wrongValues();
  expect([await initialised({ apiKey: SECRETS.adminKey }), await initialised({ apiKey: SECRETS.initKey })]).toEqual([
    'let in',
    '4401',
  ]);
  await initialised({ authorization: `Bearer ${SECRETS.initKey}` });
  const issued = await post('/tokens', { name: 'canary', role: 'reader' });
  const created = await post('/keys', { name: 'made', role: 'reader' });
  // Told this once, to whom they are for.
  answers.splice(-2);
  const own = [String(issued['token']), String(created['key'])];
  for (const secret of own) await ask('GET', '/api/v1/tasks', undefined, { authorization: `Bearer ${secret}` });
  for (const path of [
    '/events?limit=1000',
    '/audit?limit=1000',
    '/keys',
    '/executions',
    '/failures',
    '/stats',
    '/health',
  ])
    await ask('GET', `/api/v1${path}`, undefined);
  for (const path of ['/metrics', '/health', '/status']) await ask('GET', path, undefined);
  const stream = await fetch(`${server.url}/api/v1/events?after=`, {
    headers: { ...KEY, accept: 'text/event-stream' },
  });
  for await (const chunk of stream.body ?? []) {
    answers.push(`stream: ${Buffer.from(chunk).toString()}`);
    if (answers.at(-1)?.includes('KeyCreated')) break;
  }
  await eventually('the subscriber has heard of the key', () =>
    heard.results.some(({ type }) => type === 'KeyCreated') ? true : undefined,
  );
  answers.push(`subscription: ${JSON.stringify(heard.results)}`);
  await heard.stop();
  home.file(
    'tasks/recorded/main.js',
    "async function main(url) { return (await fetch(url + '/echo', { headers: { authorization: secret('token') } })).text(); }",
  );
  const recorded = await ratchet(home, [
    '--config',
    'config.yaml',
    'run-once',
    '--from-fs',
    'tasks/recorded',
    '--input-json',
    JSON.stringify(api.url),
    '--record',
    'bundle',
  ]);
  expect(recorded.code, recorded.stderr).toBe(0);
  answers.push(`run-once: ${recorded.stdout}${recorded.stderr}`);
  await server.stop();
  answers.push(`console: ${server.stdout()}${server.stderr()}`);

  // What is searched is what was meant to be: the secret went out and came back, and was told as its name.
  expect(api.calls('/echo')).toBeGreaterThanOrEqual(5);
  expect(answers.join('\n')).toContain('{{secret:token}}');
  const files = filesBelow(home.folder).filter((path) => !path.endsWith('config.yaml'));
  for (const name of ['ratchet.db', 'ratchet.db.read', 'server.log', 'audit.log'])
    expect(files).toContain(join(home.folder, name));
  const places: readonly (readonly [string, string])[] = [
    ...answers.map((text) => [text.slice(0, 100), text] as const),
    ...files.map((path) => [path.slice(home.folder.length), readFileSync(path, 'latin1')] as const),
  ];
  const secrets = { ...SECRETS, forged, issued: own[0] ?? '', created: own[1] ?? '' };
  const leaks = Object.entries(secrets).flatMap(([name, secret]) =>
    places
      .filter(([, text]) => formsOf(secret).some((form) => text.includes(form)))
      .map(([place]) => `${name} in ${place}`),
  );
  expect(leaks).toEqual([]);
});

it('no secret of a configuration that is refused is told', async () => {
  using own = openHome();
  const secret = made('configured');
  for (const broken of [
    `auth:\n  jwt: { secret: "${secret}", algorithm: none }\n`,
    `auth:\n  jwt: { secret: ["${secret}"] }\n`,
    `auth:\n  api_keys:\n    - { key: "${secret}", roles: [nobody] }\n`,
    `secrets:\n  token: { value: { text: "${secret}" } }\n`,
    `database:\n  url: "postgresql://me:${secret}@:x/y"\n`,
    `secrets:\n  token: { value: "${secret}\n`,
  ]) {
    own.file('broken.yaml', broken);
    const { code, stdout, stderr } = await ratchet(own, ['serve', '--config', 'broken.yaml', '--port', '0']);
    expect(code, broken).not.toBe(0);
    expect(`${stdout}${stderr}`, broken).not.toContain(secret);
  }
});

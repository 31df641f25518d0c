/** The configuration samples of the documents start servers as they are, and what they say is seen on them. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SignJWT } from 'jose';
import { describe, expect, it } from 'vitest';
import { type Configured, startConfigured } from '../support/configured.ts';
import { startConfiguredMcp } from '../support/configured-mcp.ts';
import { startPostgres } from '../support/postgres.ts';
import { openHome, ratchet } from '../support/server.ts';

const FIXTURES = fileURLToPath(new URL('../config/fixtures/', import.meta.url));
const SAMPLES = fileURLToPath(new URL('../../sample/js-tasks', import.meta.url));
const NAMES = readdirSync(FIXTURES).map((name) => name.replace(/\.yaml$/, ''));

const ENV = {
  JWT_SECRET: 'a-secret-that-is-long-enough-for-tests',
  API_KEY_1: 'key-1-of-the-tests',
  API_KEY_2: 'key-2-of-the-tests',
  MCP_API_KEY: 'mcp-key-of-the-tests',
  MCP_API_KEY_1: 'mcp-key-1-of-the-tests',
  MCP_API_KEY_CLAUDE: 'claude-key-of-the-tests',
  MCP_API_KEY_DEV: 'dev-key-of-the-tests',
};
/** Set by the issue that brings the store, to a server that tests may use. */

const textOf = (name: string) => readFileSync(`${FIXTURES}${name}.yaml`, 'utf8');

/** Those that the sample asks for, and no other: some stand for more than their place in the file. */
function variablesOf(name: string): Record<string, string> {
  return Object.fromEntries(Object.entries(ENV).filter(([variable]) => textOf(name).includes(`\${${variable}}`)));
}

/** Their database files come into a folder of the test, their log files too. */
function start(name: string): Promise<Configured> {
  const text = textOf(name);
  const ownDatabase = text.includes('url: "sqlite:') && !text.includes('postgresql:');
  return startConfigured(text, {
    env: variablesOf(name),
    logs: true,
    ownDatabase,
    links: { 'sample/js-tasks': SAMPLES },
  });
}

const status = async (server: Configured, path: string, headers: Record<string, string> = {}) =>
  (await server.call('GET', path, undefined, headers)).status;
const policies = async (server: Configured, path: string, headers: Record<string, string> = {}) =>
  (await server.call('GET', path, undefined, headers)).headers.get('ratelimit-policy')?.split(', ') ?? [];

describe('each sample of the documents', () => {
  it.each(NAMES)('%s starts a server with the interfaces that it names', async (name) => {
    await using server = await start(name);
    const { config } = server;
    expect(await status(server, '/health')).toBe(200);
    const isGuarded = config.auth.type !== null;
    expect(await status(server, `${config.rest.prefix}/tasks`)).toBe(isGuarded ? 401 : 200);
    const asked = await server.call('POST', config.graphql.endpoint, { query: '{ __typename }' });
    expect(asked.status).toBe(isGuarded ? 401 : 200);
    expect(server.server.http.hasRoute({ method: 'POST', url: '/mcp' })).toBe(config.mcp.enabled);
    for (const sink of config.logging.sinks) {
      if (sink.type === 'console' || sink.buffered !== null) continue;
      expect(existsSync(server.path(basename(sink.path))), sink.path).toBe(true);
    }
  });
});

describe('what a sample says is seen', () => {
  it('the base file: pages of any origin, a limit on REST, the editor for GraphQL', async () => {
    await using server = await start('server-guide-026');
    const answer = await server.call('GET', '/api/v1/tasks', undefined, { origin: 'https://any.example.com' });
    expect(answer.headers.get('access-control-allow-origin')).toBe('*');
    expect(await policies(server, '/api/v1/tasks')).toEqual(['1000;w=60']);
    const page = await server.call('GET', '/graphql', undefined, { accept: 'text/html' });
    expect(page.headers.get('content-type')).toContain('text/html');
    expect(existsSync(server.path('ratchet.db'))).toBe(true);
  });

  it('the production scenario: tokens signed with the secret, a limit for each caller, a log that tells more than the root', async () => {
    await using server = await start('server-guide-115');
    const token = await new SignJWT({ sub: 'ada', scope: 'ratchet:reader' })
      .setProtectedHeader({ alg: 'HS256' })
      .setIssuer('ratchet')
      .setIssuedAt()
      .setExpirationTime('1h')
      .sign(new TextEncoder().encode(ENV.JWT_SECRET));
    const headers = { authorization: `Bearer ${token}` };
    expect(await status(server, '/api/v1/tasks', headers)).toBe(200);
    expect(await policies(server, '/api/v1/tasks', headers)).toEqual(['1000;w=60;burst=100']);
    await server.call('POST', '/graphql', { query: '{ __typename }' }, headers);
    await expect.poll(() => readFileSync(server.path('ratchet.log'), 'utf8')).toMatch(/"level":"INFO".*graphql/);
  });

  it('the development scenario: the pages of this machine, the editor, and no key', async () => {
    await using server = await start('server-guide-150');
    for (const [origin, told] of [
      ['http://localhost:3000', 'http://localhost:3000'],
      ['https://any.example.com', null],
    ] as const) {
      const answer = await server.call('GET', '/api/v1/tasks', undefined, { origin });
      expect([answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([200, told]);
    }
    const query = '{ __schema { queryType { name } } }';
    expect((await server.call('POST', '/graphql', { query })).body).toHaveProperty('data.__schema');
  });

  it('keys: one that reads and writes, one that only reads', async () => {
    await using server = await start('server-guide-363');
    const create = async (key: string, name: string) => {
      const body = { name, code: 'function main() {}' };
      return (await server.call('POST', '/api/v1/tasks', body, { 'x-api-key': key })).status;
    };
    expect([await create(ENV.API_KEY_1, 'one'), await create(ENV.API_KEY_2, 'two')]).toEqual([201, 403]);
    expect(await status(server, '/api/v1/tasks/one', { 'x-api-key': ENV.API_KEY_2 })).toBe(200);
  });

  it('limits on requests: of all, of each caller, of single paths', async () => {
    await using server = await start('server-guide-383');
    const on = async (path: string) =>
      (await server.call('POST', path, {})).headers.get('ratelimit-policy')?.split(', ').toSorted();
    const always = ['1000;w=60;burst=50', '10000;w=60;burst=1000'];
    expect(await on('/api/v1/tasks/execute')).toEqual([...always, '100;w=60;burst=10'].toSorted());
    expect(await on('/graphql')).toEqual([...always, '1000;w=60;burst=100'].toSorted());
  });

  it('places: eight by worker_threads, four by workers.count', async () => {
    for (const [name, capacity] of [
      ['server-guide-558', 8],
      ['mcp-guide-559', 4],
    ] as const) {
      await using server = await start(name);
      expect((await server.call('GET', '/api/v1/workers')).body).toMatchObject({ workers: [{ capacity }] });
    }
  });

  it('tasks: those below the folder that the file names', async () => {
    for (const name of ['mcp-guide-055', 'mcp-guide-508']) {
      await using server = await start(name);
      expect(JSON.stringify((await server.call('GET', '/api/v1/tasks')).body)).toContain('"csv-parser"');
    }
  });

  it('logs: JSON lines without a prefix, debug lines included, beside an audit file', async () => {
    await using server = await start('mcp-guide-436');
    await server.task('one', 'function main() {}');
    await expect.poll(() => existsSync(server.path('audit.log'))).toBe(true);
    await status(server, '/api/v1/tasks');
    await server.closeLog();
    const lines = readFileSync(server.path('ratchet-mcp.log'), 'utf8').trim().split('\n');
    const levels = lines.map((line): unknown => JSON.parse(line).level);
    expect(levels).toContain('DEBUG');
    expect(existsSync(server.path('audit.log'))).toBe(true);
  });
});

/** So many at a time: each is a process. */
async function inTurns<T, R>(list: readonly T[], width: number, work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let from = 0; from < list.length; from += width)
    results.push(...(await Promise.all(list.slice(from, from + width).map(work))));
  return results;
}

const HELLO = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'tests', version: '1' } },
};

describe('each sample about MCP', () => {
  it('starts `mcp-serve`, which answers its client and ends with it; one that asks for a token refuses streams', async () => {
    // One of each way of letting callers in; every one would take the time of fifteen starts.
    const kinds = ['mcp-design-401', 'mcp-guide-055', 'mcp-guide-283', 'mcp-guide-300'];
    const answers = await inTurns(kinds, 2, async (name) => {
      using home = openHome();
      const variables = variablesOf(name);
      const key = Object.entries(variables).find(([variable]) => variable.startsWith('MCP_API_KEY'))?.[1];
      const caller = key === undefined ? {} : { RATCHET_API_KEY: key };
      return await ratchet(home, ['mcp-serve', '--config', home.file('config.yaml', textOf(name))], {
        env: { ...variables, ...caller, DATABASE_URL: 'sqlite::memory:' },
        input: `${JSON.stringify(HELLO)}\n`,
      });
    });
    for (const [index, { code, stdout, stderr }] of answers.entries()) {
      const wantsToken = textOf(kinds[index] ?? '').includes('auth_type: jwt');
      expect([kinds[index], code === 0], stderr).toEqual([kinds[index], !wantsToken]);
      if (wantsToken) expect(stderr).toContain('a key is demanded');
      else expect(JSON.parse(stdout)).toMatchObject({ id: 1, result: { serverInfo: { name: 'ratchet' } } });
    }
  }, 60_000);

  it.each(NAMES.filter((name) => textOf(name).includes('sse')))(
    '%s starts the MCP listener that it names, guarded as it says',
    async (name) => {
      await using mcp = await startConfiguredMcp(textOf(name), variablesOf(name));
      for (const path of ['/health', '/status']) expect((await fetch(`${mcp.url}${path}`)).status).toBe(200);
      const key = Object.values(variablesOf(name)).find((value) => value.includes('key'));
      const known = await mcp.send('tools/list', {}, key === undefined ? {} : { 'x-api-key': key });
      expect((await mcp.send('tools/list')).status).toBe(mcp.isGuarded ? 401 : 200);
      if (key !== undefined) expect(known.body).toMatchObject({ result: { tools: expect.any(Array) } });
    },
  );
});

describe('samples about PostgreSQL', () => {
  it.each(['server-guide-327', 'server-guide-548'])(
    '%s starts on the database that DATABASE_URL names',
    async (name) => {
      const postgres = await startPostgres();
      try {
        await using server = await startConfigured(textOf(name), {
          env: { DATABASE_URL: await postgres.newDatabase() },
        });
        expect(await status(server, '/health')).toBe(200);
      } finally {
        await postgres.close();
      }
    },
    60_000,
  );
});

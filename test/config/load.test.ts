import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { STRUCTURED_VARIABLES, VARIABLES } from '../../config/environment.ts';
import { ConfigError } from '../../config/error.ts';
import { loadConfig } from '../../config/load.ts';
import { showConfig } from '../../config/show.ts';
import { describeOrigin } from '../../config/tree.ts';
import { folderWith, HOME, load, messages, refusal } from './support.ts';

const DATABASE = 'database.url';
const origin = (loaded: ReturnType<typeof loadConfig>, path: string) => {
  const found = loaded.origins.get(path);
  return found === undefined ? 'default' : describeOrigin(found);
};

describe('precedence', () => {
  const yaml = 'server:\n  port: 1\n';

  it('is flag, environment, file, default', () => {
    const flag = load(yaml, { env: { RATCHET_PORT: '2' }, flags: { 'server.port': 3 } });
    const environment = load(yaml, { env: { RATCHET_PORT: '2' }, flags: { 'server.port': undefined } });
    const file = load(yaml);
    const nothing = load('');
    expect([flag, environment, file, nothing].map(({ config }) => config.server.port)).toEqual([3, 2, 1, 8080]);
    expect([flag, environment, nothing].map((loaded) => origin(loaded, 'server.port'))).toEqual([
      'flag',
      'environment RATCHET_PORT',
      'default',
    ]);
    expect(origin(file, 'server.port')).toBe(`${file.folder}/config.yaml:2`);
  });

  it('lays the file of the environment over the file, key by key, lists as a whole', () => {
    const folder = folderWith({
      'config.yaml': 'server:\n  port: 1\n  host: localhost\n  trust_proxy: ["10.0.0.1", "10.0.0.2"]\n',
      'config.staging.yaml': 'server:\n  port: 2\n  trust_proxy: ["10.0.0.3"]\n',
    });
    const at = (env: Record<string, string>) =>
      loadConfig({ file: join(folder, 'config.yaml'), env: { HOME, ...env } });
    const staging = at({ RATCHET_ENV: 'staging', NODE_ENV: 'test' });
    expect(staging.config.server).toMatchObject({ port: 2, host: 'localhost', trustProxy: ['10.0.0.3'] });
    expect(origin(staging, 'server.port')).toBe(`overlay ${folder}/config.staging.yaml:2`);
    expect(staging.files).toEqual([join(folder, 'config.yaml'), join(folder, 'config.staging.yaml')]);
    expect(staging.config.environment).toBe('staging');
    expect(at({ NODE_ENV: 'staging' }).config.server.port).toBe(2);
    expect(at({ NODE_ENV: 'other' }).config.server.port).toBe(1);
  });

  it('refuses an environment name that could lead out of the folder', () => {
    expect(messages(refusal('', { env: { RATCHET_ENV: '../x' } }))[0]).toContain('RATCHET_ENV');
  });
});

/** A value that a flag can give where text would not do. */
const OTHER: Readonly<Record<string, string | number | boolean>> = {
  'database.url': 'sqlite::memory:',
  'event_store.url': 'sqlite::memory:',
  'redis.url': 'redis://other',
  'server.port': 4,
  'mcp.port': 4,
  'logging.level': 'error',
  'monitoring.prometheus.enabled': true,
  'rate_limiting.window.window_ms': 4,
  'rate_limiting.window.max_requests': 4,
  'circuit_breaker.failure_threshold': 4,
  'circuit_breaker.reset_timeout_ms': 4,
  'graphql.enabled': true,
  'mcp.enabled': true,
};

/** Each variable with a value, the key it sets, and what becomes of it. */
const SET_BY = [
  ['DATABASE_URL', 'postgresql://h/d', (c: Config) => c.database.url, 'postgresql://h/d'],
  ['EVENT_STORE_URL', 'esdb://h:2113', (c: Config) => c.eventStore.url, 'esdb://h:2113'],
  ['REDIS_URL', 'redis://h', (c: Config) => c.redis.url, 'redis://h'],
  ['JWT_SECRET', 's', (c: Config) => c.auth.jwt?.secret, 's'],
  ['RATCHET_HOST', 'h', (c: Config) => c.server.host, 'h'],
  ['RATCHET_PORT', '1', (c: Config) => c.server.port, 1],
  ['BIND_IP', '0.0.0.0', (c: Config) => c.mcp.host, '0.0.0.0'],
  ['MCP_PORT', '8000', (c: Config) => c.mcp.port, 8000],
  ['LOG_LEVEL', 'DEBUG', (c: Config) => c.logging.level, 'debug'],
  ['RUST_LOG', 'warn', (c: Config) => c.logging.level, 'warn'],
  ['METRICS_ENABLED', 'false', (c: Config) => c.monitoring.prometheus.enabled, false],
  ['RATE_LIMIT_WINDOW_MS', '1000', (c: Config) => c.rateLimiting.window, { windowMs: 1000, maxRequests: 100 }],
  ['RATE_LIMIT_MAX_REQUESTS', '7', (c: Config) => c.rateLimiting.window, { windowMs: 900_000, maxRequests: 7 }],
  ['CIRCUIT_BREAKER_FAILURE_THRESHOLD', '9', (c: Config) => c.circuitBreaker.failureThreshold, 9],
  ['CIRCUIT_BREAKER_RESET_TIMEOUT', '1234', (c: Config) => c.circuitBreaker.resetTimeoutMs, 1234],
  ['RATCHET_ENABLE_GRAPHQL', 'false', (c: Config) => c.graphql.enabled, false],
  ['RATCHET_ENABLE_MCP', '0', (c: Config) => c.mcp.enabled, false],
  ['RATCHET_ENV', 'staging', (c: Config) => c.environment, 'staging'],
  ['NODE_ENV', 'staging', (c: Config) => c.environment, 'staging'],
  ['MCP_API_KEY', 'k', (c: Config) => c.mcp.callerKey, 'k'],
  ['RATCHET_API_KEY', 'k', (c: Config) => c.mcp.callerKey, 'k'],
] as const;

describe('each environment variable overrides its key', () => {
  it.each(SET_BY)('%s=%s', (name, value, read, expected) => {
    const yaml =
      'database: { url: "sqlite::memory:" }\nserver: { port: 9, host: f }\nmcp: { port: 9, host: f }\nlogging: { level: error }\n';
    const loaded = load(yaml, { env: { [name]: value } });
    expect(read(loaded.config)).toEqual(expected);
    expect(read(load(yaml).config)).not.toEqual(expected);
    expect([...loaded.origins.values()].map(describeOrigin)).toContain(`environment ${name}`);
  });

  it('that the program knows is in this table', () => {
    const named = [...SET_BY.map(([name]) => name), 'MCP_API_KEYS'];
    const known = [...VARIABLES, ...STRUCTURED_VARIABLES].map(({ name }) => name);
    expect(known.filter((name) => !named.some((tried) => tried === name))).toEqual([]);
  });

  it.each(
    VARIABLES.flatMap(({ name, paths }) => paths.map((path) => ({ name, path }))).filter(
      // No flag can stand for a key that files do not know.
      ({ path }) => path !== 'mcp.caller_key',
    ),
  )('$name yields to a flag for $path', ({ name, path }) => {
    const value = SET_BY.find(([variable]) => variable === name)?.[1] ?? '';
    const other = OTHER[path] ?? 'other';
    const env = { [name]: value };
    const told = (flags: Record<string, string | number | boolean>) =>
      showConfig(load('', { env, flags })).find((shown) => shown.path === path)?.origin;
    expect([told({}), told({ [path]: other })]).toEqual([`environment ${name}`, 'flag']);
  });

  it('an empty variable counts as not set', () => {
    expect(
      load('server: { port: 9 }', { env: { RATCHET_PORT: '', MCP_API_KEYS: ' , ', RUST_LOG: '' } }).config,
    ).toMatchObject({
      server: { port: 9 },
      mcp: { apiKeys: [], authType: null },
    });
  });

  it('a variable of the wrong kind is named', () => {
    expect(messages(refusal('', { env: { MCP_PORT: 'eight' } }))).toEqual([
      '- mcp.port (from MCP_PORT): expected a whole number from 0 to 65535, got the text "eight"',
    ]);
  });

  it('MCP_API_KEYS makes operators who may ask about the machine, and asks for keys', () => {
    const { mcp } = load('mcp: { auth_type: none, api_keys: [{ key: old, name: old }] }', {
      env: { MCP_API_KEYS: 'a, b,a' },
    }).config;
    expect(mcp.apiKeys.map(({ key, name }) => [key, name])).toEqual([
      ['a', 'mcp-api-key-1'],
      ['b', 'mcp-api-key-2'],
    ]);
    expect(mcp.apiKeys[0]?.permissions).toMatchObject({
      canExecuteTasks: true,
      canAccessSystemInfo: true,
      canAdminister: false,
    });
    expect(mcp.authType).toBe('api_key');
  });

  it('MCP_API_KEYS leaves a chosen token type alone', () => {
    const yaml = 'mcp: { auth_type: jwt, jwt: { secret: s } }';
    expect(load(yaml, { env: { MCP_API_KEYS: 'a' } }).config.mcp.authType).toBe('jwt');
    expect(load(yaml.replace('auth_type: jwt, ', ''), { env: { MCP_API_KEYS: 'a' } }).config.mcp.authType).toBe(
      'api_key',
    );
  });

  it('JWT_SECRET reaches the MCP section where that is written', () => {
    const loaded = load('mcp: { jwt: { secret: file } }', { env: { JWT_SECRET: 'env' } });
    expect(loaded.config.mcp.jwt?.secret).toBe('env');
  });

  it('RATCHET_API_KEY wins over MCP_API_KEY, which stays free for interpolation', () => {
    const loaded = load('', { env: { MCP_API_KEY: 'a', RATCHET_API_KEY: 'b' } });
    expect(loaded.config.mcp.callerKey).toBe('b');
  });

  it.each([
    ['ratchet=debug,ratchet_mcp=trace', 'info', { ratchet: 'debug', ratchet_mcp: 'trace' }],
    ['warn,ratchet_mcp=trace', 'warn', { ratchet_mcp: 'trace' }],
    ['ratchet_mcp', 'info', { ratchet_mcp: 'trace' }],
    ['off', 'off', {}],
  ])('RUST_LOG=%s is level %s and its targets', (filter, level, targets) => {
    expect(load('', { env: { RUST_LOG: filter } }).config.logging).toMatchObject({ level, targets });
  });

  it('RUST_LOG that is no filter is refused', () => {
    expect(messages(refusal('', { env: { RUST_LOG: 'inof' } }))[0]).toMatch(/RUST_LOG: "inof" is neither a level/);
  });
});

type Config = ReturnType<typeof load>['config'];

describe('interpolation', () => {
  it('fills in variables and defaults', () => {
    const yaml = 'server: { host: "${A}.${B:-b}", port: "${P:-81}" }\nchat: { model: "$${A}" }';
    expect(load(yaml, { env: { A: 'a' } }).config).toMatchObject({
      server: { host: 'a.b', port: 81 },
      chat: { model: '${A}' },
    });
  });

  it('names every variable that is not set', () => {
    const error = refusal('server:\n  host: "${A}"\nauth:\n  jwt:\n    secret: "${B}"\n');
    expect(messages(error)).toEqual([
      '2 server.host: the environment variable A is not set; set it, or write ${A:-default}',
      '5 auth.jwt.secret: the environment variable B is not set; set it, or write ${B:-default}',
    ]);
  });

  it('asks for nothing that the overlay or nobody uses', () => {
    const folder = folderWith({ 'config.yaml': 'server: { host: "${A}" }', 'config.x.yaml': 'server: { host: h }' });
    expect(loadConfig({ file: join(folder, 'config.yaml'), env: { HOME, RATCHET_ENV: 'x' } }).config.server.host).toBe(
      'h',
    );
  });

  it('asks for nothing that a variable or a flag overrides', () => {
    const yaml = 'server: { host: "${A}", port: "${B}" }';
    const loaded = load(yaml, { env: { RATCHET_HOST: 'h' }, flags: { 'server.port': 1 } });
    expect(loaded.config.server).toMatchObject({ host: 'h', port: 1 });
  });

  it('tells a missing variable once, not again as a value of the wrong kind', () => {
    expect(refusal('server: { port: "${B}" }').problems).toHaveLength(1);
  });

  it('leaves a value that a variable brought as it is', () => {
    expect(load('', { env: { JWT_SECRET: 'a${b' } }).config.auth.jwt?.secret).toBe('a${b');
    expect(load('auth: { jwt: { secret: "${S}" } }', { env: { S: '${T}' } }).config.auth.jwt?.secret).toBe('${T}');
  });

  it('counts what ${NAME:-} leaves empty as not written', () => {
    expect(load('chat: { api_key: "${KEY:-}" }').config.chat.apiKey).toBeNull();
  });

  it.each(['', undefined])('never makes a key of a variable that is %j, and keeps the door shut', (value) => {
    const { config, warnings } = load('auth:\n  api_keys:\n    - key: "${K}"\n      name: n\n', { env: { K: value } });
    expect(config.auth).toMatchObject({ apiKeys: [], type: 'api_key' });
    expect(warnings.join()).toContain('auth.api_keys[0]: this key is disabled because K is not set');
  });

  it('refuses an empty key written as such', () => {
    expect(messages(refusal('auth: { api_keys: [{ key: "", name: n }] }'))[0]).toContain(
      'expected text, got empty text',
    );
  });

  it('refuses a reference that is none', () => {
    expect(messages(refusal('server: { host: "${not a name}" }'))[0]).toContain('${not a name} is not a reference');
  });
});

describe('places', () => {
  it('relative paths start at the folder of the file', () => {
    const { config, folder } = load(
      'database: { url: "sqlite:a/b.db?mode=rwc" }\n' +
        'logging: { sinks: [{ type: file, path: logs/x.log }] }\n' +
        'mcp: { audit_log_file: audit.log }\n' +
        'tasks: { file_roots: [data, /abs] }\n' +
        'registry: { sources: [{ name: a, uri: "file://./tasks" }, { name: b, uri: "file:///abs/x%20y" }, { name: c, uri: rel }] }',
      { cwd: '/' },
    );
    expect(config.database.url).toBe(`sqlite:${folder}/a/b.db`);
    expect(config.logging.sinks).toMatchObject([{ path: `${folder}/logs/x.log` }]);
    expect(config.mcp.auditLogFile).toBe(`${folder}/audit.log`);
    expect(config.tasks.fileRoots).toEqual([`${folder}/data`, '/abs']);
    expect(config.registry.sources.map(({ path }) => path)).toEqual([`${folder}/tasks`, '/abs/x y', `${folder}/rel`]);
  });

  it('relative paths of variables start at the working folder', () => {
    expect(load('', { env: { DATABASE_URL: 'sqlite:x.db' }, cwd: '/w' }).config.database.url).toBe('sqlite:/w/x.db');
  });

  it.each([
    ['linux', { HOME: '/h' }, 'sqlite:/h/.local/share/ratchet/ratchet.db'],
    ['linux', { HOME: '/h', XDG_DATA_HOME: '/x' }, 'sqlite:/x/ratchet/ratchet.db'],
    ['darwin', { HOME: '/h' }, 'sqlite:/h/Library/Application Support/ratchet/ratchet.db'],
    ['linux', { HOME: '/h', RATCHET_HOME: '/r' }, 'sqlite:/r/ratchet.db'],
    ['linux', { HOME: '/h', RATCHET_HOME: 'r' }, 'sqlite:/cwd/r/ratchet.db'],
    ['linux', {}, 'sqlite:/cwd/.ratchet/ratchet.db'],
  ])('without a file on %s with %j the data is in %s', (platform, env, url) => {
    expect(loadConfig({ platform, env, cwd: '/cwd' }).config.database.url).toBe(url);
  });

  it('on Windows the data is below LOCALAPPDATA', () => {
    const loaded = loadConfig({ platform: 'win32', env: { LOCALAPPDATA: 'C:\\L' }, cwd: '/cwd' });
    expect(loaded.dataFolder).toBe('C:\\L\\ratchet');
  });

  it('without sources ./tasks is watched where it exists', () => {
    const folder = folderWith({ 'tasks/a/main.js': '' });
    const at = (cwd: string) => loadConfig({ env: { HOME }, cwd }).config.registry.sources;
    expect(at(folder)).toMatchObject([
      { name: 'tasks', path: join(folder, 'tasks'), watchForChanges: true, autoReload: true },
    ]);
    expect(at(folderWith())).toEqual([]);
  });
});

describe('values that follow from others', () => {
  it('worker_threads sets the number of workers where that is unset', () => {
    expect(load('server: { worker_threads: 8 }').config.workers.count).toBe(8);
    expect(load('server: { worker_threads: 8 }\nworkers: { count: 2 }').config.workers.count).toBe(2);
  });

  it('the smaller of pool_size and max_connections is the pool', () => {
    expect(load('database: { pool_size: 20, max_connections: 5 }').config.database.poolSize).toBe(5);
    expect(load('database: { pool_size: 5, max_connections: 20 }').config.database.poolSize).toBe(5);
  });

  it('keys or a token section choose the auth type', () => {
    expect(load('auth: { api_keys: [{ key: k, name: n }] }').config.auth.type).toBe('api_key');
    expect(load('mcp: { jwt: { secret: s } }').config.mcp.authType).toBe('jwt');
    expect(load('').config).toMatchObject({ auth: { type: null }, mcp: { authType: null } });
  });
});

describe('refusals', () => {
  it.each([
    ['server:\n  prot: 1', '2 server.prot: this key is not known; did you mean server.port?'],
    ['mcp:\n  sse:\n    prot: 1', '3 mcp.sse.prot: this key is not known; did you mean mcp.sse.port?'],
    ['pool_size: 3', '1 pool_size: this key is not known; did you mean database.pool_size?'],
    ['databse:\n  url: x', '1 databse: this key is not known; did you mean database?'],
    [
      'workers: { zzzzzzzz: 1 }',
      '1 workers.zzzzzzzz: this key is not known; known here are count, restart_on_failure, lease, drain',
    ],
    ['server: 5', '1 server: expected a section of keys, got a single value'],
    ['mcp: { sse: 5, port: 1 }', '1 mcp.sse: expected a section of keys, got a single value'],
    ['server: { port: [1] }', '1 server.port: expected a single value, got a list'],
    ['auth: { api_keys: 1 }', '1 auth.api_keys: expected a list, got a single value'],
    ['server: { port: 70000 }', '1 server.port: expected a whole number from 0 to 65535, got number 70000'],
    ['rest: { enabled: maybe }', '1 rest.enabled: expected true or false, got the text "maybe"'],
    [
      'server: { keep_alive: soon }',
      '1 server.keep_alive: expected a duration such as 30 (seconds), "5s" or "24h", got the text "soon"',
    ],
    [
      'limits: { max_request_size: 1TB }',
      '1 limits.max_request_size: expected a size such as 10485760 (bytes), "512KB", "10MB" or "1GB", got the text "1TB"',
    ],
    [
      'mcp: { rate_limit_per_minute: fast }',
      '1 mcp.rate_limit_per_minute: expected a number per minute, or a rate such as "10/minute", got the text "fast"',
    ],
    [
      'logging: { level: loud }',
      '1 logging.level: expected one of trace, debug, info, warn, error, off, got the text "loud"',
    ],
    ['logging: { sinks: [{ type: file }] }', '1 logging.sinks[0]: a file sink needs a path'],
    [
      'database: { url: "mysql://u:secret@h/d" }',
      '1 database.url: expected a database address: sqlite:FILE, sqlite::memory: or postgresql://…, got the text "mysql://u:***@h/d"',
    ],
    [
      'webhooks: { w: { secret: s } }',
      '1 webhooks.w.task: neither task nor source is set, so a delivery would do nothing; set one of them',
    ],
    [
      'registry: { sources: [{ name: a, uri: x }] }\nwebhooks: { w: { secret: s, task: t, source: a } }',
      '2 webhooks.w.source: task and source are both set; set one of them, and make a second webhook for the other',
    ],
    [
      'registry: { sources: [{ name: a, uri: x }] }\nwebhooks: { w: { secret: s, source: b } }',
      '2 webhooks.w.source: there is no source b; known are a',
    ],
    [
      'registry: { sources: [{ name: x, uri: "https://tok@h/x.rar" }] }',
      '1 registry.sources[0].uri: expected a path, a file:// address, a repository (git+https://… or https://….git) or an archive (https://….zip, .tar.gz or .tgz), got the text "https://***@h/x.rar"',
    ],
    [
      'registry: { sources: [{ name: x, uri: y, ref: "--upload-pack=x" }] }',
      '1 registry.sources[0].ref: expected a branch, a tag or a commit, got the text "--upload-pack=x"',
    ],
    [
      'registry: { sources: [{ name: x, uri: y, folder: a/../../b }] }',
      '1 registry.sources[0].folder: expected a folder inside, such as tasks/billing, got the text "a/../../b"',
    ],
    [
      'registry: { sources: [{ name: x, uri: "https://h/x" }] }',
      '1 registry.sources[0].uri: expected a path, a file:// address, a repository (git+https://… or https://….git) or an archive (https://….zip, .tar.gz or .tgz), got the text "https://h/x"',
    ],
    ['auth: { jwt: { issuer: x } }', '1 auth.jwt.secret: expected text, got nothing'],
    [
      'outbound: { allow: [10.0.0.0/99] }',
      '1 outbound.allow[0]: expected an address or network such as 10.0.0.0/8, got the text "10.0.0.0/99"',
    ],
    [
      'auth: { api_keys: [{ key: k, key_from: X }] }',
      '1 auth.api_keys[0].key_from: this key is not known; did you mean auth.api_keys[].key?',
    ],
    ['mcp: { auth: { tpye: none } }', '1 mcp.auth.tpye: this key is not known; did you mean mcp.auth.type?'],
  ])('%s', (yaml, message) => {
    expect(messages(refusal(yaml))[0]).toBe(message);
  });

  it('come all at once, in the order of the file', () => {
    const error = refusal('server:\n  prot: 1\n  port: x\nmcp:\n  port: y\n');
    expect(error.problems.map(({ line }) => line)).toEqual([2, 3, 5]);
    expect(error.message).toMatch(/^The configuration has 3 problems:\n {2}\/.*config\.yaml:2 server\.prot: /);
  });

  it('never tell a secret', () => {
    const error = refusal('auth: { jwt: { secret: [hunter2] } }\nsecrets: { A: { value: { hunter2: 1 } } }');
    expect(error.problems.map(({ message }) => message).join()).not.toContain('hunter2');
  });

  it('a flag that is no key is named', () => {
    expect(messages(refusal('', { flags: { 'server.prot': 1 } }))[0]).toContain('server.prot (from a flag)');
  });

  it('text that is not YAML is told with its line', () => {
    expect(messages(refusal('server:\n  port: "1\n'))[0]).toMatch(/^[23] -: this is not YAML/);
  });

  it.each([
    ['a missing file', 'none.yaml', /^there is no configuration file .*none\.yaml; check the path given with --config/],
    ['a folder', '.', /is a folder; give the configuration file inside it/],
  ])('%s is told', (_, file, message) => {
    const cwd = folderWith();
    expect(() => loadConfig({ file, cwd, env: { HOME } })).toThrow(message);
  });

  it.skipIf(process.getuid?.() === 0)('a file that may not be read begins with Permission denied', () => {
    const cwd = folderWith({ 'config.yaml': '' });
    chmodSync(join(cwd, 'config.yaml'), 0);
    expect(() => loadConfig({ file: 'config.yaml', cwd, env: { HOME } })).toThrow(/^Permission denied: /);
  });

  it('a key written twice is a warning naming both lines, and the last one counts', () => {
    const { config, warnings, folder } = load('server:\n  port: 1\n  port: 2\n');
    expect(config.server.port).toBe(2);
    expect(warnings).toEqual([
      `${folder}/config.yaml: server.port is written twice, on line 2 and on line 3; the last one counts`,
    ]);
  });
});

describe('production', () => {
  const env = { RATCHET_ENV: 'production' };
  const open = 'cors: { origins: ["*"], credentials: true }';

  it.each([
    ['mcp: { auth_type: none }', 'mcp.auth_type: auth type none lets everybody in'],
    ['auth: { type: none }', 'auth.type: auth type none lets everybody in'],
    [
      'auth: { api_keys: [{ key: dev-key-12345, name: n }] }',
      'auth.api_keys[0].key: this is a default key from public documents',
    ],
    [
      'auth: { jwt: { secret: your-jwt-secret-key } }',
      'auth.jwt.secret: this is a default secret from public documents',
    ],
    [`server: { host: 0.0.0.0, ${open} }`, 'server.cors.origins: the origin "*" together with credentials'],
    [`mcp: { host: 0.0.0.0, ${open} }`, 'mcp.cors.origins: the origin "*" together with credentials'],
    [`rest: { ${open} }\nserver: { host: 0.0.0.0 }`, 'rest.cors.origins: the origin "*" together with credentials'],
  ])('refuses %s', (yaml, message) => {
    const error = refusal(yaml, { env });
    expect(messages(error)).toHaveLength(1);
    expect(messages(error)[0]).toContain(message);
    expect(messages(error)[0]).toMatch(/^1 /);
    expect(() => load(yaml)).not.toThrow();
  });

  it('refuses the default key from the environment', () => {
    const error = refusal('', { env: { ...env, MCP_API_KEYS: 'dev-key-12345' } });
    expect(messages(error)[0]).toContain('(from MCP_API_KEYS): this is a default key');
  });

  it.each([`server: { host: 127.0.0.1, ${open} }`, 'server: { host: 0.0.0.0, cors: { origins: ["*"] } }'])(
    'accepts %s',
    (yaml) => {
      expect(load(yaml, { env }).config.environment).toBe('production');
    },
  );

  it('elsewhere, an open door that others can reach is a warning, and one for stdio alone is none', () => {
    expect(load('mcp: { auth_type: none, transport: sse, host: 0.0.0.0 }').warnings.join()).toContain(
      'lets everybody in',
    );
    expect(load('mcp: { auth_type: none, transport: stdio, host: 0.0.0.0 }').warnings).toEqual([]);
    expect(load('auth: { type: none }\nserver: { host: 0.0.0.0 }').warnings.join()).toContain('lets everybody in');
  });
});

it('a secret for tokens that is too short to be safe is a warning that says how long it should be', () => {
  const warned = (secret: string) => load(`auth: { jwt: { secret: ${secret} } }`).warnings.join();
  expect(warned('short')).toContain('auth.jwt.secret: shorter than 32 characters');
  expect(warned('s'.repeat(32))).toBe('');
});

it('a ConfigError is what loading fails with', () => {
  expect(refusal('x: 1')).toBeInstanceOf(ConfigError);
  expect(load('').origins.get(DATABASE)).toEqual({ kind: 'default' });
});

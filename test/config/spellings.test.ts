import { describe, expect, it } from 'vitest';
import { schema } from '../../config/schema.ts';
import { showConfig } from '../../config/show.ts';
import { SPELLINGS } from '../../config/spellings.ts';
import { knownKeys } from '../../config/walk.ts';
import { load } from './support.ts';

/** A value that the key accepts and that is not its default, by the final path. */
const VALUES: Readonly<Record<string, string>> = {
  'auth.type': 'jwt',
  'mcp.auth_type': 'jwt',
  'mcp.host': '10.1.2.3',
  'tasks.allow_dangerous': 'true',
  'logging.sinks[].max_size': '1KB',
  'registry.sources[].watch_for_changes': 'true',
  'registry.sources[].auto_reload': 'false',
};

const shown = (yaml: string) => {
  const loaded = load(yaml);
  return new Map(showConfig(loaded).map(({ path, value, origin }) => [path, { value, origin }]));
};

/** `a.b[].c` as YAML in flow style; entries get what they must have besides. */
function nest(path: string, value: string): string {
  const [head = '', ...rest] = path.split('.');
  const inner = rest.length === 0 ? value : `{ ${nest(rest.join('.'), value)} }`;
  if (!head.endsWith('[]')) return `${head}: ${inner}`;
  const must: Readonly<Record<string, string>> = {
    'sinks[]': 'type: file, path: x.log, ',
    'sources[]': 'name: x, uri: x, ',
    'api_keys[]': 'key: k, ',
  };
  return `${head.slice(0, -2)}: [${inner.replace('{ ', `{ ${must[head] ?? ''}`)}]`;
}

const sectionOf: Readonly<Record<string, readonly [key: string, value: string]>> = {
  'api.auth': ['jwt', '{ secret: s }'],
  'mcp.sse': ['port', '1234'],
  'mcp.server': ['port', '1234'],
  'mcp.auth.jwt': ['secret', 's'],
  'mcp.auth.oauth2': ['issuer', 'https://a.example'],
  'mcp.security.rate_limiting': ['batch_execute_per_minute', '7'],
  'rest.rate_limit': ['requests_per_minute', '7'],
  'security.rate_limit': ['burst_size', '7'],
  'auth.api_keys[].permissions.rate_limits': ['logs_per_minute', '7'],
  'mcp.api_keys[].permissions.rate_limits': ['logs_per_minute', '7'],
};

describe('every spelling reaches its final key', () => {
  const kinds = new Map([...knownKeys(schema)].map((key) => [key.path, key.node.kind]));

  it.each(Object.entries(SPELLINGS))('%s is %s', (from, to) => {
    const [key, sectionValue] = sectionOf[from] ?? ['', ''];
    const list = from.endsWith('api_keys') ? '[{ key: k, name: n }]' : /origins|roles?$/.test(to) ? '[admin]' : '';
    const value = sectionValue || list || VALUES[to] || '7';
    const nested = from.includes('jwt.expiry')
      ? nest(from, value).replace('expiry', 'secret: s, expiry')
      : nest(key === '' ? from : `${from}.${key}`, value);
    const direct = nest(key === '' ? to : `${to}.${key}`, value).replace('expires_in', 'secret: s, expires_in');
    expect(kinds.has(to)).toBe(true);
    const values = (entries: ReturnType<typeof shown>) =>
      new Map([...entries].map(([path, entry]) => [path, entry.value]));
    const strip = (entries: ReturnType<typeof shown>) =>
      [...values(entries)].filter(([path]) => !/^database\.url|\.path$|\.uri$/.test(path));
    expect(strip(shown(nested))).toEqual(strip(shown(direct)));
    expect(strip(shown(nested))).not.toEqual(strip(shown('')));
  });
});

describe('spellings that differ in value', () => {
  it.each([
    ['0.0.0.0:8090', '0.0.0.0', 8090],
    ['"[::1]:9000"', '::1', 9000],
    ['":7000"', '0.0.0.0', 7000],
    ['localhost', 'localhost', 8090],
  ])('bind_address %s is host %s and port %i', (address, host, port) => {
    expect(load(`mcp: { server: { bind_address: ${address} } }`).config.mcp).toMatchObject({ host, port });
  });

  it.each([
    ['sse', 'http'],
    ['http', 'http'],
    ['stdio', 'stdio'],
  ])('transport %s is %s', (written, transport) => {
    expect(load(`mcp: { transport: ${written} }`).config.mcp.transport).toBe(transport);
  });

  it('use_json chooses the form of console lines', () => {
    const yaml = (json: boolean) => `logging: { sinks: [{ type: console, use_json: ${json} }] }`;
    expect(load(yaml(true)).config.logging.sinks).toMatchObject([{ format: 'json' }]);
    expect(load(yaml(false)).config.logging.sinks).toMatchObject([{ format: 'text' }]);
  });

  it.each([
    ['role: admin', { canExecuteTasks: true, canReadLogs: true, canManageTasks: true, canAdminister: true }],
    ['role: operator', { canExecuteTasks: true, canManageTasks: true, canReadTraces: true, canAdminister: false }],
    ['permissions: [read, write]', { canExecuteTasks: true, canManageTasks: true, canAccessSystemInfo: false }],
    ['permissions: [read]', { canExecuteTasks: false, canManageTasks: false, canReadLogs: true, canReadTraces: true }],
    [
      'permissions: {}',
      { canExecuteTasks: false, canReadLogs: false, canReadTraces: false, allowedTaskPatterns: ['*'] },
    ],
    ['permissions: { can_execute_tasks: true }', { canManageTasks: true, canReadLogs: false }],
    ['permissions: { can_execute_tasks: true, can_manage_tasks: false }', { canManageTasks: false }],
    ['permissions: { allowed_task_patterns: [] }', { allowedTaskPatterns: [] }],
  ])('a key with %s may do what that stands for', (given, expected) => {
    const { config } = load(`auth: { api_keys: [{ key: k, name: n, ${given} }] }`);
    expect(config.auth.apiKeys[0]?.permissions).toMatchObject(expected);
  });

  it('of two spellings of a limit the smaller counts, with a warning naming both lines', () => {
    const { config, warnings, folder } = load(
      'mcp:\n  max_execution_time: 200\n  security:\n    max_execution_time: 300\n',
    );
    expect(config.execution.maxExecutionTimeMs).toBe(200_000);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(`${folder}/config.yaml:2 mcp.max_execution_time`);
    expect(warnings[0]).toContain(`${folder}/config.yaml:4 mcp.security.max_execution_time`);
  });

  it('of two spellings of anything else the later counts', () => {
    const { config, warnings } = load('mcp:\n  port: 1\n  sse:\n    port: 2\n');
    expect(config.mcp.port).toBe(2);
    expect(warnings).toHaveLength(1);
  });
});

/** The environment variables that override the file, and where each one goes. */
import type { ConfigProblem } from './error.ts';
import type { Environment } from './interpolate.ts';
import { readRustLog } from './rust-log.ts';
import { find, fromValue, put, type Section } from './tree.ts';

export interface Variable {
  readonly name: string;
  /** Keys it sets. */
  readonly paths: readonly string[];
}

/** Variables that set a key as they stand; a later one wins over an earlier one. */
export const VARIABLES: readonly Variable[] = [
  { name: 'NODE_ENV', paths: ['environment'] },
  { name: 'RATCHET_ENV', paths: ['environment'] },
  { name: 'DATABASE_URL', paths: ['database.url'] },
  { name: 'EVENT_STORE_URL', paths: ['event_store.url'] },
  { name: 'REDIS_URL', paths: ['redis.url'] },
  { name: 'JWT_SECRET', paths: ['auth.jwt.secret'] },
  { name: 'RATCHET_HOST', paths: ['server.host'] },
  { name: 'RATCHET_PORT', paths: ['server.port'] },
  { name: 'BIND_IP', paths: ['mcp.host'] },
  { name: 'MCP_PORT', paths: ['mcp.port'] },
  { name: 'MCP_API_KEY', paths: ['mcp.caller_key'] },
  { name: 'RATCHET_API_KEY', paths: ['mcp.caller_key'] },
  { name: 'LOG_LEVEL', paths: ['logging.level'] },
  { name: 'METRICS_ENABLED', paths: ['monitoring.prometheus.enabled'] },
  { name: 'RATE_LIMIT_WINDOW_MS', paths: ['rate_limiting.window.window_ms'] },
  { name: 'RATE_LIMIT_MAX_REQUESTS', paths: ['rate_limiting.window.max_requests'] },
  { name: 'CIRCUIT_BREAKER_FAILURE_THRESHOLD', paths: ['circuit_breaker.failure_threshold'] },
  { name: 'CIRCUIT_BREAKER_RESET_TIMEOUT', paths: ['circuit_breaker.reset_timeout_ms'] },
  { name: 'RATCHET_ENABLE_GRAPHQL', paths: ['graphql.enabled'] },
  { name: 'RATCHET_ENABLE_MCP', paths: ['mcp.enabled'] },
];

/** Variables whose text is taken apart; named for the reference. */
export const STRUCTURED_VARIABLES: readonly Variable[] = [
  { name: 'RUST_LOG', paths: ['logging.level', 'logging.targets'] },
  { name: 'MCP_API_KEYS', paths: ['mcp.api_keys', 'mcp.auth_type'] },
];

export interface FromEnvironment {
  readonly tree: Section;
  readonly problems: readonly ConfigProblem[];
}

/**
 * Lays the environment over `base`. An empty variable counts as not set, as container files often pass empty ones on.
 *
 * @param cwd folder that relative paths in variables start from
 */
export function applyEnvironment(base: Section, env: Environment, cwd: string): FromEnvironment {
  let tree = base;
  const set = (path: string, value: unknown, name: string): void => {
    const place = { origin: { kind: 'environment', name }, folder: cwd, written: path } as const;
    const node = fromValue(value, place);
    if (node !== undefined) tree = put(tree, path, node);
  };
  for (const { name, paths } of VARIABLES) {
    const value = env[name]?.trim();
    if (value) for (const path of paths) set(path, value, name);
  }
  if (env.JWT_SECRET && find(base, 'mcp.jwt') !== undefined) set('mcp.jwt.secret', env.JWT_SECRET, 'JWT_SECRET');
  applyKeys(env, base, set);
  const filter = env.RUST_LOG ? readRustLog(env.RUST_LOG) : { level: null, targets: {} };
  if ('wrong' in filter) return { tree, problems: [{ message: filter.wrong, path: 'RUST_LOG' }] };
  set('logging.level', filter.level, 'RUST_LOG');
  for (const [target, value] of Object.entries(filter.targets)) set(`logging.targets.${target}`, value, 'RUST_LOG');
  return { tree, problems: [] };
}

/** `MCP_API_KEYS=a,b`: operators that may also ask about the machine; they replace the keys of the file. */
function applyKeys(env: Environment, base: Section, set: (path: string, value: unknown, name: string) => void): void {
  const keys = [...new Set((env.MCP_API_KEYS ?? '').split(',').map((key) => key.trim()))].filter((key) => key !== '');
  if (keys.length === 0) return;
  const entries = keys.map((key, index) => ({
    key,
    name: `mcp-api-key-${index + 1}`,
    roles: ['operator'],
    permissions: { can_access_system_info: true },
  }));
  set('mcp.api_keys', entries, 'MCP_API_KEYS');
  const type = find(base, 'mcp.auth_type');
  // A type that only followed from a section of the file was never chosen; `none` was, but keys say otherwise.
  const chosen = type?.place.written.endsWith('type') === true;
  const open = !chosen || (type.kind === 'leaf' && type.value === 'none');
  if (open) set('mcp.auth_type', 'api_key', 'MCP_API_KEYS');
}

/** Every spelling the documents use, and the one each is turned into. */
import { join, type Leaf, type List, type Section, type Tree } from './tree.ts';

/**
 * From a documented path to its final one. `[]` stands for each item of a list. A path below a renamed one moves with it,
 * and the outcome is looked up again, so `mcp.server.auth.api_keys` becomes `mcp.auth.api_keys`, then `mcp.api_keys`.
 */
export const SPELLINGS: Readonly<Record<string, string>> = {
  'api.auth': 'auth',
  'auth.auth_type': 'auth.type',
  'mcp.sse': 'mcp',
  'mcp.server': 'mcp',
  'mcp.auth.type': 'mcp.auth_type',
  'mcp.auth.api_keys': 'mcp.api_keys',
  'mcp.auth.jwt': 'mcp.jwt',
  'mcp.auth.oauth2': 'mcp.oauth2',
  'auth.jwt.expiry': 'auth.jwt.expires_in',
  'mcp.jwt.expiry': 'mcp.jwt.expires_in',
  'server.cors.allowed_origins': 'server.cors.origins',
  'rest.cors.allowed_origins': 'rest.cors.origins',
  'mcp.cors.allowed_origins': 'mcp.cors.origins',
  'mcp.performance.request_timeout': 'mcp.request_timeout',
  'mcp.max_execution_time': 'execution.max_execution_time',
  'mcp.performance.max_execution_time': 'execution.max_execution_time',
  'mcp.security.max_execution_time': 'execution.max_execution_time',
  'mcp.performance.max_concurrent_executions_per_client': 'execution.max_concurrent_per_client',
  'mcp.performance.execution_queue_size': 'execution.queue_size',
  'mcp.security.allow_dangerous_tasks': 'tasks.allow_dangerous',
  'mcp.security.request_size_limit': 'mcp.security.max_input_size',
  'mcp.security.response_size_limit': 'mcp.security.max_output_size',
  'mcp.security.rate_limiting': 'rate_limiting.mcp',
  'mcp.rate_limit_per_minute': 'rate_limiting.mcp.requests_per_minute',
  'rest.rate_limit': 'rate_limiting.rest',
  'security.rate_limit': 'rate_limiting.security',
  'server.max_concurrent_connections': 'limits.max_concurrent_connections',
  'logging.sinks[].rotation.size': 'logging.sinks[].max_size',
  'logging.sinks[].rotation.keep': 'logging.sinks[].max_backups',
  'registry.sources[].config.watch_for_changes': 'registry.sources[].watch_for_changes',
  'registry.sources[].config.auto_reload': 'registry.sources[].auto_reload',
  'auth.api_keys[].permissions.rate_limits': 'auth.api_keys[].rate_limits',
  'auth.api_keys[].rate_limits.execute_task': 'auth.api_keys[].rate_limits.executions_per_minute',
  'auth.api_keys[].rate_limits.get_logs': 'auth.api_keys[].rate_limits.logs_per_minute',
  'auth.api_keys[].role': 'auth.api_keys[].roles',
  'mcp.api_keys[].permissions.rate_limits': 'mcp.api_keys[].rate_limits',
  'mcp.api_keys[].rate_limits.execute_task': 'mcp.api_keys[].rate_limits.executions_per_minute',
  'mcp.api_keys[].rate_limits.get_logs': 'mcp.api_keys[].rate_limits.logs_per_minute',
  'mcp.api_keys[].role': 'mcp.api_keys[].roles',
};

/** Told when two spellings of one key stand in the same file; decides which value counts. */
export type Collision = (path: string, first: Leaf | List, second: Leaf | List) => Leaf | List;

/** @returns the tree with every key in its final place. */
export function canonical(tree: Section, collision: Collision): Section {
  return rebuild('', tree, collision);
}

/** A section under construction. */
interface Draft {
  readonly entries: Map<string, Draft | Leaf | List>;
  /** The section as it was written, for its place. */
  from: Section;
}

type Path = readonly string[];

/** Items of lists are rebuilt on their own, under the prefix `…[]`: a spelling inside one never leaves it. */
function rebuild(prefix: string, tree: Section, collision: Collision): Section {
  const root: Draft = { entries: new Map(), from: tree };
  for (const [key, value] of tree.entries) move(root, prefix, [key], value, collision);
  return finish(root);
}

function move(root: Draft, prefix: string, path: Path, tree: Tree, collision: Collision): void {
  for (const [target, value] of reshape(prefix, rename(prefix, path), tree)) {
    if (value.kind === 'section') {
      for (const [key, child] of value.entries) move(root, prefix, [...target, key], child, collision);
      // A section emptied by moving its keys away is gone; one that was written empty stays.
      const moved = value.entries.size === 0 ? open(root, target) : draftAt(root, target);
      if (moved !== undefined) moved.from = value;
      continue;
    }
    const name = join(prefix, target.join('.'));
    const items = (list: List) =>
      list.items.map((item) => (item.kind === 'section' ? rebuild(`${name}[]`, item, collision) : item));
    const done = value.kind === 'list' ? { ...value, items: items(value) } : value;
    const parent = open(root, target.slice(0, -1));
    const key = target.at(-1) ?? '';
    const before = parent.entries.get(key);
    const both = before !== undefined && 'kind' in before;
    parent.entries.set(key, both ? collision(name, before, done) : done);
  }
}

/** A value that stands where a section belongs stays there, to be refused; what would go below it is dropped. */
function open(root: Draft, path: Path): Draft {
  let at = root;
  for (const key of path) {
    const below = at.entries.get(key);
    const next: Draft = below === undefined || 'kind' in below ? { entries: new Map(), from: root.from } : below;
    if (below === undefined) at.entries.set(key, next);
    at = next;
  }
  return at;
}

function draftAt(root: Draft, path: Path): Draft | undefined {
  let at: Draft | Leaf | List | undefined = root;
  for (const key of path) at = at !== undefined && !('kind' in at) ? at.entries.get(key) : undefined;
  return at !== undefined && !('kind' in at) ? at : undefined;
}

function finish(draft: Draft): Section {
  const entries = new Map<string, Tree>();
  for (const [key, value] of draft.entries) entries.set(key, 'kind' in value ? value : finish(value));
  return { kind: 'section', entries, place: draft.from.place };
}

function rename(prefix: string, path: Path): Path {
  let at = join(prefix, path.join('.'));
  if (!Object.hasOwn(SPELLINGS, at)) return path;
  while (Object.hasOwn(SPELLINGS, at)) at = SPELLINGS[at] ?? at;
  return at.slice(prefix === '' ? 0 : prefix.length + 1).split('.');
}

/** Spellings that differ in their value, not only in their place. */
function reshape(prefix: string, path: Path, tree: Tree): readonly (readonly [Path, Tree])[] {
  const name = join(prefix, path.join('.'));
  if (/^(auth|mcp)\.api_keys\[\]\.(permissions|roles)$/.test(name) && tree.kind !== 'section') {
    const items = tree.kind === 'list' ? tree.items : [tree];
    return [[['roles'], { kind: 'list', items, place: tree.place }]];
  }
  if (tree.kind !== 'leaf') return [[path, tree]];
  if (name === 'logging.sinks[].use_json') {
    const format = new Map<unknown, string>([
      [true, 'json'],
      ['true', 'json'],
      [false, 'text'],
      ['false', 'text'],
    ]).get(tree.value);
    return [[['format'], { ...tree, value: format ?? tree.value }]];
  }
  if (name !== 'mcp.bind_address' && name !== 'server.bind_address') return [[path, tree]];
  const [host, port] = splitAddress(String(tree.value));
  const [section = ''] = path;
  return [
    ...(host === '' ? [] : [[[section, 'host'], { ...tree, value: host }] as const]),
    ...(port === undefined ? [] : [[[section, 'port'], { ...tree, value: port }] as const]),
  ];
}

/** `0.0.0.0:8090`, `[::]:8090`, `:8090` (any address) or a host alone. */
function splitAddress(address: string): readonly [host: string, port: string | undefined] {
  const match = /^(.*):([^:\]]+)$/.exec(address);
  const host = (match?.[1] ?? address).replace(/^\[(.*)\]$/, '$1');
  return [host === '' ? '0.0.0.0' : host, match?.[2]];
}

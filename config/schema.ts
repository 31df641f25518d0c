/** The one shape of the configuration: every key with its type, default, unit and meaning, whatever spelling a file uses. */
import { z } from 'zod';
import { entries, list, named, required, section, setting, unset } from './fields.ts';
import {
  databaseUrl,
  duration,
  eventStoreUrl,
  flag,
  httpUrl,
  longerThan,
  matching,
  network,
  path,
  redisUrl,
  secret,
  size,
  source,
  text,
  whole,
} from './kinds.ts';
import { auth } from './schema-access.ts';
import { logging } from './schema-logging.ts';
import { mcp } from './schema-mcp.ts';
import { results } from './schema-results.ts';
import { graphql, limits, rateLimiting, rest, server, webhooks } from './schema-server.ts';

const database = section('Where events and read models are kept.', {
  url: required(databaseUrl, 'Address of the database; a relative SQLite file is relative to the configuration file.', {
    fallbackNote: 'ratchet.db in $RATCHET_HOME, else in the user data folder',
  }),
  poolSize: setting(whole(1), 20, 'Connections of this process; max_connections caps it.'),
  maxConnections: setting(whole(1), 100, 'Most connections to the database.'),
  connectionTimeoutMs: setting(duration('s'), 30_000, 'Longest wait for a connection.'),
  idleTimeoutMs: setting(duration('s'), 600_000, 'How long an idle connection is kept.'),
  preparedStatements: setting(
    flag,
    true,
    'Whether PostgreSQL statements are prepared once; switch off behind a pooler that forbids it.',
  ),
  autoMigrate: setting(
    flag,
    true,
    'Whether a start brings the tables of PostgreSQL up to date; else `ratchet migrate` does, before an upgrade.',
  ),
});

const execution = section('Limits of a single execution.', {
  maxExecutionTimeMs: setting(duration('s'), 300_000, 'Longest run of one execution.', { strictest: true }),
  queueSize: setting(whole(1), 10_000, 'Executions that may wait; beyond it requests are refused with retry-after.', {
    strictest: true,
  }),
  maxConcurrentPerClient: unset(whole(1), 'Executions of one caller that run at once.', { strictest: true }),
  maxOutputBytes: setting(size, 10_485_760, 'Largest output.'),
  maxLogLines: setting(whole(), 10_000, 'Most log lines.'),
  maxLogBytes: setting(size, 10_485_760, 'Most log text.'),
  maxSteps: setting(whole(1), 10_000, 'Most recorded steps.'),
  maxResponseBodyBytes: setting(size, 10_485_760, 'Largest body a task may fetch.'),
  waitSecondsDefault: setting(whole(0, 50), 20, 'Seconds that execute_task waits before it answers `running`.'),
  waitSecondsMax: setting(whole(0, 300), 50, 'Longest wait a caller may ask for, in seconds.'),
});

/** As git allows it, and nothing that could be taken for a flag or a way up. */
const REF = /^(?![-./])(?!.*(\.\.|@\{|\/\/|\.lock$))[^\s~^:?*[\\\u0000-\u001f]{1,255}(?<![/.])$/;
const INSIDE = /^(?!\/)(?!.*(^|\/)\.\.?(\/|$))[^\\:\u0000-\u001f]{1,512}$/;

const registrySource = section('One place that tasks are read from.', {
  name: required(text, 'Name of the source.'),
  path: required(
    source,
    'Where: a folder or archive file, as a path or file:// address relative to the configuration file; a repository, git+https://… or https://….git; an archive, https://….zip, .tar.gz or .tgz.',
    { key: 'uri' },
  ),
  ref: unset(matching('a branch, a tag or a commit', REF), 'Branch, tag or full commit of a repository.', {
    fallbackNote: 'its default branch',
  }),
  folder: unset(
    matching('a folder inside, such as tasks/billing', INSIDE),
    'Folder inside the repository or archive; of an archive that holds a single folder, inside that.',
  ),
  sha256: unset(matching('64 hexadecimal digits', /^[0-9a-f]{64}$/i), 'SHA-256 that an archive must have.'),
  pollIntervalMs: unset(
    duration('s'),
    'How often a remote source is looked at; else at start, by sync and by webhook.',
  ),
  username: unset(text, 'User that the token belongs to; repositories get "git" where it is left out.'),
  token: unset(secret, 'Token or password for the source; write ${NAME} to take it from the environment.'),
  watchForChanges: setting(flag, false, 'Whether changed files are noticed while running.'),
  autoReload: setting(flag, true, 'Whether noticed changes take effect at once.'),
});

const tasks = section('What tasks may do.', {
  fileRoots: list(path, 'Folders below which `file` steps may read.'),
  allowDangerous: setting(flag, false, 'Whether tasks marked `dangerous: true` may run.'),
});

const outbound = section('What tasks may reach over the network.', {
  allow: list(network, 'Private addresses and networks that may be called; public ones always may.'),
  connectTimeoutMs: setting(duration('s'), 10_000, 'Longest wait for a connection.'),
  timeoutMs: setting(duration('s'), 30_000, 'Longest time for one request.'),
  maxSockets: setting(whole(1), 100, 'Open connections to one origin.'),
  maxFreeSockets: setting(whole(), 10, 'Idle connections kept to one origin.'),
  keepAlive: setting(flag, true, 'Whether connections are kept.'),
});

const secretEntry = section('One secret that tasks may use by name.', {
  value: required(secret, 'The secret; write ${NAME} to take it from the environment.'),
  allowedHosts: list(text, 'Hosts that may receive it, such as api.example.com or *.example.com; none unless named.'),
});

const monitoring = section('What is told about the server.', {
  prometheus: section('Metrics for Prometheus.', {
    enabled: setting(flag, true, 'Whether metrics are served.'),
    path: setting(matching('a path beginning with /', /^\/\S*$/), '/metrics', 'Path they are served at.'),
    allow: list(network, 'Networks that may read them; empty means any.'),
  }),
});

const chat = section('The model behind POST /chat.', {
  backendUrl: unset(httpUrl, 'Base address of an OpenAI-compatible service; without it /chat answers 503.'),
  apiKey: unset(secret, 'Key for that service.'),
  model: unset(text, 'Model asked for unless the request names one.'),
  timeoutMs: setting(duration('s'), 60_000, 'Longest time for one answer.'),
});

const llm = section('The model behind llm.complete in tasks.', {
  baseUrl: unset(httpUrl, 'Base address of an OpenAI-compatible service.'),
  apiKey: unset(secret, 'Key for that service.'),
  model: unset(text, 'Model asked for unless the task names one.'),
  timeoutMs: setting(duration('s'), 60_000, 'Longest time for one answer.'),
});

/** The schema of the configuration; its nodes carry their documentation (see `documentationOf`). */
export const schema = z.object({
  environment: unset(
    matching('a name of letters, digits, - and _', /^[\w-]{1,64}$/),
    'Deployment environment; `production` refuses insecure settings.',
  ),
  database,
  eventStore: section('Where the log of events is kept, if not in the database.', {
    url: unset(eventStoreUrl, 'Address of the event store.', { fallbackNote: 'the database' }),
  }),
  logging,
  server,
  rest,
  graphql,
  mcp,
  auth,
  security: section('Isolation.', {
    allowProcessIsolation: setting(
      flag,
      false,
      'Whether production may run tasks where the system offers neither namespaces nor another user.',
    ),
  }),
  rateLimiting,
  limits,
  workers: section('Processes that run tasks.', {
    count: unset(whole(1, 1024), 'How many.', { fallbackNote: 'eight for each processor' }),
    restartOnFailure: setting(flag, true, 'Whether a process that dies is replaced.'),
    leaseMs: setting(
      longerThan(2_000, 's'),
      30_000,
      'How long a node may be silent before others take over what it runs; it gives a sign three times as often.',
    ),
    drainMs: setting(
      duration('s'),
      20_000,
      'How long a node that is asked to end lets executions run on before it leaves them to others.',
    ),
  }),
  registry: section('Where tasks come from.', {
    sources: entries(
      registrySource,
      'Places that tasks are read from; ./tasks, watched, where it exists and none is given.',
    ),
  }),
  tasks,
  execution,
  outbound,
  secrets: named(secretEntry, 'Secrets that tasks may use, by name.'),
  webhooks,
  results,
  monitoring,
  chat,
  llm,
  circuitBreaker: section('Stops calling a dependency that keeps failing.', {
    failureThreshold: setting(whole(1), 5, 'Failures in a row that open it.'),
    resetTimeoutMs: setting(duration('ms'), 60_000, 'How long it stays open before one call is tried.', {
      key: 'reset_timeout_ms',
    }),
  }),
  redis: section('Optional shared cache.', {
    url: unset(redisUrl, 'Address of Redis; losing it loses only caches.', { fallbackNote: 'none' }),
  }),
  cache: section('How long repeated answers are kept.', {
    toolsListTtlMs: setting(duration('s'), 300_000, 'List of tools.'),
    healthTtlMs: setting(duration('s'), 60_000, 'Health of dependencies.'),
    metricsTtlMs: setting(duration('s'), 30_000, 'Metrics.'),
  }),
});

type DeepReadonly<T> = T extends readonly (infer U)[]
  ? readonly DeepReadonly<U>[]
  : T extends object
    ? { readonly [K in keyof T]: DeepReadonly<T[K]> }
    : T;

/** The configuration in its one internal shape. */
export type Config = DeepReadonly<z.output<typeof schema>>;

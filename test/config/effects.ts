/** Which test sees each key of the configuration at work. */
import { by, type Proof } from '../support/proofs.ts';

/** `none`: `config show` says so. An owner: the key waits for what that name stands for. */
export type Effect = readonly Proof[] | 'none' | { readonly owner: 'mcp' | 'monitoring' };

const SERVER = 'e2e/configured-server.test.ts';
const ACCESS = 'e2e/configured-access.test.ts';
const EXECUTION = 'e2e/configured-execution.test.ts';
const LOG = by('config/applied.test.ts', 'goes to each sink at its level, in its form, rotated and collected');
const PAGES = by(
  SERVER,
  'may call as server.cors says, and REST as rest.cors says',
  'may not call where enabled is false',
);
const SURFACES = by(
  SERVER,
  'are below rest.prefix and at graphql.endpoint, with playground and introspection as asked',
  'are not there when they are switched off',
);
const RATES = by(SERVER, 'each limit on requests counts as rate_limiting says');
const SYNC = 'e2e/source-sync.test.ts';
const KEY = by(ACCESS, '%s may do what its role or its permissions say');
const BOUND_KEY = by(ACCESS, 'is bound to its patterns, its addresses and its limits, and may be switched off');
const JWT = by(ACCESS, 'tokens are made and taken as auth.jwt says');
const OAUTH2 = by(ACCESS, 'tokens of an authorisation server are taken as auth.oauth2 says');
const BOUNDS = by(EXECUTION, 'bounds time, output, log, steps and bodies');
const PLACES = by(EXECUTION, 'bounds the queue and the executions of one caller');
const WAITS = by(EXECUTION, 'waits as long as wait_seconds_default and wait_seconds_max say');
const CONNECTIONS = by(EXECUTION, 'opens and keeps as many connections as asked: %s');
const SOURCES = by(EXECUTION, 'come from registry.sources, watched or not');
const REPOSITORY = by(SYNC, 'is looked at by itself where an interval is set');
const SECRETS = by(EXECUTION, 'tell their secrets to the hosts of the secret alone');
const PG_SERVER = 'e2e/postgres-connections.test.ts';
const CONNECTIONS_OF_ALL = by(
  PG_SERVER,
  'has no more connections than %s, and closes those that are idle for idle_timeout',
);
const STORE = by(EXECUTION, 'event_store.url is where the log is, database.url where it is not set');
const NODES = 'e2e/nodes.test.ts';
const WORKERS = by(SERVER, 'runs server.worker_threads executions at once, or workers.count where that is set');
const TLS = by('e2e/tls.test.ts', 'speaks TLS from 1.2 on, and tells browsers to stay with it');
const DELIVERY = by('e2e/webhooks.test.ts', 'that is signed runs the task of its sender on what was sent');
const RESULTS = by('e2e/configured-results.test.ts', 'go to webhooks, files and stdout as the results section says');
const RESULTS_FOR = by('e2e/results.test.ts', 'follows from the end, the task and the request');
const TOOL_ACCESS = 'e2e/mcp/tool-access.test.ts';
const TOOLSETS = [
  ...by('config/mcp-tools.test.ts', 'switches off the tools of %s'),
  ...by(TOOL_ACCESS, '%s is neither listed nor called'),
];
const TOOL_BOUNDS = by('config/mcp-tools.test.ts', 'bounds what tools answer');
const AUDIT = by(ACCESS, 'mirrors the audit trail where mcp.audit_log_file says');
const PRODUCTION = by('config/load.test.ts', 'refuses %s', 'lays the file of the environment over the file');
const MCP = { owner: 'mcp' } as const;
const LISTENER = 'e2e/mcp/configured.test.ts';
const MCP_KEY = by(LISTENER, 'is who holds a key, with its permissions, its patterns and its limits');
const MCP_RATES = by(
  LISTENER,
  'count the messages of a caller (rate_limit_per_minute)',
  'count calls of tools (security.rate_limiting.%s)',
  'count batches and each of their items (security.rate_limiting.batch_execute_per_minute)',
);
const MODELS = [
  ...by('config/applied.test.ts', 'hands MCP servers and the language model to tasks'),
  ...by('e2e/models.test.ts', 'calls a tool of a server on HTTP', 'completes a conversation with the configured model'),
];
const MONITORING = { owner: 'monitoring' } as const;
const PG_LOG = 'infra/event-store/postgres-log.test.ts';

/** By path in the file; a path that ends in `.*` stands for every key below it that is not named itself. */
export const EFFECTS: Readonly<Record<string, Effect>> = {
  environment: PRODUCTION,
  'database.url': STORE,
  'database.pool_size': CONNECTIONS_OF_ALL,
  'database.max_connections': CONNECTIONS_OF_ALL,
  'database.connection_timeout': by(PG_LOG, 'no wait for a connection is longer than connection_timeout'),
  'database.idle_timeout': CONNECTIONS_OF_ALL,
  'database.prepared_statements': by(PG_SERVER, 'works with prepared_statements off'),
  'database.auto_migrate': by('e2e/postgres.test.ts', 'where it may not migrate, a start says'),
  'event_store.url': STORE,
  'logging.level': LOG,
  'logging.targets': LOG,
  'logging.sinks[].*': LOG,
  'logging.sinks[].colored': by('infra/logging.test.ts', 'has colours on a terminal, unless they are not wanted'),
  'server.host': by(SERVER, 'binds server.host and server.port'),
  'server.port': by(SERVER, 'binds server.host and server.port'),
  'server.cors.*': PAGES,
  'server.keep_alive': by(SERVER, 'keeps an idle connection for server.keep_alive'),
  'server.request_timeout': by(SERVER, 'and waits for a request for server.request_timeout'),
  'server.trust_proxy': by(SERVER, 'believes the proxies of server.trust_proxy, and nobody else'),
  'server.worker_threads': WORKERS,
  'server.max_blocking_threads': 'none',
  'server.tls.*': TLS,
  'rest.enabled': SURFACES,
  'rest.prefix': SURFACES,
  'rest.cors.*': PAGES,
  'graphql.*': SURFACES,
  'mcp.*': MCP,
  'mcp.log_execution_traces': by('e2e/server-log.test.ts', 'the trace of each execution is told where that is wanted'),
  'mcp.enable_structured_logs': by('config/applied.test.ts', 'mcp.enable_structured_logs makes JSON of console lines'),
  'mcp.servers[].*': MODELS,
  'mcp.performance.connection_pool_size': MODELS,
  'mcp.tools.enable_execution': TOOLSETS,
  'mcp.tools.enable_logging': TOOLSETS,
  'mcp.tools.enable_monitoring': TOOLSETS,
  'mcp.tools.enable_debugging': TOOLSETS,
  'mcp.security.max_log_entries': [...TOOL_BOUNDS, ...by(TOOL_ACCESS, 'an answer has at most max_log_entries entries')],
  'mcp.security.max_output_size': [
    ...TOOL_BOUNDS,
    ...by(TOOL_ACCESS, 'an answer larger than max_output_size is refused, and says so'),
  ],
  'mcp.performance.log_cache_ttl': [
    ...TOOL_BOUNDS,
    ...by(TOOL_ACCESS, 'of what has ended are kept for as long as configured, those of what goes on are not'),
  ],
  'mcp.host': by(LISTENER, 'the listener is where mcp.host and mcp.port say'),
  'mcp.port': by(LISTENER, 'the listener is where mcp.host and mcp.port say'),
  'mcp.cors.*': by(LISTENER, 'is nobody on a page that mcp.cors does not name, whatever the path'),
  'mcp.max_connections': by(LISTENER, 'bound sessions (max_connections)'),
  'mcp.request_timeout': by(LISTENER, 'bound the time of calls that run no task code (request_timeout)'),
  'mcp.auth_type': by(LISTENER, 'is anybody with auth type none', 'is who comes with a token of ours'),
  'mcp.api_keys[].key': by('e2e/mcp/stdio.test.ts', 'knows its caller by the key in its environment'),
  'mcp.api_keys[].name': MCP_KEY,
  'mcp.api_keys[].roles': MCP_KEY,
  'mcp.api_keys[].permissions.*': MCP_KEY,
  'mcp.api_keys[].rate_limits.*': MCP_KEY,
  'mcp.api_keys[].active': MCP_KEY,
  'mcp.api_keys[].allowed_ips': MCP_KEY,
  'mcp.jwt.*': by(LISTENER, 'is who comes with a token of ours'),
  'mcp.oauth2.*': by(LISTENER, 'is who comes with a token of the authorisation server for this very resource'),
  'mcp.security.max_input_size': by(LISTENER, 'bound requests and answers (security.max_input_size'),
  'mcp.enabled': [
    ...by('e2e/documents.test.ts', '%s starts a server with the interfaces that it names'),
    ...by(SERVER, 'variables of the environment are at work before the file'),
  ],
  'mcp.api_keys[].description': 'none',
  'mcp.api_keys[].created_at': 'none',
  'mcp.security.audit_log_enabled': AUDIT,
  'mcp.audit_log_file': AUDIT,
  'auth.type': [...by(ACCESS, 'auth.type none asks nobody'), ...JWT, ...OAUTH2],
  'auth.api_keys[].key': KEY,
  'auth.api_keys[].name': by(ACCESS, 'appears in the audit trail under its name'),
  'auth.api_keys[].description': 'none',
  'auth.api_keys[].roles': KEY,
  'auth.api_keys[].permissions.*': KEY,
  'auth.api_keys[].permissions.allowed_task_patterns': BOUND_KEY,
  'auth.api_keys[].permissions.denied_task_patterns': BOUND_KEY,
  'auth.api_keys[].rate_limits.*': BOUND_KEY,
  'auth.api_keys[].created_at': 'none',
  'auth.api_keys[].active': BOUND_KEY,
  'auth.api_keys[].allowed_ips': BOUND_KEY,
  'auth.jwt.*': JWT,
  'auth.oauth2.*': OAUTH2,
  'auth.session.idle_timeout': by(
    'e2e/sessions.test.ts',
    'is auth.session.idle_timeout without a request, also for what it has opened',
  ),
  'auth.session.max_age': by('e2e/sessions.test.ts', 'is auth.session.max_age at most, however much it is used'),
  'security.allow_process_isolation': by(
    'config/applied.test.ts',
    'does not start, unless security.allow_process_isolation says so',
  ),
  'rate_limiting.*': RATES,
  'rate_limiting.mcp.*': MCP_RATES,
  'limits.max_request_size': by(SERVER, 'bound the size of requests and answers'),
  'limits.max_response_size': by(SERVER, 'bound the size of requests and answers'),
  'limits.max_concurrent_connections': by(SERVER, 'bound connections'),
  'limits.task_execution_memory_limit': by(EXECUTION, 'have the memory of limits.task_execution_memory_limit'),
  'server.shutdown_delay': by(
    'e2e/balanced.test.ts',
    'are restarted one after the other under load, and no request fails',
  ),
  'server.roles': by(NODES, 'do only what their roles say'),
  'workers.count': WORKERS,
  'workers.lease': by(NODES, 'take over what a killed one ran when its lease is over, and fire its schedules'),
  'workers.drain': by(
    NODES,
    'when asked to end: take no more, say so, let short work end, and hand over the rest at once',
  ),
  'workers.restart_on_failure': [
    ...by('sandbox/pool.test.ts', 'a process that dies by itself is replaced, unless that is switched off'),
    ...by('config/applied.test.ts', 'workers.restart_on_failure reaches the pool of processes'),
  ],
  'registry.sources[].name': SOURCES,
  'registry.sources[].uri': SOURCES,
  'registry.sources[].watch_for_changes': SOURCES,
  'registry.sources[].auto_reload': SOURCES,
  'registry.sources[].ref': REPOSITORY,
  'registry.sources[].folder': REPOSITORY,
  'registry.sources[].poll_interval': REPOSITORY,
  'registry.sources[].username': REPOSITORY,
  'registry.sources[].token': REPOSITORY,
  'registry.sources[].sha256': by(SYNC, 'is taken only with the checksum that is asked for'),
  'tasks.*': by(EXECUTION, 'read files below tasks.file_roots, and are dangerous only where tasks.allow_dangerous'),
  'execution.*': BOUNDS,
  'execution.queue_size': PLACES,
  'execution.max_concurrent_per_client': PLACES,
  'execution.wait_seconds_default': WAITS,
  'execution.wait_seconds_max': WAITS,
  'outbound.allow': by(EXECUTION, 'reaches private addresses that are allowed'),
  'outbound.connect_timeout': by(EXECUTION, 'waits outbound.connect_timeout for a connection'),
  'outbound.timeout': by(EXECUTION, 'and waits outbound.timeout for an answer'),
  'outbound.max_sockets': CONNECTIONS,
  'outbound.max_free_sockets': CONNECTIONS,
  'outbound.keep_alive': CONNECTIONS,
  'secrets.<name>.*': SECRETS,
  'results.<name>.*': RESULTS,
  'results.<name>.events': RESULTS_FOR,
  'results.<name>.on_request': RESULTS_FOR,
  'webhooks.<name>.provider': DELIVERY,
  'webhooks.<name>.secret': DELIVERY,
  'webhooks.<name>.task': DELIVERY,
  'webhooks.<name>.source': by(SYNC, 'is synced by a push to its branch and by nothing else'),
  'monitoring.*': MONITORING,
  'chat.*': MCP,
  'llm.*': MODELS,
  'circuit_breaker.*': MCP,
  'redis.url': by(SERVER, 'goes on without Redis, and says so in the log and in its health'),
  'cache.*': MCP,
};

/** Which tests prove which requirement of the product's documents; an empty list means open. */
import { by, type Proof } from './support/proofs.ts';

const LETTERS = { A: 51, B: 64, C: 26, D: 28, E: 23, X: 33 } as const;

/** Every requirement by its id. */
export const IDS: readonly string[] = Object.entries(LETTERS).flatMap(([letter, count]) =>
  Array.from({ length: count }, (_, index) => `${letter}${index + 1}`),
);

/** Ids that an issue which is done had to prove. */
export const PROVEN: readonly string[] = [
  'A1 A2 A3 A4 A5 A7 A8 A9 A10 A11 A12 A13 A14 A15 A16 A17 A18 A19 A20 A22 A23 A24 A25 A26 A27 A28 A29 A30 A31',
  'A32 A33 A34 A35 A36 A37 A38 A39 A40 A44 A45 A46 A47 A48 A50 A51',
  'B1 B2 B3 B5 B6 B7 B8 B9 B10 B11 B12 B13 B14 B15 B16 B17 B18 B19 B20 B21 B22 B23 B24 B25 B26 B27 B28 B29 B30',
  'B31 B32 B33 B34 B35 B36 B37 B38 B39 B40 B41 B43 B44 B45 B46 B47 B48 B50 B51 B52 B53 B54 B55 B56 B57 B58 B63',
  'C1 C2 C3 C4 C5 C6 C7 C8 C9 C10 C11 C12 C13 C14 C15 C16 C17 C18 C19 C20 C21 C22 C23 C24 C25 C26',
  'D5 D12 D25',
  'E1 E3 E4 E5 E6 E7 E8 E11 E13 E14 E15 E17 E18 E19 E20 E21',
  'X28',
].flatMap((ids) => ids.split(' '));

const VARIABLES = by('config/load.test.ts', 'each environment variable overrides its key');

const SURFACES = by(
  'e2e/configured-server.test.ts',
  'are below rest.prefix and at graphql.endpoint, with playground and introspection as asked',
  'are not there when they are switched off',
);
const SANITISED = [
  ...by(
    'e2e/hardening.test.ts',
    'hold no control characters: %s %s',
    'are told apart from text, which is never altered',
  ),
  ...by(
    'e2e/rest.test.ts',
    'that are too large are refused',
    'that are nested without end are refused',
    'name the field that is wrong: %j',
  ),
];

/** Ids that are not named here are open. */
export const REQUIREMENTS: Readonly<Record<string, readonly Proof[]>> = {
  A1: [
    ...by('e2e/configured-server.test.ts', 'binds server.host and server.port'),
    ...by('config/load.test.ts', 'is flag, environment, file, default'),
    ...by('e2e/rest.test.ts', 'gives its own status for a good request'),
    ...by('e2e/graphql/operations.test.ts', '$name is a field'),
    ...by('e2e/graphql/subscriptions.test.ts', 'an execution is followed to its end'),
  ],
  A2: [
    ...by('e2e/mcp/listener.test.ts', 'is what mcp-serve is with --transport %s'),
    ...by('e2e/mcp/stdio.test.ts', 'answers raw JSON-RPC without a configuration file'),
  ],
  A3: [
    ...by(
      'e2e/documents.test.ts',
      '%s starts a server with the interfaces that it names',
      'starts `mcp-serve`, which answers its client and ends with it',
    ),
    ...by('e2e/mcp/listener.test.ts', 'is what mcp-serve is with --transport stdio'),
  ],
  A4: by('e2e/cli.test.ts', 'beside any flags ends well: %j'),
  A5: by('e2e/two-processes.test.ts', 'both answer; each runs and shows what was made through the other'),
  // The MCP command itself comes with its issue; that each command makes the database it needs is proven here.
  A7: by('e2e/cli.test.ts', 'makes the database that it needs, without a server'),
  A8: by(
    'e2e/documents.test.ts',
    'the production scenario: tokens signed with the secret',
    'the development scenario: the pages',
  ),
  A9: [
    ...by('infra/event-store/sqlite-file.test.ts', 'what was appended is there when the file is opened again'),
    ...by('config/load.test.ts', 'relative paths start at the folder of the file', 'fills in variables and defaults'),
    ...by('e2e/configured-execution.test.ts', 'event_store.url is where the log is, database.url where it is not set'),
    ...by('e2e/postgres.test.ts', 'a server keeps its log there: what it acknowledged outlives kill -9'),
    ...by('e2e/wrong-database.test.ts', 'that is no address at all is wrong use, and not shown'),
  ],
  A10: [
    ...by(
      'e2e/postgres-connections.test.ts',
      'has no more connections than %s, and closes those that are idle for idle_timeout',
      'works with prepared_statements off',
    ),
    ...by(
      'infra/event-store/postgres-log.test.ts',
      'no wait for a connection is longer than connection_timeout',
      'as prepared_statements says',
    ),
  ],
  A11: by('infra/logging.test.ts', 'off writes nothing, at the root and in a sink'),
  A12: by(
    'infra/logging.test.ts',
    'rotates at its size into numbered files, keeps as many as asked, and cuts no line',
    'collects lines until there are enough',
    'writes what it has when the interval is over',
  ),
  A13: by(
    'e2e/configured-server.test.ts',
    'binds server.host and server.port',
    'may call as server.cors says, and REST as rest.cors says',
    'may not call where enabled is false',
  ),
  A14: [
    ...by(
      'e2e/configured-server.test.ts',
      'keeps an idle connection for server.keep_alive, and waits for a request for server.request_timeout',
      'runs server.worker_threads executions at once, or workers.count where that is set',
    ),
    ...by('config/values.test.ts', 'tells value and origin, and which key has no effect'),
  ],
  A15: [...SURFACES, ...by('e2e/configured-server.test.ts', 'each limit on requests counts as rate_limiting says')],
  A16: SURFACES,
  A17: by(
    'e2e/mcp/configured.test.ts',
    'is anybody with auth type none',
    'count the messages of a caller',
    'bound sessions (max_connections)',
  ),
  A18: by(
    'e2e/mcp/configured.test.ts',
    'the listener is where mcp.host and mcp.port say',
    'is nobody on a page that mcp.cors does not name',
  ),
  A19: by('e2e/mcp/configured.test.ts', 'is who holds a key, with its permissions, its patterns and its limits'),
  A20: [
    ...by('e2e/mcp/configured.test.ts', 'bound the time of calls that run no task code'),
    ...by(
      'e2e/configured-execution.test.ts',
      'bounds the queue and the executions of one caller',
      'bounds time, output, log, steps and bodies',
    ),
  ],
  A22: by('e2e/configured-access.test.ts', 'tokens are made and taken as auth.jwt says'),
  A23: by('e2e/documents.test.ts', 'keys: one that reads and writes, one that only reads'),
  A24: [
    ...by('e2e/documents.test.ts', 'the production scenario: tokens signed with the secret, a limit for each caller'),
    ...by(
      'e2e/limits.test.ts',
      'by key or else by address counts both apart: %s',
      'counts by pace when a burst is set',
    ),
  ],
  A25: [
    ...by('e2e/documents.test.ts', 'limits on requests: of all, of each caller, of single paths'),
    ...by(
      'e2e/limits.test.ts',
      'of one path holds for it alone, in each spelling of the path',
      'is the strictest where several are set, and who is over an own limit takes nothing from all',
    ),
  ],
  A26: [
    ...by('e2e/rest.test.ts', 'that are too large are refused'),
    ...by('e2e/execution.test.ts', 'a body that is too large is a typed error that the task can catch'),
    ...by('sandbox/escapes.test.ts', 'memory outside the heap is limited too'),
    ...by('e2e/configured-server.test.ts', 'bound the size of requests and answers', 'bound connections'),
    ...by('e2e/configured-execution.test.ts', 'have the memory of limits.task_execution_memory_limit'),
  ],
  A27: by('config/load.test.ts', 'fills in variables and defaults', 'names every variable that is not set'),
  A28: by('config/values.test.ts', 'durations', 'sizes'),
  A29: by('config/documents.test.ts', '%s loads unchanged'),
  A30: [
    ...VARIABLES,
    ...by('config/load.test.ts', 'RATCHET_API_KEY wins over MCP_API_KEY, which stays free for interpolation'),
    ...by('e2e/documents.test.ts', 'keys: one that reads and writes, one that only reads'),
  ],
  A31: [
    ...by('config/load.test.ts', 'RUST_LOG=%s is level %s and its targets', 'RUST_LOG that is no filter is refused'),
    ...by('infra/logging.test.ts', 'a target has its own level, the longest name wins, and children inherit it'),
  ],
  // MCP_PORT is seen at work where the MCP listener is.
  A32: [
    ...VARIABLES,
    ...by('e2e/configured-server.test.ts', 'variables of the environment are at work before the file'),
    ...by('e2e/cli.test.ts', 'takes DATABASE_URL before the file, and a flag for the port before both'),
    ...by('e2e/mcp/configured.test.ts', 'the listener is where mcp.host and mcp.port say'),
  ],
  A33: [
    ...VARIABLES,
    ...by('e2e/configured-server.test.ts', 'variables of the environment are at work before the file'),
  ],
  A34: [
    ...VARIABLES,
    ...by('e2e/cli.test.ts', 'takes DATABASE_URL before the file, and a flag for the port before both'),
  ],
  A35: by('e2e/rest.test.ts', 'is short at /health and has every part below the prefix'),
  A36: by('e2e/rest.test.ts', 'is short at /health and has every part below the prefix'),
  A37: by(
    'e2e/rest.test.ts',
    'gives its own status for a good request',
    'that take longer than the caller waits answer 202 with running and where to look, and complete later',
  ),
  A38: [
    ...SURFACES,
    ...by(
      'e2e/graphql/subscriptions.test.ts',
      'an execution is followed to its end',
      'queries and mutations are answered, too',
    ),
  ],
  A39: [
    ...by('e2e/mcp/listener.test.ts', 'tells its health without a key and without a secret'),
    ...by('e2e/rest.test.ts', 'is short at /health and has every part below the prefix'),
  ],
  A40: by('infra/logging.test.ts', 'writes to stderr where stdout carries something else'),
  A44: [
    ...by(
      'e2e/balanced.test.ts',
      'tell a subscriber of any of them what runs on all of them',
      'are restarted one after the other under load, and no request fails',
    ),
    ...by('e2e/live-nodes.test.ts', 'log lines come over REST and GraphQL, each once'),
    ...by('e2e/mcp/leaving.test.ts', 'nobody hears what other nodes have for a session'),
    ...by('e2e/configured-server.test.ts', 'believes the proxies of server.trust_proxy, and nobody else'),
  ],
  A45: by('e2e/fresh.test.ts', 'tasks below ./tasks are found by a server that was told nothing'),
  A46: [
    ...by('e2e/tls.test.ts', 'speaks TLS from 1.2 on, and tells browsers to stay with it'),
    ...by('e2e/cors.test.ts', 'gives nothing to the page %s', 'takes origins from its configuration'),
    ...by('e2e/limits.test.ts', 'enforces each limit of its configuration, and writes refusals into the audit trail'),
  ],
  A47: [
    ...by(
      'e2e/access.test.ts',
      'are replaced at once, or after a while',
      'end the event streams and debug sockets of their callers when they are revoked',
    ),
    ...by(
      'e2e/sessions.test.ts',
      'changes things only with its CSRF token',
      'ends at once when it is told to, and takes its cookie away',
      'ends when its key %s, also for one of the same name',
      'count at both and after a restart, and end at both at once, with what they opened',
      'is auth.session.idle_timeout without a request, also for what it has opened',
      'is auth.session.max_age at most, however much it is used',
    ),
    ...by('config/load.test.ts', 'a secret for tokens that is too short to be safe is a warning'),
    ...by('infra/tokens.test.ts', 'that were made here let in, with what they were made for, until they end'),
  ],
  A48: SANITISED,
  A50: by('e2e/cli.test.ts', 'Port already in use', 'Permission denied', 'Database connection failed'),
  A51: by('sandbox/escapes.test.ts', 'memory outside the heap is limited too'),
  B1: [
    ...by('e2e/mcp/listener.test.ts', 'is what mcp-serve is with --transport %s'),
    ...by('e2e/mcp/stdio.test.ts', 'works beside a server on the same database'),
  ],
  B2: by(
    'e2e/mcp/listener.test.ts',
    'is what mcp-serve is with --transport %s',
    'is what mcp-serve is with --transport stdio',
  ),
  B3: [
    ...by('e2e/mcp/client-samples.test.ts', '$file starts $name, which lists its tools'),
    ...by('e2e/mcp/stdio.test.ts', 'answers raw JSON-RPC without a configuration file'),
  ],
  B5: by('e2e/mcp/stdio.test.ts', 'answers raw JSON-RPC without a configuration file'),
  B6: by('e2e/cli.test.ts', 'find the samples good', 'say where code is broken, and end with 1'),
  B7: by('e2e/cli.test.ts', 'prints the result as JSON when piped and ends with 0'),
  B8: VARIABLES,
  B9: by('e2e/two-processes.test.ts', 'both answer; each runs and shows what was made through the other'),
  B10: [
    ...by('e2e/mcp/configured.test.ts', 'bound the time of calls that run no task code'),
    ...by('e2e/configured-execution.test.ts', 'bounds time, output, log, steps and bodies'),
  ],
  B11: by(
    'e2e/sources.test.ts',
    'are published at the start, and again only when their content has changed',
    'keep their last good version when a file breaks, and the reason is told',
  ),
  B12: by(
    'e2e/mcp/configured.test.ts',
    'the listener is where mcp.host and mcp.port say',
    'is nobody on a page that mcp.cors does not name',
  ),
  B13: by(
    'e2e/mcp/configured.test.ts',
    'is anybody with auth type none',
    'is who holds a key',
    'is who comes with a token of ours',
    'is who comes with a token of the authorisation server',
  ),
  B14: [
    ...by('e2e/mcp/configured.test.ts', 'is who holds a key, with its permissions, its patterns and its limits'),
    ...by('e2e/mcp/tool-access.test.ts', 'a caller bound to tasks finds, names and reads only those'),
  ],
  B15: by('e2e/mcp/configured.test.ts', 'is who comes with a token of ours'),
  B16: [
    ...by(
      'e2e/mcp/configured.test.ts',
      'count calls of tools (security.rate_limiting.%s)',
      'count batches and each of their items',
      'bound requests and answers',
    ),
    ...by('e2e/mcp/tool-access.test.ts', 'an answer has at most max_log_entries entries'),
  ],
  B17: by('e2e/mcp/tool-access.test.ts', '%s is neither listed nor called'),
  B18: [
    ...by('e2e/documents.test.ts', 'logs: JSON lines without a prefix, debug lines included, beside an audit file'),
    ...by('config/spellings.test.ts', 'use_json chooses the form of console lines'),
    ...by(
      'config/applied.test.ts',
      'goes to each sink at its level, in its form, rotated and collected as the file says',
    ),
  ],
  B19: [
    ...by('e2e/server-log.test.ts', 'the trace of each execution is told where that is wanted'),
    ...by('config/applied.test.ts', 'mcp.enable_structured_logs makes JSON of console lines'),
    ...by('e2e/configured-access.test.ts', 'mirrors the audit trail where mcp.audit_log_file says'),
  ],
  B20: [
    ...by('config/load.test.ts', 'worker_threads sets the number of workers where that is unset'),
    ...by(
      'e2e/crash.test.ts',
      'again and again has its execution fail with sandbox_crashed, and the next one runs in a new process',
    ),
  ],
  B21: [
    ...VARIABLES,
    ...by('config/load.test.ts', 'lays the file of the environment over the file', 'refuses %s'),
    ...by('config/documents.test.ts', 'a key without its variable is left out, the rest stays'),
    ...by('config/load.test.ts', 'never makes a key of a variable that is %j, and keeps the door shut'),
  ],
  B22: by('e2e/mcp/stdio.test.ts', 'knows its caller by the key in its environment'),
  B23: by('e2e/mcp/client-samples.test.ts', '$file starts $name, which lists its tools'),
  B24: by(
    'e2e/mcp/reading-tools.test.ts',
    'gets schemas only when asked, by category',
    'is told the nearest names when nothing matches',
  ),
  B25: [
    ...by('e2e/mcp/tools.test.ts', 'runs a task and gets the same facts as data and as text'),
    ...by('e2e/mcp/long-work.test.ts', 'stops waiting, and the execution goes on'),
  ],
  B26: [
    ...by('e2e/mcp/batch.test.ts', 'gets the id of each execution at once'),
    ...by(
      'e2e/batches.test.ts',
      'passes outputs on through a diamond',
      'with fail_fast is over with its first failure',
      'runs 200 items with five at once',
    ),
  ],
  B27: by(
    'e2e/mcp/reading-tools.test.ts',
    'names an execution by %s',
    'names the latest one, the last failed and the last good one of a task',
  ),
  B28: by(
    'e2e/mcp/reading-logs.test.ts',
    'finds by level and text, as JSON or as text',
    'gets the one error among ten thousand lines',
  ),
  B29: by('e2e/mcp/reading-tools.test.ts', 'gets the failed span of hundreds'),
  B30: by('e2e/mcp/reading-tools.test.ts', 'learns why an execution failed, and every call it is told leads on'),
  B31: [
    ...by('e2e/mcp/task-development.test.ts', 'writes a task with a bug', 'is asked for schemas'),
    ...by('e2e/task-development.test.ts', 'are refused where they can not be read, naming the field'),
  ],
  B32: by(
    'e2e/mcp/task-development.test.ts',
    'is told how often a patch fits',
    'is refused an edit of a version that is no longer current',
  ),
  B33: [
    ...by('e2e/mcp/task-development.test.ts', 'sees line and column when it validates'),
    ...by('e2e/task-development.test.ts', 'tells everything that is wrong at once, and stores nothing'),
  ],
  B34: [
    ...by('e2e/mcp/task-development.test.ts', 'sees the failing test and its line'),
    ...by('e2e/task-development.test.ts', 'are run by the engine of file tests'),
  ],
  B35: by('e2e/mcp/reading-tools.test.ts', 'stops on a line with the real values'),
  B36: by('interfaces/mcp/definitions.test.ts', 'are those that were agreed on', 'cost at most 8,000 tokens together'),
  B37: [
    ...by('e2e/mcp/conformance.test.ts', 'the official suite finds nothing that revisions'),
    ...by('e2e/mcp/bad-input.test.ts', 'names a method or a tool that there is not'),
  ],
  B38: [
    ...by('e2e/mcp/conformance.test.ts', 'the official suite finds nothing that revisions'),
    ...by('e2e/mcp/resources.test.ts', 'lists tasks and then executions, page by page', 'reads %s'),
  ],
  B39: by('e2e/mcp/conformance.test.ts', 'the official suite finds nothing that revisions'),
  B40: [
    ...by('e2e/mcp/conformance.test.ts', 'the official suite finds nothing that revisions'),
    ...by('e2e/mcp/bad-input.test.ts', 'asks for a revision that is none'),
  ],
  B41: [
    ...by(
      'sandbox/pool.test.ts',
      'the warm processes are there without being asked for, more come when needed and go when idle',
      'after close nothing is left and nothing can be opened',
    ),
    ...by('e2e/mcp/sessions.test.ts', 'works when its requests alternate between two nodes'),
    ...by('e2e/mcp/listener.test.ts', 'serves an old client over HTTP+SSE'),
  ],
  B43: [
    ...by('e2e/mcp/configured.test.ts', 'is who holds a key, with its permissions, its patterns and its limits'),
    ...by('e2e/mcp/tool-access.test.ts', '%s sees the tools it may call, and no other'),
  ],
  B44: by(
    'e2e/mcp/configured.test.ts',
    'count calls of tools (security.rate_limiting.%s)',
    'count batches and each of their items',
  ),
  B45: [
    ...by('e2e/mcp/sessions.test.ts', 'is in the audit trail, and so is each call of a tool'),
    ...by('e2e/mcp/tool-access.test.ts', 'refusals stand in the audit trail'),
    ...by('e2e/mcp/reading-tools.test.ts', 'reads who did what'),
  ],
  B46: by('sandbox/escapes.test.ts', 'nothing outside is reachable', 'an endless loop is ended by its caller'),
  B47: by('e2e/samples.test.ts', 'csv-parser reads text and files with quotes, separators and types'),
  B48: [
    ...by(
      'e2e/rest.test.ts',
      'of executions have no gaps and nothing twice over many pages, in both orders, while more are made',
      'are filtered by status, task, source, time and lineage',
    ),
    ...by('queries/plans.test.ts', 'all of a list comes in the order of an index, page by page'),
  ],
  B50: by('e2e/samples.test.ts', 'all samples are published from their folder'),
  B51: [
    ...by('e2e/access.test.ts', 'refuses in the words of the documents'),
    ...by('e2e/graphql/access.test.ts', 'a right that is missing is missing below an execution, too'),
    ...by('e2e/mcp/tool-access.test.ts', '%s is refused what it does not see'),
  ],
  // The words about sessions come with MCP.
  B52: by(
    'e2e/server-log.test.ts',
    'each request is one JSON line with its operation, principal, duration and correlation id, and no payload',
    'a request over its limit is told with the word that the documents search for',
    'a client over MCP is told when it connects and when it leaves',
  ),
  B53: by('e2e/mcp/agent.test.ts', 'processes the CSV data of its user'),
  B54: by('e2e/mcp/agent.test.ts', 'tests the weather API'),
  B55: by('e2e/mcp/agent.test.ts', 'explains a failure by an id that is wrong at first'),
  B56: [
    ...by('e2e/mcp/agent.test.ts', 'runs three data sets in one batch'),
    ...by('e2e/batches.test.ts', 'gives the id of each execution at once'),
  ],
  B57: by('e2e/mcp/agent.test.ts', 'tests the weather API'),
  B58: [
    ...by('e2e/mcp/web-client.test.ts', 'runs a task, and finds it, its status and its logs', 'falls back to HTTP+SSE'),
    ...by('e2e/mcp/web-client-browser.test.ts', 'runs a task from a page of a listed origin, over %s'),
  ],
  B63: [
    ...by('e2e/chaos.test.ts', 'three nodes end 200 acknowledged executions exactly once, whatever fails'),
    ...by(
      'e2e/shared-work.test.ts',
      'run no more of one client at once than it may have on both together; its subtasks do not count',
      'start by priority what either of them accepted, as soon as there is a place on any',
      'start what was delayed once, on one of them, and not before its time',
      'lose nothing that one of them had taken up when it dies',
    ),
    ...by(
      'e2e/late-appends.test.ts',
      'an append that was held up in the network until others had taken over is refused',
      'a node that was frozen beyond its lease records nothing of what others took over, and works on',
    ),
  ],
  C1: by('e2e/mcp/agent.test.ts', 'repairs a task: diagnosis, proof on the record'),
  C2: [
    ...by('e2e/mcp/listener.test.ts', 'is what mcp-serve is with --transport %s'),
    ...by('interfaces/mcp/definitions.test.ts', 'are those that were agreed on'),
  ],
  C3: [
    ...by('interfaces/mcp/definitions.test.ts', 'are those that were agreed on'),
    ...by('e2e/mcp/tools.test.ts', 'lists tools with all four annotations'),
  ],
  C4: by('e2e/sources.test.ts', 'records session and client of an agent, and logs debug lines only when traced'),
  C5: [
    ...by('e2e/telemetry.test.ts', 'progress is seen while the task runs, and stays at its last value'),
    ...by('e2e/mcp/long-work.test.ts', 'is told how far the work is, by numbers that only grow'),
  ],
  C6: by('e2e/telemetry.test.ts', 'tells what was asked, how it went and where to look'),
  C7: by(
    'e2e/mcp/reading-logs.test.ts',
    'gets the one error among ten thousand lines',
    'is told what to do when there is nothing',
  ),
  C8: [
    ...by(
      'e2e/trace.test.ts',
      'tells which spans fixed the end, from the start to the end',
      'tells repeated calls, and what follows, with the spans that prove it',
    ),
  ],
  C9: [
    ...by('e2e/access.test.ts', 'is taken from %s: %s'),
    ...by('e2e/configured-access.test.ts', 'tokens of an authorisation server are taken as auth.oauth2 says'),
  ],
  C10: by(
    'e2e/configured-access.test.ts',
    '%s may do what its role or its permissions say',
    'is bound to its patterns, its addresses and its limits, and may be switched off',
  ),
  C11: by('e2e/access.test.ts', 'refuses in the words of the documents', 'is bound to its task patterns'),
  C12: by(
    'e2e/limits.test.ts',
    'count executions however they are started, and logs',
    'tells with each answer what is left, and refuses with the time to come back',
  ),
  C13: [
    ...by('e2e/documents.test.ts', '%s starts the MCP listener'),
    ...by('e2e/mcp/configured.test.ts', 'is who holds a key, with its permissions, its patterns and its limits'),
  ],
  C14: by(
    'e2e/configured-execution.test.ts',
    'read files below tasks.file_roots, and are dangerous only where tasks.allow_dangerous lets them',
  ),
  C15: [
    ...by('e2e/mcp/agent.test.ts', 'repairs a task: diagnosis, proof on the record'),
    ...by('e2e/mcp/tools.test.ts', 'gets a failed execution as a result'),
  ],
  C16: [
    ...by(
      'e2e/rest.test.ts',
      'that take longer than the caller waits answer 202 with running and where to look, and complete later',
    ),
    ...by('e2e/mcp/agent.test.ts', 'goes on with other things while a task runs'),
  ],
  C17: by(
    'e2e/mcp/reading-tools.test.ts',
    'pages through all of them, newest first, each once',
    'takes a time to begin at',
  ),
  C18: [
    ...by('e2e/sources.test.ts', 'explains an error with its type, whether it can pass, and what to do'),
    ...by('e2e/mcp/reading-tools.test.ts', 'learns why an execution failed'),
  ],
  C19: [
    ...by('e2e/sources.test.ts', 'keeps the lineage that a retry names'),
    ...by('e2e/mcp/agent.test.ts', 'repairs a task: diagnosis, proof on the record'),
  ],
  C20: [
    ...by(
      'e2e/access.test.ts',
      'is bound to its task patterns',
      'stand in the audit trail under the name of the caller',
    ),
    ...by('e2e/limits.test.ts', 'count executions however they are started, and logs'),
    ...SANITISED,
    ...by('sandbox/escapes.test.ts', 'nothing outside is reachable'),
    ...by(
      'e2e/execution.test.ts',
      'reach their host in URL, headers, body and Basic credentials; everything kept shows',
    ),
    ...by('infra/logging.test.ts', 'hides what fields with the names of secrets hold'),
  ],
  C21: [
    ...by('e2e/mcp/tool-access.test.ts', '%s is refused what it does not see'),
    ...by('e2e/fuzz-routes.test.ts', 'no request, however hostile'),
    ...by(
      'e2e/canary.test.ts',
      'no secret that came by any way is in an answer, an event, a log, a read model, the audit trail, a stream or a recording',
    ),
  ],
  C22: by('sandbox/pool.test.ts', 'each execution has a context of its own'),
  C23: by(
    'e2e/mcp/sessions.test.ts',
    'works when its requests alternate between two nodes',
    'that nobody uses ends by itself',
  ),
  C24: [
    ...by('e2e/mcp/configured.test.ts', 'count calls of tools (security.rate_limiting.%s)'),
    ...by('e2e/mcp/long-work.test.ts', 'is told how far the work is'),
  ],
  C25: by('e2e/mcp/sessions.test.ts', 'is in the audit trail, and so is each call of a tool'),
  C26: by(
    'e2e/models.test.ts',
    'calls a tool of a server on HTTP',
    'completes a conversation with the configured model',
    'a replay takes the recorded answers and calls nobody',
  ),
  D5: by('config/load.test.ts', 'refuses the default key from the environment'),
  D12: [
    ...by('e2e/mcp/bad-input.test.ts', 'has arguments that are no object: %s', 'is nested deeper than anything'),
    ...by('e2e/hardening.test.ts', 'hold no control characters: %s %s'),
  ],
  D25: [
    ...by('e2e/mcp/tools.test.ts', "answers the documents' own curl"),
    ...by('infra/network.test.ts', 'tells every address that the system tells'),
  ],
  E1: by('e2e/package.test.ts', 'tells its version', 'runs a sample task once'),
  E3: by('config/documents.test.ts', '%s loads without a warning', 'are found under configs/ too'),
  E4: by('config/load.test.ts', 'fills in variables and defaults', 'never tell a secret'),
  E5: by('e2e/cli.test.ts', 'reads its configuration at the start, and a changed one at the next'),
  E6: by('e2e/configured-access.test.ts', 'api.auth is the same section under its other name'),
  E7: by('e2e/configured-access.test.ts', '%s may do what its role or its permissions say'),
  E8: by(
    'e2e/webhooks.test.ts',
    'that is signed runs the task of its sender on what was sent, and tells where it came from',
    '%s is refused, and says no more than that',
  ),
  E11: by('infra/logging.test.ts', 'is one object with time, upper-case level, message and fields'),
  E13: [
    ...by('e2e/chaos.test.ts', 'three nodes end 200 acknowledged executions exactly once, whatever fails'),
    ...by(
      'interfaces/just-made.test.ts',
      'a task that was made at one node runs at another one right away',
      'a request under a key that one node has stored is the same at another one',
    ),
    ...by('e2e/live-nodes.test.ts', 'log lines come over REST and GraphQL, each once'),
  ],
  E14: by('e2e/balanced.test.ts', 'go on where a restored backup ends'),
  E15: by(
    'e2e/shared-limits.test.ts',
    'share a limit, go on by themselves while Redis is away, and count anew when it comes back empty',
  ),
  E17: by('e2e/balanced.test.ts', 'are restarted one after the other under load, and no request fails'),
  E18: [
    ...by(
      'infra/postgres/migrations.test.ts',
      'of many runners at once one applies, and the others find it done',
      'without the right to migrate, an older database is refused with the way out',
      'a program works on a database of the next release, and refuses one that it can not read',
    ),
    ...by('e2e/postgres.test.ts', 'migrate makes the tables once, tells what it did, and prints the rights of a role'),
  ],
  E19: by(
    'e2e/package.test.ts',
    'a package contains the bundles, the launcher, samples, configuration and documents, and nothing else',
  ),
  E20: by('e2e/rest.test.ts', 'is short at /health and has every part below the prefix', 'may ask for health'),
  E21: [
    ...by('e2e/balanced.test.ts', 'go on where a restored backup ends'),
    ...by(
      'e2e/postgres.test.ts',
      'a server keeps its log there: what it acknowledged outlives kill -9, and health tells of a lost database',
    ),
  ],
  E22: [
    ...by('e2e/configured-server.test.ts', 'goes on without Redis, and says so in the log and in its health'),
    ...by(
      'e2e/shared-limits.test.ts',
      'share a limit, go on by themselves while Redis is away, and count anew when it comes back empty',
    ),
    ...by('e2e/cli.test.ts', 'Database connection failed'),
    ...by('e2e/wrong-database.test.ts', 'at a port where nobody listens', 'with a wrong password'),
    ...by('e2e/eventstoredb-nodes.test.ts', 'go on by themselves after either store was away'),
  ],
  X28: [
    ...by('e2e/two-processes.test.ts', 'both answer; each runs and shows what was made through the other'),
    ...by('e2e/nodes.test.ts', 'take over what a killed one ran when its lease is over'),
    ...by('e2e/eventstoredb-nodes.test.ts', 'both answer, and each shows at once what was made through the other'),
  ],
};

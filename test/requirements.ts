/** Which tests prove which requirement of the product's documents; an empty list means open. */
import { by, type Proof } from './support/proofs.ts';

const LETTERS = { A: 51, B: 64, C: 26, D: 28, E: 23 } as const;

/** Every requirement by its id. */
export const IDS: readonly string[] = Object.entries(LETTERS).flatMap(([letter, count]) =>
  Array.from({ length: count }, (_, index) => `${letter}${index + 1}`),
);

/** Ids that an issue which is done had to prove. */
export const PROVEN: readonly string[] = [
  'A1 A4 A5 A7 A8 A9 A11 A12 A13 A14 A15 A16 A22 A23 A24 A25 A26 A27 A28 A29 A30 A31 A33 A34 A35 A36 A37 A38',
  'A40 A45 A46 A47 A48 A50 A51',
  'B6 B7 B8 B9 B11 B18 B20 B21 B41 B46 B47 B48 B50 B51',
  'C4 C5 C6 C8 C9 C10 C11 C12 C14 C16 C18 C19 C20 C22',
  'E3 E4 E5 E6 E7 E8 E11 E19 E20',
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
    ...by('config/load.test.ts', 'relative paths start at the folder of the file'),
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
  A40: by('infra/logging.test.ts', 'writes to stderr where stdout carries something else'),
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
  B6: by('e2e/cli.test.ts', 'find the samples good', 'say where code is broken, and end with 1'),
  B7: by('e2e/cli.test.ts', 'prints the result as JSON when piped and ends with 0'),
  B8: VARIABLES,
  B9: by('e2e/two-processes.test.ts', 'both answer; each runs and shows what was made through the other'),
  B11: by(
    'e2e/sources.test.ts',
    'are published at the start, and again only when their content has changed',
    'keep their last good version when a file breaks, and the reason is told',
  ),
  B18: [
    ...by('e2e/documents.test.ts', 'logs: JSON lines without a prefix, debug lines included, beside an audit file'),
    ...by('config/spellings.test.ts', 'use_json chooses the form of console lines'),
    ...by(
      'config/applied.test.ts',
      'goes to each sink at its level, in its form, rotated and collected as the file says',
    ),
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
  B41: by(
    'sandbox/pool.test.ts',
    'the warm processes are there without being asked for, more come when needed and go when idle',
    'after close nothing is left and nothing can be opened',
  ),
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
  ],
  // The words about sessions come with MCP.
  B52: by(
    'e2e/server-log.test.ts',
    'each request is one JSON line with its operation, principal, duration and correlation id, and no payload',
    'a request over its limit is told with the word that the documents search for',
  ),
  C4: by('e2e/sources.test.ts', 'records session and client of an agent, and logs debug lines only when traced'),
  C5: by('e2e/telemetry.test.ts', 'progress is seen while the task runs, and stays at its last value'),
  C6: by('e2e/telemetry.test.ts', 'tells what was asked, how it went and where to look'),
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
  C14: by(
    'e2e/configured-execution.test.ts',
    'read files below tasks.file_roots, and are dangerous only where tasks.allow_dangerous lets them',
  ),
  C16: by(
    'e2e/rest.test.ts',
    'that take longer than the caller waits answer 202 with running and where to look, and complete later',
  ),
  C18: by('e2e/sources.test.ts', 'explains an error with its type, whether it can pass, and what to do'),
  C19: by('e2e/sources.test.ts', 'keeps the lineage that a retry names'),
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
  C22: by('sandbox/pool.test.ts', 'each execution has a context of its own'),
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
  E19: by(
    'e2e/package.test.ts',
    'a package contains the bundles, the launcher, samples, configuration and documents, and nothing else',
  ),
  E20: by('e2e/rest.test.ts', 'is short at /health and has every part below the prefix', 'may ask for health'),
  // PostgreSQL and EventStoreDB come with their adapters.
  E22: [
    ...by('e2e/configured-server.test.ts', 'goes on without Redis, and says so in the log and in its health'),
    ...by('e2e/shared-limits.test.ts', 'share a limit, and go on by themselves while Redis is away'),
    ...by('e2e/cli.test.ts', 'Database connection failed'),
  ],
};

/** Sends requests from good to hostile to a server in this process, and finds answers that no request may get. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { pino } from 'pino';
import { type Server, startServer } from '../../src/cli/serve.ts';
import { ERRORS, type ErrorCode } from '../../src/domain/errors.ts';
import { TEST_SETTINGS } from './app.ts';
import { graphqlRequests, socketTalks } from './fuzz-graphql.ts';
import { restRequests, type WireRequest } from './fuzz-requests.ts';
import type { Known } from './fuzz-values.ts';
import { exchange, framesIn, type WireAnswer } from './fuzz-wire.ts';
import { GRAPHQL } from './graphql.ts';
import { call, eventually, type Home } from './server.ts';

const PREFIX = '/api/v1';
const REQUEST_MS = 4_000;
/** Longer than anything here may take, on a slow machine too. */
const BOUND_MS = 60_000;
const AT_ONCE = 12;
/** One conversation over a socket for so many requests. */
const REQUESTS_A_TALK = 8;

/**
 * The only answers of the 5xx kind that are no defect: what is not there to be had (501), a node or a position that is not ready
 * yet (503), what takes longer than the configuration allows (504), and an answer larger than it allows.
 */
const NAMED: ReadonlySet<string> = new Set<ErrorCode>([
  'unsupported',
  'projection_behind',
  'too_many_connections',
  'shutting_down',
  'timeout',
  'execution_timeout',
  'evaluation_timeout',
  'response_too_large',
]);

/** Nothing that a client is told may hold one of these: they are of this program, and no generator makes them. */
const TELLTALES = [
  /node_modules/,
  /node:internal/,
  /\bfile:\/\//,
  /\n\s+at .+:\d+:\d+/,
  new RegExp(process.cwd()),
  /\.ts:\d+/,
];

export interface FuzzResult {
  readonly sent: number;
  /** What may not have happened: request and answer, shortened. */
  readonly findings: readonly string[];
  /** How often each status was answered. */
  readonly statuses: Readonly<Record<string, number>>;
}

export interface Fuzzed extends AsyncDisposable {
  /** Sends so many requests, the same ones for the same seed. */
  run(requests: number, seed: number): Promise<FuzzResult>;
  /** What the process holds when nobody is connected. */
  held(): Promise<Held>;
}

export interface Held {
  readonly heapBytes: number;
  /** Sockets, pipes and the like, by kind; timers come and go. */
  readonly handles: Readonly<Record<string, number>>;
}

/** Starts the server on a store in `home`, with some things in it to ask for. */
export async function startFuzzed(home: Home): Promise<Fuzzed> {
  const errors: string[] = [];
  const logger = pino({ level: 'error' }, { write: (line: string) => void errors.push(line) });
  const settings = {
    ...TEST_SETTINGS,
    logger,
    eventStoreUrl: `sqlite:${home.folder}/fuzz.db`,
    readStore: `${home.folder}/fuzz.db.read`,
    wait: { defaultSeconds: 1, maxSeconds: 2 },
    bounds: { ...TEST_SETTINGS.bounds, maxTimeoutMs: 5_000 },
  };
  const timing = { initMs: 2_000, pingMs: 1_000, slowMs: 2_000 };
  const server = await startServer(settings, {
    host: '127.0.0.1',
    port: 0,
    restPrefix: PREFIX,
    maxRequestBytes: 1_000_000,
    requestTimeoutMs: REQUEST_MS,
    keepAliveMs: 2_000,
    version: '1',
    webhooks: [{ name: 'known', provider: 'generic', secret: 'of the webhook', task: 'echo' }],
    graphql: { ...GRAPHQL, timing },
  });
  const known = await filled(server);
  const requests = fc.oneof(
    { weight: 5, arbitrary: restRequests(PREFIX, known) },
    { weight: 1, arbitrary: graphqlRequests(known) },
  );
  const talks = socketTalks(PREFIX, known);
  return {
    run: async (count, seed) => {
      const found = new Findings();
      const said = fc.sample(talks, { numRuns: Math.ceil(count / REQUESTS_A_TALK), seed });
      const queue = fc.sample(requests, { numRuns: count, seed }).flatMap((request, at) => {
        const talk = at % REQUESTS_A_TALK === 0 ? said[at / REQUESTS_A_TALK] : undefined;
        const one = (): Promise<void> => sendOne(server.url, request, found);
        return talk === undefined ? [one] : [one, (): Promise<void> => talkOnce(server.url, talk, found)];
      });
      const sent = queue.length;
      const work = async (): Promise<void> => {
        for (let next = queue.pop(); next !== undefined; next = queue.pop()) await next();
      };
      await Promise.all(Array.from({ length: AT_ONCE }, work));
      for (const line of errors.splice(0)) found.tell('line of the server log', line);
      return { sent, findings: found.all, statuses: found.statuses };
    },
    held: () => heldBy(server),
    [Symbol.asyncDispose]: () => server.close(),
  };
}

async function filled({ url }: Server): Promise<Known> {
  const rest = async (method: string, path: string, body: unknown) =>
    (await call(url, method, `${PREFIX}${path}`, body)).body;
  const codes = {
    echo: 'function main(input) { console.log("seen", { input }); return input; }',
    failing: 'function main() { throw new TypeError("no luck"); }',
    asking: 'async function main() { return await ask("which?"); }',
  };
  for (const [name, code] of Object.entries(codes)) await rest('POST', '/tasks', { name, code });
  const run = async (task_id: string) =>
    String((await rest('POST', '/tasks/execute', { task_id, input: { a: 1 } }))['execution_id']);
  const executions = [await run('echo'), await run('failing'), await run('asking')];
  const schedule = await rest('POST', '/schedules', { name: 'yearly', task_id: 'echo', cron: '0 0 1 1 *', input: {} });
  const replay = await rest('POST', `/executions/${executions[0]}/replay`, {});
  const key = await rest('POST', '/keys', { name: 'fuzz', role: 'reader' });
  const session = await rest('POST', '/debug/sessions', { execution_id: executions[1] });
  const tasks = ['echo', 'failing', 'asking', 'nobody'];
  return {
    task_id: tasks,
    execution_id: executions,
    other_id: executions,
    schedule_id: [schedule['schedule_id']],
    replay_id: [replay['replay_id'], 'none'],
    key_id: [key['key_id']],
    session_id: [session['session_id'], 'none'],
    min_position: [''],
    cursor: ['', Buffer.from('["a","b"]').toString('base64url'), Buffer.from('[1,{}]').toString('base64url')],
    after: [''],
    cron: ['0 0 1 1 *', '@yearly', '* *'],
    delay_ms: [0, 31_536_000_000],
  };
}

class Findings {
  readonly all: string[] = [];
  readonly statuses: Record<string, number> = {};

  tell(label: string, ...parts: readonly string[]): void {
    this.all.push([label, ...parts.map((part) => JSON.stringify(part.slice(0, 600)))].join('\n    '));
  }

  count(status: number | null): void {
    const name = String(status);
    this.statuses[name] = (this.statuses[name] ?? 0) + 1;
  }
}

async function sendOne(url: string, request: WireRequest, found: Findings): Promise<void> {
  const answer = await exchange(url, request.bytes, { boundMs: BOUND_MS, dropStreams: true });
  found.count(answer.status);
  const wrong = wrongIn(request, answer);
  if (wrong !== null)
    found.tell(`${request.label}: ${wrong}`, request.bytes.toString('latin1'), answer.received.toString());
}

/** @returns what is wrong with an answer; null for nothing. */
function wrongIn({ label, expects, isGraphql }: WireRequest, answer: WireAnswer): string | null {
  const { status, headers, body, end } = answer;
  if (end === 'hung') return 'it hangs';
  if (status === null) return expects === 'cut' ? null : 'closed without an answer';
  const telltale = TELLTALES.find((pattern) => pattern.test(body));
  if (telltale !== undefined) return `the answer shows ${telltale}`;
  if (status < 400 || body === '') return status >= 500 ? 'an answer without a body' : null;
  // A page of a task's own or a GraphQL answer tells its errors inside.
  const isProblem = headers['content-type']?.startsWith('application/problem+json') === true;
  const problem = isProblem ? jsonIn(body) : isGraphql ? errorIn(body) : null;
  if (problem === null) return `a refusal that is no problem document (${headers['content-type']})`;
  return wrongWith(problem, isGraphql ? null : status, label);
}

function wrongWith(problem: Readonly<Record<string, unknown>>, status: number | null, label: string): string | null {
  const { code, detail, remedy, instance, details } = problem;
  if (typeof code !== 'string' || !Object.hasOwn(ERRORS, code)) return `an unknown code ${String(code)}`;
  const rule = ERRORS[code as ErrorCode];
  if (status !== null && rule.status !== status) return `status ${status} with code ${code}`;
  if (rule.status >= 500 && !NAMED.has(code)) return `a defect: ${code}`;
  for (const [name, text] of Object.entries({ detail, remedy, instance })) {
    if (typeof text !== 'string' || text === '') return `${name} is missing`;
  }
  if (code !== 'invalid_request' || label.startsWith('no request') || label.startsWith('graphql')) return null;
  return namesField(details) || /^\(?[\w.-]+\)?: /.test(String(detail)) ? null : 'a refusal that names no field';
}

/** Whether it tells each field that was wrong, and what is wrong with it. */
function namesField(details: unknown): boolean {
  const problems = typeof details === 'object' && details !== null && 'problems' in details ? details.problems : [];
  return (
    Array.isArray(problems) &&
    problems.length > 0 &&
    problems.every(({ field, message }) => field !== '' && message !== '')
  );
}

function errorIn(body: string): Readonly<Record<string, unknown>> | null {
  const [first] = (jsonIn(body)?.['errors'] ?? []) as readonly {
    message: string;
    extensions: Record<string, unknown>;
  }[];
  if (first === undefined) return null;
  const { correlationId: instance, ...rest } = first.extensions;
  return { detail: first.message, instance, ...rest };
}

function jsonIn(text: string): Record<string, unknown> | null {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return null;
  }
}

/** Close codes that say that the server broke: 1011 of the protocol, 4500 of GraphQL. */
const BROKE: readonly number[] = [1011, 4500];

async function talkOnce(url: string, talk: Buffer, found: Findings): Promise<void> {
  const answer = await exchange(url, talk, { boundMs: BOUND_MS, halfClose: true });
  found.count(answer.status);
  const { texts, closeCodes } =
    answer.status === 101 ? framesIn(answer.received) : { texts: [answer.body], closeCodes: [] };
  const said = texts.join('\n');
  const broke = closeCodes.find((code) => BROKE.includes(code));
  const telltale = TELLTALES.find((pattern) => pattern.test(said));
  const isDefect = /"code":"internal"|internal: /.test(said);
  const wrong =
    answer.end === 'hung'
      ? 'it hangs'
      : broke !== undefined
        ? `closed with ${broke}`
        : telltale !== undefined
          ? `it shows ${telltale}`
          : isDefect
            ? 'a defect'
            : null;
  if (wrong !== null) found.tell(`socket: ${wrong}`, talk.toString('latin1').slice(200), said);
}

async function heldBy({ http, url }: Server): Promise<Held> {
  const { body } = await call(url, 'GET', `${PREFIX}/debug/sessions`, undefined, { connection: 'close' });
  const sessions = (body['rows'] ?? body['sessions'] ?? []) as readonly { session_id: string }[];
  for (const { session_id } of sessions)
    await call(url, 'DELETE', `${PREFIX}/debug/sessions/${session_id}`, undefined, { connection: 'close' });
  await eventually('all connections are closed', async () => {
    const { promise, resolve } = Promise.withResolvers<number>();
    http.server.getConnections((_error, count) => resolve(count));
    return (await promise) === 0 ? true : undefined;
  });
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  if (typeof collect === 'function') for (let times = 0; times < 3; times += 1) collect();
  const handles: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo())
    if (kind !== 'Timeout' && kind !== 'Immediate') handles[kind] = (handles[kind] ?? 0) + 1;
  return { heapBytes: process.memoryUsage().heapUsed, handles };
}

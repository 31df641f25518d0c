/** A whole app on a store of its own, for tests that need everything but the process. */
import { pino } from 'pino';
import { type App, type AppSettings, openApp } from '../../src/app.ts';
import { LOCAL_ADMIN } from '../../src/domain/access.ts';
import { START } from '../../src/domain/event.ts';
import type { Caller } from '../../src/interfaces/operation.ts';
import { OPERATIONS } from '../../src/interfaces/operations.ts';

export const TEST_SETTINGS: AppSettings = {
  eventStoreUrl: 'memory:',
  readStore: null,
  workers: 2,
  warmWorkers: 1,
  debugSessions: 4,
  bounds: { maxTimeoutMs: 30_000, defaultMemoryMb: 128, maxMemoryMb: 1_024, queueSize: 10_000, allowDangerous: false },
  limits: { maxOutputBytes: 50 * 1024 * 1024, maxLogLines: 10_000, maxLogBytes: 10 * 1024 * 1024, maxSteps: 10_000 },
  stepLimits: { httpTimeoutMs: 10_000, maxBodyBytes: 10 * 1024 * 1024 },
  wait: { defaultSeconds: 20, maxSeconds: 50 },
  outboundAllow: ['127.0.0.0/8', '::1/128'],
  maxSockets: 20,
  fileRoots: [],
  secrets: {},
  sources: [],
  auditFile: null,
  access: {
    entrance: 'local',
    keys: [],
    tokens: {
      jwt: { secret: 's'.repeat(32), algorithm: 'HS256', expiresInMs: 3_600_000, issuer: 'ratchet', audience: null },
      oauth2: null,
    },
  },
  runs: true,
  logger: pino({ level: process.env['TEST_LOG'] ?? 'silent' }, pino.destination(2)),
};

export const CALLER: Caller = {
  principal: LOCAL_ADMIN,
  source: { kind: 'rest', sessionId: null, clientInfo: 'test' },
  idempotencyKey: null,
  traceparent: null,
  minPosition: START,
  seen: START,
};

export interface TestApp extends AsyncDisposable {
  readonly app: App;
  /** Runs an operation as the local admin. */
  call(operation: string, input: object, caller?: Partial<Caller>): Promise<Record<string, unknown>>;
  /** Creates a task with this code and any input and output. */
  task(name: string, code: string, more?: object): Promise<void>;
  /** Runs a task to its end. */
  run(task: string, input?: unknown, more?: object): Promise<Record<string, unknown>>;
}

export async function openTestApp(overrides: Partial<AppSettings> = {}): Promise<TestApp> {
  const app = await openApp({ ...TEST_SETTINGS, ...overrides });
  let seen = START;
  const call: TestApp['call'] = async (name, input, caller) => {
    const operation = OPERATIONS.find((candidate) => candidate.name === name);
    if (operation === undefined) throw new Error(`there is no operation ${name}`);
    const answer = (await operation.run(app.core, input, { ...CALLER, seen, ...caller })) as Record<string, unknown>;
    if (operation.kind === 'command' && typeof answer['position'] === 'string') seen = answer['position'];
    return answer;
  };
  return {
    app,
    call,
    task: async (name, code, more = {}) => void (await call('create_task', { name, code, ...more })),
    run: (task, input = {}, more = {}) => call('execute_task', { task_id: task, input, ...more }),
    [Symbol.asyncDispose]: () => app.close(2_000),
  };
}

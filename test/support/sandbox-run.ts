/** Drives executions in a real sandbox with answers given by the test. */
import type { JsonObject } from '../../src/domain/event.ts';
import type { Outcome, StepCall, TaskErrorData, Telemetry } from '../../src/domain/journal.ts';
import type { Sandbox, SandboxLimits, Style, TaskStart, Turn } from '../../src/ports/sandbox.ts';

export const LIMITS: SandboxLimits = {
  memoryMb: 128,
  maxOutputBytes: 1024 * 1024,
  maxLogLines: 1000,
  maxLogBytes: 1024 * 1024,
  maxSteps: 1000,
};
export const CLOCK = Date.UTC(2026, 0, 2, 3, 4, 5, 6);

type Answer = (call: StepCall, index: number) => Outcome;

export interface RunOptions {
  readonly input?: unknown;
  readonly style?: Style;
  readonly answer?: Answer;
  readonly limits?: Partial<SandboxLimits>;
  readonly seed?: string;
}

export interface Run {
  readonly turns: readonly Turn[];
  readonly telemetry: readonly Telemetry[];
  /** Parsed output, or undefined when it threw or stalled. */
  readonly output: unknown;
  readonly error: TaskErrorData | undefined;
  readonly calls: readonly StepCall[];
}

export const value = (json: JsonObject | string | number | null): Outcome => ({ ok: true, value: json });

/** An HTTP outcome with a JSON body. */
export function http(body: unknown, status = 200, headers: [string, string][] = []): Outcome {
  return value({
    status,
    statusText: status === 200 ? 'OK' : 'Other',
    headers: [['content-type', 'application/json'], ...headers],
    body: JSON.stringify(body),
    bodyEncoding: 'utf8',
    url: 'https://a.example/',
    redirected: false,
  });
}

export function taskStart(sandbox: Sandbox, code: string, options: RunOptions = {}): TaskStart {
  return {
    code: sandbox.prepare(code, 'demo/main.js'),
    input: JSON.stringify(options.input ?? {}),
    context: { executionId: 'e1', taskId: 't1', taskVersion: 'v1', jobId: 'j1', attempt: 1 },
    clock: CLOCK,
    seed: options.seed ?? '07'.repeat(32),
    style: options.style ?? 'auto',
  };
}

/** Runs to the end: outcomes in the order of the calls, five milliseconds each, timers when nothing else is open. */
export async function run(sandbox: Sandbox, code: string, options: RunOptions = {}): Promise<Run> {
  const session = await sandbox.open({ ...LIMITS, ...options.limits });
  const turns: Turn[] = [];
  const telemetry: Telemetry[] = [];
  const calls: StepCall[] = [];
  const open: StepCall[] = [];
  const answer = options.answer ?? (() => http({ n: 1 }));
  const note = (turn: Turn): Turn => {
    turns.push(turn);
    calls.push(...turn.calls);
    open.push(...turn.calls);
    return turn;
  };
  try {
    let turn = note(await session.start(taskStart(sandbox, code, options), (records) => telemetry.push(...records)));
    while (turn.status.kind === 'waiting') {
      const { blockedOn, nextTimer } = turn.status;
      const index = blockedOn === null ? 0 : open.findIndex((call) => call.path === blockedOn);
      const [call] = open.splice(index, 1);
      if (call !== undefined) {
        const outcome = answer(call, calls.indexOf(call));
        turn = note(await session.deliver({ type: 'outcome', path: call.path, clock: turn.clock + 5, outcome }));
      } else if (nextTimer !== null) {
        turn = note(await session.deliver({ type: 'timer', clock: nextTimer }));
      } else {
        break;
      }
    }
    const { status } = turn;
    return {
      turns,
      telemetry,
      calls,
      output: status.kind === 'returned' ? JSON.parse(status.output) : undefined,
      error: status.kind === 'threw' ? status.error : undefined,
    };
  } finally {
    session.release();
  }
}

/** The messages of all log lines. */
export function logsOf(of: Run): string[] {
  return of.telemetry.flatMap((record) => (record.kind === 'log' ? [record.message] : []));
}

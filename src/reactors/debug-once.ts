/** The one-shot debugger: runs a recorded attempt again to its end, and tells what was seen at each stop on the way. */
import type { Principal } from '../domain/access.ts';
import type { DebugReport, DebugRequest, Hit } from '../domain/debugging.ts';
import { isRatchetError, RatchetError } from '../domain/errors.ts';
import type { Json } from '../domain/event.ts';
import type { TaskErrorData } from '../domain/journal.ts';
import { type DebuggedSession, type DebugSandbox, PAUSE_AT_MAIN } from '../ports/debug-sandbox.ts';
import type { SourceMaps } from '../ports/source-map.ts';
import { AuthoredCode } from './authored-code.ts';
import { type DebuggedEnd, runDebugged } from './debugged-replay.ts';
import { type EnginePlace, type EngineStop, isException } from './inspected.ts';
import { Breakpoints } from './line-breakpoints.ts';
import { type HitReader, type HitReason, readHit } from './read-hit.ts';
import { type RecordReplayDeps, recordReplay } from './record-replay.ts';
import { type RecordedRun, type RecordedRunDeps, recordedRun } from './recorded-run.ts';
import { TaskDebugger } from './task-debugger.ts';
import { timely } from './timely-inspector.ts';

/** Milliseconds in which a value must be read; an expression has had its half second by then. */
const READ_MS = 2_000;
/** Characters of what a task threw in the end. */
const MAX_MESSAGE = 10_000;

export interface DebugOnceDeps extends RecordedRunDeps, RecordReplayDeps {
  readonly debugSandbox: DebugSandbox;
  readonly sourceMaps: SourceMaps;
}

type Seen = Omit<DebugReport, 'replayId'>;
type End = Pick<DebugReport, 'result' | 'output' | 'error'>;

const TIMED_OUT: End = { result: 'timeout', output: null, error: null };

/** As `Debugging.once` says. Nothing is left running after, whatever happens. */
export async function debugOnce(deps: DebugOnceDeps, request: DebugRequest, by: Principal): Promise<DebugReport> {
  const run = await recordedRun(deps, request.executionId, request.attempt);
  const { id, name, version } = run.state.request.task;
  const start = {
    mode: 'debug' as const,
    executionId: run.executionId,
    attempt: run.start.attempt,
    task: { id, name, version },
    code: null,
    input: null,
    stubs: 0,
    allowLive: false,
  };
  const work = async (replayId: string): Promise<DebugReport> => ({ replayId, ...(await seen(deps, request, run)) });
  return await recordReplay(deps, start, by, work, ({ result, hits, stops }) => ({
    verdict: result,
    told: { result, stops, hits: hits.length },
  }));
}

async function seen(deps: DebugOnceDeps, request: DebugRequest, run: RecordedRun): Promise<Seen> {
  const { file } = run.taskStart.code;
  const code = new AuthoredCode(file, await codeOf(deps, run), deps.sourceMaps);
  const deadline = new AbortController();
  const overdue = new RatchetError('execution_timeout', `the debugged replay did not end in ${request.timeoutMs} ms`);
  const timer = setTimeout(() => deadline.abort(overdue), request.timeoutMs);
  let session: DebuggedSession | undefined;
  let debugged: DebuggedOnce | undefined;
  try {
    session = await deps.debugSandbox.open(run.limits, deadline.signal);
    debugged = new DebuggedOnce(request, run, code, session);
    return debugged.report(debugged.endOf(await debugged.run(deps, deadline.signal)));
  } catch (error) {
    await debugged?.atRest();
    if (error === overdue) return debugged?.report(TIMED_OUT) ?? timedOutAtStart(request, run);
    const end = debugged?.endBy(error) ?? null;
    if (debugged === undefined || end === null) throw error;
    return debugged.report(end);
  } finally {
    clearTimeout(timer);
    session?.release();
  }
}

async function codeOf({ blobs }: DebugOnceDeps, { version, state }: RecordedRun): Promise<string> {
  const code = await blobs.get(version.code);
  if (typeof code === 'string') return code;
  throw new RatchetError('store_corrupt', `the code of ${state.request.task.name} is not text`);
}

/** No process was free in time. */
function timedOutAtStart({ breakpoints }: DebugRequest, { executionId, start: { attempt } }: RecordedRun): Seen {
  const unbound = breakpoints.map((asked) => ({ asked, line: null, moved: false, conditionError: null }));
  const nothing = { hits: [], stops: 0, output: null, error: null };
  return { executionId, attempt, ...nothing, breakpoints: unbound, result: 'timeout' };
}

class DebuggedOnce {
  readonly #request: DebugRequest;
  readonly #run: RecordedRun;
  readonly #session: DebuggedSession;
  readonly #debugger: TaskDebugger;
  readonly #breakpoints: Breakpoints;
  readonly #reader: HitReader;
  /** Steps that failed in the record: where an awaiting task asks for one is where it will fail. */
  readonly #failing: ReadonlySet<string>;
  readonly #asked = new Map<string, Hit>();
  #hits: Hit[] = [];
  #stops = 0;
  #stepsDone = 0;
  #places: readonly EnginePlace[] = [];
  /** What is being done while the task stands still. */
  #standing: Promise<void> | null = null;

  constructor(request: DebugRequest, run: RecordedRun, code: AuthoredCode, session: DebuggedSession) {
    this.#request = request;
    this.#run = run;
    this.#session = session;
    const reads = timely(session.inspector, READ_MS);
    this.#debugger = new TaskDebugger(session, reads, run.taskStart.code.file);
    this.#breakpoints = new Breakpoints(request.breakpoints, this.#debugger, code);
    this.#reader = { inspector: reads, debugger: this.#debugger, code, request };
    const failed = run.journal.filter(({ outcome, kind }) => !outcome.ok && kind !== 'custom');
    this.#failing = new Set(request.exceptions === 'all' ? failed.map(({ path }) => path) : []);
  }

  async run(deps: DebugOnceDeps, signal: AbortSignal): Promise<DebuggedEnd> {
    await this.#debugger.begin({ onEntry: () => this.#entered(), onStop: (stop) => this.#standAt(stop) });
    if (this.#request.stepMode) this.#session.pauseAtMain();
    const steps = [...this.#breakpoints.steps, ...this.#failing];
    if (steps.length > 0) this.#session.pauseAtSteps(steps);
    return await runDebugged(deps, this.#run, this.#session, {
      signal,
      onOutcome: (path, outcome, isBlocking) => {
        if (!outcome.ok && !isBlocking) this.#rejected(path, outcome.error);
        this.#asked.delete(path);
        this.#stepsDone += 1;
      },
    });
  }

  report(end: End): Seen {
    const { executionId, start } = this.#run;
    const breakpoints = this.#breakpoints.report();
    return { executionId, attempt: start.attempt, hits: this.#hits, stops: this.#stops, breakpoints, ...end };
  }

  /** Waits until what was being read is kept, as far as it came. Call when the session is over. */
  async atRest(): Promise<void> {
    await this.#standing?.catch(() => undefined);
  }

  endOf(end: DebuggedEnd): End {
    return (end.kind === 'end_of_record' && end.error !== null ? this.#ownEnd(end.error) : null) ?? resultOf(end);
  }

  /** @returns the end that the debugger brought about itself; null when it was something else. */
  endBy(error: unknown): End | null {
    if (!isRatchetError(error)) return null;
    const { code, message } = error;
    if (code === 'execution_timeout') return { ...TIMED_OUT, error: { name: code, message } };
    return this.#ownEnd({ name: code, message });
  }

  /** A process that dies while the task stands still, or of memory that was enough when it was recorded, dies of the debugger. */
  #ownEnd({ name, message }: { readonly name: string; readonly message: string }): End | null {
    if (name === 'memory_limit_exceeded' && (this.#standing !== null || this.#run.ending !== null)) {
      const why = 'the debugger ran out of memory, not the task: what it looks at needs room in the same process';
      return {
        result: 'debugger_out_of_memory',
        output: null,
        error: { name: 'debugger_out_of_memory', message: why },
      };
    }
    if (this.#standing === null || (name !== 'sandbox_crashed' && name !== 'sandbox_protocol')) return null;
    const error = { name, message: `while the debugger looked at values: ${message}` };
    return { result: 'end_of_record', output: null, error };
  }

  async #standAt(stop: EngineStop): Promise<void> {
    const standing = this.#stopped(stop);
    this.#standing = standing;
    await standing;
    this.#standing = null;
  }

  async #entered(): Promise<void> {
    const { breakpoints, stepMode, exceptions } = this.#request;
    if (stepMode || breakpoints.some(({ line }) => line !== null)) this.#places = await this.#debugger.places();
    await this.#breakpoints.bind(this.#places);
    if (exceptions === 'all') await this.#debugger.pauseOnExceptions();
  }

  async #stopped(stop: EngineStop): Promise<void> {
    const place = await this.#debugger.placeOf(stop);
    if (place === PAUSE_AT_MAIN) return this.#breakpoints.bindAllLines(this.#places);
    const [frame] = this.#debugger.own(stop);
    if (place !== null) {
      const isKept = this.#failing.has(place) && this.#hasRoom() && this.#asked.size < this.#request.maxHits;
      if (isKept) await this.#ask(stop, place);
      if (await this.#breakpoints.stopsAtStep(place, frame)) await this.#hit(stop, 'step', place);
    } else if (frame !== undefined) {
      const reason = await this.#reasonOf(stop);
      if (reason !== null) await this.#hit(stop, reason, null);
    }
  }

  /** Only called where the task's own code runs. */
  async #reasonOf(stop: EngineStop): Promise<Hit['reason'] | null> {
    const [frame] = this.#debugger.own(stop);
    if (stop.thrown !== null && stop.reasons.some(isException)) {
      const isThrownHere = stop.frames[0] === frame && !stop.reasons.includes('promiseRejection');
      // What the task threw comes by again where the sandbox passes it on.
      if (!isThrownHere && (await this.#debugger.isKept(stop.thrown))) return null;
      await this.#debugger.keep(stop.thrown);
      return 'exception';
    }
    const reason = await this.#breakpoints.reasonAt(stop.hitBreakpoints, frame);
    if (reason !== null) return reason;
    const isDebuggerStatement = stop.hitBreakpoints.length === 0 && stop.reasons.includes('other');
    return isDebuggerStatement ? 'breakpoint' : null;
  }

  /** A task that awaits a failing step has no frames when the error comes: those of its call are kept for then. */
  async #ask(stop: EngineStop, path: string): Promise<void> {
    const why: HitReason = { reason: 'exception', stepsDone: this.#stepsDone, step: path };
    const { hit, ended } = await readHit(this.#reader, stop, why);
    this.#asked.set(path, hit);
    if (ended !== null) throw ended;
  }

  #rejected(path: string, error: TaskErrorData): void {
    if (!this.#failing.has(path)) return;
    this.#stops += 1;
    const asked = this.#asked.get(path);
    if (asked === undefined || !this.#hasRoom()) return;
    const { name, message } = error;
    const exception = {
      name: 'exception',
      type: 'error',
      value: { name, message, ...error.data },
      preview: `${name}: ${message}`,
      truncated: false,
    };
    this.#keep({ ...asked, stepsDone: this.#stepsDone, exception });
  }

  async #hit(stop: EngineStop, reason: Hit['reason'], step: string | null): Promise<void> {
    this.#stops += 1;
    if (!this.#hasRoom()) return;
    const { hit, ended } = await readHit(this.#reader, stop, { reason, step, stepsDone: this.#stepsDone });
    this.#keep(hit);
    if (ended !== null) throw ended;
  }

  #hasRoom(): boolean {
    const { keep, maxHits } = this.#request;
    return maxHits > 0 && (keep === 'last' || this.#hits.length < maxHits);
  }

  #keep(hit: Hit): void {
    this.#hits.push(hit);
    if (this.#hits.length > this.#request.maxHits) this.#hits.shift();
  }
}

function resultOf(end: DebuggedEnd): End {
  switch (end.kind) {
    case 'returned': {
      const output: Json = JSON.parse(end.output);
      return { result: end.kind, output, error: null };
    }
    case 'threw':
      return { result: end.kind, output: null, error: shortened(end.error) };
    case 'cancelled':
      return { result: end.kind, output: null, error: null };
    case 'end_of_record':
      return { result: end.kind, output: null, error: end.error };
    default:
      return end satisfies never;
  }
}

function shortened({ name, message }: TaskErrorData): End['error'] {
  return { name: name.slice(0, MAX_MESSAGE), message: message.slice(0, MAX_MESSAGE) };
}

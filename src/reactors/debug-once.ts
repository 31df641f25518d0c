/** The one-shot debugger: runs a recorded attempt again to its end, and tells what was seen at each stop on the way. */
import type { Principal } from '../domain/access.ts';
import type { DebugReport, DebugRequest, Hit } from '../domain/debugging.ts';
import { RatchetError } from '../domain/errors.ts';
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

export interface DebugOnceDeps extends RecordedRunDeps, RecordReplayDeps {
  readonly debugSandbox: DebugSandbox;
  readonly sourceMaps: SourceMaps;
}

type Seen = Omit<DebugReport, 'replayId'>;

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
    return debugged.report(await debugged.run(deps, deadline.signal));
  } catch (error) {
    if (error !== overdue) throw error;
    return debugged?.report('timeout') ?? timedOutAtStart(request, run);
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

  constructor(request: DebugRequest, run: RecordedRun, code: AuthoredCode, session: DebuggedSession) {
    this.#request = request;
    this.#run = run;
    this.#session = session;
    this.#debugger = new TaskDebugger(session, run.taskStart.code.file);
    this.#breakpoints = new Breakpoints(request.breakpoints, this.#debugger, code);
    this.#reader = { inspector: session.inspector, debugger: this.#debugger, code, request };
    const failed = run.journal.filter(({ outcome, kind }) => !outcome.ok && kind !== 'custom');
    this.#failing = new Set(request.exceptions === 'all' ? failed.map(({ path }) => path) : []);
  }

  async run(deps: DebugOnceDeps, signal: AbortSignal): Promise<DebuggedEnd> {
    await this.#debugger.begin({ onEntry: () => this.#entered(), onStop: (stop) => this.#stopped(stop) });
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

  report(end: DebuggedEnd | 'timeout'): Seen {
    const { executionId, start } = this.#run;
    const seen = { executionId, attempt: start.attempt, hits: this.#hits, stops: this.#stops };
    const breakpoints = this.#breakpoints.report();
    return {
      ...seen,
      breakpoints,
      ...(end === 'timeout' ? { result: end, output: null, error: null } : resultOf(end)),
    };
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
    this.#asked.set(path, await readHit(this.#reader, stop, why));
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
    if (this.#hasRoom()) this.#keep(await readHit(this.#reader, stop, { reason, step, stepsDone: this.#stepsDone }));
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

function resultOf(end: DebuggedEnd): Pick<DebugReport, 'result' | 'output' | 'error'> {
  switch (end.kind) {
    case 'returned': {
      const output: Json = JSON.parse(end.output);
      return { result: end.kind, output, error: null };
    }
    case 'threw':
      return { result: end.kind, output: null, error: { name: end.error.name, message: end.error.message } };
    case 'cancelled':
      return { result: end.kind, output: null, error: null };
    case 'end_of_record':
      return { result: end.kind, output: null, error: end.error };
    default:
      return end satisfies never;
  }
}

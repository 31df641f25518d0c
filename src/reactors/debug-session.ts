/** One debug session: the run it leads now, what is kept when it runs again from the start, and the time until it ends by itself. */
import type { Breakpoint, DebugSessionInfo, DebugSessionView, ProtocolMessage } from '../domain/debugging.ts';
import { asRatchetError, RatchetError } from '../domain/errors.ts';
import { isObject, type JsonObject } from '../domain/event.ts';
import { isoTime } from '../domain/time.ts';
import type { DebugSandbox } from '../ports/debug-sandbox.ts';
import type { Runtime } from '../ports/runtime.ts';
import { OWN_METHODS, type OwnMethod } from './debug-protocol.ts';
import { DebugRun, type DebugSetup } from './debug-run.ts';
import type { RecordedRun } from './recorded-run.ts';

export interface DebugSessionDeps {
  readonly runtime: Runtime;
  readonly debugSandbox: DebugSandbox;
}

export interface DebugSessionFacts {
  readonly sessionId: string;
  readonly replayId: string;
  readonly principal: string;
  readonly recorded: RecordedRun;
}

/** Without a command for this long it ends. */
const IDLE_MS = 10 * 60_000;
/** However busy, it ends after this. */
const LONGEST_MS = 60 * 60_000;
const OPEN_MS = 15_000;
const MAX_KEPT = 100;

type Kept = DebugSetup['commands'][number];

export class DebugSession {
  readonly #deps: DebugSessionDeps;
  readonly #facts: DebugSessionFacts;
  readonly #startedAt: number;
  readonly #over = Promise.withResolvers<void>();
  readonly #listeners = new Set<(message: ProtocolMessage) => void>();
  /** What a front end that comes later must know: the context, the scripts. */
  #known: { readonly method: string; readonly params: JsonObject }[] = [];
  #paused: JsonObject | null = null;
  /** Breakpoints by their id, and the last of each setting. */
  readonly #kept = new Map<string, Kept>();
  #steps: readonly string[];
  #run: DebugRun | null = null;
  #end: DebugSessionView['end'] = null;
  #waiting: (() => void)[] = [];
  #turns: Promise<unknown> = Promise.resolve();
  #idle: NodeJS.Timeout | undefined;
  readonly #longest: NodeJS.Timeout;
  #endsAt: number;
  #isClosed = false;
  readonly #closing = new AbortController();
  commands = 0;
  runs = 0;

  constructor(deps: DebugSessionDeps, facts: DebugSessionFacts, breakpoints: readonly Breakpoint[]) {
    this.#deps = deps;
    this.#facts = facts;
    this.#startedAt = deps.runtime.now();
    this.#endsAt = this.#startedAt + IDLE_MS;
    this.#steps = breakpoints.flatMap(({ step }) => (step === null ? [] : [step]));
    for (const [line, { condition, hitCount }] of merged(breakpoints)) {
      const params = { lineNumber: line - 1, ...(condition === null ? {} : { condition }) };
      this.#kept.set(`line ${line}`, { method: 'Debugger.setBreakpointByUrl', params, hitCount });
    }
    this.#longest = setTimeout(() => void this.close(), LONGEST_MS);
    this.#touch();
    void this.#begin(breakpoints.length === 0 ? 'main' : null);
  }

  get principal(): string {
    return this.#facts.principal;
  }

  /** Resolves when the session is over. Never rejects. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  info(): DebugSessionInfo {
    const { sessionId, replayId, principal, recorded } = this.#facts;
    return {
      sessionId,
      replayId,
      executionId: recorded.executionId,
      attempt: recorded.start.attempt,
      principal,
      state: this.#isClosed ? 'ended' : (this.#run?.state ?? 'starting'),
      file: recorded.taskStart.code.file,
      startedAt: isoTime(this.#startedAt),
      endsAt: isoTime(this.#endsAt),
    };
  }

  async command(method: string, params: JsonObject): Promise<JsonObject> {
    this.#touch();
    this.commands += 1;
    const own = OWN_METHODS.find((known) => known === method);
    if (own !== undefined) return this.#own(own, params);
    const run = this.#run;
    if (run === null) throw new RatchetError('debug_not_paused', 'the task has not begun yet');
    const isNew = /^Debugger[.]setBreakpoint(?:ByUrl)?$/.test(method);
    if (isNew && this.#kept.size >= MAX_KEPT) {
      throw new RatchetError('debug_method_refused', `refused: a session keeps at most ${MAX_KEPT} breakpoints`);
    }
    if (method === 'Debugger.removeBreakpoint') return this.#remove(run, params);
    const result = await run.command(method, params);
    this.#keep(method, params, result);
    return result;
  }

  /** Waits until the task stands still or is over. */
  async settled(ms: number): Promise<DebugSessionView> {
    const deadline = this.#deps.runtime.now() + ms;
    while (!this.#isSettled() && this.#deps.runtime.now() < deadline) {
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
        timer = setTimeout(resolve, deadline - this.#deps.runtime.now());
      });
      clearTimeout(timer);
    }
    const lines = [...this.#kept.values()].filter(({ params }) => typeof params['lineNumber'] === 'number');
    const breakpoints = lines.map((kept) => ({
      asked: Number(kept.params['lineNumber']) + 1,
      line: this.#run?.lineOf(kept) ?? null,
    }));
    const stepsDone = [...(this.#run?.done ?? [])];
    return { ...this.info(), breakpoints, paused: this.#paused, stepsDone, end: this.#end };
  }

  listen(listener: (message: ProtocolMessage) => void): () => void {
    for (const known of this.#known) listener(known);
    if (this.#paused !== null) listener({ method: 'Debugger.paused', params: this.#paused });
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#closing.abort(closed());
    clearTimeout(this.#idle);
    clearTimeout(this.#longest);
    this.#run?.kill(closed());
    await this.#run?.ended.catch(() => undefined);
    this.#tell('Inspector.detached', { reason: 'the session has ended' });
    this.#listeners.clear();
    this.#wake();
    this.#over.resolve();
  }

  #isSettled(): boolean {
    return this.#isClosed || this.#end !== null || this.#paused !== null;
  }

  async #own(method: OwnMethod, params: JsonObject): Promise<JsonObject> {
    switch (method) {
      case 'Ratchet.pauseAtStep': {
        const path = params['path'];
        if (typeof path !== 'string' || !/^\d{1,9}(?:\/\d{1,9}){0,20}$/.test(path)) {
          throw new RatchetError('debug_method_refused', 'refused: path must be the path of a step, such as 4 or 4/1');
        }
        this.#steps = [...this.#steps.filter((known) => known !== path).slice(-99), path];
        this.#run?.pauseAtSteps(this.#steps);
        return { steps: [...this.#steps] };
      }
      case 'Ratchet.stepBack':
        return { step: await this.#inTurn(() => this.#stepBack()) };
      case 'Ratchet.restart':
        await this.#inTurn(() => this.#restart('main'));
        return {};
      default:
        return method satisfies never;
    }
  }

  /** One restart at a time: each ends the run that the one before began. */
  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const turn = this.#turns.then(work);
    this.#turns = turn.catch(() => undefined);
    return turn;
  }

  async #stepBack(): Promise<string | null> {
    const step = this.#run?.done.at(-1) ?? null;
    await this.#restart(step ?? 'main');
    return step;
  }

  /** Runs again from the start, with the same breakpoints, to where it shall stand. */
  async #restart(first: string): Promise<void> {
    const before = this.#run;
    this.#run = null;
    before?.kill(closed());
    await before?.ended.catch(() => undefined);
    if (this.#isClosed) throw closed();
    this.#known = [];
    this.#paused = null;
    this.#end = null;
    this.#tell('Runtime.executionContextsCleared', {});
    await this.#begin(first);
  }

  /** Resolves when there is a run, or none could be begun. Never rejects. */
  async #begin(first: string | null): Promise<void> {
    const setup: DebugSetup = { first, steps: this.#steps, commands: [...this.#kept.values()] };
    this.runs += 1;
    const { recorded } = this.#facts;
    const stop = AbortSignal.any([AbortSignal.timeout(OPEN_MS), this.#closing.signal]);
    try {
      const debugged = await this.#deps.debugSandbox.open(recorded.limits, stop);
      if (this.#isClosed) return debugged.release();
      const run: DebugRun = new DebugRun(this.#deps.runtime, recorded, debugged, setup, {
        tell: (method, params) => this.#heard(run, method, params),
        onState: () => this.#wake(),
      });
      this.#run = run;
      run.ended.then(
        (end) => this.#ended(run, end.kind, end.kind === 'threw' ? `${end.error.name}: ${end.error.message}` : null),
        (error: unknown) => this.#ended(run, 'failed', asRatchetError(error).message),
      );
    } catch (error) {
      this.#ended(null, 'failed', asRatchetError(error).message);
    }
  }

  #ended(run: DebugRun | null, result: string, message: string | null): void {
    if (run !== this.#run || this.#isClosed) return;
    this.#paused = null;
    this.#end = { result, message };
    this.#tell('Ratchet.ended', { result, message });
    this.#wake();
  }

  #heard(run: DebugRun, method: string, params: JsonObject): void {
    if (run !== this.#run) return;
    if (method === 'Debugger.paused') this.#paused = params;
    else if (method === 'Debugger.resumed') this.#paused = null;
    else if (method !== 'Debugger.breakpointResolved') this.#known.push({ method, params });
    this.#tell(method, params);
    this.#wake();
  }

  #keep(method: string, params: JsonObject, result: JsonObject): void {
    const { breakpointId } = result;
    if (typeof breakpointId === 'string') {
      const kept = byUrl(params);
      this.#kept.set(breakpointId, kept);
      this.#run?.adopt(kept, result);
    }
    if (/^Debugger\.set(?:PauseOnExceptions|BreakpointsActive|SkipAllPauses)$/.test(method)) {
      this.#kept.set(method, { method, params, hitCount: 1 });
    }
  }

  /** By the id it was set with, or the one that it has in this run. */
  async #remove(run: DebugRun, params: JsonObject): Promise<JsonObject> {
    const id = String(params['breakpointId']);
    const known = [...this.#kept].find(([key, kept]) => key === id || run.idOf(kept) === id);
    const [key, kept] = known ?? [id, null];
    const breakpointId = (kept === null ? null : run.idOf(kept)) ?? id;
    const result = await run.command('Debugger.removeBreakpoint', { breakpointId });
    this.#kept.delete(key);
    return result;
  }

  #tell(method: string, params: JsonObject): void {
    for (const listener of this.#listeners) listener({ method, params });
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #touch(): void {
    clearTimeout(this.#idle);
    this.#endsAt = Math.min(this.#deps.runtime.now() + IDLE_MS, this.#startedAt + LONGEST_MS);
    this.#idle = setTimeout(() => void this.close(), IDLE_MS);
  }
}

/** The engine takes one breakpoint for a place: several on a line stop where any of them would. */
function merged(breakpoints: readonly Breakpoint[]): ReadonlyMap<number, Pick<Breakpoint, 'condition' | 'hitCount'>> {
  const byLine = new Map<number, Pick<Breakpoint, 'condition' | 'hitCount'>>();
  for (const { line, condition, hitCount } of breakpoints) {
    if (line === null) continue;
    const known = byLine.get(line);
    if (known === undefined) byLine.set(line, { condition, hitCount });
    else {
      const both = known.condition === null || condition === null ? null : `(${known.condition}) || (${condition})`;
      byLine.set(line, { condition: both, hitCount: Math.min(known.hitCount, hitCount) });
    }
  }
  return byLine;
}

/** A breakpoint in the form that outlives its script. */
function byUrl(params: JsonObject): Kept {
  const { location = params, condition } = params;
  const { lineNumber, columnNumber } = isObject(location) ? location : params;
  const given = Object.entries({ lineNumber, columnNumber, condition }).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as const],
  );
  return { method: 'Debugger.setBreakpointByUrl', params: Object.fromEntries(given), hitCount: 1 };
}

function closed(): RatchetError {
  return new RatchetError('debug_session_not_found', 'the debug session has ended');
}

/** One run of a replay under the debugger, seen as the task's author sees it: frames and scripts of the task's own file only. */
import { RatchetError } from '../domain/errors.ts';
import type { Json, JsonObject } from '../domain/event.ts';
import { type DebuggedSession, PAUSE_SCRIPT } from '../ports/debug-sandbox.ts';
import type { Runtime } from '../ports/runtime.ts';
import type { SandboxSession } from '../ports/sandbox.ts';
import { runAttempt } from './attempt.ts';
import type { AttemptResult } from './attempt-plan.ts';
import { allowed, type ProtocolView } from './debug-protocol.ts';
import type { RecordedRun } from './recorded-run.ts';

/** Where a run shall stop. */
export interface DebugSetup {
  /** Stop here first, whatever lies before it: `main`, or the path of a step; null: at whatever comes first. */
  readonly first: string | null;
  /** Stop in the calls of these steps. */
  readonly steps: readonly string[];
  /** Commands of the protocol, such as breakpoints; one that is passed a few times first says how often. */
  readonly commands: readonly { readonly method: string; readonly params: JsonObject; readonly hitCount: number }[];
}

/** The task stands still, or goes on, or is over. */
export type RunState = 'starting' | 'paused' | 'running' | 'ended';

export interface DebugRunEvents {
  /** An event of the protocol that concerns the task. */
  readonly tell: (method: string, params: JsonObject) => void;
  readonly onState: (state: RunState) => void;
}

/** A command that does not come back means that the process hangs: nothing that a task does can hold the engine for so long. */
const COMMAND_MS = 10_000;
const STEPS: ReadonlySet<string> = new Set(['Debugger.stepOver', 'Debugger.stepInto', 'Debugger.stepOut']);
/** Scripts that stepping passes over; exceptions thrown in them are passed over too, so the second list is for going on. */
const PASSED_OVER = [`^(?!${PAUSE_SCRIPT}$).*prelude.*$`, '^ratchet:(?!pause$)', '^node:', '^file:'];
const PASSED_OVER_WHILE_RUNNING = ['^node:', '^file:'];

export class DebugRun {
  readonly #runtime: Runtime;
  readonly #recorded: RecordedRun;
  readonly #session: DebuggedSession;
  readonly #events: DebugRunEvents;
  readonly #abort = new AbortController();
  readonly #scripts = new Set<string>();
  readonly #done: string[] = [];
  /** How often breakpoints are still passed before the task stops at them. */
  readonly #passes = new Map<string, number>();
  /** Installed when the first stop is reached. */
  #later: DebugSetup | null = null;
  #contextId: number | null = null;
  #frames: ReadonlySet<string> | null = null;
  #state: RunState = 'starting';
  /** Settles when the task is over. Rejects with a mismatch, a limit, or the reason it was killed for. */
  readonly ended: Promise<AttemptResult>;

  constructor(
    runtime: Runtime,
    recorded: RecordedRun,
    session: DebuggedSession,
    setup: DebugSetup,
    events: DebugRunEvents,
  ) {
    this.#runtime = runtime;
    this.#recorded = recorded;
    this.#session = session;
    this.#events = events;
    session.inspector.listen((method, params) => this.#heard(method, params));
    this.ended = this.#begin(setup).finally(() => {
      this.#become('ended');
      session.release();
    });
    this.ended.catch(() => undefined);
  }

  get state(): RunState {
    return this.#state;
  }

  /** Paths of the steps that the task has had an outcome of, in order. */
  get done(): readonly string[] {
    return this.#done;
  }

  /** Sends a command that is offered. Fails with `debug_method_refused`, `debug_not_paused` or `evaluation_timeout`. */
  async command(method: string, params: JsonObject): Promise<JsonObject> {
    const checked = allowed(method, params, this.#view());
    const isGoingOn = method === 'Debugger.resume' || STEPS.has(method);
    if (isGoingOn) await this.#send('Debugger.setBlackboxPatterns', { patterns: this.#patterns(method) });
    const result = await this.#send(method, checked);
    return method === 'Runtime.getProperties' ? withoutScopes(result) : result;
  }

  pauseAtSteps(paths: readonly string[]): void {
    this.#session.pauseAtSteps(paths);
  }

  kill(reason: RatchetError): void {
    this.#abort.abort(reason);
    this.#session.kill(reason);
  }

  async #begin(setup: DebugSetup): Promise<AttemptResult> {
    await this.#send('Debugger.enable', {});
    await this.#send('Debugger.setBlackboxPatterns', { patterns: PASSED_OVER_WHILE_RUNNING });
    if (setup.first === null) await this.#install(setup);
    else this.#later = setup;
    if (setup.first === 'main') this.#session.pauseAtMain();
    else if (setup.first !== null) this.#session.pauseAtSteps([setup.first]);
    this.#become('running');
    const { ending, journal, taskStart } = this.#recorded;
    return runAttempt({
      session: counted(this.#session, this.#done),
      start: taskStart,
      journal,
      runtime: this.#runtime,
      recorder: { stepCompleted: async () => undefined, telemetry: () => undefined },
      // biome-ignore lint/suspicious/noThenProperty: a plan is data, not a promise
      then: { kind: 'replay', ending },
      cancel: new AbortController().signal,
      abort: this.#abort.signal,
      onIdle: () => undefined,
    });
  }

  async #install({ commands, steps }: DebugSetup): Promise<void> {
    this.#later = null;
    for (const { method, params, hitCount } of commands) {
      const { breakpointId } = await this.#send(method, allowed(method, params, this.#view()));
      if (typeof breakpointId === 'string' && hitCount > 1) this.#passes.set(breakpointId, hitCount - 1);
    }
    this.#session.pauseAtSteps(steps);
  }

  async #send(method: string, params: JsonObject): Promise<JsonObject> {
    let timer: NodeJS.Timeout | undefined;
    const overdue = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        const error = new RatchetError('evaluation_timeout', `${method} did not come back; the session was ended`);
        reject(error);
        this.kill(error);
      }, COMMAND_MS);
    });
    try {
      return await Promise.race([this.#session.inspector.send(method, params), overdue]);
    } finally {
      clearTimeout(timer);
    }
  }

  #patterns(method: string): readonly string[] {
    return STEPS.has(method) ? PASSED_OVER : PASSED_OVER_WHILE_RUNNING;
  }

  #view(): ProtocolView {
    const file = this.#recorded.taskStart.code.file;
    return { file, scriptIds: this.#scripts, contextId: this.#contextId, frameIds: this.#frames };
  }

  #heard(method: string, params: JsonObject): void {
    switch (method) {
      case 'Debugger.scriptParsed':
        return this.#script(method, params);
      case 'Debugger.scriptFailedToParse':
        if (params['url'] === this.#recorded.taskStart.code.file) this.#events.tell(method, params);
        return;
      case 'Debugger.paused':
        return this.#paused(params);
      case 'Debugger.resumed':
        if (this.#frames === null) return;
        this.#frames = null;
        this.#become('running');
        return this.#events.tell(method, params);
      case 'Debugger.breakpointResolved':
        if (this.#scripts.has(String(objectOf(params['location'])['scriptId']))) this.#events.tell(method, params);
        return;
      default:
        // Everything else tells about the process and not about the task.
        return;
    }
  }

  #script(method: string, params: JsonObject): void {
    const { file } = this.#recorded.taskStart.code;
    if (params['url'] !== file || typeof params['executionContextId'] !== 'number') return;
    this.#scripts.add(String(params['scriptId']));
    if (this.#contextId === null) {
      this.#contextId = params['executionContextId'];
      const context = { id: this.#contextId, origin: '', name: file, uniqueId: `task.${this.#contextId}` };
      this.#events.tell('Runtime.executionContextCreated', { context });
    }
    const { executionContextAuxData: _aux, stackTrace: _stack, ...told } = params;
    this.#events.tell(method, told);
  }

  #paused(params: JsonObject): void {
    const setup = this.#later;
    if (setup === null) return this.#stopped(params);
    this.#install(setup).then(
      () => this.#stopped(params),
      (error: unknown) => this.kill(error instanceof RatchetError ? error : lost(error)),
    );
  }

  #stopped(params: JsonObject): void {
    const frames = Array.isArray(params['callFrames']) ? params['callFrames'].map(objectOf) : [];
    const own = frames.filter((frame) => this.#scripts.has(String(objectOf(frame['location'])['scriptId'])));
    const isPlace = frames[0]?.['url'] === PAUSE_SCRIPT;
    if (own.length === 0) return this.#passOn(isPlace ? 'Debugger.stepInto' : 'Debugger.resume');
    const isStepping = params['reason'] === 'other' || params['reason'] === 'step';
    if (!isPlace && isStepping && frames[0] !== own[0] && !hasHit(params)) return this.#passOn('Debugger.stepOut');
    if (this.#isPassed(params)) return this.#passOn('Debugger.resume');
    this.#frames = new Set(own.map((frame) => String(frame['callFrameId'])));
    this.#become('paused');
    const { asyncStackTrace: _async, asyncStackTraceId: _id, ...told } = params;
    this.#events.tell('Debugger.paused', {
      ...told,
      reason: isPlace ? 'step' : (params['reason'] ?? 'other'),
      callFrames: own.map(withoutGlobals),
    });
  }

  #isPassed(params: JsonObject): boolean {
    const hit = Array.isArray(params['hitBreakpoints']) ? params['hitBreakpoints'].map(String) : [];
    const left = hit.map((id) => this.#passes.get(id) ?? 0);
    for (const id of hit) this.#passes.set(id, Math.max(0, (this.#passes.get(id) ?? 0) - 1));
    return hit.length > 0 && left.every((count) => count > 0);
  }

  /** Leaves a place that is not the task's. */
  #passOn(method: 'Debugger.stepInto' | 'Debugger.stepOut' | 'Debugger.resume'): void {
    const patterns = method === 'Debugger.resume' ? PASSED_OVER_WHILE_RUNNING : PASSED_OVER;
    void this.#send('Debugger.setBlackboxPatterns', { patterns })
      .then(() => this.#send(method, {}))
      .catch((error: unknown) => this.kill(error instanceof RatchetError ? error : lost(error)));
  }

  #become(state: RunState): void {
    if (this.#state === state || this.#state === 'ended') return;
    this.#state = state;
    if (state === 'ended') this.#frames = null;
    this.#events.onState(state);
  }
}

/** Notes the path of each outcome before the task has it. */
function counted(session: DebuggedSession, done: string[]): SandboxSession {
  return {
    start: (start, onTelemetry) => session.start(start, onTelemetry),
    deliver: (delivery) => {
      if (delivery.type === 'outcome') done.push(delivery.path);
      return session.deliver(delivery);
    },
    kill: (error) => session.kill(error),
    release: () => session.release(),
  };
}

function objectOf(value: Json | undefined): JsonObject {
  const isObject = value !== null && value !== undefined && typeof value === 'object' && !Array.isArray(value);
  return isObject ? (value as JsonObject) : {};
}

function hasHit(params: JsonObject): boolean {
  return Array.isArray(params['hitBreakpoints']) && params['hitBreakpoints'].length > 0;
}

/** The global object holds what every task has, and much of the sandbox. */
function withoutGlobals(frame: JsonObject): JsonObject {
  const scopes = Array.isArray(frame['scopeChain']) ? frame['scopeChain'].map(objectOf) : [];
  return { ...frame, scopeChain: scopes.filter((scope) => scope['type'] !== 'global') };
}

/** Closures of the sandbox's own functions are nobody's business. */
function withoutScopes(result: JsonObject): JsonObject {
  const internal = result['internalProperties'];
  if (!Array.isArray(internal)) return result;
  const kept = internal.map(objectOf).filter((property) => property['name'] !== '[[Scopes]]');
  return { ...result, internalProperties: kept };
}

function lost(cause: unknown): RatchetError {
  return new RatchetError('internal', 'the debugged process could not be led on', { cause });
}

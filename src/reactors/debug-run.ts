/** One run of a replay under the debugger, seen as the task's author sees it: frames and scripts of the task's own file only. */
import { isRatchetError, RatchetError } from '../domain/errors.ts';
import { type JsonObject, objectOf } from '../domain/event.ts';
import { type DebuggedSession, PAUSE_SCRIPT } from '../ports/debug-sandbox.ts';
import type { Runtime } from '../ports/runtime.ts';
import { BreakConditions } from './break-conditions.ts';
import { allowed, type ProtocolView } from './debug-protocol.ts';
import { type DebuggedEnd, runDebugged } from './debugged-replay.ts';
import { listOf, textOf } from './inspected.ts';
import { KnownObjects } from './known-objects.ts';
import { firstLineOfMain } from './main-function.ts';
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
/** How often in a row a step that left the task's file is led on before the task just runs. */
const MAX_LED_ON = 500;
const STEPS: ReadonlySet<string> = new Set(['Debugger.stepOver', 'Debugger.stepInto', 'Debugger.stepOut']);
/** Scripts that a step passes over. An exception thrown in such a script is passed over too, so fewer are named while it runs. */
const WHILE_STEPPING = ['^ratchet:(?!pause$)', '^node:', '^file:'];
const WHILE_RUNNING = ['^node:', '^file:'];
export class DebugRun {
  readonly #recorded: RecordedRun;
  readonly #session: DebuggedSession;
  readonly #events: DebugRunEvents;
  readonly #abort = new AbortController();
  readonly #scripts = new Set<string>();
  readonly #done: string[] = [];
  readonly #breaks = new BreakConditions((method, params) => this.#send(method, params));
  /** Installed when the first stop is reached. */
  #later: DebugSetup | null = null;
  /** Before the first line of the main function; removed when it is reached. */
  #atMain: string | null = null;
  /** Ids of breakpoints of the setup, and the lines where breakpoints came to lie. */
  readonly #laid = new Map<DebugSetup['commands'][number], string>();
  readonly #lines = new Map<string, number>();
  readonly #known = new KnownObjects();
  #pauseScript = '';
  #contextId: number | null = null;
  #frames: ReadonlySet<string> | null = null;
  #ledOn = 0;
  #state: RunState = 'starting';
  /** Settles when the task is over. Rejects with a mismatch, a limit, or the reason it was killed for. */
  readonly ended: Promise<DebuggedEnd>;

  constructor(
    runtime: Runtime,
    recorded: RecordedRun,
    session: DebuggedSession,
    setup: DebugSetup,
    events: DebugRunEvents,
  ) {
    this.#recorded = recorded;
    this.#session = session;
    this.#events = events;
    session.inspector.listen((method, params) => this.#heard(method, params));
    this.ended = this.#begin(runtime, setup).finally(() => {
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
    this.#known.check(checked);
    if (STEPS.has(method)) await this.#passOver(WHILE_STEPPING);
    else if (method === 'Debugger.resume') await this.#passOver(WHILE_RUNNING);
    this.#ledOn = 0;
    // The engine's own word may come after its answer.
    if (STEPS.has(method) || method === 'Debugger.resume') this.#goesOn();
    if ('condition' in checked) return this.#breaks.lay(method, checked, 1);
    const isGoingOn = STEPS.has(method) || method === 'Debugger.resume';
    const result = await this.#send(method, checked).catch((error: unknown) => {
      // The run may be over before the engine's answer is here.
      if (isGoingOn && this.#state === 'ended') return {};
      throw error;
    });
    const told = method === 'Runtime.getProperties' ? withoutScopes(result) : result;
    this.#known.note(told);
    return told;
  }

  /** Notes what the engine answered to a breakpoint that shall outlive this run. */
  adopt(command: DebugSetup['commands'][number], result: JsonObject): void {
    const id = textOf(result['breakpointId']);
    if (id === '') return;
    this.#laid.set(command, id);
    const [place] = listOf(result['locations']).map(objectOf);
    const { lineNumber } = place ?? objectOf(result['actualLocation']);
    if (typeof lineNumber === 'number') this.#lines.set(id, lineNumber + 1);
  }

  /** @returns the id that the engine gave to a command of the setup. */
  idOf(command: DebugSetup['commands'][number]): string | null {
    return this.#laid.get(command) ?? null;
  }

  /** @returns the line, from 1, where a breakpoint of the setup came to lie; null while it lies nowhere. */
  lineOf(command: DebugSetup['commands'][number]): number | null {
    const id = this.#laid.get(command);
    return id === undefined ? null : (this.#lines.get(id) ?? null);
  }

  pauseAtSteps(paths: readonly string[]): void {
    this.#session.pauseAtSteps(paths);
  }

  kill(reason: RatchetError): void {
    this.#abort.abort(reason);
    this.#session.kill(reason);
  }

  async #begin(runtime: Runtime, setup: DebugSetup): Promise<DebuggedEnd> {
    await this.#send('Debugger.enable');
    await this.#passOver(WHILE_RUNNING);
    if (setup.first === null) await this.#install(setup);
    else this.#later = setup;
    if (setup.first === 'main') this.#session.pauseAtMain();
    else if (setup.first !== null) this.#session.pauseAtSteps([setup.first]);
    this.#become('running');
    const onOutcome = (path: string): void => void this.#done.push(path);
    return runDebugged({ runtime }, this.#recorded, this.#session, { signal: this.#abort.signal, onOutcome });
  }

  async #install({ commands, steps }: DebugSetup): Promise<void> {
    this.#later = null;
    for (const command of commands) {
      const { method, params, hitCount } = command;
      try {
        const result = await this.#breaks.lay(method, allowed(method, params, this.#view()), hitCount);
        this.adopt(command, result);
      } catch (error) {
        // Two ways to name one place: the engine has it already.
        if (!isRatchetError(error, 'debug_method_refused') || !('lineNumber' in params)) throw error;
      }
    }
    this.#session.pauseAtSteps(steps);
  }

  async #send(method: string, params: JsonObject = {}): Promise<JsonObject> {
    let timer: NodeJS.Timeout | undefined;
    const overdue = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        const error = new RatchetError('evaluation_timeout', `${method} did not come back; the run was ended`);
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

  async #passOver(patterns: readonly string[]): Promise<void> {
    await this.#send('Debugger.setBlackboxPatterns', { patterns });
  }

  #view(): ProtocolView {
    const file = this.#recorded.taskStart.code.file;
    return { file, scriptIds: this.#scripts, contextId: this.#contextId, frameIds: this.#frames };
  }

  #heard(method: string, params: JsonObject): void {
    switch (method) {
      case 'Debugger.scriptParsed':
        return this.#script(method, params);
      case 'Debugger.paused':
        this.#stopped(params).catch((error: unknown) => {
          this.kill(error instanceof RatchetError ? error : lost(error));
        });
        return;
      case 'Debugger.resumed':
        return this.#goesOn();
      case 'Debugger.breakpointResolved':
        this.#lines.set(textOf(params['breakpointId']), Number(objectOf(params['location'])['lineNumber']) + 1);
        if (this.#scripts.has(scriptOf(params))) this.#events.tell(method, params);
        return;
      default:
        // Everything else tells about the process and not about the task.
        return;
    }
  }

  #goesOn(): void {
    if (this.#frames === null) return;
    this.#frames = null;
    this.#become('running');
    this.#events.tell('Debugger.resumed', {});
  }

  #script(method: string, params: JsonObject): void {
    const { file } = this.#recorded.taskStart.code;
    if (params['url'] === PAUSE_SCRIPT) this.#pauseScript = textOf(params['scriptId']);
    if (params['url'] !== file || typeof params['executionContextId'] !== 'number') return;
    this.#scripts.add(textOf(params['scriptId']));
    if (this.#contextId === null) {
      this.#contextId = params['executionContextId'];
      const context = { id: this.#contextId, origin: '', name: file, uniqueId: `task.${this.#contextId}` };
      this.#events.tell('Runtime.executionContextCreated', { context });
    }
    const { executionContextAuxData: _aux, stackTrace: _stack, ...told } = params;
    this.#events.tell(method, told);
  }

  async #stopped(params: JsonObject): Promise<void> {
    const frames = listOf(params['callFrames']).map(objectOf);
    const own = frames.filter((frame) => this.#scripts.has(scriptOf(frame)));
    const isPlace = scriptOf(frames[0]) === this.#pauseScript;
    const hit = listOf(params['hitBreakpoints']).map(textOf);
    if (this.#later !== null) await this.#install(this.#later);
    if (isPlace && own.length === 0) return this.#goToMain(frames);
    const isStepping = hit.length === 0 && (params['reason'] === 'step' || params['reason'] === 'other');
    if (own.length === 0 || (!isPlace && isStepping && frames[0] !== own[0])) return this.#leadOn(isStepping);
    const { stops, error } = await this.#breaks.judge(hit, textOf(own[0]?.['callFrameId']));
    if (!stops) return this.#leadOn(false);
    const atMain = this.#atMain;
    if (atMain !== null && hit.includes(atMain)) {
      this.#atMain = null;
      await this.#send('Debugger.removeBreakpoint', { breakpointId: atMain });
    }
    this.#frames = new Set(own.map((frame) => textOf(frame['callFrameId'])));
    this.#become('paused');
    const { asyncStackTrace: _async, asyncStackTraceId: _id, ...told } = params;
    const stop = {
      ...told,
      reason: isPlace ? 'step' : (params['reason'] ?? 'other'),
      hitBreakpoints: hit.filter((id) => id !== atMain),
      callFrames: own.map(withoutGlobals),
      ...(error === null ? {} : { data: { conditionError: error } }),
    };
    this.#known.note(stop);
    this.#events.tell('Debugger.paused', stop);
  }

  /** Leaves a place that is not the task's: a step goes on until it is in the task's file again. */
  async #leadOn(isStepping: boolean): Promise<void> {
    this.#ledOn += 1;
    const steps = isStepping && this.#ledOn <= MAX_LED_ON;
    await this.#passOver(steps ? WHILE_STEPPING : WHILE_RUNNING);
    await this.#send(steps ? 'Debugger.stepOut' : 'Debugger.resume');
  }

  /** From the sandbox, which is about to call the main function, to its first line. */
  async #goToMain(frames: readonly JsonObject[]): Promise<void> {
    const asked = { contextId: this.#contextId, isTaskScript: (id: string) => this.#scripts.has(id) };
    const location = await firstLineOfMain((method, params) => this.#send(method, params), frames, asked);
    if (location === null) return this.#leadOn(false);
    this.#atMain = textOf((await this.#send('Debugger.setBreakpoint', { location }))['breakpointId']);
    await this.#send('Debugger.resume');
  }

  #become(state: RunState): void {
    if (this.#state === state || this.#state === 'ended') return;
    this.#state = state;
    if (state === 'ended') this.#frames = null;
    this.#events.onState(state);
  }
}

/** Of a frame, or of anything else with a location. */
function scriptOf(placed: JsonObject | undefined): string {
  return textOf(objectOf(placed?.['location'])['scriptId']);
}

/** The global object holds what every task has, and much of the sandbox. */
function withoutGlobals(frame: JsonObject): JsonObject {
  const scopes = listOf(frame['scopeChain']).map(objectOf);
  return { ...frame, scopeChain: scopes.filter((scope) => scope['type'] !== 'global') };
}

/** Closures of the sandbox's own functions are nobody's business. */
function withoutScopes(result: JsonObject): JsonObject {
  const internal = listOf(result['internalProperties']).map(objectOf);
  return { ...result, internalProperties: internal.filter((property) => property['name'] !== '[[Scopes]]') };
}

function lost(cause: unknown): RatchetError {
  return new RatchetError('internal', 'the debugged process could not be led on', { cause });
}

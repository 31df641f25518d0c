/** The engine's debugger, led so that it stops in the task's own file only, and asked in terms of that file. */
import { RatchetError } from '../domain/errors.ts';
import { type JsonObject, objectOf } from '../domain/event.ts';
import { type DebuggedSession, type Inspector, PAUSE_SCRIPT } from '../ports/debug-sandbox.ts';
import {
  type EngineFrame,
  type EnginePlace,
  type EngineStop,
  listOf,
  placeOf,
  type RemoteValue,
  remoteOf,
  stopOf,
  textOf,
} from './inspected.ts';
import { TOOLS } from './look-inside.ts';
import { beforeFrames } from './seen-values.ts';

/** Milliseconds that an expression may take. */
const EVALUATION_MS = 500;
const MAX_ERROR = 500;
/** Handles of what must be known at the next stop too. */
const KEPT = 'ratchet-kept';

/** An expression's value, or why there is none. */
export type Evaluated =
  | { readonly ok: true; readonly value: RemoteValue }
  | { readonly ok: false; readonly error: string };

export interface StopHandler {
  /** Before the first line of the file runs; where it can stop is known from here on. */
  onEntry(): Promise<void>;
  /** Anything else. The task goes on when it resolves. */
  onStop(stop: EngineStop): Promise<void>;
}

export class TaskDebugger {
  readonly #session: DebuggedSession;
  readonly #reads: Inspector;
  readonly #file: string;
  #scriptId: string | null = null;
  #pauseScriptId: string | null = null;
  /** Behind the last character, where the engine can stop too, though no code stands there. */
  #end: EnginePlace = { line: 0, column: 0 };
  #instrumentation = '';
  /** Where the engine stands before the first statement, while it does, and what was laid there meanwhile. */
  #entry: EnginePlace | null = null;
  readonly #atEntry: string[] = [];
  #kept: string | null = null;
  #tools = '';

  /** @param reads the session's inspector for what looks at values: it answers in time or fails */
  constructor(session: DebuggedSession, reads: Inspector, file: string) {
    this.#session = session;
    this.#reads = reads;
    this.#file = file;
  }

  /** objectId of the built-ins by which values are looked at; known wherever the task's code runs. */
  get tools(): string {
    return this.#tools;
  }

  /** Call before the session starts. What a handler fails with ends the session. */
  async begin(handler: StopHandler): Promise<void> {
    const { inspector } = this.#session;
    inspector.listen((method, params) => {
      if (method === 'Debugger.scriptParsed') this.#script(params);
      if (method !== 'Debugger.paused') return;
      this.#paused(stopOf(params), handler).catch((error: unknown) => {
        this.#session.kill(error instanceof Error ? error : new RatchetError('internal', String(error)));
      });
    });
    await inspector.send('Debugger.enable');
    const own = [this.#file, PAUSE_SCRIPT].map((file) => file.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, '\\$&'));
    await inspector.send('Debugger.setBlackboxPatterns', { patterns: [`^(?!(?:${own.join('|')})$)`] });
    const set = await inspector.send('Debugger.setInstrumentationBreakpoint', {
      instrumentation: 'beforeScriptExecution',
    });
    this.#instrumentation = textOf(set['breakpointId']);
  }

  /** @returns frames of the task's file, the innermost first. */
  own(stop: EngineStop): readonly EngineFrame[] {
    return stop.frames.filter(({ scriptId }) => scriptId === this.#scriptId);
  }

  /** @returns the place at which it was told to pause; null when it stopped for something else. */
  async placeOf({ frames: [top] }: EngineStop): Promise<string | null> {
    if (top === undefined || top.scriptId !== this.#pauseScriptId) return null;
    const place = await this.evaluate(top, 'place');
    return place.ok ? textOf(place.value.value) : null;
  }

  /** @returns where the engine can stop in the file, in order. */
  async places(): Promise<readonly EnginePlace[]> {
    const found: EnginePlace[] = [];
    for (let from: EnginePlace | null = { line: 0, column: 0 }; from !== null; ) {
      const start = this.#location(from);
      const told = await this.#session.inspector.send('Debugger.getPossibleBreakpoints', { start });
      const known = found.at(-1);
      const more = listOf(told['locations'])
        .map((location) => placeOf(objectOf(location)))
        .filter((place) => known === undefined || isAfter(place, known));
      found.push(...more);
      // The engine tells of no more than a thousand at a time, and of the last one again when asked for those behind it.
      const last = more.at(-1);
      from = last === undefined ? null : { line: last.line, column: last.column + 1 };
    }
    return found.filter((place) => isAfter(this.#end, place));
  }

  /** @returns those of {@link places} that run before main is called, because no function holds them. */
  async placesOutsideFunctions(): Promise<readonly EnginePlace[]> {
    const start = this.#location({ line: 0, column: 0 });
    const asked = { start, restrictToFunction: true };
    const told = await this.#session.inspector.send('Debugger.getPossibleBreakpoints', asked);
    const found = listOf(told['locations']).map((location) => placeOf(objectOf(location)));
    // Only the file itself ends where it ends. Where it begins with a function, the engine told of that one: no other statement is there.
    const isFile = found.some((place) => place.line === this.#end.line && place.column === this.#end.column);
    return isFile ? found : [];
  }

  /**
   * @param condition tried by the engine, side effects and all
   * @returns the engine's id of the breakpoint. Fails where one lies already.
   */
  async breakAt(place: EnginePlace, condition: string | null = null): Promise<string> {
    const location = this.#location(place);
    const asked = condition === null ? { location } : { location, condition };
    const id = textOf((await this.#session.inspector.send('Debugger.setBreakpoint', asked))['breakpointId']);
    if (this.#entry !== null && !isAfter(place, this.#entry) && !isAfter(this.#entry, place)) this.#atEntry.push(id);
    return id;
  }

  async removeBreakpoint(breakpointId: string): Promise<void> {
    await this.#session.inspector.send('Debugger.removeBreakpoint', { breakpointId });
  }

  async pauseOnExceptions(): Promise<void> {
    await this.#session.inspector.send('Debugger.setPauseOnExceptions', { state: 'all' });
  }

  /** Evaluates without side effects, for at most half a second. */
  async evaluate(frame: EngineFrame, expression: string): Promise<Evaluated> {
    const asked = { callFrameId: frame.id, expression, throwOnSideEffect: true, timeout: EVALUATION_MS, silent: true };
    const told = await this.#reads.send('Debugger.evaluateOnCallFrame', asked).catch((error: unknown) => {
      if (error instanceof RatchetError && error.code === 'debug_method_refused') return error;
      throw error;
    });
    if (told instanceof RatchetError) return { ok: false, error: whyRefused(told.message) };
    if (told['exceptionDetails'] === undefined) return { ok: true, value: remoteOf(objectOf(told['result'])) };
    const details = objectOf(told['exceptionDetails']);
    const { description, value } = remoteOf(objectOf(details['exception']));
    const thrown = beforeFrames(description) || JSON.stringify(value ?? null);
    return { ok: false, error: whyThrown(thrown) };
  }

  /** Remembers what was thrown, beyond this stop. */
  async keep({ objectId }: RemoteValue): Promise<void> {
    this.#kept = null;
    await this.#session.inspector.send('Runtime.releaseObjectGroup', { objectGroup: KEPT });
    if (objectId === null) return;
    const same = 'function () { return this }';
    const told = await this.#call({ objectId, functionDeclaration: same, objectGroup: KEPT });
    this.#kept = told.objectId;
  }

  /** @returns true for the object that {@link keep} was given last. */
  async isKept({ objectId }: RemoteValue): Promise<boolean> {
    if (this.#kept === null || objectId === null) return false;
    const isSame = 'function (other) { return this === other }';
    const told = await this.#call({ objectId, functionDeclaration: isSame, arguments: [{ objectId: this.#kept }] });
    return told.value === true;
  }

  async #call(asked: JsonObject): Promise<RemoteValue> {
    const told = await this.#reads.send('Runtime.callFunctionOn', { ...asked, throwOnSideEffect: true });
    return remoteOf(objectOf(told['result']));
  }

  async #paused(stop: EngineStop, handler: StopHandler): Promise<void> {
    if (stop.reasons.includes('instrumentation')) {
      if (stop.scriptId === this.#scriptId && this.#scriptId !== null) await this.#entered(stop, handler);
    } else {
      await handler.onStop(stop);
    }
    await this.#session.inspector.send('Debugger.resume');
  }

  /** The engine stands at the first statement already, and would pass over breakpoints that are laid there now. */
  async #entered(stop: EngineStop, handler: StopHandler): Promise<void> {
    await this.removeBreakpoint(this.#instrumentation);
    const [top = null] = stop.frames;
    this.#entry = top;
    const asked = { callFrameId: top?.id ?? '', expression: TOOLS, silent: true };
    const { result } = await this.#session.inspector.send('Debugger.evaluateOnCallFrame', asked);
    this.#tools = textOf(objectOf(result)['objectId']);
    await handler.onEntry();
    this.#entry = null;
    if (this.#atEntry.length > 0) await handler.onStop({ ...stop, reasons: ['other'], hitBreakpoints: this.#atEntry });
  }

  #script(params: JsonObject): void {
    const scriptId = textOf(params['scriptId']);
    if (params['url'] === PAUSE_SCRIPT) this.#pauseScriptId ??= scriptId;
    if (params['url'] !== this.#file || this.#scriptId !== null) return;
    this.#scriptId = scriptId;
    this.#end = placeOf({ lineNumber: params['endLine'] ?? 0, columnNumber: params['endColumn'] ?? 0 });
  }

  #location({ line, column }: EnginePlace) {
    return { scriptId: this.#scriptId ?? '', lineNumber: line, columnNumber: column };
  }
}

function isAfter(place: EnginePlace, other: EnginePlace): boolean {
  return place.line > other.line || (place.line === other.line && place.column > other.column);
}

function whyRefused(message: string): string {
  if (message.includes('terminated')) return `it did not end within ${EVALUATION_MS} ms`;
  return message.slice(0, MAX_ERROR);
}

function whyThrown(thrown: string): string {
  if (thrown.startsWith('EvalError: Possible side-effect')) return 'it has side effects, so it was not carried out';
  return thrown.slice(0, MAX_ERROR);
}

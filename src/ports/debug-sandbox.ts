/** What the core asks of a place where task code runs under a debugger: a sandbox session, and its inspector. */
import type { JsonObject } from '../domain/event.ts';
import type { PreparedCode, SandboxLimits, SandboxSession } from './sandbox.ts';

/** The engine's inspector of one task process, speaking the Chrome DevTools Protocol. No port is opened for it. */
export interface Inspector {
  /** Fails with `debug_method_refused` (the engine says why), or with the reason of the session's end. */
  send(method: string, params?: JsonObject): Promise<JsonObject>;
  /** @returns a function that ends listening. */
  listen(listener: (method: string, params: JsonObject) => void): () => void;
}

/** URL of the script in which a task pauses at a step or before its main function; a blackboxed one would be passed over. */
export const PAUSE_SCRIPT = 'ratchet:pause';

/** The `place` before the main function is called; all others are paths of steps. */
export const PAUSE_AT_MAIN = 'main';

/** Its `start` and `deliver` do not settle while the task is paused. */
export interface DebuggedSession extends SandboxSession {
  readonly inspector: Inspector;
  /**
   * The task pauses inside the call when it asks for one of these steps, `step()` included; frames of the sandbox lie above
   * the task's own then. The script of the top one is {@link PAUSE_SCRIPT}, and its local `place` holds the path.
   */
  pauseAtSteps(paths: readonly string[]): void;
  /** The task pauses when its file has run, before its main function is called; `place` is {@link PAUSE_AT_MAIN} then. */
  pauseAtMain(): void;
}

export interface DebugSandbox {
  /** Waits for a free process; one is kept warm. Fails with `shutting_down` after close, or with the reason of `signal`. */
  open(limits: SandboxLimits, signal?: AbortSignal): Promise<DebuggedSession>;
  prepare(code: string, file: string): PreparedCode;
  close(): Promise<void>;
}

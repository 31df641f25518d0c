/** One execution in a debugged process: a session as any other, and the inspector beside it. Both end together. */
import { RatchetError } from '../../src/domain/errors.ts';
import type { Telemetry } from '../../src/domain/journal.ts';
import type { DebuggedSession } from '../../src/ports/debug-sandbox.ts';
import type { Delivery, SandboxLimits, TaskStart, Turn } from '../../src/ports/sandbox.ts';
import { InspectorPipe } from './inspector-pipe.ts';
import { MAIN_PLACE } from './protocol.ts';
import { ProcessSession } from './session.ts';
import type { TaskProcess } from './task-process.ts';

/** The context of a debugged task is never used again, so its process is ended with the session. */
export class ProcessDebugSession implements DebuggedSession {
  readonly inspector: InspectorPipe;
  readonly #session: ProcessSession;
  readonly #process: TaskProcess;
  #atMain = false;
  #atSteps: readonly string[] = [];
  #told: Promise<unknown> = Promise.resolve();

  constructor(process: TaskProcess, limits: SandboxLimits) {
    this.#process = process;
    this.#session = new ProcessSession(process, limits, (used) => used.kill());
    this.inspector = new InspectorPipe(process.inspectorSocket, (error) => this.kill(error));
    process.onEnd((reason) => this.inspector.end(reason));
  }

  async start(start: TaskStart, onTelemetry: (records: readonly Telemetry[]) => void): Promise<Turn> {
    await this.#told;
    return await this.#session.start(start, onTelemetry);
  }

  async deliver(delivery: Delivery): Promise<Turn> {
    await this.#told;
    return await this.#session.deliver(delivery);
  }

  kill(error: Error): void {
    this.inspector.end(error);
    this.#session.kill(error);
  }

  release(): void {
    this.inspector.end(new RatchetError('debug_session_not_found', 'the debugged session was released'));
    this.#session.release();
    this.#process.kill();
  }

  pauseAtMain(): void {
    this.#atMain = true;
    this.#tellPlaces();
  }

  pauseAtSteps(paths: readonly string[]): void {
    this.#atSteps = [...paths];
    this.#tellPlaces();
  }

  #tellPlaces(): void {
    const told = this.inspector.pauseAt([...(this.#atMain ? [MAIN_PLACE] : []), ...this.#atSteps]);
    // That the process is gone is told by what is asked of it next.
    this.#told = told.catch(() => undefined);
  }
}

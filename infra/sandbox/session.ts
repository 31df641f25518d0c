/** One execution in a process: turns in and out, with every limit counted on this side. */
import { type ErrorCode, RatchetError } from '../../src/domain/errors.ts';
import type { Telemetry } from '../../src/domain/journal.ts';
import type { Delivery, SandboxLimits, SandboxSession, TaskStart, Turn } from '../../src/ports/sandbox.ts';
import type { FromChild, StartMessage } from './protocol.ts';
import type { TaskProcess } from './task-process.ts';

interface Pending {
  readonly resolve: (turn: Turn) => void;
  readonly reject: (error: Error) => void;
}

/** Where a session leaves its process. */
type GiveBack = (process: TaskProcess) => void;

export class ProcessSession implements SandboxSession {
  readonly #process: TaskProcess;
  readonly #limits: SandboxLimits;
  readonly #giveBack: GiveBack;
  #onTelemetry: (records: readonly Telemetry[]) => void = () => {};
  #pending: Pending | undefined;
  #state: 'new' | 'open' | 'finished' | 'over' = 'new';
  /** Why the session is over, for calls that come too late. */
  #error: Error | null = null;
  #blocked = false;
  #turn = 0;
  #clock = 0;
  #steps = 0;
  #logLines = 0;
  #logBytes = 0;

  constructor(process: TaskProcess, limits: SandboxLimits, giveBack: GiveBack) {
    this.#process = process;
    this.#limits = limits;
    this.#giveBack = giveBack;
    process.allow(limits.maxOutputBytes);
    process.listen({ message: (message) => this.#receive(message), ended: (error) => this.#end(error) });
  }

  start(start: TaskStart, onTelemetry: (records: readonly Telemetry[]) => void): Promise<Turn> {
    if (this.#state !== 'new') return Promise.reject(this.#late());
    this.#state = 'open';
    this.#onTelemetry = onTelemetry;
    this.#clock = start.clock;
    this.#process.executions += 1;
    return this.#ask(JSON.stringify(this.#startMessage(start)));
  }

  deliver(delivery: Delivery): Promise<Turn> {
    if (this.#state !== 'open') return Promise.reject(this.#late());
    return this.#ask(JSON.stringify({ type: 'deliver', delivery }));
  }

  kill(error: Error): void {
    if (this.#state === 'over') return;
    this.#end(error);
    this.#process.kill();
  }

  release(): void {
    if (this.#state === 'over') return;
    const reusable =
      this.#state === 'finished' || this.#state === 'new' || (!this.#blocked && this.#pending === undefined);
    const running = this.#state === 'open';
    this.#end(null);
    if (!reusable) return this.#process.kill();
    if (running) this.#process.send('{"type":"drop"}');
    this.#process.listen(undefined);
    this.#giveBack(this.#process);
  }

  #startMessage(start: TaskStart): StartMessage {
    const { hash, file, script, columnOffset } = start.code;
    const key = `${hash} ${file}`;
    return {
      type: 'start',
      code: { key, file, columnOffset, script: this.#process.keeps(key) ? null : script },
      input: start.input,
      context: JSON.stringify(start.context),
      clock: start.clock,
      seed: start.seed,
      style: start.style,
      maxOutputBytes: this.#limits.maxOutputBytes,
    };
  }

  #ask(message: string): Promise<Turn> {
    if (this.#pending !== undefined) {
      return Promise.reject(new RatchetError('internal', 'a turn of this session is under way'));
    }
    return new Promise((resolve, reject) => {
      this.#pending = { resolve, reject };
      this.#process.send(message);
    });
  }

  #late(): Error {
    return this.#state === 'over'
      ? (this.#error ?? released())
      : new RatchetError('internal', `the session can not do this: it is ${this.#state}`);
  }

  #receive(message: FromChild): void {
    if (this.#pending === undefined) return this.#refuse('sandbox_protocol', 'a message out of turn');
    switch (message.type) {
      case 'telemetry':
        return this.#tell(message.records);
      case 'turn':
        return this.#take(message.turn);
      case 'too_large':
        return this.#tooLarge(message.bytes);
      case 'ready':
        return this.#refuse('sandbox_protocol', 'a message out of turn');
    }
  }

  #tell(records: readonly Telemetry[]): void {
    for (const record of records) {
      this.#logLines += 1;
      this.#logBytes += bytesOf(record);
    }
    const { maxLogLines, maxLogBytes } = this.#limits;
    if (this.#logLines > maxLogLines) {
      return this.#refuse('log_limit_exceeded', `the task wrote more than ${maxLogLines} log lines`);
    }
    if (this.#logBytes > maxLogBytes) {
      return this.#refuse('log_limit_exceeded', `the task wrote more than ${maxLogBytes} bytes of log lines`);
    }
    this.#onTelemetry(records);
  }

  #take(turn: Turn): void {
    if (turn.turn !== this.#turn + 1 || turn.clock < this.#clock) {
      return this.#refuse('sandbox_protocol', 'a turn out of order');
    }
    this.#turn = turn.turn;
    this.#clock = turn.clock;
    this.#steps += turn.calls.length + turn.customs.length;
    if (this.#steps > this.#limits.maxSteps) {
      return this.#refuse('step_limit_exceeded', `the task asked for more than ${this.#limits.maxSteps} steps`);
    }
    const { status } = turn;
    if (status.kind === 'returned' && Buffer.byteLength(status.output) > this.#limits.maxOutputBytes) {
      return this.#refuse('output_too_large', `the output is larger than ${this.#limits.maxOutputBytes} bytes`);
    }
    this.#blocked = status.kind === 'waiting' && status.blockedOn !== null;
    if (status.kind !== 'waiting') this.#state = 'finished';
    const pending = this.#pending;
    this.#pending = undefined;
    pending?.resolve(turn);
  }

  /** The process is honest and free again; only the execution has failed. */
  #tooLarge(bytes: number): void {
    const limit = this.#limits.maxOutputBytes;
    const process = this.#process;
    process.listen(undefined);
    this.#end(
      new RatchetError('output_too_large', `the output has ${bytes} bytes, more than ${limit}`, {
        details: { bytes, limit },
      }),
    );
    this.#giveBack(process);
  }

  #refuse(code: ErrorCode, message: string): void {
    this.kill(new RatchetError(code, message));
  }

  /** @param error why; null when it was released, which is no error until something more is asked of it */
  #end(error: Error | null): void {
    if (this.#state === 'over') return;
    this.#state = 'over';
    this.#error = error;
    const pending = this.#pending;
    this.#pending = undefined;
    pending?.reject(error ?? released());
  }
}

function released(): RatchetError {
  return new RatchetError('internal', 'the session was released');
}

/** A record's weight against the limit: its texts, and a little for the rest. */
function bytesOf(record: Telemetry): number {
  const overhead = 32;
  switch (record.kind) {
    case 'log':
      return overhead + record.message.length + (record.fields === null ? 0 : JSON.stringify(record.fields).length);
    case 'span':
      return overhead + record.name.length + JSON.stringify(record.attributes).length;
    case 'progress':
      return overhead + (record.message?.length ?? 0) + JSON.stringify(record.data).length;
  }
}

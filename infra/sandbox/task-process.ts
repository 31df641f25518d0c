/** The server's end of one task process: starts it, cuts its bytes into messages, ends it, and tells why it ended. */
import { type ChildProcess, spawn } from 'node:child_process';
import { Socket } from 'node:net';
import { RatchetError } from '../../src/domain/errors.ts';
import { type StartOptions, startCommand } from './isolation.ts';
import { MalformedMessage, parseMessage } from './messages.ts';
import {
  CHANNEL_FD,
  FrameReader,
  type FromChild,
  frame,
  INSPECTOR_FD,
  KEPT_SCRIPTS,
  maxMessageBytes,
} from './protocol.ts';

const STDERR_CHARACTERS = 16 * 1024;
const OUT_OF_MEMORY =
  /heap out of memory|out of memory|Allocation failed|bad_alloc|allocation failure|Cannot allocate memory|OOM error/i;

/** Who listens to a process while it runs an execution. */
interface ProcessListener {
  message(message: FromChild): void;
  /** The process is gone; `error` says why. */
  ended(error: RatchetError): void;
}

export class TaskProcess {
  readonly heapMb: number;
  /** Settles when the system has let go of the process. */
  readonly exited: Promise<void>;
  /** Executions begun so far. */
  executions = 0;
  /** Time since the epoch at which it last became idle, milliseconds. */
  idleSince = 0;
  readonly #child: ChildProcess;
  readonly #channel: Socket;
  readonly #frames: FrameReader;
  readonly #kept: string[] = [];
  readonly #onEnd = new Set<(reason: RatchetError) => void>();
  #maxOutputBytes = 0;
  #listener: ProcessListener | undefined;
  #stderr = '';
  /** Why the process has ended. */
  #over: RatchetError | undefined;
  #died = false;

  /** Starts a process; wait for {@link ready} before use. */
  constructor(options: StartOptions) {
    this.heapMb = options.heapMb;
    const [program, parts] = startCommand(options);
    this.#child = spawn(program, parts, {
      cwd: '/',
      env: { TZ: 'UTC', LC_ALL: 'C' },
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe', 'pipe', ...(options.debugged === true ? (['pipe'] as const) : [])],
    });
    this.#channel = socketAt(this.#child, CHANNEL_FD);
    this.#frames = new FrameReader(() => maxMessageBytes(this.#maxOutputBytes));
    this.#channel.on('data', (chunk: Buffer) => this.#receive(chunk));
    this.#channel.on('error', () => this.kill());
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(0, STDERR_CHARACTERS);
    });
    this.exited = new Promise((resolve) => {
      this.#child.once('exit', () => resolve());
      this.#child.once('error', () => resolve());
    });
    this.#child.on('error', (error) => this.#die(crashed(error.message)));
    this.#child.on('close', (code, signal) => this.#die(this.#reason(code, signal)));
  }

  get alive(): boolean {
    return this.#over === undefined;
  }

  /** Whether it ended without having been told to. */
  get died(): boolean {
    return this.#died;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** The server's end of the pair for what the inspector says; without use when the process is not debugged. */
  get inspectorSocket(): Socket {
    return socketAt(this.#child, INSPECTOR_FD);
  }

  /** Calls `callback` once when the process has ended, for whatever reason. */
  onEnd(callback: (reason: RatchetError) => void): void {
    if (this.#over !== undefined) callback(this.#over);
    else this.#onEnd.add(callback);
  }

  /** Waits until the process can take an execution. Fails with `sandbox_crashed` when it ends before, or after `timeoutMs`. */
  ready(timeoutMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(crashed(`it was not ready after ${timeoutMs} ms`));
        this.kill();
      }, timeoutMs);
      this.listen({
        message: (message) => {
          if (message.type !== 'ready') return;
          clearTimeout(timer);
          this.#listener = undefined;
          resolve();
        },
        ended: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      });
    });
  }

  listen(listener: ProcessListener | undefined): void {
    this.#listener = listener;
  }

  /** Sets how long the messages of the next execution may be. */
  allow(maxOutputBytes: number): void {
    this.#maxOutputBytes = maxOutputBytes;
  }

  send(json: string): void {
    if (this.alive) this.#channel.write(frame(json));
  }

  /** @returns true when the process still has the compiled file of this key; else it keeps it from now on. */
  keeps(key: string): boolean {
    if (this.#kept.includes(key)) return true;
    this.#kept.push(key);
    if (this.#kept.length > KEPT_SCRIPTS) this.#kept.shift();
    return false;
  }

  /** Ends the process and all of its group at once. */
  kill(reason: RatchetError = crashed('it was ended')): void {
    if (!this.alive) return;
    const { pid } = this.#child;
    try {
      if (pid !== undefined) process.kill(process.platform === 'win32' ? pid : -pid, 'SIGKILL');
    } catch {
      this.#child.kill('SIGKILL');
    }
    this.#end(reason);
  }

  #receive(chunk: Buffer): void {
    if (!this.alive) return;
    try {
      for (const json of this.#frames.push(chunk)) {
        if (!this.alive) return;
        const message = parseMessage(json);
        if (this.#listener === undefined) throw new MalformedMessage('a message nobody waits for');
        this.#listener.message(message);
      }
    } catch (error) {
      if (!(error instanceof MalformedMessage || error instanceof RangeError)) throw error;
      const message = `the process of the task sent what it may not send: ${error.message}`;
      this.kill(new RatchetError('sandbox_protocol', message));
    }
  }

  #die(error: RatchetError): void {
    if (this.alive) this.#died = true;
    this.#end(error);
  }

  #end(error: RatchetError): void {
    if (!this.alive) return;
    this.#over = error;
    this.#channel.destroy();
    const listener = this.#listener;
    this.#listener = undefined;
    listener?.ended(error);
    for (const callback of this.#onEnd) callback(error);
  }

  #reason(code: number | null, signal: NodeJS.Signals | null): RatchetError {
    if (OUT_OF_MEMORY.test(this.#stderr)) return outOfMemory(this.heapMb);
    if (signal === 'SIGXCPU') return crashed('it used up its processor time');
    return crashed(signal === null ? `it ended with code ${code}` : `it ended by ${signal}`, this.#stderr);
  }
}

function socketAt({ stdio }: ChildProcess, fd: number): Socket {
  const socket = stdio[fd];
  return socket instanceof Socket ? socket : new Socket();
}

/** @returns the error of a task that used more than its class of memory. */
export function outOfMemory(limitMb: number): RatchetError {
  return new RatchetError('memory_limit_exceeded', `the task used more than its ${limitMb} MiB of memory`, {
    details: { limitMb },
  });
}

function crashed(reason: string, stderr = ''): RatchetError {
  return new RatchetError('sandbox_crashed', `the process of the task died: ${reason}`, {
    details: stderr === '' ? { reason } : { reason, stderr: stderr.slice(0, 2000) },
  });
}

/** Starts `store-child.ts` and follows what it says. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export interface ChildOptions {
  readonly stream: string;
  readonly inFlight?: number;
  /** Ends by itself after so many events; never by default. */
  readonly limit?: number;
}

export interface Child {
  /** Numbers of the events that were acknowledged. */
  readonly acknowledged: readonly number[];
  /** Waits until something holds; fails when the process ends before. */
  until(holds: () => boolean): Promise<void>;
  /** Ends the process without warning. */
  kill(): Promise<void>;
  /** Waits until the process has ended; its exit code, null when it was killed. */
  readonly ended: Promise<number | null>;
}

/** Starts a process that appends to the log of a URL. */
export function startChild(
  url: string,
  { stream, inFlight = 1, limit = Number.POSITIVE_INFINITY }: ChildOptions,
): Child {
  const script = fileURLToPath(new URL('./store-child.ts', import.meta.url));
  const child = spawn(process.execPath, [script, url, stream, String(inFlight), String(limit)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const acknowledged: number[] = [];
  let rest = '';
  let errors = '';
  let hasEnded = false;
  let changed = Promise.withResolvers<void>();
  const tell = (): void => {
    changed.resolve();
    changed = Promise.withResolvers();
  };
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line !== 'ready') acknowledged.push(Number(line));
    tell();
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    errors += chunk;
  });
  const ended = new Promise<number | null>((resolve) => {
    child.once('close', (code) => {
      hasEnded = true;
      resolve(code);
      tell();
    });
  });
  return {
    acknowledged,
    ended,
    async until(holds) {
      while (!holds()) {
        if (hasEnded) throw new Error(`the child process has ended: ${errors}`);
        await changed.promise;
      }
    },
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

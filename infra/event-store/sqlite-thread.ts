/** The store's side of its writer thread: sends appends in few messages and matches the answers to them. */
import { Worker } from 'node:worker_threads';
import { RatchetError } from '../../src/domain/errors.ts';
import type { AppendRequest, Outcome, Placed } from './append-request.ts';
import { errorOf, type FromWriter, pack, type ToWriter, unpackOutcomes, type WriterData } from './sqlite-wire.ts';

/** Takes appends for a log, wherever the writing happens. */
export interface Writer {
  /** Resolves once the append is durable. */
  append(request: AppendRequest): Promise<Placed>;
  /** Lets appends under way end, then frees the log. */
  close(): Promise<void>;
}

interface Pending {
  readonly resolve: (placed: Placed) => void;
  readonly reject: (error: RatchetError) => void;
}

/** A built package has this module as JavaScript, and the thread's entry beside it under the same name. */
const EXTENSION = import.meta.url.endsWith('.ts') ? '.ts' : '.js';

export interface WriterThread extends Writer {
  /** Sets what is called after each transaction, once its appends have been answered. */
  onCommit(listener: () => void): void;
}

/** Starts a writer thread and waits until it has opened the log. */
export async function startWriter(data: WriterData): Promise<WriterThread> {
  const worker = new Worker(new URL(`./sqlite-writer${EXTENSION}`, import.meta.url), {
    name: 'event-writer',
    workerData: data,
  });
  const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
  const { promise: ready, resolve: isReady, reject: isNotReady } = Promise.withResolvers<void>();
  const pending: Pending[] = [];
  let unsent: (string | number | null)[] = [];
  let scheduled = false;
  let gone: RatchetError | null = null;
  let onCommit = (): void => {};

  function end(error: RatchetError): void {
    gone ??= error;
    isNotReady(gone);
    for (const { reject } of pending.splice(0)) reject(gone);
  }

  worker.on('message', (message: FromWriter) => {
    switch (message.kind) {
      case 'ready':
        isReady();
        break;
      case 'failed':
        end(errorOf(message.error));
        break;
      case 'done':
        settle(pending, unpackOutcomes(message.outcomes));
        onCommit();
        break;
    }
  });
  worker.on('error', (cause) => end(stopped(cause)));
  worker.on('exit', () => end(stopped(undefined)));

  function send(): void {
    scheduled = false;
    if (unsent.length === 0) return;
    tell(worker, { kind: 'append', appends: unsent });
    unsent = [];
  }

  await ready;
  return {
    onCommit(listener) {
      onCommit = listener;
    },
    append(request) {
      if (gone !== null) return Promise.reject(gone);
      return new Promise((resolve, reject) => {
        const idle = pending.length === 0;
        pending.push({ resolve, reject });
        pack(request, unsent);
        if (scheduled) return;
        scheduled = true;
        // A writer with nothing to do should begin at once; a busy one takes what one turn of this thread gathers.
        if (idle) queueMicrotask(send);
        else setImmediate(send);
      });
    },
    async close() {
      send();
      tell(worker, { kind: 'close' });
      await exited;
    },
  };
}

/** Answers the oldest appends; the thread answers in the order in which it was asked. */
function settle(pending: Pending[], outcomes: readonly Outcome[]): void {
  const answered = pending.splice(0, outcomes.length);
  for (const [index, outcome] of outcomes.entries()) {
    if (outcome instanceof RatchetError) answered[index]?.reject(outcome);
    else answered[index]?.resolve(outcome);
  }
}

function tell(worker: Worker, message: ToWriter): void {
  worker.postMessage(message);
}

function stopped(cause: unknown): RatchetError {
  return new RatchetError('store_unavailable', "the event store's writer thread has stopped", { cause });
}

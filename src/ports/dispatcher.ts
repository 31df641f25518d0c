/** What the write side asks of the process that runs executions: is a worker idle, and here is one that waits. */
import type { AttemptStart, ExecutionRequest } from '../domain/execution.ts';
import type { TaskVersion } from '../domain/task.ts';
import type { Due } from './dispatch-table.ts';

/** A place kept for an execution that is about to be stored as started. Exactly one of run and cancel must follow. */
export interface Reservation {
  readonly start: AttemptStart;
  /** The request and its start are durable at version 1 of the stream: run it. */
  run(request: ExecutionRequest, version: TaskVersion): void;
  cancel(): void;
}

export interface Dispatcher {
  /** A free place, unless others wait for one already or `client` has as many as it may. */
  reserve(client: string): Reservation | null;
  /** Tells about a stored execution that waits to be started, not before `runAt` (milliseconds). */
  offer(waiting: Due, runAt: number): void;
  /** About how many executions wait for a free place: here, or on all nodes that share their work. */
  queued(): number;
}

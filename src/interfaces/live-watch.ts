/** What a live form of an operation is: who watches what, and the messages that come of it. */
import type { Position } from '../domain/event.ts';
import type { Caller, Core, Operation } from './operation.ts';

export interface LiveMessage {
  /** A client that comes back with it goes on after it. */
  readonly id: Position;
  readonly event: string;
  readonly data: unknown;
}

export interface LiveCaller extends Caller {
  /** The last message that the client has seen; null: it comes for the first time. */
  readonly lastId: Position | null;
}

export interface Watch {
  readonly core: Core;
  readonly operation: Operation;
  readonly caller: LiveCaller;
  readonly signal: AbortSignal;
}

/** Checks everything that can be refused, then gives the messages; null when nothing more will come. */
export type OpenLive = (
  watch: Watch,
  input: Readonly<Record<string, unknown>>,
) => Promise<AsyncIterable<LiveMessage> | null>;

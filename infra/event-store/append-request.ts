/** An append on its way through a writer that takes many at once, and what came of it. */
import type { RatchetError } from '../../src/domain/errors.ts';
import type { NewEvent } from '../../src/domain/event.ts';
import type { Expected } from '../../src/ports/event-store.ts';

/** One append, checked by the rules of all stores. */
export interface AppendRequest {
  readonly stream: string;
  readonly expected: Expected;
  readonly events: readonly NewEvent[];
}

/** Where the last event of an append stands. */
export interface Placed {
  readonly version: number;
  readonly at: number;
}

export type Outcome = Placed | RatchetError;

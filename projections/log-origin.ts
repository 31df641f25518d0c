/** Tells whose rows a read store holds: they are folds of one log, and beside another they would be lies that nobody notices. */
import { RatchetError } from '../src/domain/errors.ts';
import { type Position, START } from '../src/domain/event.ts';
import type { EventStore } from '../src/ports/event-store.ts';
import type { ProjectionStore } from '../src/ports/read-store.ts';

/** @returns what no other log has: position and id of its first event; null while it is empty. */
export async function originOf(events: Pick<EventStore, 'readAll'>): Promise<string | null> {
  for (let after: Position = START; ; ) {
    const { events: found, position, atHead } = await events.readAll(after, {}, 1);
    const [first] = found;
    if (first !== undefined) return `${first.position} ${first.eventId}`;
    if (atHead) return null;
    after = position;
  }
}

export interface LogAndRows {
  readonly events: Pick<EventStore, 'readAll' | 'head'>;
  readonly rows: Pick<ProjectionStore, 'origin' | 'checkpoints'>;
  /** Whether the read models stop at events of this log; false where others may write behind them on the same server. */
  readonly hasOwnPositions: boolean;
}

/** Fails with `read_models_differ` when the rows are of another log, or of this one before it was set back. */
export async function assertSameLog({ events, rows, hasOwnPositions }: LogAndRows): Promise<void> {
  const kept = await rows.origin();
  if (kept === null) return;
  const found = await originOf(events);
  if (kept !== found) {
    const there = found === null ? 'this log is empty' : `this one begins with the event ${found.split(' ')[1]}`;
    throw differ(`the read models are of another log, which begins with the event ${kept.split(' ')[1]}; ${there}`);
  }
  if (!hasOwnPositions) return;
  const positions = (await rows.checkpoints()).map(({ position }) => position);
  const head = await events.head();
  const ahead = positions.find((position) => position > head);
  if (ahead === undefined) return;
  throw differ(`the read models know events up to ${ahead}, and the log ends at ${head}: an older copy was restored`);
}

function differ(what: string): RatchetError {
  return new RatchetError('read_models_differ', what);
}

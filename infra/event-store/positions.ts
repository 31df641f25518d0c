/** Text form of positions in stores that number their events from 1: fixed-width hex compares as its numbers do. */
import { RatchetError } from '../../src/domain/errors.ts';
import { type Position, START } from '../../src/domain/event.ts';

const DIGITS = /^[0-9a-f]{16}$/;

/** @returns the position of the event numbered `at`; 0 is {@link START}. */
export function positionOf(at: number): Position {
  return at === 0 ? START : at.toString(16).padStart(16, '0');
}

/** @returns the number of a position. Fails with `invalid_request` for text that is none. */
export function numberOf(position: Position): number {
  if (position === START) return 0;
  const at = DIGITS.test(position) ? Number.parseInt(position, 16) : Number.NaN;
  if (Number.isSafeInteger(at)) return at;
  throw new RatchetError('invalid_request', 'this is no position of the event store', { details: { position } });
}

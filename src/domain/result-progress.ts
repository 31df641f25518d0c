/** Facts about how far the ends of executions have been looked at, so that none is missed while no server runs. */
import type { Evolution, Fact, Position } from './event.ts';

export interface ResultProgress {
  /** For every end up to here all deliveries have been requested. */
  readonly position: Position;
  /** Targets, and the position after which each one began: it gets no result from before it was configured. */
  readonly since: Readonly<Record<string, Position>>;
}

export type ResultProgressEvent = Fact<'ResultsFollowed', ResultProgress>;

export const RESULT_PROGRESS_EVENT_TYPES = [
  'ResultsFollowed',
] as const satisfies readonly ResultProgressEvent['type'][];

export const resultProgress: Evolution<ResultProgress | null, ResultProgressEvent> = {
  initial: null,
  evolve: (_, event) => event.data,
};

/**
 * @param before as it was left; null at the very first start
 * @param head where the log ends now
 * @returns where to go on with these targets: one that is new begins at the head, one that is gone is forgotten.
 */
export function resumedWith(before: ResultProgress | null, targets: readonly string[], head: Position): ResultProgress {
  const since = targets.map((name): [string, Position] => [name, before?.since[name] ?? head]);
  const isNew = before === null || targets.every((name) => before.since[name] === undefined);
  return { position: isNew ? head : before.position, since: Object.fromEntries(since) };
}

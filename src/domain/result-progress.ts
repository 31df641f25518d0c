/** Facts about how far the ends of executions have been looked at, so that none is missed while no server runs. */
import type { Evolution, Fact, Position } from './event.ts';

export interface ResultProgress {
  /** For every end up to here, and after where a target began, all deliveries to the targets of `since` have been requested. */
  readonly position: Position;
  /** Targets of whoever records it, and the position after which each one began to be looked after by it. */
  readonly since: Readonly<Record<string, Position>>;
}

export type ResultProgressEvent = Fact<'ResultsFollowed', ResultProgress>;

export const RESULT_PROGRESS_EVENT_TYPES = [
  'ResultsFollowed',
] as const satisfies readonly ResultProgressEvent['type'][];

/** By target, the position up to which all its deliveries have been requested, whoever did. */
export type ReachedByTarget = ReadonlyMap<string, Position>;

/** A record tells of the targets that it names, and of no other: whoever has none, or others, takes nothing from anybody. */
export const resultProgress: Evolution<ReachedByTarget, ResultProgressEvent> = {
  initial: new Map(),
  evolve: (before, { data: { position, since } }) => {
    const reached = new Map(before);
    for (const [name, begin] of Object.entries(since)) {
      reached.set(name, later(reached.get(name) ?? begin, later(begin, position)));
    }
    return reached;
  },
};

/**
 * @param reached by each target that was ever looked after
 * @param targets at least one
 * @param head where the log ends now
 * @returns where to go on with these targets: each where it stopped, one that is new at the head.
 */
export function resumedWith(reached: ReachedByTarget, targets: readonly string[], head: Position): ResultProgress {
  const since = targets.map((name): [string, Position] => [name, reached.get(name) ?? head]);
  const position = since.reduce((least, [, begin]) => (begin < least ? begin : least), head);
  return { position, since: Object.fromEntries(since) };
}

function later(one: Position, other: Position): Position {
  return one > other ? one : other;
}

/** How the next attempt of an execution begins: anew, or on the journal of the one before. */
import { type AttemptStart, type ExistingExecution, entriesBeforeFailure, INHERITED, journalOf } from './execution.ts';
import { JOURNAL_VERSION } from './journal.ts';

/** What comes in from outside when an attempt begins. */
export interface AttemptBirth {
  /** Worker session that runs it. */
  readonly worker: string;
  /** Version of Node. */
  readonly node: string;
  /** Milliseconds since the epoch. */
  readonly clock: number;
  /** 32 random bytes in hex. */
  readonly seed: string;
}

/** @returns an attempt with an empty journal. */
export function freshStart(attempt: number, birth: AttemptBirth): AttemptStart {
  return { ...birth, attempt, mode: 'fresh', journalFrom: null, keep: null, journalVersion: JOURNAL_VERSION };
}

/**
 * @returns the start that follows from what happened: the first attempt, a resume of one that broke off or waited, or a retry
 * of one that failed, with the outcomes before the failure where its policy says so.
 */
export function nextStart(state: ExistingExecution, birth: AttemptBirth): AttemptStart {
  const last = state.attempts.at(-1);
  const attempt = state.attempts.length + 1;
  if (last === undefined) return anew(state, attempt, birth);
  if (state.waitingFor !== 'retry') return goingOn(last, { attempt, mode: 'resume', keep: null }, birth);
  const { from } = state.request.options.retry;
  const keep = from === 'failed-step' ? entriesBeforeFailure(journalOf(state, last.attempt)) : null;
  return keep === null ? anew(state, attempt, birth) : goingOn(last, { attempt, mode: 'fresh', keep }, birth);
}

/** From the beginning; that of a fork lies in the middle of another execution. */
function anew({ request: { fork } }: ExistingExecution, attempt: number, birth: AttemptBirth): AttemptStart {
  const fresh = freshStart(attempt, birth);
  return fork === undefined ? fresh : { ...fresh, journalFrom: INHERITED, clock: fork.clock, seed: fork.seed };
}

function goingOn(
  last: AttemptStart,
  next: Pick<AttemptStart, 'attempt' | 'mode' | 'keep'>,
  birth: AttemptBirth,
): AttemptStart {
  const { clock, seed, attempt: journalFrom } = last;
  return { ...freshStart(next.attempt, birth), ...next, journalFrom, clock, seed };
}

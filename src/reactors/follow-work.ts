/** Tells a node that has room when work has come, or a place was left, on whichever node: so that idle nodes start it promptly. */
import type { Position } from '../domain/event.ts';
import { TERMINAL_EVENT_TYPES } from '../domain/execution.ts';
import type { EventPage, EventStore } from '../ports/event-store.ts';
import { keepFollowing } from './keep-following.ts';

const LEAVING = ['ExecutionWaiting', 'AttemptFailed', ...TERMINAL_EVENT_TYPES] as const;
const FILTER = {
  categories: ['execution'],
  types: ['ExecutionRequested', 'ExecutionStarted', 'QuestionAnswered', ...LEAVING],
} as const;
const LEAVES: ReadonlySet<string> = new Set(LEAVING);

/** Who looks for work. */
export interface Seeker {
  follow(position: Position, told: { readonly came: boolean; readonly left: boolean }): void;
}

/** Tells `seeker` of each page after `from`, until `signal` aborts. Errors are told, and it goes on. */
export function followWork(
  store: EventStore,
  from: Position,
  seeker: Seeker,
  onTrouble: (error: unknown) => void,
  signal: AbortSignal,
): Promise<void> {
  const onPage = (page: EventPage): void => {
    const last = page.events.at(-1);
    if (last === undefined) return;
    seeker.follow(last.position, { came: hasCome(page), left: page.events.some(({ type }) => LEAVES.has(type)) });
  };
  return keepFollowing(store, { from, filter: FILTER, onPage, onTrouble }, signal);
}

/** What was started with its request waits for nobody. */
function hasCome({ events }: EventPage): boolean {
  const started = new Set(events.filter(({ type }) => type === 'ExecutionStarted').map(({ stream }) => stream));
  return events.some(
    ({ type, stream }) => type === 'QuestionAnswered' || (type === 'ExecutionRequested' && !started.has(stream)),
  );
}

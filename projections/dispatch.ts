/** Shapes requests, claims and waits into the order of work: what is due, and who runs what. */
import { idOf } from '../src/domain/event.ts';
import { insert, type Projection, remove, update } from './projection.ts';

/** After every time there is; only an answer brings it forward. */
const NEVER = '9999-12-31T23:59:59.999Z';
/** Whom subtasks belong to: they take no turns, and no client has too many of them. */
const NO_CLIENT = '';
/**
 * What waits is `delayed` until its time and `pending` from then on; whoever hands out work sees to that, and marks as
 * `picked` what a worker is about to claim. No event tells of either; whatever happens to an execution ends both.
 */
const NOT_PICKED = { picked_by: null, picked_until: null };

export const dispatch: Projection = {
  name: 'dispatch',
  version: 4,
  tables: ['dispatch'],
  types: [
    'ExecutionRequested',
    'ExecutionStarted',
    'ExecutionWaiting',
    'QuestionAnswered',
    'AttemptFailed',
    'ExecutionCompleted',
    'ExecutionFailed',
    'ExecutionCancelled',
  ],
  apply: (event, { stream, principal, occurredAt, position }) => {
    const where = { execution_id: idOf(stream) };
    switch (event.type) {
      case 'ExecutionRequested': {
        const { options, parent } = event.data;
        const { priority, runAt } = options;
        return [
          insert('dispatch', {
            ...where,
            ...NOT_PICKED,
            ...waitingUntil(runAt ?? occurredAt, occurredAt),
            client: parent === null ? principal : NO_CLIENT,
            priority,
            worker: null,
            answered: 0,
            waits_for: null,
            requested: position,
          }),
        ];
      }
      case 'ExecutionStarted':
        return [
          update('dispatch', where, {
            ...NOT_PICKED,
            state: 'running',
            worker: event.data.worker,
            answered: 0,
            waits_for: null,
          }),
        ];
      case 'ExecutionWaiting': {
        const { reason, until } = event.data;
        const time = waitingUntil(until ?? NEVER, occurredAt);
        const waits = { ...NOT_PICKED, ...time, worker: null, waits_for: reason };
        // An answer may come while the attempt still runs.
        const isAnswered = update('dispatch', { ...where, answered: 1 }, waitingUntil(occurredAt, occurredAt));
        return reason === 'input' ? [update('dispatch', where, waits), isAnswered] : [update('dispatch', where, waits)];
      }
      case 'QuestionAnswered':
        // What waits for a time, or for the next attempt, is not due before it.
        return [
          update('dispatch', where, { answered: 1 }),
          ...['input', 'task'].map((waits_for) =>
            update('dispatch', { ...where, state: 'delayed', waits_for }, waitingUntil(occurredAt, occurredAt)),
          ),
        ];
      case 'AttemptFailed':
        return [
          update('dispatch', where, {
            ...NOT_PICKED,
            ...waitingUntil(event.data.retryAt, occurredAt),
            worker: null,
            answered: 0,
            waits_for: 'retry',
          }),
        ];
      case 'ExecutionCompleted':
      case 'ExecutionFailed':
      case 'ExecutionCancelled':
        return [remove('dispatch', where)];
      default:
        return [];
    }
  },
};

function waitingUntil(runAt: string, now: string): { readonly state: string; readonly run_at: string } {
  return { state: runAt <= now ? 'pending' : 'delayed', run_at: runAt };
}

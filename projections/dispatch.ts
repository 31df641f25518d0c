/** Shapes requests, claims and waits into the order of work: what is due, and who runs what. */
import { idOf } from '../src/domain/event.ts';
import { insert, type Projection, remove, update } from './projection.ts';

/** After every time there is; only an answer brings it forward. */
const NEVER = '9999-12-31T23:59:59.999Z';

export const dispatch: Projection = {
  name: 'dispatch',
  version: 3,
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
  apply: (event, { stream, occurredAt, position }) => {
    const where = { execution_id: idOf(stream) };
    switch (event.type) {
      case 'ExecutionRequested': {
        const { priority, runAt } = event.data.options;
        return [
          insert('dispatch', {
            ...where,
            state: 'pending',
            run_at: runAt ?? occurredAt,
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
          update('dispatch', where, { state: 'running', worker: event.data.worker, answered: 0, waits_for: null }),
        ];
      case 'ExecutionWaiting': {
        const { reason, until } = event.data;
        const waits = { state: 'pending', run_at: until ?? NEVER, worker: null, waits_for: reason };
        // An answer may come while the attempt still runs.
        const isAnswered = update('dispatch', { ...where, answered: 1 }, { run_at: occurredAt });
        return reason === 'input' ? [update('dispatch', where, waits), isAnswered] : [update('dispatch', where, waits)];
      }
      case 'QuestionAnswered':
        // What waits for a time, or for the next attempt, is not due before it.
        return [
          update('dispatch', where, { answered: 1 }),
          ...['input', 'task'].map((waits_for) =>
            update('dispatch', { ...where, state: 'pending', waits_for }, { run_at: occurredAt }),
          ),
        ];
      case 'AttemptFailed':
        return [
          update('dispatch', where, {
            state: 'pending',
            run_at: event.data.retryAt,
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

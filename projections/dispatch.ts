/** Shapes requests, claims and waits into the order of work: what is due, and who runs what. */
import { idOf } from '../src/domain/event.ts';
import { insert, type Projection, remove, update } from './projection.ts';

export const dispatch: Projection = {
  name: 'dispatch',
  version: 1,
  tables: ['dispatch'],
  types: [
    'ExecutionRequested',
    'ExecutionStarted',
    'ExecutionWaiting',
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
            requested: position,
          }),
        ];
      }
      case 'ExecutionStarted':
        return [update('dispatch', where, { state: 'running', worker: event.data.worker })];
      case 'ExecutionWaiting':
        return [update('dispatch', where, { state: 'pending', run_at: event.data.until, worker: null })];
      case 'AttemptFailed':
        return [update('dispatch', where, { state: 'pending', run_at: event.data.retryAt, worker: null })];
      case 'ExecutionCompleted':
      case 'ExecutionFailed':
      case 'ExecutionCancelled':
        return [remove('dispatch', where)];
      default:
        return [];
    }
  },
};

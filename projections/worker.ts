/** Shapes the facts about worker sessions into a list of who runs executions and who has gone. */
import { WORKER_EVENT_TYPES } from '../src/domain/worker.ts';
import { insert, type Projection, update } from './projection.ts';

export const workers: Projection = {
  name: 'workers',
  version: 1,
  tables: ['workers'],
  types: WORKER_EVENT_TYPES,
  apply: (event, { recordedAt }) => {
    switch (event.type) {
      case 'WorkerSessionStarted': {
        const { sessionId, host, pid, node, capacity, isolation, leaseMs } = event.data;
        const row = { session_id: sessionId, host, pid, node, capacity, isolation, lease_ms: leaseMs };
        return [
          insert('workers', { ...row, status: 'alive', running: 0, started_at: recordedAt, seen_at: recordedAt }),
        ];
      }
      case 'WorkerHeartbeat': {
        const { sessionId, running } = event.data;
        return [update('workers', { session_id: sessionId }, { running, seen_at: recordedAt })];
      }
      case 'WorkerSessionEnded':
        return [update('workers', { session_id: event.data.sessionId }, { status: event.data.reason, running: 0 })];
      default:
        return [];
    }
  },
};

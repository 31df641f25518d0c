/** Shapes the facts about deliveries into one row each. */
import { DELIVERY_EVENT_TYPES } from '../src/domain/delivery.ts';
import { idOf } from '../src/domain/event.ts';
import { insert, type Projection, update } from './projection.ts';

export const deliveries: Projection = {
  name: 'deliveries',
  version: 1,
  tables: ['deliveries'],
  types: DELIVERY_EVENT_TYPES,
  apply: (event, stored) => {
    const where = { delivery_id: idOf(stored.stream) };
    const { position, occurredAt } = stored;
    switch (event.type) {
      case 'DeliveryRequested': {
        const { executionId, task, target, kind, result } = event.data;
        const about = { execution_id: executionId, task_id: task.id, task_name: task.name, target, kind, result };
        const row = { ...where, ...about, ...UNTRIED, next_attempt_at: occurredAt, requested_at: occurredAt, position };
        return [insert('deliveries', row)];
      }
      case 'DeliveryStarted':
        return [
          update('deliveries', where, {
            status: 'sending',
            worker: event.data.worker,
            next_attempt_at: null,
            position,
          }),
        ];
      case 'DeliveryAttempted': {
        const { status, error, nextAttemptAt } = event.data;
        const last = { last_status: status, last_error: error, next_attempt_at: nextAttemptAt };
        const set = { status: 'pending', worker: null, ...last, position };
        return [update('deliveries', where, set, { attempts: 1 })];
      }
      case 'Delivered':
        return [update('deliveries', where, { status: 'delivered', ended_at: occurredAt, position })];
      case 'DeliveryDeadLettered':
        return [update('deliveries', where, { status: 'dead_lettered', ended_at: occurredAt, position })];
      case 'RedeliveryRequested':
        return [
          update('deliveries', where, { status: 'pending', next_attempt_at: occurredAt, ended_at: null, position }),
        ];
      default:
        return [];
    }
  },
};

const UNTRIED = {
  status: 'pending',
  attempts: 0,
  worker: null,
  last_status: null,
  last_error: null,
  ended_at: null,
} as const;

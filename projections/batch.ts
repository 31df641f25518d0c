/** Shapes the facts about batches into one row each, and their items into rows of their own. */
import { BATCH_EVENT_TYPES, type BatchEvent } from '../src/domain/batch.ts';
import { idOf, type StoredEvent } from '../src/domain/event.ts';
import { insert, type Projection, update } from './projection.ts';

type Told<Type extends BatchEvent['type']> = Extract<BatchEvent, { type: Type }>['data'];

export const batches: Projection = {
  name: 'batches',
  version: 1,
  tables: ['batches'],
  types: BATCH_EVENT_TYPES,
  apply: (event, stored) => {
    const where = { batch_id: idOf(stored.stream) };
    const { position, recordedAt } = stored;
    switch (event.type) {
      case 'BatchRequested':
        return [insert('batches', { ...where, ...requestedColumns(event.data, stored) })];
      case 'BatchItemStarted':
        return [update('batches', where, { position }, { pending: -1, running: 1 })];
      case 'BatchItemEnded': {
        const { outcome } = event.data;
        const from = outcome === 'skipped' ? 'pending' : 'running';
        return [update('batches', where, { position }, { [from]: -1, [outcome]: 1 })];
      }
      case 'BatchCancelRequested':
        return [update('batches', where, { status: 'cancelling', position })];
      case 'BatchEnded':
        return [update('batches', where, { status: event.data.outcome, ended_at: recordedAt, position })];
      default:
        return [];
    }
  },
};

function requestedColumns(request: Told<'BatchRequested'>, { principal, recordedAt, position }: StoredEvent) {
  const { items, maxParallel, failFast, metadata } = request;
  return {
    status: 'running',
    items: items.length,
    pending: items.length,
    running: 0,
    completed: 0,
    failed: 0,
    cancelled: 0,
    skipped: 0,
    max_parallel: maxParallel,
    fail_fast: failFast ? 1 : 0,
    metadata: JSON.stringify(metadata),
    principal,
    requested_at: recordedAt,
    ended_at: null,
    position,
  };
}

export const batchItems: Projection = {
  name: 'batch_items',
  version: 1,
  tables: ['batch_items'],
  types: ['BatchRequested', 'BatchItemStarted', 'BatchItemEnded'],
  apply: (event, { stream, recordedAt, position }) => {
    const batch_id = idOf(stream);
    switch (event.type) {
      case 'BatchRequested':
        return event.data.items.map(({ id, executionId, task, dependsOn, priority }, ordinal) =>
          insert('batch_items', {
            batch_id,
            ordinal,
            item: id,
            execution_id: executionId,
            task_id: task.id,
            task_name: task.name,
            task_version: task.version,
            depends_on: JSON.stringify(dependsOn),
            priority,
            status: 'pending',
            error: null,
            started_at: null,
            ended_at: null,
            position,
          }),
        );
      case 'BatchItemStarted': {
        const where = { execution_id: event.data.executionId };
        return [update('batch_items', where, { status: 'running', started_at: recordedAt, position })];
      }
      case 'BatchItemEnded': {
        const { executionId, outcome, error } = event.data;
        const told = error === null ? null : JSON.stringify(error);
        return [
          update(
            'batch_items',
            { execution_id: executionId },
            { status: outcome, error: told, ended_at: recordedAt, position },
          ),
        ];
      }
      default:
        return [];
    }
  },
};

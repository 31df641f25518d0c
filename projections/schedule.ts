/** Shapes the facts about schedules into one row each. */
import { idOf, type StoredEvent } from '../src/domain/event.ts';
import { SCHEDULE_EVENT_TYPES, type ScheduleDefinition } from '../src/domain/schedule.ts';
import { insert, type Projection, update } from './projection.ts';

export const schedules: Projection = {
  name: 'schedules',
  version: 1,
  tables: ['schedules'],
  types: SCHEDULE_EVENT_TYPES,
  apply: (event, stored) => {
    const where = { schedule_id: idOf(stored.stream) };
    const told = { position: stored.position, updated_at: stored.recordedAt };
    const changed = (columns: object) => [update('schedules', where, { ...columns, ...told }, { version: 1 })];
    switch (event.type) {
      case 'ScheduleCreated': {
        const { enabled, nextAt } = event.data;
        const status = enabled ? 'enabled' : 'disabled';
        const row = { ...where, status, ...definitionColumns(event.data), next_run_at: nextAt, ...madeBy(stored) };
        return [insert('schedules', { ...row, ...UNFIRED, ...told })];
      }
      case 'ScheduleChanged':
        return changed({ ...definitionColumns(event.data), next_run_at: event.data.nextAt });
      case 'ScheduleEnabled':
        return changed({ status: 'enabled', next_run_at: event.data.nextAt });
      case 'ScheduleDisabled':
        return changed({ status: 'disabled', next_run_at: null });
      case 'ScheduleDeleted':
        return changed({ status: 'deleted', next_run_at: null });
      case 'ScheduleFired': {
        const { dueAt, executionId, nextAt } = event.data;
        const fired = { last_run_at: dueAt, last_execution_id: executionId, next_run_at: nextAt };
        return [update('schedules', where, { ...fired, position: stored.position }, { fired: 1 })];
      }
      case 'ScheduleSkipped': {
        const { nextAt, count, ...skip } = event.data;
        const columns = { next_run_at: nextAt, last_skip: JSON.stringify({ ...skip, count }) };
        return [update('schedules', where, { ...columns, position: stored.position }, { skipped: count ?? 0 })];
      }
      default:
        return [];
    }
  },
};

const UNFIRED = { version: 1, last_run_at: null, last_execution_id: null, last_skip: null, fired: 0, skipped: 0 };

function madeBy({ principal, recordedAt }: StoredEvent) {
  return { created_by: principal, created_at: recordedAt };
}

function definitionColumns(definition: ScheduleDefinition) {
  const { name, description, task, version, cron, timezone, input, options, catchUp, startAt, endAt } = definition;
  return {
    name,
    description,
    task_id: task.id,
    task_name: task.name,
    task_version: version,
    cron,
    timezone,
    input: JSON.stringify(input),
    options: JSON.stringify(options),
    catch_up: catchUp,
    start_at: startAt,
    end_at: endAt,
  };
}

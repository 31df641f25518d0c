/** What can be asked about schedules: make, change, switch, fire and read them. */
import { z } from 'zod';
import {
  baseVersion,
  createScheduleInput,
  defineSchedule,
  editScheduleInput,
  redefineSchedule,
  scheduleId,
  taskOfSchedule,
} from '../../commands/define-schedule.ts';
import { triggerNow } from '../../commands/fire-schedule.ts';
import { type Handled, handle } from '../../commands/handle.ts';
import { deleteSchedule, disableSchedule, enableSchedule } from '../../commands/schedule.ts';
import { getSchedule, listSchedules } from '../../queries/schedule.ts';
import { authorizeTask } from '../domain/access.ts';
import { RatchetError } from '../domain/errors.ts';
import type { ScheduleState } from '../domain/schedule.ts';
import { type Caller, type Core, command, metaOf, type Operation, query } from './operation.ts';

const permission = 'execute_tasks';
const reason = z.string().max(1024).optional();
const byId = z.strictObject({ schedule_id: scheduleId });

function told({ state, changed, position }: Handled<ScheduleState>) {
  if (state.status === 'none') throw new RatchetError('internal', 'a command left no schedule');
  const { scheduleId: id, status, version, nextAt, definition } = state;
  return { id, name: definition.name, status, version, next_run_at: nextAt, changed, position };
}

/** Fails with `permission_denied` when its task is not one of the caller's. */
async function authorizeSchedule(core: Core, id: string, { principal }: Caller, operation: string): Promise<void> {
  const task = await taskOfSchedule(core.schedules, id);
  if (task !== null) authorizeTask(principal, task, operation);
}

function switching(definition: typeof enableSchedule, description: string): Operation {
  const { name } = definition;
  return command({
    name,
    permission,
    description,
    input: byId.extend({ reason, base_version: baseVersion }),
    run: async (core, input, caller) => {
      const given = {
        scheduleId: input.schedule_id,
        reason: input.reason ?? null,
        baseVersion: input.base_version ?? null,
        cron: core.schedules.cron,
      };
      await authorizeSchedule(core, input.schedule_id, caller, name);
      return told(await handle(core.schedules, definition, given, metaOf(core, caller, name, input)));
    },
  });
}

export const SCHEDULE_OPERATIONS: readonly Operation[] = [
  command({
    name: 'create_schedule',
    permission,
    description: 'Execute a task again and again, at the times that a cron pattern names in a time zone.',
    input: createScheduleInput,
    run: async (core, input, caller) =>
      told(await defineSchedule(core.schedules, input, metaOf(core, caller, 'create_schedule', input))),
  }),
  command({
    name: 'edit_schedule',
    permission,
    description: 'Change a schedule; what is left out stays as it is. It never fires the old way again.',
    input: editScheduleInput,
    run: async (core, input, caller) => {
      await authorizeSchedule(core, input.schedule_id, caller, 'edit_schedule');
      return told(await redefineSchedule(core.schedules, input, metaOf(core, caller, 'edit_schedule', input)));
    },
  }),
  switching(enableSchedule, 'Let a disabled schedule fire again, from its next time on.'),
  switching(disableSchedule, 'Let a schedule fire no more until it is enabled.'),
  switching(deleteSchedule, 'Delete a schedule; its executions stay on record.'),
  command({
    name: 'trigger_schedule',
    permission,
    description: 'Fire a schedule once now, also while it is disabled; its next time stays.',
    input: byId,
    run: async (core, input, caller) => {
      await authorizeSchedule(core, input.schedule_id, caller, 'trigger_schedule');
      const meta = metaOf(core, caller, 'trigger_schedule', input);
      const { executionId, position, changed } = await triggerNow(core.schedules, input.schedule_id, meta);
      return { schedule_id: input.schedule_id, execution_id: executionId, created: changed, position };
    },
  }),
  query(listSchedules),
  query(getSchedule),
];

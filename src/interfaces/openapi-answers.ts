/** The form of good answers, for the OpenAPI document; what stands here holds, other members may come beside it. */
import { z } from 'zod';

const text = z.string();
const count = z.int();
const time = z.iso.datetime();
const status = z.enum(['pending', 'running', 'waiting', 'completed', 'failed', 'cancelled']);
const failure = z.looseObject({ code: text, error_type: text, message: text }).nullable();
const next_cursor = text.nullable().describe('Of the next page; null on the last one.');

const task = z.looseObject({
  id: text,
  name: text,
  description: text,
  status: z.enum(['enabled', 'disabled', 'deleted']),
  version: count,
  content_hash: text,
  tags: z.array(text),
  updated_at: time,
});
const changedTask = z.looseObject({
  id: text,
  name: text,
  status: text,
  version: count,
  changed: z.boolean(),
  position: text,
});
const execution = z.looseObject({
  execution_id: text,
  task_id: text,
  task_name: text,
  task_version: count,
  status,
  attempt: count,
  error: failure,
  requested_at: time,
  finished_at: time.nullable(),
  duration_ms: z.number().nullable(),
});
const requested = z.looseObject({ execution_id: text, status: text, position: text });
const schedule = z.looseObject({
  id: text,
  name: text,
  status: z.enum(['enabled', 'disabled', 'deleted']),
  version: count,
  task_id: text,
  cron: text,
  timezone: text,
  next_run_at: time.nullable(),
  last_run_at: time.nullable(),
  fired: count,
  skipped: count,
});
const batch = z.looseObject({
  batch_id: text,
  status: z.enum(['running', 'cancelling', 'completed', 'failed', 'cancelled']),
  total: count,
  counts: z.record(text, count),
  progress_percent: z.number(),
  requested_at: time,
  ended_at: time.nullable(),
});
const batchItem = z.looseObject({ id: text, execution_id: text, task_name: text, depends_on: z.array(text) });
const changedSchedule = z.looseObject({
  id: text,
  status: text,
  version: count,
  next_run_at: time.nullable(),
  changed: z.boolean(),
  position: text,
});
const delivery = z.looseObject({
  delivery_id: text,
  execution_id: text,
  task_name: text,
  target: text,
  status: z.enum(['pending', 'sending', 'delivered', 'dead_lettered']),
  attempt_count: count,
  last_status: count.nullable(),
  last_error: text.nullable(),
  next_attempt_at: time.nullable(),
  requested_at: time,
  ended_at: time.nullable(),
});
const bulk = z.looseObject({
  dry_run: z.boolean(),
  matched: count,
  more: z.boolean(),
  done: count,
  left: count,
  execution_ids: z.array(text),
  failed: z.array(z.looseObject({ execution_id: text, code: text, message: text })),
});
const source = z.looseObject({
  name: text,
  uri: text,
  ref: text.nullable(),
  branch: text.nullable(),
  revision: text.nullable(),
  status: text,
  tasks: count,
  error: text.nullable(),
  last_sync_at: time,
});

const problem = z.looseObject({
  severity: text,
  code: text,
  message: text,
  in: text,
  line: count.nullable(),
  column: count.nullable(),
  source: text.nullable(),
  pointer: text.nullable(),
});
const testRun = z.looseObject({
  passed: count,
  failed: count,
  not_run: z.array(text),
  duration_ms: z.number(),
  results: z.array(z.looseObject({ name: text, passed: z.boolean(), reason: text.nullable() })),
});

/** By operation. */
export const ANSWERS: Readonly<Record<string, z.ZodType>> = {
  list_available_tasks: z.looseObject({ tasks: z.array(task), next_cursor }),
  get_task: task,
  create_task: changedTask,
  edit_task: changedTask,
  delete_task: changedTask,
  restore_task: changedTask,
  validate_task: z.looseObject({
    valid: z.boolean(),
    errors: count,
    warnings: count,
    problems: z.array(problem),
    tests: testRun.nullable(),
  }),
  run_task_tests: testRun.extend({ task_id: text, task_name: text, version: count }),
  enable_task: changedTask,
  disable_task: changedTask,
  execute_task: z.looseObject({
    execution_id: text,
    status,
    duration_ms: z.number().nullable(),
    error: failure,
    position: text,
  }),
  create_execution: requested,
  cancel_execution: requested,
  retry_execution: requested,
  fork_execution: requested,
  list_executions: z.looseObject({ executions: z.array(execution), next_cursor }),
  get_execution_status: execution,
  get_execution_logs: z.looseObject({
    execution_id: text,
    status,
    logs: z.array(z.looseObject({ message: text })),
    next_cursor,
  }),
  cancel_executions: bulk,
  retry_executions: bulk,
  batch_execute: z.looseObject({ batch_id: text, status: text, items: z.array(batchItem), position: text }),
  list_batches: z.looseObject({ batches: z.array(batch), next_cursor }),
  get_batch: batch.extend({ items: z.array(batchItem.extend({ status: text })), next_cursor }),
  cancel_batch: z.looseObject({ batch_id: text, status: text, changed: z.boolean(), position: text }),
  list_schedules: z.looseObject({ schedules: z.array(schedule), next_cursor }),
  get_schedule: schedule,
  create_schedule: changedSchedule,
  edit_schedule: changedSchedule,
  enable_schedule: changedSchedule,
  disable_schedule: changedSchedule,
  delete_schedule: changedSchedule,
  trigger_schedule: z.looseObject({ schedule_id: text, execution_id: text, created: z.boolean(), position: text }),
  list_deliveries: z.looseObject({ deliveries: z.array(delivery), next_cursor }),
  get_delivery: delivery.extend({ attempts: z.array(z.looseObject({ attempt: count, ok: z.boolean() })) }),
  redeliver: z.looseObject({ delivery_id: text, status: text, position: text }),
  list_workers: z.looseObject({ workers: z.array(z.looseObject({ session_id: text, status: text, running: count })) }),
  list_sources: z.looseObject({ sources: z.array(source) }),
  sync_source: source,
  network_interfaces: z.looseObject({
    interfaces: z.array(z.looseObject({ name: text, address: text, family: text, internal: z.boolean() })),
  }),
  get_stats: z.looseObject({
    executions: z.looseObject({ pending: count, running: count, completed: count, failed: count }),
    queue: z.looseObject({ pending: count, here: count }),
    events_per_second: z.number(),
  }),
};

/** Turns a wish for a schedule into a checked definition: task found, input valid, pattern and time zone known, then decided. */
import { z } from 'zod';
import { authorize, authorizeTask } from '../src/domain/access.ts';
import { isRatchetError } from '../src/domain/errors.ts';
import { type Json, streamName } from '../src/domain/event.ts';
import { fold } from '../src/domain/history.ts';
import {
  CATCH_UPS,
  type ExistingSchedule,
  type ScheduleDefinition,
  type ScheduleState,
  schedule,
} from '../src/domain/schedule.ts';
import { isoTime, timeOf } from '../src/domain/time.ts';
import type { Cron } from '../src/ports/cron.ts';
import type { CommandMeta } from './command.ts';
import { checkInput, type ExecuteDeps, retryInput, runnable } from './execute-task.ts';
import { type Handled, handle } from './handle.ts';
import { changeSchedule, createSchedule, living } from './schedule.ts';

const json: z.ZodType<Json> = z.json();
const instant = z.iso.datetime({ offset: true });

const fields = {
  name: z.string().min(1).max(128).describe('What people call it.'),
  description: z.string().max(4_096),
  cron: z.string().min(1).max(256).describe('Five fields (minute first), six (second first), or @hourly, @daily, …'),
  timezone: z.string().min(1).max(64).describe('IANA name, such as Europe/Berlin; UTC when left out.'),
  input: json.describe("Input that matches the task's input schema."),
  version: z.int().positive().nullable().describe('Task version; null: the current one at each firing.'),
  priority: z.int().min(-100).max(100).describe('Higher runs first.'),
  timeout: z.number().positive().max(86_400).nullable().describe('Seconds that one attempt may run.'),
  retry: retryInput.nullable(),
  trace: z.boolean().describe('Record debug logs too.'),
  catch_up: z.enum(CATCH_UPS).describe('What is done about times that were missed; all: the last 100.'),
  start_at: instant.nullable().describe('Does not fire before.'),
  end_at: instant.nullable().describe('Does not fire after.'),
};

export const createScheduleInput = z.strictObject({
  task_id: z.string().min(1).max(256).describe('Name or id of the task.'),
  name: fields.name,
  description: fields.description.default(''),
  cron: fields.cron,
  timezone: fields.timezone.default('UTC'),
  input: fields.input,
  version: fields.version.default(null),
  priority: fields.priority.default(0),
  timeout: fields.timeout.default(null),
  retry: fields.retry.default(null),
  trace: fields.trace.default(true),
  catch_up: fields.catch_up.default('last'),
  start_at: fields.start_at.default(null),
  end_at: fields.end_at.default(null),
  enabled: z.boolean().default(true),
});
export type CreateScheduleWish = z.infer<typeof createScheduleInput>;

export const scheduleId: z.ZodType<string> = z.string().min(1).max(64);
/** Of the thing that an edit was made on; text in a query string. */
export const baseVersion = z.coerce
  .number()
  .int()
  .positive()
  .optional()
  .describe('Refuse when another version has become current.');

/** Whatever is left out stays as it is. The task stays the same. */
export const editScheduleInput = z.strictObject({
  schedule_id: scheduleId,
  base_version: baseVersion,
  ...z.object(fields).partial().shape,
});
export type EditScheduleWish = z.infer<typeof editScheduleInput>;

export interface ScheduleDeps extends ExecuteDeps {
  readonly cron: Cron;
}

/**
 * Fails with `permission_denied`, `task_not_found`, `task_disabled`, `dangerous_task`, `input_schema_violation`,
 * `invalid_schedule`, or `idempotency_mismatch`.
 */
export async function defineSchedule(
  deps: ScheduleDeps,
  wish: CreateScheduleWish,
  meta: CommandMeta,
): Promise<Handled<ScheduleState>> {
  authorize(meta.principal, createSchedule.permission, createSchedule.name);
  const { task } = runnable(deps, { task_id: wish.task_id, version: wish.version ?? undefined });
  const definition = {
    name: wish.name,
    description: wish.description,
    task: { id: task.taskId, name: task.name },
    version: wish.version,
    cron: wish.cron,
    timezone: wish.timezone,
    input: { value: wish.input },
    options: { priority: wish.priority, timeout: wish.timeout, retry: written(wish.retry), trace: wish.trace },
    catchUp: wish.catch_up,
    startAt: utc(wish.start_at),
    endAt: utc(wish.end_at),
  };
  const checked = await check(deps, definition, wish.input, meta);
  // A key makes the id too: the same request again is about the same schedule.
  const given = { scheduleId: meta.correlationId, definition: checked, enabled: wish.enabled, cron: deps.cron };
  return handle(deps, createSchedule, given, meta);
}

const MAX_TRIES = 4;

/** Fails as {@link defineSchedule}, with `schedule_not_found`, or `version_conflict` when `base_version` is no longer current. */
export async function redefineSchedule(
  deps: ScheduleDeps,
  wish: EditScheduleWish,
  meta: CommandMeta,
): Promise<Handled<ScheduleState>> {
  authorize(meta.principal, changeSchedule.permission, changeSchedule.name);
  for (let tries = 1; ; tries += 1) {
    const existing = await loadSchedule(deps, wish.schedule_id);
    const before = existing.definition;
    const input = wish.input === undefined ? await deps.blobs.get(before.input) : wish.input;
    const definition = await check(deps, edited(before, wish), input, meta);
    const base = wish.base_version ?? existing.version;
    const given = { scheduleId: wish.schedule_id, definition, baseVersion: base, cron: deps.cron };
    try {
      return await handle(deps, changeSchedule, given, meta);
    } catch (error) {
      // Somebody else edited it meanwhile: the same changes are made to what it is now.
      const mayTryAgain = wish.base_version === undefined && tries < MAX_TRIES;
      if (!mayTryAgain || !isRatchetError(error, 'version_conflict')) throw error;
    }
  }
}

function edited(before: ScheduleDefinition, wish: EditScheduleWish): ScheduleDefinition {
  const { options } = before;
  const kept = <Value>(value: Value | undefined, old: Value): Value => (value === undefined ? old : value);
  return {
    name: wish.name ?? before.name,
    description: wish.description ?? before.description,
    task: before.task,
    version: kept(wish.version, before.version),
    cron: wish.cron ?? before.cron,
    timezone: wish.timezone ?? before.timezone,
    input: before.input,
    options: {
      priority: wish.priority ?? options.priority,
      timeout: kept(wish.timeout, options.timeout),
      retry: wish.retry === undefined ? options.retry : written(wish.retry),
      trace: wish.trace ?? options.trace,
    },
    catchUp: wish.catch_up ?? before.catchUp,
    startAt: wish.start_at === undefined ? before.startAt : utc(wish.start_at),
    endAt: wish.end_at === undefined ? before.endAt : utc(wish.end_at),
  };
}

/** @returns the definition with its input stored. */
async function check(
  deps: ScheduleDeps,
  definition: ScheduleDefinition,
  input: Json,
  { principal }: CommandMeta,
): Promise<ScheduleDefinition> {
  authorizeTask(principal, definition.task.name, createSchedule.name);
  deps.cron.check(definition);
  const { version } = runnable(deps, { task_id: definition.task.id, version: definition.version ?? undefined });
  await checkInput(deps, version, input);
  return { ...definition, input: await deps.blobs.put(input) };
}

/** @returns the name of the task that a schedule executes, which never changes; null when there is no such schedule. */
export async function taskOfSchedule({ store }: Pick<ScheduleDeps, 'store'>, id: string): Promise<string | null> {
  const state = fold(schedule, await store.readStream(streamName('schedule', id), { limit: 1 }));
  return state.status === 'none' ? null : state.definition.task.name;
}

/** @returns a schedule that was not deleted. Fails with `schedule_not_found`. */
async function loadSchedule({ store }: ScheduleDeps, id: string): Promise<ExistingSchedule> {
  return living(fold(schedule, await store.readStream(streamName('schedule', id))), id);
}

function utc(time: string | null): string | null {
  return time === null ? null : isoTime(timeOf(time));
}

/** Without members that are undefined, as it will be stored. */
function written(value: unknown): Json {
  return JSON.parse(JSON.stringify(value));
}

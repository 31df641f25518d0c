/** What may be asked of a schedule: create, change, switch, delete it, and fire it when a time has come; the answer as facts. */
import { z } from 'zod';
import { RatchetError } from '../src/domain/errors.ts';
import { streamName } from '../src/domain/event.ts';
import {
  type ExistingSchedule,
  MAX_DUE,
  notBefore,
  planOf,
  type ScheduleDefinition,
  type ScheduleEvent,
  type ScheduleState,
  schedule,
} from '../src/domain/schedule.ts';
import { isoTime, timeOf } from '../src/domain/time.ts';
import type { Cron } from '../src/ports/cron.ts';
import { defineCommand } from './command.ts';

/** Requests made by our own code are typed; what users send is parsed where it comes in. */
const trusted = <T>(): z.ZodType<T> => z.custom<T>((value) => typeof value === 'object' && value !== null);

const common = {
  permission: 'execute_tasks',
  stream: ({ scheduleId }: { readonly scheduleId: string }) => streamName('schedule', scheduleId),
  evolution: schedule,
} as const;

export interface CreateScheduleInput {
  readonly scheduleId: string;
  readonly definition: ScheduleDefinition;
  readonly enabled: boolean;
  readonly cron: Cron;
}

/** Fails with `invalid_schedule` when no time of it is to come. */
export const createSchedule = defineCommand<CreateScheduleInput, ScheduleState, ScheduleEvent>({
  ...common,
  name: 'create_schedule',
  input: trusted(),
  decide: (state, { scheduleId, definition, enabled, cron }, { now }) => {
    if (state.status !== 'none') {
      throw new RatchetError('already_exists', `the schedule ${scheduleId} exists`, { details: { scheduleId } });
    }
    const next = comingTime(cron, definition, now);
    return [{ type: 'ScheduleCreated', data: { scheduleId, ...definition, enabled, nextAt: enabled ? next : null } }];
  },
});

export interface ChangeScheduleInput {
  readonly scheduleId: string;
  readonly definition: ScheduleDefinition;
  /** The version that the definition was made from. */
  readonly baseVersion: number;
  readonly cron: Cron;
}

/** From here on it fires as the new definition says, and never again as the old one did. */
export const changeSchedule = defineCommand<ChangeScheduleInput, ScheduleState, ScheduleEvent>({
  ...common,
  name: 'edit_schedule',
  input: trusted(),
  decide: (state, { scheduleId, definition, baseVersion, cron }, { now }) => {
    const existing = living(state, scheduleId);
    unchangedSince(existing, baseVersion);
    const next = comingTime(cron, definition, notBefore(existing, now));
    return [{ type: 'ScheduleChanged', data: { ...definition, nextAt: existing.status === 'enabled' ? next : null } }];
  },
});

export interface SwitchScheduleInput {
  readonly scheduleId: string;
  readonly reason: string | null;
  /** Version that the caller has seen; null: whichever. */
  readonly baseVersion: number | null;
  readonly cron: Cron;
}

/** Times that passed while it was disabled are not caught up. */
export const enableSchedule = defineCommand<SwitchScheduleInput, ScheduleState, ScheduleEvent>({
  ...common,
  name: 'enable_schedule',
  input: trusted(),
  decide: (state, { scheduleId, baseVersion, cron }, { now }) => {
    const existing = living(state, scheduleId);
    if (baseVersion !== null) unchangedSince(existing, baseVersion);
    if (existing.status === 'enabled') return [];
    const nextAt = nextTime(cron, existing.definition, notBefore(existing, now));
    return [{ type: 'ScheduleEnabled', data: { nextAt } }];
  },
});

export const disableSchedule = defineCommand<SwitchScheduleInput, ScheduleState, ScheduleEvent>({
  ...common,
  name: 'disable_schedule',
  input: trusted(),
  decide: (state, { scheduleId, reason, baseVersion }) => {
    const existing = living(state, scheduleId);
    if (baseVersion !== null) unchangedSince(existing, baseVersion);
    return existing.status === 'disabled' ? [] : [{ type: 'ScheduleDisabled', data: { reason } }];
  },
});

export const deleteSchedule = defineCommand<SwitchScheduleInput, ScheduleState, ScheduleEvent>({
  ...common,
  name: 'delete_schedule',
  input: trusted(),
  decide: (state, { scheduleId, reason, baseVersion }) => {
    const existing = living(state, scheduleId);
    if (baseVersion !== null) unchangedSince(existing, baseVersion);
    return [{ type: 'ScheduleDeleted', data: { reason } }];
  },
});

interface FireInput {
  readonly scheduleId: string;
  /** The execution that the last firing asked for, when it is known to be stored: nothing is fired before. */
  readonly settled: string | null;
}

export interface FireDueInput extends FireInput {
  readonly cron: Cron;
  readonly executionIdOf: (dueAt: string) => string;
}

/** Fires for the earliest time that is due, after passing over those that the catch-up policy leaves out. Nothing due: no fact. */
export const fireDue = defineCommand<FireDueInput, ScheduleState, ScheduleEvent>({
  ...common,
  name: 'fire_schedule',
  input: trusted(),
  decide: (state, { settled, cron, executionIdOf }, { now }) => {
    if (state.status !== 'enabled' || state.nextAt === null || isOpen(state, settled)) return [];
    const first = timeOf(state.nextAt);
    if (first > now) return [];
    const { definition } = state;
    const until = definition.endAt === null ? now : Math.min(now, timeOf(definition.endAt));
    const found = cron.between(definition, first + 1, until, MAX_DUE);
    const due = found.length < MAX_DUE ? [...found, first] : found;
    const { skip, fire } = planOf(due, first, now, definition.catchUp);
    const firing = fire[0];
    const facts: ScheduleEvent[] = [];
    if (skip !== null) {
      const nextAt = firing === undefined ? nextTime(cron, definition, now) : isoTime(firing.at);
      const passed = { from: isoTime(skip.from), to: isoTime(skip.to), count: skip.count };
      facts.push({
        type: 'ScheduleSkipped',
        data: { ...passed, reason: 'missed', message: null, executionId: null, nextAt },
      });
    }
    if (firing !== undefined) {
      const dueAt = isoTime(firing.at);
      const nextAt = nextTime(cron, definition, firing.at);
      facts.push({
        type: 'ScheduleFired',
        data: { dueAt, executionId: executionIdOf(dueAt), cause: firing.cause, nextAt },
      });
    }
    return facts;
  },
});

/** Fires now, whatever the pattern says and also while disabled; the next time stays. */
export const triggerSchedule = defineCommand<
  FireInput & { readonly executionId: string },
  ScheduleState,
  ScheduleEvent
>({
  ...common,
  name: 'trigger_schedule',
  input: trusted(),
  decide: (state, { scheduleId, settled, executionId }, { now }) => {
    const existing = living(state, scheduleId);
    if (isOpen(existing, settled)) throw moved(existing, existing.version);
    const { nextAt } = existing;
    return [{ type: 'ScheduleFired', data: { dueAt: isoTime(now), executionId, cause: 'manual', nextAt } }];
  },
});

export interface RefusedFiring {
  readonly scheduleId: string;
  readonly executionId: string;
  readonly reason: string;
  readonly message: string;
}

/** Records that a firing can not become an execution. */
export const refuseFiring = defineCommand<RefusedFiring, ScheduleState, ScheduleEvent>({
  ...common,
  name: 'fire_schedule',
  input: trusted(),
  decide: (state, { executionId, reason, message }) => {
    if (state.status === 'none' || state.firing?.executionId !== executionId) return [];
    const { dueAt } = state.firing;
    const { nextAt } = state;
    return [
      { type: 'ScheduleSkipped', data: { from: dueAt, to: dueAt, count: 1, reason, message, executionId, nextAt } },
    ];
  },
});

function isOpen({ firing }: ExistingSchedule, settled: string | null): boolean {
  return firing !== null && firing.executionId !== settled;
}

/** @returns the first time after `after` at which it fires, ISO 8601; null when there is none. */
export function nextTime(cron: Cron, definition: ScheduleDefinition, after: number): string | null {
  const { startAt, endAt } = definition;
  const next = cron.next(definition, startAt === null ? after : Math.max(after, timeOf(startAt) - 1));
  return next === null || (endAt !== null && next > timeOf(endAt)) ? null : isoTime(next);
}

function comingTime(cron: Cron, definition: ScheduleDefinition, after: number): string {
  const next = nextTime(cron, definition, after);
  if (next !== null) return next;
  const bound = definition.endAt === null ? '' : ` until ${definition.endAt}`;
  throw new RatchetError('invalid_schedule', `${JSON.stringify(definition.cron)} never comes${bound}`, {
    details: { field: definition.endAt === null ? 'cron' : 'end_at' },
  });
}

/** @returns the state of a schedule that was not deleted. Fails with `schedule_not_found`. */
export function living(state: ScheduleState, scheduleId: string): ExistingSchedule {
  if (state.status !== 'none' && state.status !== 'deleted') return state;
  const what = state.status === 'none' ? `there is no schedule ${scheduleId}` : `schedule ${scheduleId} was deleted`;
  throw new RatchetError('schedule_not_found', what, { details: { scheduleId } });
}

function unchangedSince(existing: ExistingSchedule, baseVersion: number): void {
  if (existing.version !== baseVersion) throw moved(existing, baseVersion);
}

function moved({ scheduleId, version }: ExistingSchedule, expected: number): RatchetError {
  return new RatchetError(
    'version_conflict',
    `schedule ${scheduleId} is at version ${version}, this was asked of version ${expected}`,
    { details: { scheduleId, expected, actual: version } },
  );
}

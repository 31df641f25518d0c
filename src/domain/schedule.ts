/** Facts about schedules: a task that is executed again and again, at times that a cron pattern names. */
import { NO_LIMITS, type Permission, type Principal } from './access.ts';
import type { Evolution, Fact, Json } from './event.ts';
import type { Payload } from './payload.ts';
import { timeOf } from './time.ts';

/** What is done about times that passed while nobody could fire: nothing, the last of them, or all (at most {@link MAX_CAUGHT_UP}). */
export const CATCH_UPS = ['skip', 'last', 'all'] as const;
export type CatchUp = (typeof CATCH_UPS)[number];

export const MAX_CAUGHT_UP = 100;
/** A time is missed when it is this many milliseconds ago; until then it is merely late. */
export const LATE_MS = 10_000;

/** What a schedule asks for; everything that an edit can change. */
export interface ScheduleDefinition {
  /** What people call it; need not be its own. */
  readonly name: string;
  readonly description: string;
  readonly task: { readonly id: string; readonly name: string };
  /** Task version; null: the current one at each firing. */
  readonly version: number | null;
  readonly cron: string;
  readonly timezone: string;
  readonly input: Payload;
  readonly options: ScheduleOptions;
  readonly catchUp: CatchUp;
  /** ISO times between which it fires, both included; null: without bound. */
  readonly startAt: string | null;
  readonly endAt: string | null;
}

/** How its executions run. */
export interface ScheduleOptions {
  readonly priority: number;
  /** Seconds; null: as the task says. */
  readonly timeout: number | null;
  /** As a caller writes it; null: none. */
  readonly retry: Json;
  readonly trace: boolean;
}

export type FiringCause = 'due' | 'missed' | 'manual';

/** One firing: the time it is for, and the execution that it asks for. */
export interface Firing {
  readonly dueAt: string;
  readonly executionId: string;
  readonly cause: FiringCause;
}

/** `nextAt` is always the time at which it fires next; null when it does not. */
interface Next {
  readonly nextAt: string | null;
}

export type ScheduleEvent =
  | Fact<'ScheduleCreated', ScheduleDefinition & Next & { readonly scheduleId: string; readonly enabled: boolean }>
  | Fact<'ScheduleChanged', ScheduleDefinition & Next>
  | Fact<'ScheduleEnabled', Next>
  | Fact<'ScheduleDisabled', { readonly reason: string | null }>
  | Fact<'ScheduleDeleted', { readonly reason: string | null }>
  | Fact<'ScheduleFired', Firing & Next>
  /** Times that did not become executions: missed ones, or one that was refused. */
  | Fact<
      'ScheduleSkipped',
      Next & {
        readonly from: string;
        readonly to: string;
        /** Null: more than were counted. */
        readonly count: number | null;
        /** `missed`, or the code of the refusal. */
        readonly reason: string;
        readonly message: string | null;
        /** Of the firing that was refused. */
        readonly executionId: string | null;
      }
    >;

export const SCHEDULE_EVENT_TYPES = [
  'ScheduleCreated',
  'ScheduleChanged',
  'ScheduleEnabled',
  'ScheduleDisabled',
  'ScheduleDeleted',
  'ScheduleFired',
  'ScheduleSkipped',
] as const satisfies readonly ScheduleEvent['type'][];

export interface ExistingSchedule {
  readonly status: 'enabled' | 'disabled' | 'deleted';
  readonly scheduleId: string;
  /** Grows with each edit and switch, not with firings. */
  readonly version: number;
  readonly definition: ScheduleDefinition;
  readonly nextAt: string | null;
  /** The last time that was fired for or skipped; no later firing is for it or an earlier one. */
  readonly lastDueAt: string | null;
  /** The last firing, with the definition it was made under; it may not have become an execution yet. */
  readonly firing: (Firing & { readonly definition: ScheduleDefinition }) | null;
}

export type ScheduleState = { readonly status: 'none' } | ExistingSchedule;

export const schedule: Evolution<ScheduleState, ScheduleEvent> = { initial: { status: 'none' }, evolve };

function evolve(state: ScheduleState, event: ScheduleEvent): ScheduleState {
  if (event.type === 'ScheduleCreated') {
    const { scheduleId, enabled, nextAt, ...definition } = event.data;
    const status = enabled ? 'enabled' : 'disabled';
    return { status, scheduleId, version: 1, definition, nextAt, lastDueAt: null, firing: null };
  }
  if (state.status === 'none') return state;
  const version = state.version + 1;
  switch (event.type) {
    case 'ScheduleChanged': {
      const { nextAt, ...definition } = event.data;
      return { ...state, version, definition, nextAt };
    }
    case 'ScheduleEnabled':
      return { ...state, version, status: 'enabled', nextAt: event.data.nextAt };
    case 'ScheduleDisabled':
      return { ...state, version, status: 'disabled', nextAt: null };
    case 'ScheduleDeleted':
      return { ...state, version, status: 'deleted', nextAt: null };
    case 'ScheduleFired': {
      const { nextAt, ...firing } = event.data;
      const lastDueAt = firing.cause === 'manual' ? state.lastDueAt : firing.dueAt;
      return { ...state, nextAt, lastDueAt, firing: { ...firing, definition: state.definition } };
    }
    case 'ScheduleSkipped': {
      const { nextAt, to, reason } = event.data;
      return { ...state, nextAt, ...(reason === 'missed' ? { lastDueAt: to } : { firing: null }) };
    }
    default:
      return event satisfies never;
  }
}

/** What to do about the times that are due. */
export interface FiringPlan {
  /** The times that are passed over. */
  readonly skip: { readonly from: number; readonly to: number; readonly count: number | null } | null;
  /** The times to fire for, earliest first. */
  readonly fire: readonly { readonly at: number; readonly cause: 'due' | 'missed' }[];
}

/** How many due times a plan wants to know: all that can be fired for, and one more that tells that there are others. */
export const MAX_DUE: number = MAX_CAUGHT_UP + LATE_MS / 1_000 + 2;

/**
 * @param due times at or before `now` that nothing was done about, latest first, at most {@link MAX_DUE}; not empty
 * @param first the earliest of all, however many there are
 */
export function planOf(due: readonly number[], first: number, now: number, catchUp: CatchUp): FiringPlan {
  const late = due.filter((at) => at > now - LATE_MS);
  const missed = due.slice(late.length);
  const kept = missed.slice(0, caughtUp(catchUp, late.length));
  const passed = missed.slice(kept.length);
  const fire = [
    ...late.map((at) => ({ at, cause: 'due' as const })),
    ...kept.map((at) => ({ at, cause: 'missed' as const })),
  ].reverse();
  const latestPassed = passed[0];
  if (latestPassed === undefined) return { skip: null, fire };
  const count = due.length < MAX_DUE ? passed.length : null;
  return { skip: { from: first, to: latestPassed, count }, fire };
}

function caughtUp(catchUp: CatchUp, late: number): number {
  switch (catchUp) {
    case 'skip':
      return 0;
    case 'last':
      // One that is merely late stands for all before it.
      return late > 0 ? 0 : 1;
    case 'all':
      return MAX_CAUGHT_UP;
    default:
      return catchUp satisfies never;
  }
}

/** @returns the time after which a schedule may next fire, milliseconds since the epoch. */
export function notBefore(state: ScheduleState, now: number): number {
  const last = state.status === 'none' || state.lastDueAt === null ? now : timeOf(state.lastDueAt);
  return Math.max(now, last);
}

/** @returns the principal that acts for a schedule: it may execute its task, and nothing else. */
export function schedulePrincipal({ scheduleId, definition }: ExistingSchedule): Principal {
  return {
    id: `schedule:${scheduleId}`,
    kind: 'system',
    name: definition.name,
    permissions: new Set<Permission>(['execute_tasks']),
    tasks: { allowed: [definition.task.name], denied: [] },
    limits: NO_LIMITS,
  };
}

/**
 * Makes executions of due times, each exactly once: the firing is decided first, at the revision that was read, and names its
 * execution; the next one is decided only when that execution is stored. So whoever comes after a crash finds at most one
 * firing that has not become an execution yet, and makes it.
 */
import { asRatchetError, type ErrorCode, isRatchetError, RatchetError } from '../src/domain/errors.ts';
import { streamName } from '../src/domain/event.ts';
import { decode } from '../src/domain/history.ts';
import {
  type ExistingSchedule,
  type Firing,
  type ScheduleDefinition,
  type ScheduleEvent,
  type ScheduleState,
  schedule,
  schedulePrincipal,
} from '../src/domain/schedule.ts';
import type { Command, CommandMeta } from './command.ts';
import type { ScheduleDeps } from './define-schedule.ts';
import { executeTask, executeTaskInput } from './execute-task.ts';
import { envelopes, handle } from './handle.ts';
import { fireDue, living, refuseFiring, triggerSchedule } from './schedule.ts';

/** What trying again does not help against. */
const REFUSALS: readonly ErrorCode[] = [
  'task_not_found',
  'task_disabled',
  'dangerous_task',
  'input_schema_violation',
  'invalid_schema',
  'invalid_request',
  'permission_denied',
  'idempotency_mismatch',
];

const MAX_TRIES = 8;

/** A schedule as far as it was read; streams of schedules grow with each firing, so they are not read twice. */
export interface KnownSchedule {
  readonly state: ScheduleState;
  /** Of its last event; -1 before the first. */
  readonly version: number;
}

export const UNREAD: KnownSchedule = { state: schedule.initial, version: -1 };

/**
 * Fires for every time that is due, one after the other.
 * Fails with `queue_full` or an error of the store; the next call then goes on with the firing that was decided already.
 * @returns the schedule after that.
 */
export async function fireSchedule(
  deps: ScheduleDeps,
  scheduleId: string,
  from: KnownSchedule,
): Promise<KnownSchedule> {
  const executionIdOf = (dueAt: string): string => deps.runtime.uuidOf(`schedule\n${scheduleId}\n${dueAt}`);
  for (let known = await readOn(deps, scheduleId, from); ; ) {
    if (known.state.status === 'none') return known;
    const { settled } = await settle(deps, known);
    // A refusal was stored meanwhile.
    known = await readOn(deps, scheduleId, known);
    const given = { scheduleId, settled, cron: deps.cron, executionIdOf };
    const decided = await decideOn(deps, fireDue, known, given);
    if (decided === null && !isOpenIn(known.state, settled)) return known;
    if (decided === null) continue;
    known = decided === 'conflict' ? await readOn(deps, scheduleId, known) : decided;
  }
}

/** Whether somebody has fired again meanwhile, and may be gone. */
function isOpenIn(state: ScheduleState, settled: string | null): boolean {
  return state.status !== 'none' && state.firing !== null && state.firing.executionId !== settled;
}

/** Reads what was stored since. */
async function readOn({ store }: ScheduleDeps, scheduleId: string, known: KnownSchedule): Promise<KnownSchedule> {
  const news = await store.readStream(streamName('schedule', scheduleId), { from: known.version + 1 });
  const state = news.reduce((before, stored) => schedule.evolve(before, decode<ScheduleEvent>(stored)), known.state);
  return { state, version: news.at(-1)?.version ?? known.version };
}

/** Decides at exactly the revision that is known; null when there is nothing to store. */
async function decideOn<Input extends { readonly scheduleId: string }>(
  deps: ScheduleDeps,
  command: Command<Input, ScheduleState, ScheduleEvent>,
  { state, version }: KnownSchedule,
  input: Input,
): Promise<KnownSchedule | 'conflict' | null> {
  if (state.status === 'none') return null;
  const meta = metaOf(deps, state);
  const facts = command.decide(state, input, meta);
  if (facts.length === 0) return null;
  try {
    const appended = await deps.store.append(command.stream(input), version, envelopes(deps.runtime, facts, meta));
    return { state: facts.reduce(schedule.evolve, state), version: appended.version };
  } catch (error) {
    if (isRatchetError(error, 'version_conflict')) return 'conflict';
    throw error;
  }
}

/**
 * Fires once now. The same command again is about the same execution.
 * Fails with `schedule_not_found`, and as the execution is refused.
 */
export async function triggerNow(
  deps: ScheduleDeps,
  scheduleId: string,
  meta: CommandMeta,
): Promise<{ readonly executionId: string; readonly position: string; readonly changed: boolean }> {
  const executionId = deps.runtime.uuidOf(`schedule\n${scheduleId}\nmanual\n${meta.commandId}`);
  for (let tries = 1; ; tries += 1) {
    const before = await readOn(deps, scheduleId, UNREAD);
    living(before.state, scheduleId);
    const { settled } = await settle(deps, before);
    try {
      const given = { scheduleId, settled, executionId };
      const { state, version, position, changed } = await handle(deps, triggerSchedule, given, meta);
      const { refusal } = await settle(deps, { state, version });
      if (refusal !== null) throw refusal;
      await expectStored(deps, executionId);
      return { executionId, position, changed };
    } catch (error) {
      if (!isRatchetError(error, 'version_conflict') || tries >= MAX_TRIES) throw error;
    }
  }
}

/** A repeated command finds the firing of the first one, which may have been refused then. */
async function expectStored({ store }: ScheduleDeps, executionId: string): Promise<void> {
  const [first] = await store.readStream(streamName('execution', executionId), { limit: 1 });
  if (first !== undefined) return;
  throw new RatchetError('execution_not_found', 'the firing under this idempotency key was refused', {
    details: { executionId },
  });
}

interface Settled {
  /** The execution of the last firing, stored by now or refused for good. */
  readonly settled: string | null;
  readonly refusal: RatchetError | null;
}

/** Makes the execution of the last firing, unless it is there. Fails with what may pass. */
async function settle(deps: ScheduleDeps, known: KnownSchedule): Promise<Settled> {
  const { state } = known;
  if (state.status === 'none' || state.firing === null) return { settled: null, refusal: null };
  const { executionId } = state.firing;
  const source = { kind: 'schedule', sessionId: null, clientInfo: null } as const;
  try {
    const input = executeTaskInput.parse(await wishOf(deps, state.scheduleId, state.firing));
    const meta = { ...metaOf(deps, state), correlationId: '' };
    await executeTask(deps, input, { source, parent: null, executionId }, meta);
    return { settled: executionId, refusal: null };
  } catch (error) {
    const refusal = asRatchetError(error);
    if (!REFUSALS.includes(refusal.code)) throw error;
    await refuse(deps, state.scheduleId, known, refusal);
    return { settled: executionId, refusal };
  }
}

async function refuse(deps: ScheduleDeps, scheduleId: string, from: KnownSchedule, why: RatchetError): Promise<void> {
  const executionId = from.state.status === 'none' ? undefined : from.state.firing?.executionId;
  if (executionId === undefined) return;
  const given = { scheduleId, executionId, reason: why.code, message: why.message.slice(0, 1_024) };
  for (let known = from; ; known = await readOn(deps, scheduleId, known)) {
    if ((await decideOn(deps, refuseFiring, known, given)) !== 'conflict') return;
  }
}

async function wishOf(
  { blobs }: ScheduleDeps,
  scheduleId: string,
  { definition, dueAt, cause }: Firing & { readonly definition: ScheduleDefinition },
): Promise<object> {
  const { task, version, options, name } = definition;
  return {
    task_id: task.id,
    input: await blobs.get(definition.input),
    trace: options.trace,
    priority: options.priority,
    ...(options.timeout === null ? {} : { timeout: options.timeout }),
    ...(options.retry === null ? {} : { retry: options.retry }),
    ...(version === null ? {} : { version }),
    metadata: { schedule_id: scheduleId, schedule_name: name, scheduled_for: dueAt, trigger: cause },
  };
}

function metaOf({ runtime }: ScheduleDeps, state: ExistingSchedule): CommandMeta {
  const { scheduleId } = state;
  return {
    principal: schedulePrincipal(state),
    commandId: runtime.newId(),
    correlationId: scheduleId,
    causationId: scheduleId,
    traceparent: null,
    now: runtime.now(),
  };
}

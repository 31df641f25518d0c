/** What an operation is: one thing that can be asked, its input, and how it is carried out for a caller. */
import type { z } from 'zod';
import type { CommandMeta } from '../../commands/command.ts';
import type { ScheduleDeps } from '../../commands/define-schedule.ts';
import type { ExecuteDeps } from '../../commands/execute-task.ts';
import { keyedCommandId } from '../../commands/handle.ts';
import type { PublishDeps } from '../../commands/publish-task.ts';
import type { Query, QueryDeps } from '../../queries/query.ts';
import { authorize, type Permission, type Principal } from '../domain/access.ts';
import type { Debugging } from '../domain/debugging.ts';
import type { Diagnosis } from '../domain/diagnosis.ts';
import { isRatchetError } from '../domain/errors.ts';
import { type Position, START } from '../domain/event.ts';
import type { ExecutionSource, TerminalEvent } from '../domain/execution.ts';
import { canonicalJson } from '../domain/journal.ts';
import type { Profiling } from '../domain/profile.ts';
import type { Replays } from '../domain/replay.ts';
import type { SourceStatus } from '../domain/source-status.ts';
import type { Network } from '../ports/network.ts';
import type { RateLimits } from '../ports/rate-limits.ts';
import type { ProjectionProgress } from '../ports/read-store.ts';
import type { TaskTesting } from '../ports/task-testing.ts';
import type { Access } from './identity.ts';
import type { Counted } from './limit-answers.ts';
import { countOperation } from './operation-limits.ts';
import { assertPlainNames } from './plain-names.ts';
import { assertPosition, invalidRequest, namingField } from './problems.ts';
import { authorizeSubjects, type Subject, subjectsIn } from './task-access.ts';

/** What operations work with; `app.ts` puts it together. */
export interface Core {
  readonly execute: ExecuteDeps;
  readonly publish: PublishDeps;
  readonly schedules: ScheduleDeps;
  readonly query: QueryDeps;
  readonly progress: ProjectionProgress;
  readonly rateLimits: RateLimits;
  readonly access: Access;
  readonly wait: { readonly defaultSeconds: number; readonly maxSeconds: number };
  /** Waits for the end of an execution; null when it takes longer. One that was created just now can not have ended before. */
  awaitEnd(
    executionId: string,
    ms: number,
    createdNow: boolean,
  ): Promise<{ readonly event: TerminalEvent; readonly position: Position } | null>;
  readonly replays: Replays;
  readonly debugging: Debugging;
  readonly diagnosis: Diagnosis;
  readonly profiling: Profiling;
  readonly testing: TaskTesting;
  /** Senders that may start tasks, by the configuration. */
  readonly webhooks: readonly { readonly name: string; readonly task: string | null }[];
  readonly sources: {
    list(): readonly SourceStatus[];
    sync(name: string): Promise<SourceStatus>;
    request(name: string): void;
  };
  readonly network: Network;
  /** Events stored in a second, lately. */
  readonly eventRate: () => number;
  projections: { statuses(): readonly unknown[]; rebuild(names: readonly string[] | undefined): Promise<void> };
}

/** Who calls, and how the call arrived. */
export interface Caller {
  readonly principal: Principal;
  readonly source: ExecutionSource;
  /** Given by the client so that a repeated call is the same command. */
  readonly idempotencyKey: string | null;
  readonly traceparent: string | null;
  /** Answers must include everything up to this position. */
  readonly minPosition: Position;
  /** The last position that this surface has told: readers see what they wrote, unless the read models are far behind. */
  readonly seen: Position;
  /** Told what is left of a limit that this call was counted under. */
  readonly onCounted?: (counted: Counted) => void;
}

export interface Operation {
  readonly name: string;
  readonly kind: 'command' | 'query';
  readonly permission: Permission;
  readonly description: string;
  readonly input: z.ZodType;
  /** Parses the input and carries it out. Fails with `invalid_request` naming each field, or as the operation does. */
  readonly run: (core: Core, input: unknown, caller: Caller) => Promise<unknown>;
}

interface Definition<Input> extends Omit<Operation, 'input' | 'run'> {
  readonly input: z.ZodType<Input>;
  /** Tasks, executions and the like that the input is about, besides those in the fields that name one by themselves. */
  readonly about?: (input: Input) => readonly Subject[];
  readonly run: (core: Core, input: Input, caller: Caller) => Promise<unknown>;
}

function operation<Input>({ run, about, ...definition }: Definition<Input>): Operation {
  return {
    ...definition,
    run: async (core, input, caller) => {
      authorize(caller.principal, definition.permission, definition.name);
      await countOperation(core.rateLimits, caller.principal, definition.name, caller.onCounted);
      const parsed = parse(definition.input, input);
      await authorizeTasks(core, caller, [...subjectsIn(parsed), ...(about?.(parsed) ?? [])], definition.name);
      try {
        return await run(core, parsed, caller);
      } catch (error) {
        throw namingField(error, parsed);
      }
    },
  };
}

/** Fails with `permission_denied` when a subject belongs to a task that the caller may not touch. */
export function authorizeTasks(
  { execute, query, debugging }: Core,
  { principal }: Pick<Caller, 'principal'>,
  subjects: readonly Subject[],
  operation: string,
): Promise<void> {
  return authorizeSubjects({ directory: execute.directory, query, debugging }, principal, subjects, operation);
}

/** @returns the input in its form. Fails with `invalid_request` naming each field. */
export function parse<Input>(form: z.ZodType<Input>, input: unknown): Input {
  assertPlainNames(input);
  const parsed = form.safeParse(input, { reportInput: true });
  if (parsed.success) return parsed.data;
  throw invalidRequest(parsed.error.issues);
}

/** How long a query waits for the read models to reach the position it asked for. */
const REACH_MS = 10_000;
/** How long it waits for what was merely told on the same surface. */
const SEEN_MS = 500;
/** A row that was just written may not be there yet: one that is not found is looked for once more at the head. */
const NOT_FOUND = [
  'execution_not_found',
  'task_not_found',
  'replay_not_found',
  'schedule_not_found',
  'batch_not_found',
  'delivery_not_found',
  'not_found',
] as const;

/** An operation that answers from the read models, once they have reached what the caller has seen. */
export function query<Input, Output>({ read, ...definition }: Query<Input, Output>): Operation {
  return operation({
    ...definition,
    kind: 'query',
    run: async (core, input, caller) => {
      if (caller.minPosition !== START) await reachAsked(core, caller.minPosition);
      else await core.progress.reach(caller.seen, SEEN_MS).catch(() => undefined);
      try {
        return await read(core.query, input, caller.principal.tasks);
      } catch (error) {
        if (!NOT_FOUND.some((code) => isRatchetError(error, code))) throw error;
        await core.progress.reach(await core.query.store.head(), REACH_MS);
        return read(core.query, input, caller.principal.tasks);
      }
    },
  });
}

/** The log is asked too: what is no position at all is refused at once, instead of waited for. */
async function reachAsked(core: Core, position: Position): Promise<void> {
  await Promise.all([
    core.progress.reach(position, REACH_MS),
    assertPosition(core.query.store, position, 'min_position'),
  ]);
}

/** An operation that asks for something to be done. */
export function command<Input>({ run, ...definition }: Omit<Definition<Input>, 'kind'>): Operation {
  return operation({
    ...definition,
    kind: 'command',
    run: async (core, input, caller) => {
      try {
        return await run(core, input, caller);
      } catch (error) {
        if (!isRatchetError(error, 'task_not_found')) throw error;
        // Another node may have just made it.
        await core.execute.directory.reach(await core.query.store.head());
        return run(core, input, caller);
      }
    },
  });
}

/**
 * @returns the metadata of a command that `caller` sends now; it is the root of what follows from it. Under a key of the
 * client its id is a function of (operation, principal, key) and of `input`, so that another input under it is noticed.
 */
export function metaOf(core: Core, caller: Caller, operation: string, input: unknown): CommandMeta {
  const { runtime } = core.execute;
  const { principal, idempotencyKey, traceparent } = caller;
  const common = { principal, causationId: null, traceparent, now: runtime.now() };
  if (idempotencyKey === null) {
    const id = runtime.newId();
    return { ...common, commandId: id, correlationId: id };
  }
  const id = runtime.uuidOf(`${operation}\n${principal.id}\n${idempotencyKey}`);
  const requestHash = runtime.sha256(canonicalJson(JSON.parse(JSON.stringify(input))));
  return { ...common, commandId: keyedCommandId(id, requestHash), correlationId: id };
}

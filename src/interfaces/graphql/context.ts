/** What resolvers work with: who calls, how far answers must reach, and readings shared by sibling fields. */
import { executionsBy, executionsById, logsOf, replaysOf, spansOf, stepsOf } from '../../../queries/execution-batch.ts';
import { currentVersionsOf, tasksById } from '../../../queries/task.ts';
import { authorize, isAllowedTask, type Permission } from '../../domain/access.ts';
import { RatchetError } from '../../domain/errors.ts';
import { type Position, START } from '../../domain/event.ts';
import type { ExecutionStatus } from '../../domain/execution.ts';
import type { LogLevel } from '../../domain/journal.ts';
import type { Caller, Core, Operation } from '../operation.ts';
import { countOperation } from '../operation-limits.ts';
import { Batched } from './batched.ts';
import { record } from './values.ts';

/** The highest position that this listener has told. */
export interface Seen {
  position: Position;
}

export interface ContextOptions {
  readonly core: Core;
  readonly caller: Omit<Caller, 'seen'>;
  readonly seen: Seen;
  /** Aborted when nobody waits for the answer any more. */
  readonly controller: AbortController;
  /** Milliseconds since the epoch after which no operation is begun. */
  readonly deadline: number;
  /** State of all parts of the server. */
  readonly health: () => Promise<{ readonly status: string } & object>;
  readonly version: string;
}

/** How long the read models are waited for before answers about what a command has just stored. */
const REACH_MS = 10_000;
const SEEN_MS = 500;

export class GraphqlContext {
  readonly options: ContextOptions;
  /** Of the read models before anything was read; null where nobody asked. */
  startPosition: Position | null = null;
  /** Where a subscription goes on that was told the rest with others; null for all others. */
  readonly resumeAfter: Position | null;
  /** Whether a subscription tells what happens from now on, and where each of its events stands. */
  isFromNow = false;
  /** Of the event that a subscription told last. */
  told: Position = START;
  /** The last position that a command of this request has stored. */
  stored: Position = START;
  readonly executions;
  readonly tasks;
  readonly logs;
  readonly steps;
  readonly spans;
  readonly children;
  readonly executionsOfTask;
  readonly taskVersions;
  readonly replays;

  constructor(options: ContextOptions, resumeAfter: Position | null = null) {
    this.options = options;
    this.resumeAfter = resumeAfter;
    const { query } = options.core;
    const { tasks: patterns } = options.caller.principal;
    this.executions = new Batched(async (ids, _args: null) => {
      const found = await executionsById(query, ids);
      return new Map([...found].filter(([, { task_name }]) => isAllowedTask(patterns, task_name)));
    });
    this.tasks = new Batched(async (ids, _args: null) => {
      const found = await tasksById(query, ids);
      return new Map([...found].filter(([, { name }]) => isAllowedTask(patterns, name)));
    });
    this.logs = new Batched(async (ids, args: LogArgs) => {
      await this.#count('get_execution_logs', ids.length);
      return logsOf(query, ids, args);
    });
    this.steps = new Batched((ids, args: { attempt: number | null; first: number }) => stepsOf(query, ids, args));
    this.spans = new Batched((ids, args: { attempt: number | null; first: number }) => spansOf(query, ids, args));
    this.children = new Batched((ids, args: ExecutionArgs) => executionsBy(query, 'parent_id', ids, args));
    this.executionsOfTask = new Batched((ids, args: ExecutionArgs) => executionsBy(query, 'task_id', ids, args));
    this.taskVersions = new Batched((ids, _args: null) => currentVersionsOf(query, ids));
    this.replays = new Batched((ids, args: { first: number }) => replaysOf(query, ids, args));
  }

  get core(): Core {
    return this.options.core;
  }

  /** Aborts when nobody waits for the answer any more. */
  get signal(): AbortSignal {
    return this.options.controller.signal;
  }

  /** From now on every answer includes all events that are stored now. Fails as the log does. */
  async begin(): Promise<void> {
    this.startPosition = await this.core.query.store.head();
  }

  /** Fails with `permission_denied`. */
  authorize(permission: Permission, field: string): void {
    authorize(this.options.caller.principal, permission, field);
  }

  /** Runs the very operation that every surface runs. Fails as it does, and with `timeout` when the request takes too long. */
  async run(operation: Operation, input: object, keySuffix: string | null = null): Promise<unknown> {
    const { core, caller, seen, deadline } = this.options;
    if (core.execute.runtime.now() > deadline) {
      throw new RatchetError('timeout', `the request took too long: ${operation.name} was not begun`);
    }
    const { idempotencyKey } = caller;
    const key = idempotencyKey === null || keySuffix === null ? idempotencyKey : `${idempotencyKey}:${keySuffix}`;
    const minPosition = later(caller.minPosition, this.startPosition ?? START);
    const result = await operation.run(core, input, {
      ...caller,
      minPosition,
      idempotencyKey: key,
      seen: this.#known(),
    });
    const { position } = record(result);
    if (operation.kind === 'command' && typeof position === 'string') {
      if (position > this.stored) this.stored = position;
      if (position > seen.position) seen.position = position;
    }
    return result;
  }

  /** Lets nested fields see what this request has stored, or what the caller has seen. */
  async caughtUp(position: Position = START): Promise<void> {
    const { core, caller } = this.options;
    const wanted = [this.stored, caller.minPosition, this.startPosition ?? START].reduce(later, position);
    if (wanted !== START) await core.progress.reach(wanted, REACH_MS);
    else await core.progress.reach(this.#known(), SEEN_MS).catch(() => undefined);
  }

  #known(): Position {
    return later(this.options.seen.position, this.stored);
  }

  async #count(operation: string, times: number): Promise<void> {
    const { core, caller } = this.options;
    await countOperation(core.rateLimits, caller.principal, operation, caller.onCounted, times);
  }
}

function later(one: Position, other: Position): Position {
  return one > other ? one : other;
}

interface ExecutionArgs {
  readonly status: ExecutionStatus | null;
  readonly first: number;
}

interface LogArgs {
  readonly level: LogLevel;
  readonly search: string | null;
  readonly attempt: number | null;
  readonly first: number;
}

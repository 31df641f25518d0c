/**
 * One request for many executions, named by a filter: each is carried out as a command of its own, whose id follows from that
 * of the request; so the same request again does nothing twice.
 */
import { z } from 'zod';
import type { CommandMeta } from '../../commands/command.ts';
import { executeTask } from '../../commands/execute-task.ts';
import { cancelExecution } from '../../commands/execution.ts';
import { handle } from '../../commands/handle.ts';
import { requestBulk } from '../../commands/request-bulk.ts';
import { type ExecutionFilter, executionFilter, matchingExecutions } from '../../queries/execution.ts';
import type { BulkRequest } from '../domain/bulk.ts';
import { asRatchetError } from '../domain/errors.ts';
import { type Caller, type Core, command, metaOf, type Operation } from './operation.ts';
import { countOperation } from './operation-limits.ts';
import { retryOf } from './retry-execution.ts';

const MOST = 10_000;
/** Nothing more is begun after this many milliseconds; the same request again goes on. */
const DEADLINE_MS = 25_000;
/** Carried out at once. */
const AT_ONCE = 32;
const REACH_MS = 10_000;

const bulk = {
  ...executionFilter,
  limit: z.int().min(1).max(MOST).default(100).describe('The oldest so many.'),
  dry_run: z.boolean().default(true).describe('Only tell which are meant. False carries it out.'),
  reason: z.string().max(1024).optional(),
};

type States = Parameters<typeof matchingExecutions>[2];
const OPEN: States = ['pending', 'running', 'waiting'];
const ENDED: States = ['completed', 'failed', 'cancelled'];

interface Wish extends ExecutionFilter {
  readonly limit: number;
  readonly dry_run: boolean;
}

interface Undertaking<Done> {
  /** Executions that are meant where the wish names no status. */
  readonly states: States;
  /** Called before the first one is touched. */
  readonly begin: () => Promise<unknown>;
  readonly one: (executionId: string) => Promise<Done>;
}

/**
 * Carries an undertaking out for every execution that is meant, and tells what came of each.
 * Fails with `idempotency_mismatch`, before anything is done, for a key under which something else was asked.
 */
async function forEach<Done>(core: Core, wish: Wish, caller: Caller, { states, begin, one }: Undertaking<Done>) {
  // Whoever has just asked for an execution means it too.
  await core.progress.reach(await core.query.store.head(), REACH_MS);
  const found = await matchingExecutions(core.query, wish, states, wish.limit, caller.principal.tasks);
  const ids = found.slice(0, wish.limit);
  const matched = { dry_run: wish.dry_run, matched: ids.length, more: found.length > ids.length };
  if (wish.dry_run) return { ...matched, done: 0, left: ids.length, execution_ids: ids, results: [], failed: [] };
  await begin();
  const results: Done[] = [];
  const done: string[] = [];
  const failed: { execution_id: string; code: string; message: string }[] = [];
  const waiting = [...ids];
  const end = performance.now() + DEADLINE_MS;
  const work = async (): Promise<void> => {
    while (performance.now() < end) {
      const id = waiting.shift();
      if (id === undefined) return;
      try {
        results.push(await one(id));
        done.push(id);
      } catch (error) {
        const { code, message } = asRatchetError(error);
        failed.push({ execution_id: id, code, message });
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return { ...matched, done: done.length, left: waiting.length, execution_ids: done, results, failed };
}

/** The command of one execution within the request: the same again when the request comes again under its key. */
function metaFor(core: Core, request: CommandMeta, executionId: string): CommandMeta {
  const id = core.execute.runtime.uuidOf(`${request.correlationId}\n${executionId}`);
  const asked = request.commandId.slice(request.correlationId.length);
  return { ...request, commandId: `${id}${asked}`, correlationId: executionId, causationId: request.correlationId };
}

/** A key stands for the whole request, whatever executions it meant. */
function noteRequest({ execute }: Core, request: CommandMeta, { operation, reason }: Omit<BulkRequest, 'bulkId'>) {
  return handle(execute, requestBulk, { bulkId: request.correlationId, operation, reason }, request);
}

export const BULK_OPERATIONS: readonly Operation[] = [
  command({
    name: 'cancel_executions',
    permission: 'execute_tasks',
    description:
      'End all executions that a filter means and that have not ended; only tells them unless dry_run is false.',
    input: z.strictObject(bulk),
    run: async (core, input, caller) => {
      const request = metaOf(core, caller, 'cancel_executions', input);
      const reason = input.reason ?? null;
      return forEach(core, input, caller, {
        states: OPEN,
        begin: () => noteRequest(core, request, { operation: 'cancel', reason }),
        one: async (executionId) => {
          const meta = metaFor(core, request, executionId);
          const { state } = await handle(core.execute, cancelExecution, { executionId, reason }, meta);
          return { execution_id: executionId, status: state.status === 'running' ? 'cancelling' : state.status };
        },
      });
    },
  }),
  command({
    name: 'retry_executions',
    permission: 'execute_tasks',
    description:
      'Run all ended executions that a filter means again as new ones, failed ones when no status is named; only tells them unless dry_run is false.',
    input: z.strictObject({ ...bulk, same_version: z.boolean().default(false) }),
    run: async (core, input, caller) => {
      const request = metaOf(core, caller, 'retry_executions', input);
      const wish = { ...input, status: input.status ?? ('failed' as const) };
      const reason = input.reason ?? null;
      return forEach(core, wish, caller, {
        states: ENDED,
        begin: () => noteRequest(core, request, { operation: 'retry', reason }),
        one: async (original) => {
          // Each is an execution like any other, and counts as one.
          await countOperation(core.rateLimits, caller.principal, 'retry_execution', caller.onCounted);
          const again = await retryOf(core.execute, original, input.same_version, reason);
          const executionId = core.execute.runtime.uuidOf(`retry\n${request.correlationId}\n${original}`);
          const origin = { source: caller.source, parent: null, executionId };
          // Left open: each execution is the root of all that it causes.
          const meta = { ...metaFor(core, request, original), correlationId: '' };
          const { created } = await executeTask(core.execute, again, origin, meta);
          return { execution_id: executionId, original_execution: original, created };
        },
      });
    },
  }),
];

/** Limits of the MCP server on what one caller sends and on what all callers call; null where nothing is limited. */
import type { Principal, Rate } from '../../domain/access.ts';
import type { RateLimits } from '../../ports/rate-limits.ts';
import { assertAllowed } from '../limit-answers.ts';
import { record } from '../rest-request.ts';

export interface CallLimits {
  /** Messages of one caller. */
  readonly messages: Rate | null;
  /** Calls of tools, all callers together. */
  readonly calls: Rate | null;
  /** Executions that one caller starts, each item of a batch counted. */
  readonly executions: Rate | null;
  /** Batches that one caller starts. */
  readonly batches: Rate | null;
}

export const NO_CALL_LIMITS: CallLimits = { messages: null, calls: null, executions: null, batches: null };

/** Counts messages that have arrived. Fails with `rate_limited`. */
export async function countMessages(
  counts: RateLimits,
  { messages }: CallLimits,
  { id }: Principal,
  many: number,
): Promise<void> {
  await count(counts, 'mcp.rate_limit_per_minute', id, messages, many);
}

/** Counts a call of a tool: narrow limits before wide ones. Fails with `rate_limited`. */
export async function countCall(
  counts: RateLimits,
  limits: CallLimits,
  { id }: Principal,
  tool: string,
  args: unknown,
): Promise<void> {
  const executions = executionsIn(tool, args);
  if (tool === 'batch_execute') {
    await count(counts, 'mcp.security.rate_limiting.batch_execute_per_minute', id, limits.batches, 1);
  }
  if (executions > 0) {
    await count(counts, 'mcp.security.rate_limiting.execute_task_per_minute', id, limits.executions, executions);
  }
  await count(counts, 'mcp.security.rate_limiting.global_per_minute', '', limits.calls, 1);
}

/** Items of a batch that is malformed start nothing. */
function executionsIn(tool: string, args: unknown): number {
  if (tool === 'execute_task') return 1;
  if (tool !== 'batch_execute') return 0;
  const { tasks, requests } = record(args);
  const items = tasks ?? requests;
  return Array.isArray(items) ? items.length : 0;
}

async function count(counts: RateLimits, name: string, key: string, rate: Rate | null, cost: number): Promise<void> {
  if (rate === null) return;
  const limit = { ...rate, burst: null };
  assertAllowed({ name, limit, allowance: await counts.consume(`${name} ${key}`, limit, cost) });
}

/** Limits that a caller brings along, on operations: they hold on every surface, because they are counted where operations run. */
import type { CallerLimits, Principal } from '../domain/access.ts';
import type { RateLimits } from '../ports/rate-limits.ts';
import { assertAllowed, type Counted } from './limit-answers.ts';

/** The limit that counts each operation; those that are not named here are not counted. */
const COUNTED: ReadonlyMap<string, keyof CallerLimits> = new Map<string, keyof CallerLimits>([
  ['execute_task', 'executions'],
  ['create_execution', 'executions'],
  ['retry_execution', 'executions'],
  ['fork_execution', 'executions'],
  ['trigger_schedule', 'executions'],
  ['get_execution_logs', 'logs'],
]);

/**
 * Counts one call of an operation under the limits of its caller. Fails with `rate_limited`.
 *
 * @param onCounted told how much is left
 * @param times how many executions the call starts
 */
export async function countOperation(
  counts: RateLimits,
  { id, limits }: Pick<Principal, 'id' | 'limits'>,
  operation: string,
  onCounted: (counted: Counted) => void = () => undefined,
  times = 1,
): Promise<void> {
  const kind = COUNTED.get(operation);
  const rate = kind === undefined ? null : limits[kind];
  if (kind === undefined || rate === null) return;
  const name = `rate_limits.${kind}_per_minute of ${id}`;
  const limit = { ...rate, burst: null };
  const counted = { name, limit, allowance: await counts.consume(name, limit, times) };
  onCounted(counted);
  assertAllowed(counted);
}

/** Counts a run of tests under the limit of executions, each test as one. Fails with `rate_limited`. */
export async function countTests(
  counts: RateLimits,
  { principal, onCounted }: { readonly principal: Principal; readonly onCounted?: (counted: Counted) => void },
  tests: number,
): Promise<void> {
  if (tests > 0) await countOperation(counts, principal, 'execute_task', onCounted, tests);
}

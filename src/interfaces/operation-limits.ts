/** Limits that a caller brings along, on operations: they hold on every surface, because they are counted where operations run. */
import type { RateLimit, RateLimits } from '../ports/rate-limits.ts';
import { assertAllowed, type Counted } from './limit-answers.ts';

type Kind = 'executionsPerMinute' | 'logsPerMinute';

/** The limit that counts each operation; those that are not named here are not counted. */
const COUNTED: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  ['execute_task', 'executionsPerMinute'],
  ['create_execution', 'executionsPerMinute'],
  ['retry_execution', 'executionsPerMinute'],
  ['fork_execution', 'executionsPerMinute'],
  ['get_execution_logs', 'logsPerMinute'],
]);

const NAMES = { executionsPerMinute: 'executions_per_minute', logsPerMinute: 'logs_per_minute' } as const;

/** A principal, of whom only this counts. */
interface LimitedCaller {
  readonly id: string;
  readonly rateLimits?: Readonly<Record<Kind, Omit<RateLimit, 'burst'> | null>>;
}

/**
 * Counts one call of an operation under the limits of its caller. Fails with `rate_limited`.
 *
 * @param onCounted told how much is left
 * @param times how many executions the call starts
 */
export async function countOperation(
  counts: RateLimits,
  { id, rateLimits }: LimitedCaller,
  operation: string,
  onCounted: (counted: Counted) => void = () => undefined,
  times = 1,
): Promise<void> {
  const kind = COUNTED.get(operation);
  const rate = kind === undefined ? undefined : rateLimits?.[kind];
  if (kind === undefined || rate === undefined || rate === null) return;
  const name = `rate_limits.${NAMES[kind]} of ${id}`;
  const limit = { ...rate, burst: null };
  const counted = { name, limit, allowance: await counts.consume(name, limit, times) };
  onCounted(counted);
  assertAllowed(counted);
}

/** Whether and when a failed attempt is tried again: exponential backoff with jitter. */
import type { Failure, RetryPolicy } from './execution.ts';

/** Errors that can pass by themselves. */
export const PASSING_ERRORS: readonly string[] = [
  'NetworkError',
  'TimeoutError',
  'RateLimitError',
  'ServiceUnavailableError',
];

/**
 * @param failures attempts that failed before this one
 * @param random a number in [0, 1) that spreads the delay
 * @returns milliseconds to wait before the next attempt; null when there is none.
 */
export function retryDelay(policy: RetryPolicy, failures: number, failure: Failure, random: number): number | null {
  if (failures + 1 >= policy.maxAttempts) return null;
  const canPass = failure.code === 'sandbox_crashed' || (policy.on ?? PASSING_ERRORS).includes(failure.error.name);
  if (!canPass) return null;
  return backoff(policy, failures, random);
}

/** @returns milliseconds to wait after so many failures before this one; `random` in [0, 1) takes up to `jitter` of it away. */
export function backoff(
  { initialMs, factor, maxMs, jitter }: Pick<RetryPolicy, 'initialMs' | 'factor' | 'maxMs' | 'jitter'>,
  failures: number,
  random: number,
): number {
  const delay = Math.min(maxMs, initialMs * factor ** failures);
  return Math.round(delay * (1 - jitter * random));
}

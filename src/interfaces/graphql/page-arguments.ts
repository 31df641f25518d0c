/** Arguments of nested pages, held to the bounds that the lists themselves have. */
import { RatchetError } from '../../domain/errors.ts';
import type { ExecutionStatus } from '../../domain/execution.ts';
import { LOG_LEVELS, type LogLevel } from '../../domain/journal.ts';
import type { Entries } from './resolver.ts';

const MAX_PAGE = 1_000;
const STATUSES = ['pending', 'running', 'waiting', 'completed', 'failed', 'cancelled'] as const;

/** @returns how many rows are asked for. Fails with `invalid_request` outside 1 to 1,000. */
export function pageSize({ first }: Entries): number {
  if (typeof first === 'number' && first >= 1 && first <= MAX_PAGE) return first;
  const message = `1 to ${MAX_PAGE} are possible`;
  throw new RatchetError('invalid_request', `first: ${message}`, {
    details: { problems: [{ field: 'first', message }] },
  });
}

/** @returns the status asked for, null for any. The schema has checked it. */
export function statusOf({ status }: Entries): ExecutionStatus | null {
  return STATUSES.find((known) => known === status) ?? null;
}

/** @returns the least level asked for. The schema has checked it. */
export function levelOf({ level }: Entries): LogLevel {
  return LOG_LEVELS.find((known) => known === level) ?? 'trace';
}

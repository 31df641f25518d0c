/** Facts about requests for many executions at once, so that a key which stands for one can not be used for another. */
import type { Evolution, Fact } from './event.ts';

export interface BulkRequest {
  readonly bulkId: string;
  /** What is done to each execution. */
  readonly operation: 'cancel' | 'retry';
  readonly reason: string | null;
}

export type BulkEvent = Fact<'BulkRequested', BulkRequest>;

export const BULK_EVENT_TYPES = ['BulkRequested'] as const satisfies readonly BulkEvent['type'][];

export type BulkState = { readonly status: 'none' } | { readonly status: 'requested' };

export const bulk: Evolution<BulkState, BulkEvent> = {
  initial: { status: 'none' },
  evolve: () => ({ status: 'requested' }),
};

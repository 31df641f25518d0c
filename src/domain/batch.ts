/** Facts about batches: many executions asked for at once, some of which wait for the outputs of others. */
import { NO_LIMITS, type Permission, type Principal, type TaskPatterns } from './access.ts';
import type { Evolution, Fact, JsonObject } from './event.ts';
import type { ExecutionSource } from './execution.ts';
import type { Payload } from './payload.ts';

/** Items in one batch, and dependencies of all its items together. */
export const MAX_ITEMS = 1_000;
export const MAX_DEPENDENCIES = 5_000;

/** One execution that a batch asks for. */
export interface BatchItem {
  readonly id: string;
  /** Given before it starts, so that it can be asked about from the beginning. */
  readonly executionId: string;
  /** The version that was current when the batch was requested. */
  readonly task: { readonly id: string; readonly name: string; readonly version: number };
  /** Ids of items that must be completed before, those it refers to among them. */
  readonly dependsOn: readonly string[];
  /** Higher starts first. */
  readonly priority: number;
  /** Seconds that one attempt may run; null: as the task says. */
  readonly timeout: number | null;
}

/** Whoever asked for a batch: its items are executed in this name. */
export interface BatchCaller {
  readonly id: string;
  readonly kind: Principal['kind'];
  readonly name: string;
  readonly tasks: TaskPatterns;
}

export interface BatchRequest {
  readonly batchId: string;
  readonly items: readonly BatchItem[];
  /** Inputs as they were written, a list in the order of the items; references stand in them. */
  readonly inputs: Payload;
  /** Items at once; null: all that can. */
  readonly maxParallel: number | null;
  /** Whether the first item that does not complete ends all others. */
  readonly failFast: boolean;
  readonly metadata: JsonObject;
  readonly caller: BatchCaller;
  readonly source: ExecutionSource;
  readonly traceparent: string | null;
}

/** How an item ended. `skipped`: it never started. */
export type ItemOutcome = 'completed' | 'failed' | 'cancelled' | 'skipped';
/** How a batch ended. `failed`: not all items completed, and nobody cancelled it. */
export type BatchOutcome = 'completed' | 'failed' | 'cancelled';

export interface ItemEnd {
  readonly item: string;
  readonly outcome: ItemOutcome;
  /** Why it did not complete; null where its execution tells, and for one that completed. */
  readonly error: { readonly code: string; readonly message: string } | null;
}

export type BatchEvent =
  | Fact<'BatchRequested', BatchRequest>
  /** Decided before its execution is made; whoever comes after a crash makes it. */
  | Fact<'BatchItemStarted', { readonly item: string; readonly executionId: string }>
  | Fact<'BatchItemEnded', ItemEnd & { readonly executionId: string }>
  | Fact<'BatchCancelRequested', { readonly reason: string | null }>
  | Fact<'BatchEnded', { readonly outcome: BatchOutcome; readonly counts: Readonly<Record<ItemOutcome, number>> }>;

export type LaterBatchEvent = Exclude<BatchEvent, { type: 'BatchRequested' }>;

export const BATCH_EVENT_TYPES = [
  'BatchRequested',
  'BatchItemStarted',
  'BatchItemEnded',
  'BatchCancelRequested',
  'BatchEnded',
] as const satisfies readonly BatchEvent['type'][];

export type ItemStatus = 'pending' | 'running' | ItemOutcome;

export interface ExistingBatch {
  readonly status: 'running' | BatchOutcome;
  readonly request: BatchRequest;
  /** Of each item, by its id. */
  readonly statuses: ReadonlyMap<string, ItemStatus>;
  readonly cancelRequested: boolean;
}

export type BatchState = { readonly status: 'none' } | ExistingBatch;

export const batch: Evolution<BatchState, BatchEvent> = { initial: { status: 'none' }, evolve };

function evolve(state: BatchState, event: BatchEvent): BatchState {
  if (event.type === 'BatchRequested') {
    const statuses = new Map(event.data.items.map(({ id }) => [id, 'pending' as const]));
    return { status: 'running', request: event.data, statuses, cancelRequested: false };
  }
  return state.status === 'none' ? state : evolveExisting(state, event);
}

/** @returns a batch after a fact about it. */
function evolveExisting(state: ExistingBatch, event: LaterBatchEvent): ExistingBatch {
  switch (event.type) {
    case 'BatchItemStarted':
      return withStatus(state, event.data.item, 'running');
    case 'BatchItemEnded':
      return withStatus(state, event.data.item, event.data.outcome);
    case 'BatchCancelRequested':
      return { ...state, cancelRequested: true };
    case 'BatchEnded':
      return { ...state, status: event.data.outcome };
    default:
      return event satisfies never;
  }
}

function withStatus(state: ExistingBatch, item: string, status: ItemStatus): ExistingBatch {
  return { ...state, statuses: new Map(state.statuses).set(item, status) };
}

/** @returns how many items are in each state. */
export function countsOf({ statuses }: ExistingBatch): Readonly<Record<ItemStatus, number>> {
  const counts = { pending: 0, running: 0, completed: 0, failed: 0, cancelled: 0, skipped: 0 };
  for (const status of statuses.values()) counts[status] += 1;
  return counts;
}

/** @returns whether nothing more of it may start, and what runs is to end: it was cancelled, or the first failure ends it. */
export function isStopping(state: ExistingBatch): boolean {
  const hasFailed = [...state.statuses.values()].some((status) => status === 'failed' || status === 'cancelled');
  return state.cancelRequested || (state.request.failFast && hasFailed);
}

/** @returns the items that wait for others, each with the state of those it depends on, in the order they were asked for. */
export function pendingItems(
  state: ExistingBatch,
): readonly { item: BatchItem; dependencies: readonly ItemStatus[] }[] {
  return state.request.items
    .filter(({ id }) => state.statuses.get(id) === 'pending')
    .map((item) => ({ item, dependencies: item.dependsOn.map((id) => state.statuses.get(id) ?? 'pending') }));
}

/** @returns the principal that executes the items of a batch: its caller, who may do nothing else here. */
export function batchPrincipal({ caller }: BatchRequest): Principal {
  return { ...caller, permissions: new Set<Permission>(['execute_tasks']), limits: NO_LIMITS };
}

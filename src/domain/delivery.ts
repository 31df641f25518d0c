/** Facts about deliveries: the result of one execution on its way to one configured target, until it has arrived or is given up. */
import type { Evolution, Fact } from './event.ts';
import type { ExecutionStatus } from './execution.ts';
import { timeOf } from './time.ts';

/** The ends of an execution that can be told. */
export const RESULT_KINDS = ['completed', 'failed', 'cancelled'] as const satisfies readonly ExecutionStatus[];
export type ResultKind = (typeof RESULT_KINDS)[number];

/** Where a target leads to. */
export const TARGET_KINDS = ['webhook', 'file', 'stdout'] as const;
export type TargetKind = (typeof TARGET_KINDS)[number];

/** What is delivered, and to whom; the content itself stays in the execution's stream. */
export interface DeliveryRequest {
  readonly deliveryId: string;
  readonly executionId: string;
  readonly task: { readonly id: string; readonly name: string; readonly version: number };
  /** Name of the target in the configuration. */
  readonly target: string;
  readonly kind: TargetKind;
  readonly result: ResultKind;
  /** Version of the event that ended the execution, in the execution's stream. */
  readonly endVersion: number;
}

/** How one attempt came out. Never holds what was sent, an address beyond its host, or what the receiver said. */
export interface AttemptOutcome {
  readonly ok: boolean;
  /** HTTP status of the answer; null where none came, and for other targets than webhooks. */
  readonly status: number | null;
  /** Why it failed; null where it did not. */
  readonly error: string | null;
  readonly durationMs: number;
}

export interface DeliveryAttempt extends AttemptOutcome {
  /** From 1, through redeliveries. */
  readonly attempt: number;
  /** ISO time of the next one; null when none follows by itself. */
  readonly nextAttemptAt: string | null;
}

export type DeliveryEvent =
  | Fact<'DeliveryRequested', DeliveryRequest>
  /** The claim of a worker session: the append at the version that was read is what lets one node send. */
  | Fact<'DeliveryStarted', { readonly attempt: number; readonly worker: string }>
  | Fact<'DeliveryAttempted', DeliveryAttempt>
  | Fact<'Delivered', { readonly attempt: number }>
  | Fact<'DeliveryDeadLettered', { readonly attempt: number; readonly reason: string }>
  /** Somebody wants it tried again, from its first delay on. */
  | Fact<'RedeliveryRequested', { readonly reason: string | null }>;

export const DELIVERY_EVENT_TYPES = [
  'DeliveryRequested',
  'DeliveryStarted',
  'DeliveryAttempted',
  'Delivered',
  'DeliveryDeadLettered',
  'RedeliveryRequested',
] as const satisfies readonly DeliveryEvent['type'][];

/** `pending` waits for its next attempt, `sending` is claimed by a worker. */
export const DELIVERY_STATUSES = ['pending', 'sending', 'delivered', 'dead_lettered'] as const;
export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number];

export interface ExistingDelivery {
  readonly status: DeliveryStatus;
  readonly request: DeliveryRequest;
  /** Claims so far; the number of the last one fences those before it. */
  readonly claims: number;
  /** Who sends it now; null when nobody does. */
  readonly worker: string | null;
  readonly attempts: readonly DeliveryAttempt[];
  /** Attempts that failed since it was requested, or requested again. */
  readonly failures: number;
  /** While pending: not tried before; null: at once. */
  readonly nextAttemptAt: string | null;
}

export type DeliveryState = { readonly status: 'none' } | ExistingDelivery;

export const delivery: Evolution<DeliveryState, DeliveryEvent> = { initial: { status: 'none' }, evolve };

function evolve(state: DeliveryState, event: DeliveryEvent): DeliveryState {
  if (event.type === 'DeliveryRequested') {
    const fresh = { claims: 0, worker: null, attempts: [], failures: 0, nextAttemptAt: null } as const;
    return { status: 'pending', request: event.data, ...fresh };
  }
  if (state.status === 'none') return state;
  switch (event.type) {
    case 'DeliveryStarted':
      return { ...state, status: 'sending', claims: event.data.attempt, worker: event.data.worker };
    case 'DeliveryAttempted': {
      const { ok, nextAttemptAt } = event.data;
      const attempts = [...state.attempts, event.data];
      const failures = state.failures + (ok ? 0 : 1);
      return { ...state, status: 'pending', worker: null, attempts, failures, nextAttemptAt };
    }
    case 'Delivered':
      return { ...state, status: 'delivered', nextAttemptAt: null };
    case 'DeliveryDeadLettered':
      return { ...state, status: 'dead_lettered', nextAttemptAt: null };
    case 'RedeliveryRequested':
      return { ...state, status: 'pending', failures: 0, nextAttemptAt: null };
    default:
      return event satisfies never;
  }
}

/**
 * @returns the id of the delivery of an execution's result to a target: always the same for the two, so that it is made once
 * whoever finds out. It holds no full stop, as the signature of a webhook asks.
 */
export function deliveryIdOf(executionId: string, target: string): string {
  return `${executionId}_${target}`;
}

/** @returns whether it may be claimed: its time has come, or whoever sends it is the given session, which is gone. */
export function mayStart(state: ExistingDelivery, now: number, takeOverFrom: string | null): boolean {
  if (state.status === 'sending') return takeOverFrom !== null && state.worker === takeOverFrom;
  return state.status === 'pending' && (state.nextAttemptAt === null || timeOf(state.nextAttemptAt) <= now);
}

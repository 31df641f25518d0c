/** What may be asked of a delivery, and what a worker may record about it; each answer as facts. */
import { z } from 'zod';
import {
  type AttemptOutcome,
  type DeliveryEvent,
  type DeliveryRequest,
  type DeliveryState,
  delivery,
  type ExistingDelivery,
  mayStart,
} from '../src/domain/delivery.ts';
import { RatchetError } from '../src/domain/errors.ts';
import { streamName } from '../src/domain/event.ts';
import type { Patience, ResultTargets } from '../src/domain/result-target.ts';
import { backoff } from '../src/domain/retry.ts';
import { isoTime } from '../src/domain/time.ts';
import { defineCommand } from './command.ts';

/** Requests made by our own code are typed; what users send is parsed where it comes in. */
const trusted = <T>(): z.ZodType<T> => z.custom<T>((value) => typeof value === 'object' && value !== null);

const common = {
  stream: ({ deliveryId }: { readonly deliveryId: string }) => streamName('delivery', deliveryId),
  evolution: delivery,
} as const;

/** What workers do, they do for the executions they run. */
const byWorker = { ...common, permission: 'execute_tasks', name: 'deliver_result' } as const;

/** Asks for a delivery; once there, it stays as it was asked for. */
export const requestDelivery = defineCommand<DeliveryRequest, DeliveryState, DeliveryEvent>({
  ...byWorker,
  input: trusted(),
  decide: (state, request) => (state.status === 'none' ? [{ type: 'DeliveryRequested', data: request }] : []),
});

export interface StartDeliveryInput {
  readonly deliveryId: string;
  /** Worker session that sends it. */
  readonly worker: string;
  /** A session that sent it and is gone; null: only one that nobody sends is claimed. */
  readonly takeOverFrom: string | null;
}

/** Claims a delivery that is due: one winner, because the append is at the version that was read. Not due: no fact. */
export const startDelivery = defineCommand<StartDeliveryInput, DeliveryState, DeliveryEvent>({
  ...byWorker,
  input: trusted(),
  decide: (state, { deliveryId, worker, takeOverFrom }, { now }) => {
    const existing = known(state, deliveryId);
    if (!mayStart(existing, now, takeOverFrom)) return [];
    return [{ type: 'DeliveryStarted', data: { attempt: existing.claims + 1, worker } }];
  },
});

/** What came of an attempt, as far as the next step depends on it. */
export interface AttemptReport extends AttemptOutcome {
  /** Whether trying again can not help. */
  readonly isFinal: boolean;
  /** Milliseconds that the receiver asks to be left alone; null: it did not say. */
  readonly retryAfterMs: number | null;
}

export interface RecordAttemptInput {
  readonly deliveryId: string;
  /** The claim under which it was sent. */
  readonly attempt: number;
  readonly report: AttemptReport;
  readonly patience: Patience;
  /** In [0, 1). */
  readonly random: number;
}

const GROWTH = { factor: 4, jitter: 0.2 } as const;

/** Records what came of an attempt, and when the next one is. A claim that was taken over records nothing. */
export const recordAttempt = defineCommand<RecordAttemptInput, DeliveryState, DeliveryEvent>({
  ...byWorker,
  input: trusted(),
  decide: (state, { deliveryId, attempt, report, patience, random }, { now }) => {
    const existing = known(state, deliveryId);
    if (existing.status !== 'sending' || existing.claims !== attempt) return [];
    const { isFinal, retryAfterMs, ...outcome } = report;
    const attempted = (nextAttemptAt: string | null): DeliveryEvent => {
      return { type: 'DeliveryAttempted', data: { attempt, ...outcome, nextAttemptAt } };
    };
    if (report.ok) return [attempted(null), { type: 'Delivered', data: { attempt } }];
    if (isFinal || existing.failures + 1 >= patience.maxAttempts) {
      const reason = isFinal ? 'it can not be delivered' : `${existing.failures + 1} attempts failed`;
      return [attempted(null), { type: 'DeliveryDeadLettered', data: { attempt, reason } }];
    }
    const { initialDelayMs: initialMs, maxDelayMs: maxMs } = patience;
    const own = backoff({ initialMs, maxMs, ...GROWTH }, existing.failures, random);
    const delay = Math.min(maxMs, Math.max(own, retryAfterMs ?? 0));
    return [attempted(isoTime(now + delay))];
  },
});

export interface RedeliverInput {
  readonly deliveryId: string;
  readonly reason: string | null;
  readonly targets: ResultTargets;
}

/**
 * Has a delivery tried again at once and as patiently as at first: one that was given up, that waits, or that had arrived.
 * It repeats what happens in systems that belong to whoever runs the server, not to whoever ran the task.
 */
export const redeliver = defineCommand<RedeliverInput, DeliveryState, DeliveryEvent>({
  ...common,
  name: 'redeliver',
  permission: 'administer',
  input: trusted(),
  decide: (state, { deliveryId, reason, targets }) => {
    const { status, request } = known(state, deliveryId);
    const { target } = request;
    if (status === 'sending') {
      throw new RatchetError('delivery_running', `the delivery ${deliveryId} is being sent`, {
        details: { deliveryId },
      });
    }
    if (!targets.has(target)) {
      throw new RatchetError('result_target_not_found', `the target ${target} is no longer configured`, {
        details: { deliveryId, target },
      });
    }
    return [{ type: 'RedeliveryRequested', data: { reason } }];
  },
});

/** @returns the state of a delivery that exists. Fails with `delivery_not_found`. */
function known(state: DeliveryState, deliveryId: string): ExistingDelivery {
  if (state.status !== 'none') return state;
  throw new RatchetError('delivery_not_found', `there is no delivery ${deliveryId}`, { details: { deliveryId } });
}

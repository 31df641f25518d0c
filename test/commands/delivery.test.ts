import { describe, expect, it } from 'vitest';
import {
  type AttemptReport,
  recordAttempt,
  redeliver,
  requestDelivery,
  startDelivery,
} from '../../commands/delivery.ts';
import type { AttemptOutcome, DeliveryEvent, DeliveryRequest } from '../../src/domain/delivery.ts';
import type { ResultTarget } from '../../src/domain/result-target.ts';
import { given, NOW } from '../support/given.ts';

const REQUEST: DeliveryRequest = {
  deliveryId: 'e1_shop',
  executionId: 'e1',
  task: { id: 't1', name: 'report', version: 1 },
  target: 'shop',
  kind: 'webhook',
  result: 'completed',
  endVersion: 2,
};
const at = (ms: number): string => new Date(NOW + ms).toISOString();
const requested: DeliveryEvent = { type: 'DeliveryRequested', data: REQUEST };
const started = (attempt = 1, worker = 'w1'): DeliveryEvent => ({ type: 'DeliveryStarted', data: { attempt, worker } });
const ANSWERED: AttemptOutcome = { ok: false, status: 500, error: 'the receiver answered 500', durationMs: 7 };
const failed = (attempt: number, nextAttemptAt: string | null): DeliveryEvent => ({
  type: 'DeliveryAttempted',
  data: { attempt, ...ANSWERED, nextAttemptAt },
});
const arrived = (attempt: number): DeliveryEvent[] => [
  {
    type: 'DeliveryAttempted',
    data: { attempt, ok: true, status: 204, error: null, durationMs: 7, nextAttemptAt: null },
  },
  { type: 'Delivered', data: { attempt } },
];
const dead = (attempt: number): DeliveryEvent => ({
  type: 'DeliveryDeadLettered',
  data: { attempt, reason: '3 attempts failed' },
});

const FAILURE: AttemptReport = { ...ANSWERED, isFinal: false, retryAfterMs: null };
const record = (attempt: number, more: Partial<AttemptReport> = {}, random = 0) => ({
  deliveryId: 'e1_shop',
  attempt,
  report: { ...FAILURE, ...more },
  patience: { maxAttempts: 3, initialDelayMs: 1_000, maxDelayMs: 3_000 },
  random,
});

describe('asking for a delivery', () => {
  it('is done once', () => {
    given(requestDelivery).when(REQUEST).then(requested);
    given(requestDelivery, [requested]).when(REQUEST).thenNothing();
  });
});

describe('claiming a delivery', () => {
  const claim = { deliveryId: 'e1_shop', worker: 'w2', takeOverFrom: null };
  it('succeeds for one that waits and whose time has come', () => {
    given(startDelivery, [requested]).when(claim).then(started(1, 'w2'));
    given(startDelivery, [requested, started(), failed(1, at(0))])
      .when(claim)
      .then(started(2, 'w2'));
  });
  it.each<[string, DeliveryEvent[]]>([
    ['whose next attempt is to come', [started(), failed(1, at(1))]],
    ['that somebody sends', [started()]],
    ['that has arrived', [started(), ...arrived(1)]],
    ['that was given up', [started(), failed(1, null), dead(1)]],
  ])('does nothing to one %s', (_, past) => {
    given(startDelivery, [requested, ...past])
      .when(claim)
      .thenNothing();
  });
  it('takes over from a session that is gone, and from no other', () => {
    const past = [requested, started(1, 'w1')];
    given(startDelivery, past)
      .when({ ...claim, takeOverFrom: 'w1' })
      .then(started(2, 'w2'));
    given(startDelivery, past)
      .when({ ...claim, takeOverFrom: 'w0' })
      .thenNothing();
  });
  it('fails for one that is not there', () => {
    given(startDelivery).when(claim).thenFails('delivery_not_found');
  });
});

describe('what came of an attempt', () => {
  it('that arrived ends the delivery', () => {
    given(recordAttempt, [requested, started()])
      .when(record(1, { ok: true, status: 204, error: null }))
      .then(...arrived(1));
  });
  it('that failed names the next one, each pause four times as long up to the longest', () => {
    given(recordAttempt, [requested, started()])
      .when(record(1))
      .then(failed(1, at(1_000)));
    given(recordAttempt, [requested, started(), failed(1, at(0)), started(2)])
      .when(record(2))
      .then(failed(2, at(3_000)));
  });
  it('is spread by chance, so that not all come back at once', () => {
    given(recordAttempt, [requested, started()])
      .when(record(1, {}, 0.5))
      .then(failed(1, at(900)));
  });
  it.each([
    ['longer than our own pause is kept to', 2_000, 2_000],
    ['shorter than our own pause changes nothing', 10, 1_000],
    ['beyond the longest pause is cut', 60_000, 3_000],
  ])('a wish to be left alone %s', (_, retryAfterMs, pause) => {
    given(recordAttempt, [requested, started()])
      .when(record(1, { retryAfterMs }))
      .then(failed(1, at(pause)));
  });
  it('that was the last one makes a dead letter', () => {
    const past = [requested, started(), failed(1, at(0)), started(2), failed(2, at(0)), started(3)];
    given(recordAttempt, past).when(record(3)).then(failed(3, null), dead(3));
  });
  it('that no further one can better makes a dead letter at once', () => {
    given(recordAttempt, [requested, started()])
      .when(record(1, { isFinal: true }))
      .thenTypes('DeliveryAttempted', 'DeliveryDeadLettered');
  });
  it('whose claim was taken over is not recorded', () => {
    given(recordAttempt, [requested, started(), started(2, 'w2')])
      .when(record(1))
      .thenNothing();
  });
  it('that a crash hid does not count as failed', () => {
    const past = [requested, started(), started(2), failed(2, at(0)), started(3), failed(3, at(0)), started(4)];
    given(recordAttempt, past).when(record(4)).thenTypes('DeliveryAttempted', 'DeliveryDeadLettered');
    given(recordAttempt, past.slice(0, 5)).when(record(3)).thenTypes('DeliveryAttempted');
  });
});

describe('delivering again', () => {
  const targets = new Map<string, ResultTarget>([
    [
      'shop',
      {
        name: 'shop',
        events: ['completed'],
        tasks: ['*'],
        onRequest: false,
        patience: { maxAttempts: 3, initialDelayMs: 1_000, maxDelayMs: 3_000 },
        maxValueBytes: 1_000,
        reach: { kind: 'stdout' },
      },
    ],
  ]);
  const again = { deliveryId: 'e1_shop', reason: 'repaired', targets };
  const wanted: DeliveryEvent = { type: 'RedeliveryRequested', data: { reason: 'repaired' } };
  const lost = [requested, started(), failed(1, null), dead(1)];

  it.each<[string, DeliveryEvent[]]>([
    ['was given up', lost],
    ['has arrived', [requested, started(), ...arrived(1)]],
    ['waits', [requested, started(), failed(1, at(60_000))]],
  ])('is done for one that %s', (_, past) => {
    given(redeliver, past).when(again).then(wanted);
  });
  it('makes it due at once, with all its attempts before it, numbered on', () => {
    const past = [...lost, wanted];
    given(startDelivery, past).when({ deliveryId: 'e1_shop', worker: 'w1', takeOverFrom: null }).then(started(2));
    given(recordAttempt, [...past, started(2)])
      .when(record(2))
      .then(failed(2, at(1_000)));
  });
  it('is refused while it is being sent, and where its target is gone', () => {
    given(redeliver, [requested, started()]).when(again).thenFails('delivery_running');
    given(redeliver, lost)
      .when({ ...again, targets: new Map() })
      .thenFails('result_target_not_found');
    given(redeliver).when(again).thenFails('delivery_not_found');
  });
  it('asks for a permission that runners of tasks do not have', () => {
    expect(redeliver.permission).toBe('administer');
  });
});

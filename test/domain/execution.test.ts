import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  chainRoot,
  type ExecutionEvent,
  type ExistingExecution,
  entriesBeforeFailure,
  execution,
  journalOf,
  NO_RETRY,
  telemetryChain,
} from '../../src/domain/execution.ts';
import { canonicalJson } from '../../src/domain/journal.ts';
import { retryDelay } from '../../src/domain/retry.ts';
import { traceParent, traceParentHeader } from '../../src/domain/trace.ts';
import { plainError } from '../../src/reactors/perform-steps.ts';
import { attemptFailed, requested, start, started, stepEnd } from '../support/facts.ts';

function fold(...events: ExecutionEvent[]): ExistingExecution {
  const state = events.reduce(execution.evolve, execution.initial);
  if (state.status === 'none') throw new Error('no execution');
  return state;
}

const step = (path: string, attempt: number, ok = true): ExecutionEvent => ({
  type: 'StepCompleted',
  data: stepEnd({
    path,
    attempt,
    outcome: ok ? { ok: true, value: { value: path } } : { ok: false, error: plainError('NetworkError', 'gone') },
  }),
});

describe('the journal of an attempt', () => {
  it('holds its own outcomes in stored order', () => {
    const state = fold(requested, started, step('1', 1), step('2', 1));
    expect(journalOf(state, 1).map(({ path }) => path)).toEqual(['1', '2']);
  });
  it('of a resume begins with the journal it goes on from', () => {
    const resumed: ExecutionEvent = {
      type: 'ExecutionStarted',
      data: start({ attempt: 2, mode: 'resume', journalFrom: 1 }),
    };
    const state = fold(requested, started, step('1', 1), resumed, step('2', 2));
    expect(journalOf(state, 2).map(({ path }) => path)).toEqual(['1', '2']);
    expect(chainRoot(state, 2)?.attempt).toBe(1);
    expect([...telemetryChain(state, 2)]).toEqual([1, 2]);
  });
  it('of a retry is empty, unless outcomes before the failure are kept', () => {
    const failed = [requested, started, step('1', 1), step('2', 1, false), attemptFailed];
    const fresh: ExecutionEvent = { type: 'ExecutionStarted', data: start({ attempt: 2 }) };
    expect(journalOf(fold(...failed, fresh), 2)).toEqual([]);
    const keep = entriesBeforeFailure(journalOf(fold(...failed), 1));
    const kept: ExecutionEvent = { type: 'ExecutionStarted', data: start({ attempt: 2, journalFrom: 1, keep }) };
    const state = fold(...failed, kept, step('2', 2));
    expect(journalOf(state, 2).map(({ path, attempt }) => [path, attempt])).toEqual([
      ['1', 1],
      ['2', 2],
    ]);
    expect([...telemetryChain(state, 2)]).toEqual([2]);
  });
});

describe('canonical JSON', () => {
  it('is equal for values that differ only in the order of keys', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (object) => {
        const turned = Object.fromEntries(Object.entries(object).reverse());
        expect(canonicalJson(turned as never)).toBe(canonicalJson(object as never));
        expect(JSON.parse(canonicalJson(object as never))).toEqual(JSON.parse(JSON.stringify(object)));
      }),
    );
  });
});

describe('the delay before a retry', () => {
  const failure = { code: 'task_failed', error: plainError('NetworkError', 'gone') };
  const policy = { ...NO_RETRY, maxAttempts: 4, initialMs: 100, factor: 2, maxMs: 300, jitter: 0.5 };
  it('grows exponentially up to its cap', () => {
    expect([0, 1, 2].map((failures) => retryDelay(policy, failures, failure, 0))).toEqual([100, 200, 300]);
  });
  it('is spread by jitter, never longer than without', () => {
    expect(retryDelay(policy, 0, failure, 0.999)).toBeGreaterThanOrEqual(50);
    expect(retryDelay(policy, 0, failure, 0.999)).toBeLessThan(100);
  });
  it('is none after the last attempt, or for an error that does not pass by itself', () => {
    expect(retryDelay(policy, 3, failure, 0)).toBeNull();
    expect(retryDelay(policy, 0, { code: 'task_failed', error: plainError('TypeError', 'x is null') }, 0)).toBeNull();
  });
  it('follows the names that the policy lists', () => {
    expect(
      retryDelay({ ...policy, on: ['TypeError'] }, 0, { code: 'task_failed', error: plainError('TypeError', 'x') }, 0),
    ).toBe(100);
    expect(retryDelay({ ...policy, on: ['TypeError'] }, 0, failure, 0)).toBeNull();
  });
});

describe('trace context', () => {
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
  const spanId = '00f067aa0ba902b7';
  it('is read from a header and written back', () => {
    expect(traceParent(traceParentHeader(traceId, spanId))).toEqual({ traceId, spanId });
  });
  it.each([
    '',
    'x',
    `00-${'0'.repeat(32)}-${spanId}-01`,
    `ff-${traceId}-${spanId}-01`,
    `00-${traceId}-${'0'.repeat(16)}-01`,
  ])('ignores the malformed header %j', (header) => expect(traceParent(header)).toBeNull());
});

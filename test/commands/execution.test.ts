import { describe, it } from 'vitest';
import { cancelExecution, requestExecution, startAttempt } from '../../commands/execution.ts';
import type { ExecutionEvent } from '../../src/domain/execution.ts';
import { attemptFailed, completed, request, requested, start, started } from '../support/facts.ts';
import { given, NOW } from '../support/given.ts';

const cancel = { executionId: 'e1', reason: 'enough' };
const asked: ExecutionEvent = { type: 'ExecutionCancelRequested', data: { reason: 'enough' } };

describe('requesting an execution', () => {
  it('stores the request', () => {
    given(requestExecution).when({ request: request(), started: null }).then(requested);
  });
  it('stores the request and its start together when a worker is idle', () => {
    given(requestExecution).when({ request: request(), started: start() }).then(requested, started);
  });
  it('is the same execution when the same request comes again', () => {
    given(requestExecution, [requested]).when({ request: request(), started: null }).thenNothing();
  });
  it('refuses another request under the same key', () => {
    const other = request({ requestHash: 'request-2' });
    given(requestExecution, [requested]).when({ request: other, started: null }).thenFails('idempotency_mismatch');
  });
});

describe('cancelling an execution', () => {
  it('ends a pending one at once', () => {
    given(cancelExecution, [requested]).when(cancel).thenTypes('ExecutionCancelRequested', 'ExecutionCancelled');
  });
  it('asks the worker of a running one, once', () => {
    given(cancelExecution, [requested, started]).when(cancel).then(asked);
    given(cancelExecution, [requested, started, asked]).when(cancel).thenNothing();
  });
  it('ends one that waits for a retry', () => {
    given(cancelExecution, [requested, started, attemptFailed])
      .when(cancel)
      .thenTypes('ExecutionCancelRequested', 'ExecutionCancelled');
  });
  it('refuses one that has ended', () => {
    given(cancelExecution, [requested, started, completed]).when(cancel).thenFails('execution_finished');
  });
  it('refuses one that does not exist', () => {
    given(cancelExecution).when(cancel).thenFails('execution_not_found');
  });
});

describe('claiming an execution', () => {
  const claim = { executionId: 'e1', start: start(), takeOverFrom: null };
  it('starts a pending one', () => {
    given(startAttempt, [requested]).when(claim).then(started);
  });
  it('does not start one that another worker runs', () => {
    given(startAttempt, [requested, started])
      .when({ ...claim, start: start({ attempt: 2 }) })
      .thenFails('version_conflict');
  });
  it('takes over from a worker that has gone', () => {
    const resume = start({ attempt: 2, mode: 'resume', journalFrom: 1, worker: 'w2' });
    given(startAttempt, [requested, started])
      .when({ ...claim, start: resume, takeOverFrom: 'w1' })
      .then({ type: 'ExecutionStarted', data: resume });
  });
  it('does not start a delayed one before its time', () => {
    const { options } = request();
    const later: ExecutionEvent = {
      type: 'ExecutionRequested',
      data: request({ options: { ...options, runAt: new Date(NOW + 1).toISOString() } }),
    };
    given(startAttempt, [later]).when(claim).thenFails('version_conflict');
    given(startAttempt, [later])
      .when(claim, { now: NOW + 1 })
      .then(started);
  });
  it('starts the next attempt when the time of the retry has come', () => {
    const second = start({ attempt: 2 });
    given(startAttempt, [requested, started, attemptFailed])
      .when({ ...claim, start: second })
      .thenFails('version_conflict');
    given(startAttempt, [requested, started, attemptFailed])
      .when({ ...claim, start: second }, { now: NOW + 1_000 })
      .then({ type: 'ExecutionStarted', data: second });
  });
  it('cancels instead of starting when that was asked before', () => {
    given(startAttempt, [requested, started, asked])
      .when({ ...claim, start: start({ attempt: 2 }), takeOverFrom: 'w1' })
      .thenTypes('ExecutionCancelled');
  });
  it('cancels one that was asked to end while it parked, without waiting for its time', () => {
    const waiting: ExecutionEvent = {
      type: 'ExecutionWaiting',
      data: { attempt: 1, reason: 'sleep', until: new Date(NOW + 3_600_000).toISOString() },
    };
    given(startAttempt, [requested, started, asked, waiting])
      .when({ ...claim, start: start({ attempt: 2 }) })
      .thenTypes('ExecutionCancelled');
  });
  it('never starts a finished one', () => {
    given(startAttempt, [requested, started, completed])
      .when({ ...claim, start: start({ attempt: 2 }) })
      .thenFails('version_conflict');
  });
});

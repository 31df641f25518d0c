import { describe, it } from 'vitest';
import { answerQuestion, cancelExecution, requestExecution, startAttempt } from '../../commands/execution.ts';
import type { ExecutionEvent } from '../../src/domain/execution.ts';
import { attemptFailed, completed, request, requested, start, started, stepEnd } from '../support/facts.ts';
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

describe('requesting a fork', () => {
  it('stores the outcomes it keeps between the request and anything else, as those of no attempt', () => {
    const kept = stepEnd({ path: '1', attempt: 3 });
    given(requestExecution)
      .when({ request: request(), started: null, inherited: [kept] })
      .then(requested, { type: 'StepInherited', data: { ...kept, attempt: 0 } });
  });
});

describe('answering a question', () => {
  const question = (path: string): ExecutionEvent => ({
    type: 'StepStarted',
    data: {
      attempt: 1,
      path,
      kind: 'ask',
      name: 'Shall we?',
      argsHash: 'a',
      request: { value: { question: 'Shall we?', schema: true } },
      turn: 1,
      clock: NOW,
    },
  });
  const parked: ExecutionEvent = { type: 'ExecutionWaiting', data: { attempt: 1, reason: 'input', until: null } };
  const answer = { executionId: 'e1', path: null, answer: { value: 'yes' } };
  const answered = (path: string): ExecutionEvent => ({
    type: 'QuestionAnswered',
    data: { attempt: 1, path, answer: { value: 'yes' } },
  });
  const claim = { executionId: 'e1', start: start({ attempt: 2, mode: 'resume', journalFrom: 1 }), takeOverFrom: null };

  it('answers the only one that is open', () => {
    given(answerQuestion, [requested, started, question('2'), parked])
      .when(answer)
      .then(answered('2'));
  });
  it('answers the one that is named', () => {
    given(answerQuestion, [requested, started, question('1'), question('2'), parked])
      .when({ ...answer, path: '2' })
      .then(answered('2'));
  });
  it('refuses to guess between several', () => {
    given(answerQuestion, [requested, started, question('1'), question('2')])
      .when(answer)
      .thenFails('no_open_question');
  });
  it('refuses a second answer, one to no question, and one to an execution that has ended', () => {
    given(answerQuestion, [requested, started, question('1'), answered('1')])
      .when(answer)
      .thenFails('no_open_question');
    given(answerQuestion, [requested, started]).when(answer).thenFails('no_open_question');
    given(answerQuestion, [requested, started, question('1'), completed])
      .when(answer)
      .thenFails('no_open_question');
    given(answerQuestion).when(answer).thenFails('execution_not_found');
  });
  it('refuses an answer to a question of an attempt that was given up', () => {
    const again: ExecutionEvent = { type: 'ExecutionStarted', data: start({ attempt: 2 }) };
    given(answerQuestion, [requested, started, question('1'), attemptFailed, again])
      .when(answer)
      .thenFails('no_open_question');
  });
  it('is refused while a failed attempt waits to be tried again, which stays so until its time', () => {
    const failed = [requested, started, question('1'), attemptFailed];
    given(answerQuestion, failed).when(answer).thenFails('no_open_question');
    given(startAttempt, [...failed, answered('1')])
      .when({ ...claim, start: start({ attempt: 2 }) })
      .thenFails('version_conflict');
  });
  it('lets the execution go on, and nothing else does, however long it takes', () => {
    const asks = [requested, started, question('1'), parked];
    given(startAttempt, asks)
      .when(claim, { now: NOW + 1e12 })
      .thenFails('version_conflict');
    given(startAttempt, [...asks, answered('1')])
      .when(claim)
      .thenTypes('ExecutionStarted');
  });
  it('that came while the attempt still ran lets it go on as soon as it waits', () => {
    given(startAttempt, [requested, started, question('1'), answered('1'), parked])
      .when(claim)
      .thenTypes('ExecutionStarted');
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

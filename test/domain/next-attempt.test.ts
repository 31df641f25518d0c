import { expect, test } from 'vitest';
import {
  type ExecutionEvent,
  type ExistingExecution,
  execution,
  INHERITED,
  NO_RETRY,
} from '../../src/domain/execution.ts';
import { type AttemptBirth, nextStart } from '../../src/domain/next-attempt.ts';
import { attemptFailed, request, requested, start, started, stepEnd } from '../support/facts.ts';

const BIRTH: AttemptBirth = { worker: 'w9', node: 'v26', clock: 9_000, seed: 'fresh' };
const FORK = { executionId: 'e0', attempt: 2, step: '3', kept: 2, clock: 500, seed: 'forked' };

function after(...events: ExecutionEvent[]): ExistingExecution {
  const state = events.reduce(execution.evolve, execution.initial);
  if (state.status === 'none') throw new Error('no execution');
  return state;
}

const failedStep: ExecutionEvent = {
  type: 'StepCompleted',
  data: stepEnd({
    path: '1',
    attempt: 1,
    outcome: { ok: false, error: { name: 'E', message: '', stack: null, data: {}, cause: null } },
  }),
};
const keeping = request({ options: { ...request().options, retry: { ...NO_RETRY, from: 'failed-step' } } });

test('a first attempt begins fresh, and that of a fork on what it inherited, at the time of the other', () => {
  expect(nextStart(after(requested), BIRTH)).toMatchObject({
    attempt: 1,
    mode: 'fresh',
    journalFrom: null,
    seed: 'fresh',
  });
  const forked: ExecutionEvent = { type: 'ExecutionRequested', data: request({ fork: FORK }) };
  const first = nextStart(after(forked), BIRTH);
  expect(first).toMatchObject({ attempt: 1, mode: 'fresh', journalFrom: INHERITED, clock: 500, seed: 'forked' });
});

test('one that broke off is resumed on its journal, with its clock and seed', () => {
  const first = start();
  expect(nextStart(after(requested, started), BIRTH)).toMatchObject({
    attempt: 2,
    mode: 'resume',
    journalFrom: 1,
    keep: null,
    clock: first.clock,
    seed: first.seed,
    worker: 'w9',
  });
});

test('a retry begins anew, a fork where it began, and with its policy keeps what came before the failure', () => {
  expect(nextStart(after(requested, started, attemptFailed), BIRTH)).toMatchObject({
    attempt: 2,
    journalFrom: null,
    seed: 'fresh',
  });
  const forked: ExecutionEvent = { type: 'ExecutionRequested', data: request({ fork: FORK }) };
  expect(nextStart(after(forked, started, attemptFailed), BIRTH)).toMatchObject({
    journalFrom: INHERITED,
    seed: 'forked',
  });
  const kept: ExecutionEvent = { type: 'ExecutionRequested', data: keeping };
  const again = nextStart(after(kept, started, failedStep, attemptFailed), BIRTH);
  expect(again).toMatchObject({ mode: 'fresh', journalFrom: 1, keep: 0, seed: start().seed });
});

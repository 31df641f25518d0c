import { describe, expect, test } from 'vitest';
import type { Fact } from '../src/domain/event.ts';
import { NO_RETRY } from '../src/domain/execution.ts';
import { violationsOf } from './support/history/check-history.ts';
import type { Arrival, Known, Told } from './support/history/known.ts';
import { type Entry, logOf, timeAt } from './support/history/log-builder.ts';

const A = 'execution-a';
const URL = 'http://outside/a';
const OUTPUT = { sum: 3 };

const session = (id: string, type: string, data: object = {}): Entry => [
  `worker-${id}`,
  { type, data: { sessionId: id, ...data } },
];
const requested = (id = 'a', more: object = {}): Entry => [
  `execution-${id}`,
  {
    type: 'ExecutionRequested',
    data: {
      executionId: id,
      parent: null,
      options: { retry: NO_RETRY, unknownSteps: 'resend', runAt: null },
      ...more,
    },
  },
];
const started = (attempt: number, worker: string, more: object = {}): Entry => [
  A,
  {
    type: 'ExecutionStarted',
    data: {
      attempt,
      mode: attempt === 1 ? 'fresh' : 'resume',
      worker,
      journalFrom: attempt === 1 ? null : attempt - 1,
      keep: null,
      clock: 1,
      seed: 'ab',
      ...more,
    },
  },
];
const fact = (type: string, data: object): Entry => [A, { type, data } satisfies Fact];
const http = (attempt: number, path: string, method = 'POST') => ({
  attempt,
  path,
  kind: 'http',
  name: `${method} ${URL}/${path}`,
  argsHash: path,
  request: { value: { method, url: `${URL}/${path}` } },
});
const begun = (attempt: number, path: string): Entry => fact('StepStarted', http(attempt, path));
const done = (attempt: number, path: string, method = 'POST'): Entry =>
  fact('StepCompleted', { ...http(attempt, path, method), outcome: { ok: true, value: { value: { status: 200 } } } });
const completed = (attempt: number): Entry => fact('ExecutionCompleted', { attempt, output: { value: OUTPUT } });
const line = (attempt: number, ordinal: number): Entry => [
  'telemetry-a',
  { type: 'LogLineWritten', data: { executionId: 'a', attempt, ordinal } },
];
const marked = (attempt: number): Entry => [
  'telemetry-a',
  { type: 'TelemetryAttemptMarked', data: { executionId: 'a', attempt } },
];

/** Two steps in two sessions, of which the first one is lost between the two. */
const SOUND: readonly Entry[] = [
  session('one', 'WorkerSessionStarted'), // 0
  session('two', 'WorkerSessionStarted'), // 1
  requested(), // 2
  started(1, 'one'), // 3
  begun(1, '1'), // 4
  done(1, '1'), // 5
  line(1, 0), // 6
  begun(1, '2'), // 7
  session('one', 'WorkerSessionEnded', { reason: 'lapsed' }), // 8
  started(2, 'two'), // 9
  marked(2), // 10
  done(2, '2'), // 11
  line(2, 1), // 12
  completed(2), // 13
];

/** A call that arrives half a second after the event at an index. */
function arrival(after: number, path: string, more: Partial<Arrival> = {}): Arrival {
  return {
    at: timeAt(after) + 500,
    method: 'POST',
    url: `${URL}/${path}`,
    idempotencyKey: `k${path}`,
    executionId: 'a',
    ...more,
  };
}
const ARRIVALS: readonly Arrival[] = [arrival(4, '1'), arrival(7, '2'), arrival(10, '2')];
const TOLD: readonly Told[] = [{ key: 'key', executionId: 'a', status: 'completed', output: OUTPUT }];

function known(entries: readonly Entry[], more: Partial<Known> = {}): Known {
  return { events: logOf(entries), told: TOLD, arrivals: ARRIVALS, ...more };
}

/** The rules that are broken; none twice. */
function broken(given: Known): readonly string[] {
  return [...new Set(violationsOf(given).map(({ rule }) => rule))];
}

/** The sound history with entries put in before an index, or in place of some; arrivals keep their distance to the events. */
function changed(index: number, remove: number, ...entries: readonly Entry[]): Known {
  const shift = (at: number) => (at < timeAt(index) ? at : at + (entries.length - remove) * 1_000);
  return known(SOUND.toSpliced(index, remove, ...entries), {
    arrivals: ARRIVALS.map((one) => ({ ...one, at: shift(one.at) })),
  });
}

test('a sound history has no violation', () => {
  expect(violationsOf(known(SOUND))).toEqual([]);
});

describe('the log', () => {
  const altered = (index: number, change: object): Known => {
    const given = known(SOUND);
    return { ...given, events: given.events.map((event, at) => (at === index ? { ...event, ...change } : event)) };
  };
  test('a gap in a stream is found', () => {
    expect(broken(altered(13, { version: 9 }))).toEqual(['versions']);
  });
  test('positions that do not rise are found', () => {
    expect(broken(altered(6, { position: '00000006' }))).toEqual(['positions']);
  });
  test('an event stored twice is found', () => {
    const given = known(SOUND);
    const twice = given.events.map((event) => ({ ...event, eventId: 'same' }));
    expect(broken({ ...given, events: twice })).toEqual(['event ids']);
  });
  test('times that go back are found', () => {
    expect(broken(altered(6, { recordedAt: new Date(timeAt(2)).toISOString() }))).toEqual(['times']);
  });
});

describe('attempts', () => {
  test('a stream that does not begin with one request is found', () => {
    expect(broken(changed(3, 0, requested()))).toEqual(['one request']);
  });
  test('an execution without an end is found', () => {
    expect(broken({ ...changed(13, 1), told: [] })).toEqual(['one end']);
  });
  test('an execution with two ends is found', () => {
    expect(broken(changed(14, 0, completed(2)))).toEqual(['one end']);
  });
  test('a fact after the end is found', () => {
    expect(broken(changed(14, 0, fact('ExecutionCancelRequested', { reason: null })))).toEqual([
      'nothing after the end',
    ]);
  });
  test('an attempt number left out is found', () => {
    const skipped = started(3, 'two', { journalFrom: 1 });
    const rest: Entry[] = [marked(3), done(3, '2'), line(3, 1), completed(3)];
    expect(broken(known([...SOUND.slice(0, 9), skipped, ...rest]))).toEqual(['attempt numbers']);
  });
  test('a fact of an attempt that was taken over is found', () => {
    expect(broken(changed(10, 0, begun(1, '3')))).toEqual(['fencing']);
  });
  test('an end by an attempt that was taken over is found', () => {
    expect(broken(changed(13, 1, completed(1)))).toEqual(['fencing']);
  });
  test('a fact of an attempt that had parked is found', () => {
    const parked = fact('ExecutionWaiting', { attempt: 1, reason: 'sleep', until: null });
    expect(broken(changed(4, 0, parked))).toEqual(['resting attempts']);
  });
  test('a lost attempt that is not resumed but begun anew is found', () => {
    const fresh = started(2, 'two', { mode: 'fresh', journalFrom: null });
    const calls = [...ARRIVALS.slice(0, 2), arrival(9, '1'), arrival(10, '2')];
    const anew: Entry[] = [fresh, done(2, '1'), marked(2), done(2, '2'), line(2, 0), completed(2)];
    expect(broken(known([...SOUND.slice(0, 9), ...anew], { arrivals: calls }))).toEqual(['going on']);
  });
  test('a resumed attempt with another seed is found', () => {
    expect(broken(changed(9, 1, started(2, 'two', { seed: 'cd' })))).toEqual(['going on']);
  });
  test('a failed attempt that is resumed instead of begun anew is found', () => {
    const failed = fact('AttemptFailed', { attempt: 1, retryAt: '2026-11-21T10:00:00.000Z' });
    expect(broken(changed(8, 0, failed))).toEqual(['going on']);
  });
});

describe('journals', () => {
  test('two outcomes of one step in a chain are found', () => {
    expect(broken(changed(11, 0, done(2, '1')))).toEqual(['one outcome']);
  });
  test('a step that begins again after its outcome was stored is found', () => {
    expect(broken(changed(11, 0, begun(2, '1')))).toEqual(['begun again']);
  });
  describe('of subtasks', () => {
    const asked = (value: object): Entry =>
      fact('StepCompleted', {
        ...http(2, '3'),
        kind: 'task',
        request: { value: { task: 'child' } },
        outcome: { ok: true, value: { value } },
      });
    const child: readonly Entry[] = [
      requested('b', { parent: { executionId: 'a', path: '3' } }),
      ['execution-b', { type: 'ExecutionStarted', data: { attempt: 1, mode: 'fresh', worker: 'two' } }],
      ['execution-b', { type: 'ExecutionCompleted', data: { attempt: 1, output: { value: { child: true } } } }],
    ];
    test('a sound one has no violation', () => {
      expect(broken(changed(13, 0, ...child, asked({ child: true })))).toEqual([]);
    });
    test('an outcome before the subtask has ended is found', () => {
      expect(broken(changed(13, 0, asked({ child: true }), ...child))).toEqual(['subtasks']);
    });
    test('another outcome than that of the subtask is found', () => {
      expect(broken(changed(13, 0, ...child, asked({ child: false })))).toEqual(['subtasks']);
    });
  });
});

describe('calls outside', () => {
  const arriving = (...more: readonly Arrival[]) => broken(known(SOUND, { arrivals: [...ARRIVALS, ...more] }));
  test('a call after its outcome was stored is found', () => {
    expect(arriving(arrival(6, '1'))).toEqual(['calls after their outcome', 'repeated calls']);
  });
  test('a call by a later attempt of a step that has an outcome is found', () => {
    expect(arriving(arrival(9, '1'))).toEqual(['calls after their outcome', 'repeated calls']);
  });
  test('a call after the end is found', () => {
    expect(arriving(arrival(13, '3', { method: 'GET' }))).toEqual(['calls after the end']);
  });
  test('a call before the start is found', () => {
    expect(arriving(arrival(2, '3', { method: 'GET' }))).toEqual(['calls before the start']);
  });
  test('a call more often than attempts may make it is found', () => {
    expect(arriving(arrival(7, '2'))).toEqual(['repeated calls']);
  });
  test('a call sent again where the task forbids it is found', () => {
    const entries = SOUND.toSpliced(2, 1, requested('a', { options: { retry: NO_RETRY, unknownSteps: 'fail' } }));
    expect(broken(known(entries))).toEqual(['repeated calls']);
  });
  test('a call that left before its beginning was stored is found', () => {
    const early = [arrival(3, '1'), ...ARRIVALS.slice(1)];
    expect(broken(known(SOUND, { arrivals: early }))).toEqual(['unannounced calls']);
  });
  test('an answer that nobody asked for is found', () => {
    expect(broken(known(SOUND, { arrivals: ARRIVALS.slice(1) }))).toEqual(['invented outcomes']);
  });
  test('a call without a key, with a new key, or with the key of another call is found', () => {
    for (const idempotencyKey of [null, 'other', 'k1']) {
      const last = arrival(10, '2', { idempotencyKey });
      expect(broken(known(SOUND, { arrivals: [...ARRIVALS.slice(0, 2), last] }))).toEqual(['idempotency keys']);
    }
  });
  test('a call of an execution that is not in the log is found', () => {
    const strange = arrival(4, '1', { executionId: 'b', url: 'http://outside/b', idempotencyKey: 'kb' });
    expect(arriving(strange)).toEqual(['unknown calls']);
  });
});

describe('sessions', () => {
  test('a session that goes on after its end is found', () => {
    expect(broken(changed(9, 0, session('one', 'WorkerHeartbeat')))).toEqual(['sessions end once']);
  });
  test('a session that starts twice is found', () => {
    expect(broken(changed(2, 0, session('two', 'WorkerSessionStarted')))).toEqual(['sessions start once']);
  });
  test('an attempt of a session that had not started is found', () => {
    expect(broken(changed(9, 1, started(2, 'three')))).toEqual(['unknown sessions']);
  });
  test('a take-over before the end of the session is found', () => {
    const early = [...SOUND.slice(0, 8), ...SOUND.slice(9), ...SOUND.slice(8, 9)];
    const arrivals = [...ARRIVALS.slice(0, 2), arrival(9, '2')];
    expect(broken(known(early, { arrivals }))).toEqual(['take-over']);
  });
  test('a take-over of an attempt that had parked needs no end of its session', () => {
    const parked = fact('ExecutionWaiting', { attempt: 1, reason: 'sleep', until: null });
    expect(broken(changed(8, 1, parked))).toEqual([]);
  });
});

describe('telemetry', () => {
  test('a record stored twice is found', () => {
    expect(broken(changed(12, 1, line(2, 0)))).toEqual(['telemetry ordinals']);
  });
  test('a record left out is found', () => {
    expect(broken(changed(12, 1, line(2, 2)))).toEqual(['telemetry ordinals']);
  });
  test('a record of an attempt that was taken over is found', () => {
    expect(broken(changed(12, 1, line(1, 1)))).toEqual(['telemetry fencing']);
  });
});

describe('answers to clients', () => {
  const told = (...answers: readonly Partial<Told>[]) =>
    broken(
      known(SOUND, { told: answers.map((one) => ({ key: 'key', executionId: 'a', status: 'completed', ...one })) }),
    );
  test('an acknowledged execution that is not in the log is found', () => {
    expect(told({ executionId: 'b' })).toEqual(['lost']);
  });
  test('two executions under one key are found', () => {
    expect(told({}, { executionId: 'b' })).toEqual(['one execution a key']);
  });
  test('another end than the recorded one is found', () => {
    expect(told({ status: 'failed' })).toEqual(['told ends']);
  });
  test('another output than the recorded one is found', () => {
    expect(told({ output: { sum: 4 } })).toEqual(['told outputs']);
  });
  test('what has not ended yet is no end', () => {
    expect(told({ status: 'pending' }, { status: 'running' })).toEqual([]);
  });
});

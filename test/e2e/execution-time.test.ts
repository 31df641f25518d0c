/** When executions run, how often, and how they stop: queue, priorities, delays, retries, cancellation, long waits. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { START, streamName } from '../../src/domain/event.ts';
import { openTestApp, TEST_SETTINGS, type TestApp } from '../support/app.ts';
import { startCapture } from '../support/capture.ts';
import { type HttpApi, startHttpApi } from '../support/http-api.ts';
import { replayed } from '../support/replayed.ts';

let app: TestApp;
let api: HttpApi;
beforeAll(async () => {
  api = await startHttpApi();
  app = await openTestApp({ workers: 4, warmWorkers: 4 });
});
afterAll(async () => {
  await app[Symbol.asyncDispose]();
  await api.close();
});

async function created(of: TestApp, task: string, input: unknown, more: object = {}): Promise<string> {
  return String((await of.call('create_execution', { task_id: task, input, ...more }))['execution_id']);
}

async function typesOf(of: TestApp, executionId: string): Promise<string[]> {
  return (await of.app.store.readStream(streamName('execution', executionId))).map((event) => event.type);
}

async function dataOf(of: TestApp, executionId: string, type: string): Promise<Record<string, unknown>[]> {
  const events = await of.app.store.readStream(streamName('execution', executionId));
  return events.filter((event) => event.type === type).map((event) => JSON.parse(event.payload));
}

/** Waits until an event of this type is stored; polls the store, so it costs no more than it must. */
async function until(of: TestApp, executionId: string, type: string, count = 1): Promise<void> {
  await vi.waitFor(
    async () => {
      const types = await typesOf(of, executionId);
      expect(types.filter((one) => one === type).length).toBeGreaterThanOrEqual(count);
    },
    { timeout: 15_000, interval: 1 },
  );
}

describe('cancellation', () => {
  /** Milliseconds from asking to the durable end. */
  async function cancelled(executionId: string): Promise<number> {
    const began = performance.now();
    await app.call('cancel_execution', { execution_id: executionId, reason: 'enough' });
    await until(app, executionId, 'ExecutionCancelled');
    const took = performance.now() - began;
    expect(took).toBeLessThan(1_000);
    expect(await dataOf(app, executionId, 'ExecutionCancelled')).toMatchObject([{ reason: 'enough' }]);
    await vi.waitFor(async () => {
      const status = await app.call('get_execution_status', { execution_id: executionId });
      expect(status).toMatchObject({ status: 'cancelled' });
    });
    return took;
  }

  /** Waits for the first log line. */
  async function told(executionId: string): Promise<void> {
    const lines = () => app.app.store.readStream(streamName('telemetry', executionId));
    await vi.waitFor(async () => expect(await lines()).not.toHaveLength(0), { timeout: 5_000, interval: 5 });
  }

  test.each([
    ['a busy loop', 'function main(url) { fetch(url + "/json"); for (;;); }', false],
    ['a blocking fetch', 'function main(url) { console.log("in"); fetch(url + "/never"); }', true],
    ['a fetch that is awaited', 'async function main(url) { console.log("in"); await fetch(url + "/never"); }', true],
    ['a blocking sleep', 'function main() { console.log("in"); sleep(4000); }', true],
    ['a timer', 'async function main() { console.log("in"); await new Promise((r) => setTimeout(r, 4000)); }', true],
    ['a subtask', 'function main(url) { console.log("in"); runTask("never", url); }', true],
    [
      'a loop that catches everything',
      'function main(url) { fetch(url + "/json"); console.log("in"); for (;;) { try { fetch(url + "/never"); } catch {} } }',
      false,
    ],
  ])('reaches %s at once', async (what, code, isSeen) => {
    const name = `cancel-${what.replaceAll(' ', '-')}`;
    if (what === 'a subtask')
      await app.task('never', 'function main(url) { fetch(url + "/never", { timeout: 2000 }); }');
    await app.task(name, code);
    const executionId = await created(app, name, api.url);
    if (isSeen) await told(executionId);
    else await until(app, executionId, 'StepCompleted');
    const took = await cancelled(executionId);
    process.stderr.write(`cancel ${what}: ${took.toFixed(1)} ms\n`);
    const [end] = await dataOf(app, executionId, 'ExecutionCancelled');
    // On a loaded machine a task may come too late to be let end by itself; its end is then not in the journal.
    if (isSeen && end?.turn !== null) await replayed(app, executionId);
  });

  test('ends what waits for its time, or for its next attempt, for good', async () => {
    await app.task('never-starts', 'function main() {}');
    const delayed = await created(app, 'never-starts', {}, { delay_ms: 100 });
    await cancelled(delayed);
    await app.task('fails-always', 'function main() { throw new NetworkError("down"); }');
    const retry = { max_attempts: 3, initial_ms: 100, jitter: 0 };
    const waiting = await created(app, 'fails-always', {}, { retry });
    await until(app, waiting, 'AttemptFailed');
    await cancelled(waiting);
    await app.task('barrier', 'function main() { sleep(300); }');
    await app.run('barrier');
    expect(await typesOf(app, delayed)).toEqual([
      'ExecutionRequested',
      'ExecutionCancelRequested',
      'ExecutionCancelled',
    ]);
    expect((await typesOf(app, waiting)).filter((type) => type === 'ExecutionStarted')).toHaveLength(1);
  });

  test('ends what waits in the queue before it runs', async () => {
    await using small = await openTestApp({ workers: 1 });
    await small.task('holds', 'function main() { sleep(300); return "held"; }');
    await small.task('quick', 'function main() { return 1; }');
    const first = await created(small, 'holds', {});
    const queued = await Promise.all(Array.from({ length: 20 }, () => created(small, 'quick', {})));
    const last = String(queued.at(-1));
    const admitted = String(queued[0]);
    await small.call('cancel_execution', { execution_id: last });
    await small.call('cancel_execution', { execution_id: admitted });
    await until(small, last, 'ExecutionCancelled');
    await until(small, admitted, 'ExecutionCancelled');
    expect(await typesOf(small, last)).not.toContain('ExecutionStarted');
    await until(small, String(queued[18]), 'ExecutionCompleted');
    expect(await typesOf(small, first)).toContain('ExecutionCompleted');
    expect(await typesOf(small, admitted)).not.toContain('ExecutionCompleted');
  });

  test('is refused for what has ended, and is the same when asked twice', async () => {
    const { execution_id } = await app.run('never-starts');
    await expect(app.call('cancel_execution', { execution_id })).rejects.toMatchObject({ code: 'execution_finished' });
    const delayed = await created(app, 'never-starts', {}, { delay_ms: 60_000 });
    await app.call('cancel_execution', { execution_id: delayed });
    expect(await app.call('cancel_execution', { execution_id: delayed })).toMatchObject({ changed: false });
  });
});

describe('retries', () => {
  test('grow in delay by the policy, until the call succeeds; every attempt replays', async () => {
    await app.task('unsteady', 'function main(url) { return fetch(url + "/flaky/steady?fails=2").body; }');
    const retry = { max_attempts: 5, initial_ms: 40, factor: 2, jitter: 0 };
    const result = await app.run('unsteady', api.url, { retry });
    const executionId = String(result['execution_id']);
    expect(result).toMatchObject({ status: 'completed', output: { ok: true, calls: 3 } });
    const failures = await app.app.store.readStream(streamName('execution', executionId));
    const delays = failures
      .filter((event) => event.type === 'AttemptFailed')
      .map((event) => Date.parse(JSON.parse(event.payload).retryAt) - Date.parse(event.occurredAt));
    expect(delays).toHaveLength(2);
    expect(delays[0]).toBeGreaterThan(20);
    expect(delays[0]).toBeLessThanOrEqual(40);
    expect(delays[1]).toBeGreaterThan(60);
    expect(delays[1]).toBeLessThanOrEqual(80);
    for (const attempt of [1, 2, 3]) await replayed(app, executionId, attempt);
  });

  test('end at the last attempt, and are not made for what can not pass', async () => {
    await app.task('down', 'function main(url) { fetch(url + "/flaky/down?fails=99"); }');
    const retry = { max_attempts: 3, initial_ms: 1 };
    const down = await app.run('down', api.url, { retry });
    expect(down).toMatchObject({ status: 'failed', error: { error_type: 'ServiceUnavailableError' } });
    expect(api.calls('/flaky/down')).toBe(3);
    await app.task('wrong', 'function main(url) { fetch(url + "/flaky/wrong?fails=99&status=400"); }');
    expect(await app.run('wrong', api.url, { retry })).toMatchObject({ error: { error_type: 'HttpError' } });
    expect(api.calls('/flaky/wrong')).toBe(1);
    await app.run('wrong', api.url, { retry: { ...retry, on: ['HttpError'] } });
    expect(api.calls('/flaky/wrong')).toBe(4);
  });

  test.each([
    ['start', 3],
    ['failed-step', 1],
  ])('from the %s call the steps before the failure %i times', async (from, calls) => {
    const code = `async function main(url) {
      const random = Math.random();
      const first = await (await fetch(url + '/flaky/${from}-before?fails=0')).json();
      console.log('before', { random, calls: first.calls });
      const second = await fetch(url + '/flaky/${from}-after?fails=2');
      if (!second.ok) throw new ServiceUnavailableError('not yet');
      return [first.calls, (await second.json()).calls];
    }`;
    await app.task(`retry-${from}`, code);
    const retry = { max_attempts: 5, initial_ms: 1, from };
    const result = await app.run(`retry-${from}`, api.url, { retry });
    expect(result).toMatchObject({ status: 'completed', output: [calls, 3] });
    expect(api.calls(`/flaky/${from}-before`)).toBe(calls);
    for (const attempt of [1, 2, 3]) await replayed(app, result['execution_id'], attempt);
  });

  test('send the same Idempotency-Key in every attempt, and another for another call', async () => {
    await using server = await startCapture((_, count) => ({ status: count < 3 ? 503 : 200, body: '{}' }));
    const code = `function main(url) { fetch(url, { method: 'POST', body: 'a' }); fetch(url, { method: 'POST', body: 'b' }); fetch(url); }`;
    await app.task('posts', code);
    const result = await app.run('posts', server.url, { retry: { max_attempts: 5, initial_ms: 1 } });
    expect(result['status']).toBe('completed');
    const keys = server.requests.map(({ body, headers }) => [body, headers['idempotency-key']]);
    const [a, b] = [keys[0]?.[1], keys[3]?.[1]];
    expect(keys).toEqual([
      ['a', a],
      ['a', a],
      ['a', a],
      ['b', b],
      ['', undefined],
    ]);
    expect(a).toMatch(/^[0-9a-f-]{36}$/);
    expect(b).not.toBe(a);
    await replayed(app, result['execution_id']);
  });
});

describe('the queue', () => {
  test('starts nothing before its time', async () => {
    await app.task('clock', 'function main() { return Date.now(); }');
    const asked = Date.now();
    const at = new Date(asked + 150).toISOString();
    const [delayed, dated] = await Promise.all([
      app.run('clock', {}, { delay_ms: 120 }),
      app.run('clock', {}, { run_at: at }),
    ]);
    expect(Number(delayed['output'])).toBeGreaterThanOrEqual(asked + 120);
    expect(Number(dated['output'])).toBeGreaterThanOrEqual(asked + 150);
    for (const { execution_id } of [delayed, dated]) await replayed(app, execution_id);
  });

  test('runs what has the higher priority first', async () => {
    await using small = await openTestApp({ workers: 1 });
    await small.task('holds', 'function main() { sleep(200); }');
    await small.task('quick', 'function main(i) { return i; }');
    await created(small, 'holds', {});
    const low = await Promise.all(Array.from({ length: 5 }, () => created(small, 'quick', 0, { priority: -1 })));
    const high = await created(small, 'quick', 1, { priority: 10 });
    const middle = await created(small, 'quick', 1, { priority: 5 });
    await Promise.all([...low, high, middle].map((id) => until(small, id, 'ExecutionCompleted')));
    const { events } = await small.app.store.readAll(START, { types: ['ExecutionCompleted'] }, 100);
    const order = events.map((event) => event.stream.replace('execution-', ''));
    expect(order.slice(1, 3)).toEqual([high, middle]);
    expect(order.slice(3)).toEqual(low);
  });

  test('refuses what is more than it holds, says when to come back, and stores nothing of it', async () => {
    await using small = await openTestApp({ workers: 1, bounds: { ...TEST_SETTINGS.bounds, queueSize: 3 } });
    await small.task('holds', 'function main() { sleep(500); }');
    const accepted: string[] = [];
    const refused: unknown[] = [];
    for (let index = 0; index < 30; index += 1) {
      await created(small, 'holds', {}).then(
        (id) => accepted.push(id),
        (error: unknown) => refused.push(error),
      );
    }
    expect(refused.length).toBeGreaterThan(0);
    for (const error of refused) {
      expect(error).toMatchObject({ code: 'queue_full', details: { retryAfterSeconds: expect.any(Number) } });
    }
    const { events } = await small.app.store.readAll(START, { types: ['ExecutionRequested'] }, 100);
    expect(events.map((event) => event.stream)).toEqual(accepted.map((id) => `execution-${id}`));
    await Promise.all(accepted.map((execution_id) => small.call('cancel_execution', { execution_id })));
  });
});

test('waits longer than 5 s hold no process, and go on where they were; nesting deeper than the workers ends', async () => {
  await using small = await openTestApp({ workers: 2, warmWorkers: 1 });
  const tasks = {
    blocking:
      'function main() { const r = Math.random(); console.log("before", r); sleep(9000); console.log("after"); return [r, Date.now()]; }',
    promise: `async function main() {
      const from = Date.now(); let ticks = 0; console.log("before");
      await new Promise((resolve) => setTimeout(resolve, 9000)); ticks++;
      await step('short', () => sleep(10));
      return [ticks, Date.now() - from];
    }`,
  };
  for (const [name, code] of Object.entries(tasks)) await small.task(name, code);
  const [blocking, promise] = await Promise.all([created(small, 'blocking', {}), created(small, 'promise', {})]);
  await Promise.all([blocking, promise].map((id) => until(small, id, 'ExecutionWaiting')));
  await vi.waitFor(async () => expect((await small.app.health()).executions.here).toBe(0));
  // The log is ahead of the read models.
  const waitsFor = async (execution_id: unknown, waiting_for: string): Promise<void> => {
    const told = await small.call('get_execution_status', { execution_id });
    expect(told).toMatchObject({ status: 'waiting', waiting_for });
  };
  await vi.waitFor(() => waitsFor(blocking, 'sleep'));
  await vi.waitFor(() => waitsFor(promise, 'timer'));

  await small.task('nest', 'function main(n) { return n === 0 ? 0 : 1 + runTask("nest", n - 1); }');
  const nested = small.run('nest', 8);
  await Promise.all([blocking, promise].map((id) => until(small, id, 'ExecutionCompleted')));
  for (const id of [blocking, promise]) {
    expect(await dataOf(small, id, 'ExecutionStarted')).toMatchObject([
      { attempt: 1, mode: 'fresh' },
      { attempt: 2, mode: 'resume', journalFrom: 1 },
    ]);
    await replayed(small, id);
    const { logs } = (await small.call('get_execution_logs', { execution_id: id })) as { logs: { message: string }[] };
    expect(logs.filter((line) => line.message.startsWith('before'))).toHaveLength(1);
  }
  const { output } = await small.call('get_execution_status', { execution_id: promise });
  expect(output).toEqual([1, expect.any(Number)]);
  const deep = await nested;
  expect(deep).toMatchObject({ status: 'completed', output: 8 });
  await replayed(small, deep['execution_id']);
}, 60_000);

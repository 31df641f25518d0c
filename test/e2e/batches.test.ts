import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EVERY_TASK, LOCAL_ADMIN } from '../../src/domain/access.ts';
import { type BatchEvent, type BatchState, batch, countsOf } from '../../src/domain/batch.ts';
import { idOf, START, streamName } from '../../src/domain/event.ts';
import { decode } from '../../src/domain/history.ts';
import { Batches } from '../../src/reactors/batches.ts';
import { openTestApp, type TestApp } from '../support/app.ts';
import { eventually } from '../support/server.ts';

async function factsOf({ app }: TestApp, batchId: unknown): Promise<readonly BatchEvent[]> {
  const events = await app.store.readStream(streamName('batch', String(batchId)));
  return events.map((stored) => decode<BatchEvent>(stored));
}

interface ToldItem {
  readonly id: string;
  readonly execution_id: string;
  readonly status: string;
  readonly error: { readonly code: string; readonly message: string } | null;
}

/** The batch as `get_batch` tells it, once it has ended. */
async function ended(test: TestApp, batchId: unknown) {
  await eventually('the batch has ended', async () =>
    (await factsOf(test, batchId)).some(({ type }) => type === 'BatchEnded') ? true : undefined,
  );
  const seen = { minPosition: await test.app.store.head() };
  const told = await test.call('get_batch', { batch_id: batchId, limit: 1_000 }, seen);
  const items = told['items'] as readonly ToldItem[];
  return {
    ...told,
    status: told['status'],
    items,
    statuses: Object.fromEntries(items.map(({ id, status }) => [id, status])),
  };
}

const executionOf = (asked: Record<string, unknown>, id: string): string => {
  const found = (asked['items'] as readonly ToldItem[]).find((item) => item.id === id);
  return found?.execution_id ?? `no item ${id}`;
};

async function running(test: TestApp, asked: Record<string, unknown>, id: string): Promise<void> {
  await eventually(`${id} runs`, async () => {
    const { events } = await test.app.store.readAll(START, { types: ['ExecutionStarted'] }, 10_000);
    return events.some(({ stream }) => idOf(stream) === executionOf(asked, id)) ? true : undefined;
  });
}

describe('a batch', () => {
  let test: TestApp;
  beforeAll(async () => {
    test = await openTestApp();
    await test.task('add', 'function main({ a, b }) { return { sum: a + b }; }', {
      input_schema: {
        type: 'object',
        required: ['a', 'b'],
        properties: { a: { type: 'number' }, b: { type: 'number' } },
      },
    });
    await test.task('echo', 'function main(input) { return input; }');
    await test.task('fails', 'function main() { throw new Error("no"); }');
    await test.task(
      'large',
      `function main({ kind, size }) {
        if (kind === 'text') return 'x'.repeat(size);
        if (kind === 'row') return Array.from({ length: size }, (_, n) => n);
        let value = 1;
        for (let n = 0; n < size; n += 1) value = [value];
        return value;
      }`,
    );
    await test.task('sleeps', 'async function main() { await sleep(60000); }');
    await test.task('asks', 'function main() { return ask("go on?"); }');
    await test.task('danger', 'function main() {}', { dangerous: true });
    await test.task('off', 'function main() {}');
    await test.call('disable_task', { task_id: 'off' });
  });
  afterAll(() => test[Symbol.asyncDispose]());

  it('passes outputs on through a diamond, and is told whole', async () => {
    const sum = (from: string) => ({ $from: from, path: '/sum' });
    const asked = await test.call('batch_execute', {
      tasks: [
        { id: 'end', task_id: 'add', input: { a: sum('left'), b: sum('right') } },
        { id: 'left', task_id: 'add', input: { a: sum('top'), b: 10 } },
        { id: 'right', task_id: 'add', input: { a: sum('top'), b: 100 } },
        { id: 'top', task_id: 'add', input: { a: 1, b: 2 } },
      ],
    });
    const told = await ended(test, asked['batch_id']);
    expect(told).toMatchObject({ status: 'completed', progress_percent: 100, total: 4 });
    const [end] = told.items;
    const execution = await test.call('get_execution_status', { execution_id: end?.execution_id });
    expect(execution).toMatchObject({
      status: 'completed',
      output: { sum: 116 },
      source: 'batch',
      principal: 'local:admin',
      metadata: { batch_id: asked['batch_id'], batch_item: 'end' },
    });
  });

  it('runs 200 items with five at once, each once', async () => {
    const tasks = Array.from({ length: 200 }, (_, n) => ({ task_id: 'echo', input: n, priority: n % 3 }));
    const asked = await test.call('batch_execute', { tasks, max_parallel: 5 });
    const told = await ended(test, asked['batch_id']);
    expect(told).toMatchObject({ status: 'completed', counts: { completed: 200, pending: 0, running: 0 } });
    let state: BatchState = batch.initial;
    const most = (await factsOf(test, asked['batch_id'])).reduce((peak, fact) => {
      state = batch.evolve(state, fact);
      return state.status === 'none' ? peak : Math.max(peak, countsOf(state).running);
    }, 0);
    expect(most).toBe(5);
    const of = { batch_id: asked['batch_id'], limit: 1_000 };
    const { executions } = await test.call('list_executions', of);
    expect((executions as { input: number }[]).map(({ input }) => input).sort((a, b) => a - b)).toEqual(
      tasks.map(({ input }) => input),
    );
    const first = await test.call('get_batch', { batch_id: asked['batch_id'], limit: 150 });
    const second = await test.call('get_batch', {
      batch_id: asked['batch_id'],
      limit: 150,
      cursor: first['next_cursor'],
    });
    expect([first, second].flatMap(({ items }) => (items as ToldItem[]).map(({ id }) => id))).toEqual(
      tasks.map((_, n) => `item-${n + 1}`),
    );
    expect(second['next_cursor']).toBeNull();
  });

  it('lets the rest go on when one fails, passes over what depends on it, and says why', async () => {
    const asked = await test.call('batch_execute', {
      requests: [
        { id: 'bad', task_id: 'fails', input: {} },
        { id: 'after', task_id: 'echo', input: 1, dependencies: ['bad'] },
        { id: 'other', task_id: 'echo', input: 2 },
        { id: 'lost', task_id: 'echo', input: { $from: 'other', path: '/nowhere' } },
        { id: 'wrong', task_id: 'add', input: { a: { $from: 'other' }, b: { $from: 'other', path: '' } } },
        { id: 'unfit', task_id: 'add', input: { a: 'text', b: { $from: 'other' } } },
      ],
    });
    const told = await ended(test, asked['batch_id']);
    expect(told.status).toBe('failed');
    expect(told.statuses).toEqual({
      bad: 'failed',
      after: 'skipped',
      other: 'completed',
      lost: 'failed',
      wrong: 'completed',
      unfit: 'failed',
    });
    const why = Object.fromEntries(told.items.map(({ id, error }) => [id, error]));
    expect(why).toMatchObject({
      bad: null,
      after: { code: 'dependency_not_completed', message: 'item bad, which it depends on, was failed' },
      lost: { code: 'unresolved_reference', message: 'input: the output of item other has nothing at "/nowhere"' },
      unfit: { code: 'input_schema_violation', message: expect.stringContaining('input/a') },
    });
    for (const [id, status] of Object.entries({ after: 'cancelled', lost: 'failed' })) {
      const execution = await test.call('get_execution_status', { execution_id: executionOf(asked, id) });
      expect(execution).toMatchObject({ status, error: { code: why[id]?.code }, finished_at: expect.any(String) });
    }
  });

  it('with fail_fast is over with its first failure: what runs is cancelled, the rest skipped', async () => {
    const asked = await test.call('batch_execute', {
      tasks: [
        { id: 'long', task_id: 'sleeps', input: {} },
        { id: 'gate', task_id: 'asks', input: {} },
        { id: 'bad', task_id: 'fails', input: { $from: 'gate' } },
        { id: 'last', task_id: 'echo', input: {}, depends_on: ['long'] },
      ],
      stop_on_error: true,
    });
    await running(test, asked, 'long');
    await eventually('it asks', async () => {
      const { questions } = await test.call('get_execution_status', { execution_id: executionOf(asked, 'gate') });
      return (questions as unknown[]).length > 0 ? true : undefined;
    });
    await test.call('answer_question', { execution_id: executionOf(asked, 'gate'), answer: 1 });
    const told = await ended(test, asked['batch_id']);
    expect(told.status).toBe('failed');
    expect(told.statuses).toEqual({ long: 'cancelled', gate: 'completed', bad: 'failed', last: 'skipped' });
  });

  it('that is cancelled ends: what runs is cancelled, the rest skipped', async () => {
    const asked = await test.call('batch_execute', {
      tasks: [
        { id: 'long', task_id: 'sleeps', input: {} },
        { id: 'then', task_id: 'echo', input: { $from: 'long' } },
      ],
    });
    await running(test, asked, 'long');
    const { batch_id } = asked;
    expect(await test.call('cancel_batch', { batch_id, reason: 'enough' })).toMatchObject({ status: 'cancelling' });
    const told = await ended(test, batch_id);
    expect(told.status).toBe('cancelled');
    expect(told.statuses).toEqual({ long: 'cancelled', then: 'skipped' });
    expect(await test.call('cancel_batch', { batch_id })).toMatchObject({ status: 'cancelled', changed: false });
    const { entries } = await test.call('get_audit_trail', { subject_id: batch_id });
    expect((entries as { action: string }[]).map(({ action }) => action).sort()).toEqual([
      'BatchCancelRequested',
      'BatchEnded',
      'BatchRequested',
    ]);
  });

  it.each([
    ['many references to one output', 'row', 20_000, Array.from({ length: 20_000 }, () => ({ $from: 'a' }))],
    ['fewer references to a larger one', 'text', 1_000_000, Array.from({ length: 600 }, () => ({ $from: 'a' }))],
    ['an output that is nested too deep', 'deep', 3_000, { $from: 'a' }],
  ])('with %s fails that item alone, and ends', async (_, kind, size, input) => {
    const tasks = [
      { id: 'a', task_id: 'large', input: { kind, size } },
      { id: 'b', task_id: 'echo', input },
      { id: 'c', task_id: 'echo', input: 1, depends_on: ['b'] },
      { id: 'd', task_id: 'echo', input: 1, depends_on: ['a'] },
    ];
    const asked = await test.call('batch_execute', { tasks });
    const { status, statuses, items } = await ended(test, asked['batch_id']);
    expect(status).toBe('failed');
    expect(statuses).toEqual({ a: 'completed', b: 'failed', c: 'skipped', d: 'completed' });
    expect(items.find(({ id }) => id === 'b')?.error).toMatchObject({ code: 'payload_too_large' });
  });

  it('whose item can not be made, whatever the reason, fails with it; another is told of what may be a defect', async () => {
    const troubles: unknown[] = [];
    await using idle = await openTestApp({ runs: false });
    await idle.task('echo', 'function main(input) { return input; }');
    const { execute } = idle.app.core;
    const schemas = {
      compile: (): never => {
        throw new RangeError('Invalid string length');
      },
    };
    const asked = await idle.call('batch_execute', { tasks: [{ id: 'a', task_id: 'echo', input: 1 }] });
    const batchId = String(asked['batch_id']);
    const batches = new Batches(
      { ...execute, schemas, openBatches: async () => [batchId], isElected: () => true },
      (error) => troubles.push(error),
    );
    const stop = new AbortController();
    await batches.start(await idle.app.store.head(), stop.signal);
    const { statuses, items } = await ended(idle, batchId);
    stop.abort();
    await batches.close();
    expect(statuses).toEqual({ a: 'failed' });
    expect(items[0]?.error).toMatchObject({ code: 'internal' });
    expect(troubles).toMatchObject([{ message: 'Invalid string length' }]);
  });

  it('that is cancelled while an item can not be made for the moment ends without making it, and cancels the others', async () => {
    const tasks = [
      { id: 'runs', task_id: 'sleeps', input: 1 },
      { id: 'stuck', task_id: 'echo', input: 1 },
    ];
    await using idle = await openTestApp({ runs: false });
    await idle.task('sleeps', 'async function main() { await sleep(60000); }');
    await idle.task('echo', 'function main(input) { return input; }');
    const core = idle.app.core.execute;
    let refusals = 0;
    const dispatcher = {
      ...core.dispatcher,
      reserve: () => null,
      offer: () => undefined,
      queued: () => {
        refusals += 1;
        return refusals === 1 ? 0 : Number.POSITIVE_INFINITY;
      },
    };
    const asked = await idle.call('batch_execute', { tasks });
    const batchId = String(asked['batch_id']);
    const batches = new Batches(
      { ...core, dispatcher, openBatches: async () => [batchId], isElected: () => true },
      () => undefined,
    );
    const stop = new AbortController();
    await batches.start(await idle.app.store.head(), stop.signal);
    await eventually('one is refused', () => (refusals > 2 ? true : undefined));
    await idle.call('cancel_batch', { batch_id: batchId });
    const { status, items } = await ended(idle, batchId);
    stop.abort();
    await batches.close();
    expect(status).toBe('cancelled');
    expect(items.map(({ status: item }) => item).toSorted()).toEqual(['cancelled', 'skipped']);
    const unmade = items.find(({ status: item }) => item === 'skipped');
    expect(await idle.app.store.readStream(streamName('execution', unmade?.execution_id ?? ''))).toEqual([]);
  });

  it('gives the id of each execution at once, and tells of one that has not begun', async () => {
    const asked = await test.call('batch_execute', {
      tasks: [
        { id: 'long', task_id: 'sleeps', input: {} },
        { id: 'then', task_id: 'echo', input: { got: { $from: 'long' } }, priority: 7 },
      ],
      metadata: { project: 'x' },
    });
    expect(asked).toMatchObject({ status: 'running', total: 2, created: true });
    const told = await test.call('get_execution_status', { execution_id: executionOf(asked, 'then') });
    expect(told).toMatchObject({
      status: 'pending',
      waiting_for: 'batch',
      task_name: 'echo',
      attempt: 0,
      priority: 7,
      principal: 'local:admin',
      input: { got: { $from: 'long' } },
      metadata: { project: 'x', batch_id: asked['batch_id'], batch_item: 'then' },
    });
    const stranger = { principal: { ...LOCAL_ADMIN, id: 'key:x', tasks: { allowed: ['add'], denied: [] } } };
    const hidden = test.call('get_execution_status', { execution_id: executionOf(asked, 'then') }, stranger);
    await expect(hidden).rejects.toMatchObject({ code: 'execution_not_found' });
    await test.call('cancel_batch', { batch_id: asked['batch_id'] });
    await ended(test, asked['batch_id']);
  });

  it('is one under one key, in the body or beside it, and another request with it is refused', async () => {
    const tasks = [{ task_id: 'echo', input: 1 }];
    const first = await test.call('batch_execute', { tasks, idempotency_key: 'k1' });
    const again = await test.call('batch_execute', { tasks }, { idempotencyKey: 'k1' });
    expect(again).toEqual({ ...first, created: false });
    const other = test.call('batch_execute', { tasks: [{ task_id: 'echo', input: 2 }], idempotency_key: 'k1' });
    await expect(other).rejects.toMatchObject({ code: 'idempotency_mismatch' });
  });

  const item = (id: string, ...depends_on: string[]) => ({ id, task_id: 'echo', input: {}, depends_on });
  it.each<[string, object, string, string]>([
    ['a cycle', { tasks: [item('a', 'b'), item('b', 'c'), item('c', 'a')] }, 'invalid_batch', 'a → b → c → a'],
    [
      'a dependency that is none',
      { tasks: [item('a', 'x')] },
      'invalid_batch',
      'item a depends on x, which is no item',
    ],
    [
      'a reference to none',
      { tasks: [{ id: 'a', task_id: 'echo', input: { $from: 'x' } }] },
      'invalid_batch',
      'depends on x',
    ],
    ['two of one id', { tasks: [item('a'), item('a')] }, 'invalid_batch', 'two items have the id a'],
    ['an item that waits for itself', { tasks: [item('a', 'a')] }, 'invalid_batch', 'item a depends on itself'],
    [
      'a bad reference',
      { tasks: [{ task_id: 'echo', input: { $from: 'a', at: 1 } }] },
      'invalid_batch',
      'item item-1: input',
    ],
    [
      'an unknown task',
      { tasks: [item('a'), { id: 'b', task_id: 'nobody', input: {} }] },
      'task_not_found',
      'item b: ',
    ],
    [
      'an input that does not fit',
      { tasks: [{ id: 'a', task_id: 'add', input: { a: 1 } }] },
      'input_schema_violation',
      'item a: input',
    ],
    ['a dangerous task', { tasks: [{ task_id: 'danger', input: {} }] }, 'dangerous_task', 'item item-1: '],
    ['a disabled task', { tasks: [{ task_id: 'off', input: {} }] }, 'task_disabled', 'item item-1: '],
    ['no items', {}, 'invalid_request', 'tasks'],
    ['an empty list', { tasks: [] }, 'invalid_request', 'tasks'],
    ['more than 1,000', { tasks: Array.from({ length: 1_001 }, (_, n) => item(`i${n}`)) }, 'invalid_request', 'tasks'],
    [
      'metadata above 16 KiB',
      { tasks: [item('a')], metadata: { note: 'ä'.repeat(8_200) } },
      'invalid_request',
      'metadata: at most 16,384 bytes of JSON',
    ],
    ['two words for one thing', { tasks: [item('a')], requests: [item('a')] }, 'invalid_request', 'another word'],
  ])('is refused with %s, and nothing is stored', async (_, input, code, words) => {
    const head = await test.app.store.head();
    const refused = test.call('batch_execute', input);
    await expect(refused).rejects.toMatchObject({ code, message: expect.stringContaining(words) });
    expect(await test.app.store.head()).toBe(head);
  });

  it('is for those who may touch all its tasks, and for nobody else', async () => {
    const tasks = [
      { task_id: 'echo', input: 1 },
      { task_id: 'add', input: { a: 1, b: 1 } },
    ];
    const { batch_id } = await test.call('batch_execute', { tasks });
    await ended(test, batch_id);
    const stranger = { principal: { ...LOCAL_ADMIN, id: 'key:x', tasks: { allowed: ['echo'], denied: [] } } };
    for (const [name, input] of [
      ['batch_execute', { tasks }],
      ['get_batch', { batch_id }],
      ['cancel_batch', { batch_id }],
      ['list_executions', { batch_id }],
    ] as const) {
      const refused = test.call(name, input, stranger);
      await expect(refused, name).rejects.toMatchObject({ code: 'permission_denied', message: /Task not allowed/ });
    }
    const own = await test.call('batch_execute', { tasks: tasks.slice(0, 1) }, stranger);
    await ended(test, own['batch_id']);
    const { batches } = await test.call('list_batches', { limit: 1_000 }, stranger);
    const seen = (batches as { batch_id: string }[]).map((told) => told.batch_id);
    expect(seen).toContain(own['batch_id']);
    expect(seen).not.toContain(batch_id);
    const execution = await test.call('get_execution_status', { execution_id: executionOf(own, 'item-1') });
    expect(execution['principal']).toBe('key:x');
    const { events } = await test.call('list_events', { category: ['batch'], limit: 1_000 }, stranger);
    expect((events as { stream: string }[]).some(({ stream }) => idOf(stream) === batch_id)).toBe(false);
  });

  it('counts each item under the limit of its caller', async () => {
    const limits = { executions: { requests: 5, windowMs: 60_000 }, logs: null };
    const limited = { principal: { ...LOCAL_ADMIN, id: 'key:limited', tasks: EVERY_TASK, limits } };
    const tasks = (count: number) => Array.from({ length: count }, () => ({ task_id: 'echo', input: 1 }));
    await test.call('batch_execute', { tasks: tasks(3) }, limited);
    const refused = test.call('batch_execute', { tasks: tasks(3) }, limited);
    await expect(refused).rejects.toMatchObject({ code: 'rate_limited' });
    await test.call('batch_execute', { tasks: tasks(2) }, limited);
  });

  it('ends once and starts nothing twice when two processes look after it', async () => {
    const { core, store } = test.app;
    const stop = new AbortController();
    const troubles: unknown[] = [];
    const deps = { ...core.execute, openBatches: async () => [], isElected: () => true };
    const other = new Batches(deps, (error) => troubles.push(error));
    await other.start(await store.head(), stop.signal);
    const tasks = Array.from({ length: 40 }, (_, n) => ({
      id: `i${n}`,
      task_id: 'echo',
      input: n < 10 ? n : { $from: `i${n - 10}` },
    }));
    const asked = await test.call('batch_execute', { tasks, max_parallel: 7 });
    const told = await ended(test, asked['batch_id']);
    await other.close();
    stop.abort();
    expect(told).toMatchObject({ status: 'completed', counts: { completed: 40 } });
    const facts = await factsOf(test, asked['batch_id']);
    expect(facts.filter(({ type }) => type === 'BatchItemStarted')).toHaveLength(40);
    expect(facts.filter(({ type }) => type === 'BatchItemEnded')).toHaveLength(40);
    expect(facts.filter(({ type }) => type === 'BatchEnded')).toHaveLength(1);
    expect(troubles).toEqual([]);
  });
});

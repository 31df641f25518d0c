/** Results out: signed, tried again, given up, delivered again, and only to whom they are meant for. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { LOCAL_ADMIN } from '../../src/domain/access.ts';
import { deliveryIdOf } from '../../src/domain/delivery.ts';
import { START, streamName } from '../../src/domain/event.ts';
import type { ResultTarget } from '../../src/domain/result-target.ts';
import { openTestApp, type TestApp } from '../support/app.ts';
import { isSigned, SECRET, startReceiver, target } from '../support/result-receiver.ts';
import { eventually } from '../support/server.ts';

const ECHO = 'function main(input) { return input; }';

async function appWith(...results: readonly ResultTarget[]): Promise<TestApp> {
  const test = await openTestApp({ results });
  onTestFinished(() => test[Symbol.asyncDispose]());
  await test.task('echo', ECHO);
  return test;
}

/** The delivery as it is told once it is in a state. */
async function delivery({ app, call }: TestApp, id: string, status: string): Promise<Record<string, unknown>> {
  return eventually(`${id} is ${status}`, async () => {
    const [first] = await app.store.readStream(streamName('delivery', id), { limit: 1 });
    if (first === undefined) return undefined;
    const told = await call('get_delivery', { delivery_id: id }, { minPosition: await app.store.head() });
    return told['status'] === status ? told : undefined;
  });
}

const idOf = (run: Record<string, unknown>, name: string): string => deliveryIdOf(String(run['execution_id']), name);

/** A folder of its own for one test. */
function place(): string {
  const folder = mkdtempSync(join(tmpdir(), 'ratchet-results-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

describe('a webhook', () => {
  it('tells the result, signed as Standard Webhooks has it, also under the key before', async () => {
    await using receiver = await startReceiver();
    const before = Buffer.alloc(24, 9);
    const secrets = [SECRET, `whsec_${before.toString('base64')}`];
    const headers = { 'x-team': 'blue', 'webhook-id': 'not ours' };
    const test = await appWith(target('shop', { kind: 'webhook', url: `${receiver.url}/in`, secrets, headers }));
    const run = await test.run('echo', { order: 1 }, { metadata: { ref: 'r1' } });
    const told = await delivery(test, idOf(run, 'shop'), 'delivered');
    expect(told).toMatchObject({
      execution_id: run['execution_id'],
      target: 'shop',
      result: 'completed',
      task_name: 'echo',
      last_status: 204,
      attempts: [{ attempt: 1, ok: true, status: 204, error: null }],
    });
    const [received] = receiver.received;
    expect(receiver.received).toHaveLength(1);
    expect(received && [isSigned(received), isSigned(received, before)]).toEqual([true, true]);
    expect(received && isSigned(received, Buffer.alloc(32, 1))).toBe(false);
    expect(received?.headers).toMatchObject({
      'content-type': 'application/json',
      'webhook-id': idOf(run, 'shop'),
      'webhook-timestamp': expect.stringMatching(/^\d{10}$/),
      'x-team': 'blue',
    });
    expect(received?.message).toMatchObject({
      id: idOf(run, 'shop'),
      type: 'execution.completed',
      timestamp: expect.stringMatching(/Z$/),
      data: {
        execution_id: run['execution_id'],
        task: 'echo',
        task_version: 1,
        status: 'completed',
        output: { order: 1 },
        error: null,
        duration_ms: run['duration_ms'],
        metadata: { ref: 'r1' },
        omitted: [],
        url: `/api/v1/executions/${String(run['execution_id'])}`,
      },
    });
  });

  it('that is answered 500 twice is sent again with the same id and body, until it is taken', async () => {
    await using receiver = await startReceiver((response, _, count) => {
      response.writeHead(count <= 2 ? 500 : 200).end();
    });
    const test = await appWith(target('shop', { kind: 'webhook', url: receiver.url }));
    const run = await test.run('echo', 1);
    const told = await delivery(test, idOf(run, 'shop'), 'delivered');
    expect(told['attempts']).toMatchObject([{ status: 500 }, { status: 500 }, { status: 200, ok: true }]);
    expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id']))).toEqual(
      new Set([idOf(run, 'shop')]),
    );
    expect(new Set(receiver.received.map(({ text }) => text)).size).toBe(1);
    expect(receiver.received.map((one) => isSigned(one))).toEqual([true, true, true]);
  });

  it('that is being told while the node drains is told before others may tell it again', async () => {
    const held = Promise.withResolvers<() => void>();
    await using receiver = await startReceiver((response) => held.resolve(() => response.end()));
    const test = await appWith(target('shop', { kind: 'webhook', url: receiver.url }));
    await test.run('echo', 1);
    const answer = await held.promise;
    const drained = test.app.drain(1_000);
    // What it does without waiting for the receiver.
    for (let n = 0; n < 100; n += 1) await setImmediate();
    answer();
    await drained;
    const { events } = await test.app.store.readAll(START, { categories: ['delivery', 'worker'] }, 100);
    expect(events.map(({ type }) => type).slice(-2)).toEqual(['Delivered', 'WorkerSessionEnded']);
  });

  it('that nobody takes becomes a dead letter, which health counts, and which an administrator can have sent again', async () => {
    let isUp = false;
    await using receiver = await startReceiver((response) => void response.writeHead(isUp ? 200 : 503).end());
    const patience = { maxAttempts: 2, initialDelayMs: 1, maxDelayMs: 1 };
    const test = await appWith(target('shop', { kind: 'webhook', url: receiver.url }, { patience }));
    const run = await test.run('echo', 1);
    const id = idOf(run, 'shop');
    const dead = await delivery(test, id, 'dead_lettered');
    expect(dead).toMatchObject({ attempt_count: 2, last_status: 503, last_error: 'the receiver answered 503' });
    expect(dead['next_attempt_at']).toBeNull();
    expect((await test.app.health()).deliveries).toEqual({ open: 0, dead_lettered: 1 });
    const { deliveries } = await test.call('list_deliveries', { status: 'dead_lettered', target: 'shop' });
    expect(deliveries).toMatchObject([{ delivery_id: id }]);

    isUp = true;
    const again = await test.call('redeliver', { delivery_id: id, reason: 'it is back' });
    expect(again).toMatchObject({ delivery_id: id, status: 'pending', changed: true });
    expect(await delivery(test, id, 'delivered')).toMatchObject({ attempt_count: 3, last_status: 200 });
    expect(receiver.received.at(-1)?.headers['webhook-id']).toBe(id);
    const { entries } = await test.call('get_audit_trail', { subject_id: id });
    expect((entries as { action: string }[]).map(({ action }) => action)).toEqual([
      'Delivered',
      'RedeliveryRequested',
      'DeliveryDeadLettered',
    ]);
  });

  it('is given up at once where the receiver is gone for good, and where the address is private', async () => {
    await using receiver = await startReceiver((response) => void response.writeHead(410).end());
    const test = await appWith(
      target('gone', { kind: 'webhook', url: receiver.url }),
      target('inside', { kind: 'webhook', url: 'http://10.1.2.3:8080/hook?token=hunter2' }),
    );
    const run = await test.run('echo', 1);
    expect(await delivery(test, idOf(run, 'gone'), 'dead_lettered')).toMatchObject({ attempt_count: 1 });
    const refused = await delivery(test, idOf(run, 'inside'), 'dead_lettered');
    expect(refused).toMatchObject({
      attempt_count: 1,
      last_status: null,
      last_error: expect.stringContaining('10.1.2.3'),
    });
  });

  it('has arrived with the status alone: what the receiver says beside it is neither awaited nor too much', async () => {
    await using receiver = await startReceiver((response, path) => {
      response.writeHead(200, path === '/zipped' ? { 'content-encoding': 'gzip' } : {});
      if (path === '/endless') response.write('and');
      else response.end('x'.repeat(1_200_000));
    });
    const paths = ['large', 'zipped', 'endless'];
    const test = await appWith(
      ...paths.map((name) => target(name, { kind: 'webhook', url: `${receiver.url}/${name}` })),
    );
    const run = await test.run('echo', 1);
    for (const name of paths) {
      const told = await delivery(test, idOf(run, name), 'delivered');
      expect(told['attempts']).toMatchObject([{ ok: true, status: 200, error: null }]);
      expect(receiver.at(`/${name}`)).toHaveLength(1);
    }
  });

  it('follows no redirect', async () => {
    await using receiver = await startReceiver((response, path) => {
      response.writeHead(path === '/in' ? 307 : 200, { location: '/elsewhere' }).end();
    });
    const patience = { maxAttempts: 1, initialDelayMs: 1, maxDelayMs: 1 };
    const test = await appWith(target('shop', { kind: 'webhook', url: `${receiver.url}/in` }, { patience }));
    const run = await test.run('echo', 1);
    expect(await delivery(test, idOf(run, 'shop'), 'dead_lettered')).toMatchObject({ last_status: 307 });
    expect(receiver.at('/elsewhere')).toEqual([]);
  });

  it('that hangs holds up no other target', async () => {
    await using receiver = await startReceiver((response, path) => {
      if (path === '/quick') response.end();
    });
    const test = await appWith(
      target('slow', { kind: 'webhook', url: `${receiver.url}/slow`, timeoutMs: 60_000, concurrency: 1 }),
      target('quick', { kind: 'webhook', url: `${receiver.url}/quick` }),
    );
    const runs = [await test.run('echo', 1), await test.run('echo', 2), await test.run('echo', 3)];
    for (const run of runs) await delivery(test, idOf(run, 'quick'), 'delivered');
    await eventually('the other has its request', () => receiver.at('/slow')[0]);
    expect(receiver.at('/slow')).toHaveLength(1);
    expect(await delivery(test, idOf(runs[0] ?? {}, 'slow'), 'sending')).toMatchObject({ attempt_count: 0 });
    expect(await delivery(test, idOf(runs[2] ?? {}, 'slow'), 'pending')).toMatchObject({ attempt_count: 0 });
    await expect(test.call('redeliver', { delivery_id: idOf(runs[0] ?? {}, 'slow') })).rejects.toMatchObject({
      code: 'delivery_running',
    });
  });

  it('leaves out what is too large, and tells where it is', async () => {
    await using receiver = await startReceiver();
    const test = await appWith(target('shop', { kind: 'webhook', url: receiver.url }, { maxValueBytes: 1_000 }));
    await test.task('large', 'function main({ size }) { return "x".repeat(size); }');
    // The second is too large for an event, too.
    for (const size of [2_000, 300_000]) {
      const run = await test.run('large', { size });
      await delivery(test, idOf(run, 'shop'), 'delivered');
      expect(receiver.received.at(-1)?.message.data).toMatchObject({
        status: 'completed',
        output: null,
        omitted: ['output'],
        url: `/api/v1/executions/${String(run['execution_id'])}`,
      });
    }
  });

  it('leaves no secret in events', async () => {
    await using receiver = await startReceiver((response, _, count) => {
      response.writeHead(count === 1 ? 500 : 200).end('echoed hunter2');
    });
    const url = `${receiver.url}/in?token=hunter2`;
    const test = await appWith(target('shop', { kind: 'webhook', url, headers: { authorization: 'Bearer hunter2' } }));
    await delivery(test, idOf(await test.run('echo', 1), 'shop'), 'delivered');
    const { events } = await test.app.store.readAll(START, {}, 1_000);
    const text = JSON.stringify(events);
    expect(text).toContain('the receiver answered 500');
    expect(text).not.toContain('hunter2');
    expect(text).not.toContain(SECRET.slice(6));
  });
});

describe('which results go where', () => {
  it('follows from the end, the task and the request; subtasks are a part of their parent', async () => {
    await using receiver = await startReceiver();
    const to = (path: string) => ({ kind: 'webhook', url: `${receiver.url}/${path}` }) as const;
    const test = await appWith(
      target('all', to('all')),
      target('failures', to('failures'), { events: ['failed'] }),
      target('outer', to('outer'), { tasks: ['out*'] }),
      target('asked', to('asked'), { onRequest: true, tasks: ['echo'] }),
    );
    await test.task('bad', 'function main() { throw new TypeError("no"); }');
    await test.task('outer', 'function main() { return runTask("echo", 1); }');
    const named = { result_to: ['asked'] };
    const runs = [
      await test.run('echo', 1),
      await test.run('bad'),
      await test.run('outer'),
      await test.run('echo', 2, named),
    ];
    const last = runs.at(-1) ?? {};
    for (const run of runs) await delivery(test, idOf(run, 'all'), 'delivered');
    await delivery(test, idOf(last, 'asked'), 'delivered');
    await delivery(test, idOf(runs[1] ?? {}, 'failures'), 'delivered');
    await delivery(test, idOf(runs[2] ?? {}, 'outer'), 'delivered');
    const { deliveries } = await test.call('list_deliveries', {}, { minPosition: await test.app.store.head() });
    expect(deliveries).toHaveLength(7);
    expect(receiver.at('/failures')[0]?.message).toMatchObject({
      type: 'execution.failed',
      data: { status: 'failed', output: null, error: { error_type: 'TypeError', message: 'no' } },
    });
    expect(receiver.at('/asked').map(({ message }) => message.data['execution_id'])).toEqual([last['execution_id']]);
    const ofOne = await test.call('list_deliveries', { execution_id: last['execution_id'], limit: 1 });
    const rest = await test.call('list_deliveries', {
      execution_id: last['execution_id'],
      cursor: ofOne['next_cursor'],
    });
    const targets = [ofOne, rest].flatMap((page) => page['deliveries'] as { target: string }[]);
    expect(new Set(targets.map((one) => one.target))).toEqual(new Set(['all', 'asked']));
    expect(rest['next_cursor']).toBeNull();
  });

  it('is for the configuration to say: a request names targets, and only those that take its task', async () => {
    const test = await appWith(target('billing', { kind: 'stdout' }, { tasks: ['billing-*'] }));
    for (const name of ['billing', 'nowhere', 'https://example.com/hook']) {
      await expect(test.run('echo', 1, { result_to: [name] })).rejects.toMatchObject({
        code: 'result_target_not_found',
      });
    }
    const { executions } = await test.call('list_executions', {});
    expect(executions).toEqual([]);
  });

  it('is seen by callers as far as they may touch the task', async () => {
    const test = await appWith(target('printed', { kind: 'file', path: join(place(), 'results.jsonl') }));
    const run = await test.run('echo', 1);
    const id = idOf(run, 'printed');
    await delivery(test, id, 'delivered');
    const bound = (...allowed: string[]) => ({ principal: { ...LOCAL_ADMIN, tasks: { allowed, denied: [] } } });
    const seen = async (...allowed: string[]) =>
      (await test.call('list_deliveries', {}, bound(...allowed)))['deliveries'] as readonly unknown[];
    expect([await seen('ec*'), await seen('other')]).toMatchObject([[{ delivery_id: id }], []]);
    for (const operation of ['get_delivery', 'redeliver']) {
      await expect(test.call(operation, { delivery_id: id }, bound('other'))).rejects.toMatchObject({
        code: 'permission_denied',
      });
    }
  });

  it('holds for an execution that was cancelled, and for one that is tried again', async () => {
    await using receiver = await startReceiver();
    const reach = { kind: 'webhook', url: receiver.url } as const;
    const test = await appWith(target('asked', reach, { onRequest: true }));
    const asked = { task_id: 'echo', input: 1, delay_ms: 3_600_000, result_to: ['asked'] };
    const made = await test.call('create_execution', asked);
    await test.call('cancel_execution', { execution_id: made['execution_id'], reason: 'enough' });
    await delivery(test, idOf(made, 'asked'), 'delivered');
    expect(receiver.received[0]?.message).toMatchObject({
      type: 'execution.cancelled',
      data: { error: { code: 'cancelled', message: 'enough' } },
    });
    const again = await test.call('retry_execution', { execution_id: made['execution_id'] });
    await delivery(test, idOf(again, 'asked'), 'delivered');
  });
});

describe('a file', () => {
  const lines = (path: string) =>
    readFileSync(path, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));

  it('gets one line of JSON for each result, in a folder that is made for it', async () => {
    const path = join(place(), 'new', 'results.jsonl');
    const test = await appWith(target('archive', { kind: 'file', path }));
    const runs = [await test.run('echo', 1), await test.run('echo', { text: 'two\nlines' })];
    for (const run of runs) await delivery(test, idOf(run, 'archive'), 'delivered');
    const told = new Map(lines(path).map((line) => [line.id, line.data.output]));
    expect(told).toEqual(
      new Map<string, unknown>([
        [idOf(runs[0] ?? {}, 'archive'), 1],
        [idOf(runs[1] ?? {}, 'archive'), { text: 'two\nlines' }],
      ]),
    );
  });

  it('that a crash left with half a line goes on with a whole one', async () => {
    const path = join(place(), 'results.jsonl');
    writeFileSync(path, '{"id":"cut sho');
    const test = await appWith(target('archive', { kind: 'file', path }));
    await delivery(test, idOf(await test.run('echo', 1), 'archive'), 'delivered');
    const [, whole] = readFileSync(path, 'utf8').split('\n');
    expect(JSON.parse(whole ?? '')).toMatchObject({ data: { output: 1 } });
  });

  it('that can not be written is tried again, and says why without its path', async () => {
    const folder = place();
    const path = join(folder, 'results.jsonl');
    writeFileSync(join(folder, 'in-the-way'), '');
    const patience = { maxAttempts: 1, initialDelayMs: 1, maxDelayMs: 1 };
    const test = await appWith(
      target('blocked', { kind: 'file', path: join(folder, 'in-the-way', 'results.jsonl') }, { patience }),
      target('archive', { kind: 'file', path }),
    );
    const run = await test.run('echo', 1);
    const dead = await delivery(test, idOf(run, 'blocked'), 'dead_lettered');
    expect(dead['last_error']).toMatch(/^the file of the target can not be written \(\w+\)$/);
    await delivery(test, idOf(run, 'archive'), 'delivered');
  });
});

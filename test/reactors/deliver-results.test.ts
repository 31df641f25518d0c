/** How deliveries come to be and are timed, on a clock that stands still until it is told to go on. */
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { openOutbound } from '../../infra/outbound.ts';
import { openResultLines } from '../../infra/result-lines.ts';
import { openSignatures } from '../../infra/signatures.ts';
import { deliveryTable } from '../../queries/delivery.ts';
import { deliveryIdOf } from '../../src/domain/delivery.ts';
import type { ResultTarget } from '../../src/domain/result-target.ts';
import type { ResultLines } from '../../src/ports/result-lines.ts';
import { ResultDeliverer } from '../../src/reactors/deliver-results.ts';
import { DeliveryRequests } from '../../src/reactors/request-deliveries.ts';
import { openTestApp, type TestApp } from '../support/app.ts';
import { startReceiver, target } from '../support/result-receiver.ts';
import { eventually } from '../support/server.ts';

const outbound = openOutbound({ allow: ['127.0.0.0/8'] });
let test: TestApp;
beforeAll(async () => {
  test = await openTestApp();
  await test.task('echo', 'function main(input) { return input; }');
});
afterAll(async () => {
  await test[Symbol.asyncDispose]();
  await outbound.close();
});

interface Node {
  readonly deliverer: ResultDeliverer;
  /** Sets the clock forward. */
  later(ms: number): void;
  /** Lets what is due be delivered, once the read models show it. */
  look(): Promise<void>;
  /** Looks for ends to deliver, until the node stops. */
  follow(): Promise<void>;
  stop(): Promise<void>;
}

/** A node of its own on the store of the app; it looks only when it is told to. */
function node(
  name: string,
  targets: readonly ResultTarget[],
  { alive = [name], lines = openResultLines(process.stdout) }: { alive?: readonly string[]; lines?: ResultLines } = {},
): Node {
  const { store, blobs, runtime } = test.app.core.execute;
  let ahead = 0;
  const deps = {
    store,
    blobs,
    outbound,
    lines,
    runtime: { ...runtime, now: () => runtime.now() + ahead },
    signatures: openSignatures(),
    table: deliveryTable(test.app.core.query.db),
    sessions: {
      own: name,
      isHeld: () => true,
      confirm: async () => {},
      alive: async () => alive,
      isGone: async (session: string) => !alive.includes(session),
    },
    onTrouble: (error: unknown) => expect.soft(error).toBeUndefined(),
  };
  const byName = new Map(targets.map((one) => [one.name, one]));
  const deliverer = new ResultDeliverer(deps, byName);
  const requests = new DeliveryRequests({ ...deps, onRequested: (id, to) => deliverer.offer(id, to) }, byName);
  const stop = new AbortController();
  const end = async (): Promise<void> => {
    stop.abort();
    await Promise.all([requests.close(), deliverer.close(0)]);
  };
  onTestFinished(end);
  return {
    deliverer,
    later: (ms) => {
      ahead += ms;
    },
    look: async () => {
      await test.app.projector.progress.reach(await store.head(), 10_000);
      await deliverer.look();
    },
    follow: () => requests.start(stop.signal),
    stop: end,
  };
}

async function told(id: string): Promise<Record<string, unknown>> {
  return test.call('get_delivery', { delivery_id: id }, { minPosition: await test.app.store.head() });
}

/** How often it was recorded how far ends have been looked at. */
async function recorded(): Promise<number> {
  return (await test.app.store.readStream('results-progress')).length;
}

const reaching = (id: string, status: string, attempts: number) =>
  eventually(`${id} is ${status} after ${attempts}`, async () => {
    const delivery = await told(id).catch(() => undefined);
    return delivery?.['status'] === status && delivery['attempt_count'] === attempts ? delivery : undefined;
  });

it('waits as long as the receiver asks for, in seconds or until a date, and no longer', async () => {
  let answers = 0;
  await using receiver = await startReceiver((response) => {
    answers += 1;
    const wish = answers === 1 ? '600' : new Date(Date.now() + 2_000_000).toUTCString();
    response.writeHead(answers <= 2 ? 503 : 200, answers <= 2 ? { 'retry-after': wish } : {}).end();
  });
  const patience = { maxAttempts: 5, initialDelayMs: 1_000, maxDelayMs: 3_600_000 };
  const one = node('n1', [target('patient', { kind: 'webhook', url: receiver.url }, { patience })]);
  await one.follow();
  const id = deliveryIdOf(String((await test.run('echo', 1))['execution_id']), 'patient');
  await reaching(id, 'pending', 1);
  one.later(590_000);
  await one.look();
  expect((await told(id))['status']).toBe('pending');
  expect(receiver.received).toHaveLength(1);
  one.later(11_000);
  await one.look();
  const second = await reaching(id, 'pending', 2);
  expect(Date.parse(String(second['next_attempt_at']))).toBeGreaterThan(Date.now() + 1_900_000);
  one.later(2_000_000);
  await one.look();
  await reaching(id, 'delivered', 3);
  expect(receiver.received).toHaveLength(3);
});

it('is sent by one of two nodes, and by the other when the first is gone', async () => {
  await using receiver = await startReceiver((response, _, count) => {
    if (count > 1) response.end();
  });
  const targets = [target('shared', { kind: 'webhook', url: receiver.url })];
  const first = node('a', targets);
  await first.follow();
  const second = node('b', targets, { alive: ['a', 'b'] });
  await second.follow();
  const id = deliveryIdOf(String((await test.run('echo', 1))['execution_id']), 'shared');
  await reaching(id, 'sending', 0);
  await eventually('it was received', () => receiver.received[0]);
  await Promise.all([first.look(), second.look()]);
  // Whatever the table says, and whoever it says it to: the claim of the first holds.
  second.deliverer.offer(id, 'shared');
  await second.stop();
  expect(receiver.received).toHaveLength(1);
  expect(await told(id)).toMatchObject({ status: 'sending', attempt_count: 0 });

  await first.stop();
  const third = node('c', targets, { alive: ['c'] });
  await third.look();
  expect(await reaching(id, 'delivered', 1)).toMatchObject({ attempts: [{ attempt: 2, ok: true }] });
  expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id']))).toEqual(new Set([id]));
});

it('a target gets what ended while nobody looked, and nothing from before it was configured', async () => {
  const printed: string[] = [];
  const lines = { append: async () => undefined, print: async (line: string) => void printed.push(line) };
  const [old, young] = [target('old', { kind: 'stdout' }), target('young', { kind: 'stdout' })];
  const first = node('d', [old], { lines });
  await first.follow();
  const before = String((await test.run('echo', 'before'))['execution_id']);
  await reaching(deliveryIdOf(before, 'old'), 'delivered', 1);
  await first.stop();

  const meanwhile = String((await test.run('echo', 'meanwhile'))['execution_id']);
  const second = node('e', [old, young], { lines });
  await second.follow();
  const after = String((await test.run('echo', 'after'))['execution_id']);
  await reaching(deliveryIdOf(meanwhile, 'old'), 'delivered', 1);
  await reaching(deliveryIdOf(after, 'old'), 'delivered', 1);
  await reaching(deliveryIdOf(after, 'young'), 'delivered', 1);
  await second.stop();
  expect(printed).toHaveLength(4);
  expect(new Set(printed.map((line) => JSON.parse(line).id))).toEqual(
    new Set([
      deliveryIdOf(before, 'old'),
      deliveryIdOf(meanwhile, 'old'),
      deliveryIdOf(after, 'old'),
      deliveryIdOf(after, 'young'),
    ]),
  );
});

it('a process without targets changes nothing about where they are: what ended under it is delivered by the next with them', async () => {
  const printed: string[] = [];
  const lines = { append: async () => undefined, print: async (line: string) => void printed.push(line) };
  const kept = target('kept', { kind: 'stdout' });
  const first = node('w1', [kept], { lines });
  await first.follow();
  await first.stop();

  const records = await recorded();
  const second = node('w2', []);
  await second.follow();
  const meanwhile = deliveryIdOf(String((await test.run('echo', 'meanwhile'))['execution_id']), 'kept');
  await second.stop();
  expect(await recorded()).toBe(records);

  const third = node('w3', [kept], { lines });
  await third.follow();
  await reaching(meanwhile, 'delivered', 1);
  expect(printed.map((line) => JSON.parse(line).id)).toEqual([meanwhile]);
});

it('nodes with different targets forget none of each other: one that is gone for a while goes on where it was', async () => {
  const both = ['common', 'own'].map((name) => target(name, { kind: 'stdout' }));
  const lines = { append: async () => undefined, print: async () => undefined };
  const before = node('r1', both, { lines });
  await before.follow();
  const seen = String((await test.run('echo', 'seen'))['execution_id']);
  for (const name of ['common', 'own']) await reaching(deliveryIdOf(seen, name), 'delivered', 1);
  await before.stop();

  // It follows the one target further, and records that.
  const other = node('r2', both.slice(0, 1), { lines });
  await other.follow();
  const missed = String((await test.run('echo', 'missed'))['execution_id']);
  await reaching(deliveryIdOf(missed, 'common'), 'delivered', 1);
  await other.stop();

  const again = node('r3', both, { lines });
  await again.follow();
  await reaching(deliveryIdOf(missed, 'own'), 'delivered', 1);
});

it('a line that nobody takes holds up no shutdown, and is written again at the next start', async () => {
  const stuck = Promise.withResolvers<void>();
  const hanging = (reached: () => void) => (): Promise<void> => {
    reached();
    return stuck.promise;
  };
  const [printing, appending] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const lines = { print: hanging(printing.resolve), append: hanging(appending.resolve) };
  const targets = [target('unread', { kind: 'stdout' }), target('frozen', { kind: 'file', path: '/mnt/gone' })];
  const first = node('s1', targets, { lines });
  await first.follow();
  const run = String((await test.run('echo', 1))['execution_id']);
  await Promise.all([printing.promise, appending.promise]);
  await first.stop();

  const written: string[] = [];
  const write = async (line: string): Promise<void> => void written.push(JSON.parse(line).id);
  const second = node('s2', targets, { lines: { print: write, append: (_, line) => write(line) } });
  await second.look();
  for (const name of ['unread', 'frozen']) await reaching(deliveryIdOf(run, name), 'delivered', 1);
  expect(new Set(written)).toEqual(new Set([deliveryIdOf(run, 'unread'), deliveryIdOf(run, 'frozen')]));
});

it('looks again at the ends since its last record after a crash, and asks for nothing twice', async () => {
  const printed: string[] = [];
  const lines = { append: async () => undefined, print: async (line: string) => void printed.push(line) };
  const targets = [target('again', { kind: 'stdout' })];
  const first = node('h', targets, { lines });
  await first.follow();
  const id = deliveryIdOf(String((await test.run('echo', 1))['execution_id']), 'again');
  await reaching(id, 'delivered', 1);
  // The first one has recorded nothing since it began: the second begins where it did.
  const second = node('i', targets, { lines });
  await second.follow();
  const last = deliveryIdOf(String((await test.run('echo', 2))['execution_id']), 'again');
  await reaching(last, 'delivered', 1);
  expect(printed.map((line) => JSON.parse(line).id)).toEqual([id, last]);
});

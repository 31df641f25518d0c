/** Who projects into PostgreSQL: one at a time, whatever becomes of it, and nobody any more who has lost that right. */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { roleScript } from '../../../infra/postgres/roles.ts';
import { type PostgresReadOptions, openPostgresReadStore } from '../../../infra/read-store/postgres.ts';
import type { ReadStore } from '../../../infra/read-store/read-store.ts';
import type { ReadModels } from '../../../projections/read-models.ts';
import type { ProjectionLock } from '../../../src/ports/read-store.ts';
import { type PostgresServer, startPostgres } from '../../support/postgres.ts';
import { eventually } from '../../support/server.ts';
import { startProxy, type TcpProxy } from '../../support/tcp-proxy.ts';

type Rows = ReadStore<ReadModels>;

const LEASE_MS = 1_000;
const CHECKPOINT = { name: 'notes', version: 1, position: '', status: 'live', error: null } as const;

let server: PostgresServer;
let url: string;
const opened: (() => unknown)[] = [];

beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.close());

beforeEach(async () => {
  url = await server.newSchema();
  const rows = await openPostgresReadStore<ReadModels>(url, { poolSize: 2 });
  const create = { sql: 'CREATE TABLE notes (id bigserial PRIMARY KEY, note text NOT NULL)', parameters: [] };
  await rows.projections.change([create], CHECKPOINT);
  await rows.close();
});
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

async function open(at = url, options: PostgresReadOptions = {}): Promise<Rows> {
  const rows = await openPostgresReadStore<ReadModels>(at, { poolSize: 2, leaseMs: LEASE_MS, ...options });
  opened.push(() => rows.close());
  return rows;
}

const note = (text: string) => ({ sql: 'INSERT INTO notes (note) VALUES ($1)', parameters: [text] });
const notes = async (): Promise<unknown[]> =>
  (await server.run(url, 'SELECT note FROM notes ORDER BY id')).map((row) => row['note']);

/** Tries as a node does that follows. */
function taken(rows: Rows, displacing = false): Promise<ProjectionLock> {
  return eventually('the lock is taken', async () => (await rows.hold(displacing)) ?? undefined);
}

async function held(rows: Rows): Promise<ProjectionLock> {
  const lock = await rows.hold();
  if (lock === null) throw new Error('the lock is not free');
  return lock;
}

/** The server through a network that can be held up. */
async function proxied(): Promise<{ proxy: TcpProxy; address: string }> {
  const proxy = await startProxy(Number(new URL(url).port));
  opened.push(() => proxy.close());
  return { proxy, address: Object.assign(new URL(url), { port: String(proxy.port) }).href };
}

interface Projecting {
  readonly process: ChildProcess;
  /** Waits until it has said something so many times. */
  said(word: string, times: number): Promise<unknown>;
}

function startProjecting(): Projecting {
  const script = fileURLToPath(new URL('../../support/lock-child.ts', import.meta.url));
  const child = spawn(process.execPath, [script, url, String(LEASE_MS)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines: string[] = [];
  child.stdout.setEncoding('utf8').on('data', (text: string) => lines.push(...text.split('\n')));
  opened.push(() => child.kill('SIGKILL'));
  return {
    process: child,
    said: (word, times) =>
      eventually(`it says ${word}`, () =>
        lines.filter((line) => line.startsWith(word)).length >= times ? true : undefined,
      ),
  };
}

describe('the right to project', () => {
  test('is had by one at a time, and is free for the next when it is given back or its holder closes', async () => {
    const [one, other] = [await open(), await open()];
    const lock = await held(one);
    expect(await other.hold()).toBeNull();
    expect(await one.hold()).toBeNull();
    await lock.release();
    await lock.release();
    const next = await held(other);
    expect(await one.hold()).toBeNull();
    await server.run(
      url,
      "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
    );
    await eventually('it is told', () => (next.lost.aborted ? true : undefined));
    expect(next.lost.aborted).toBe(true);
    await taken(one);
  });

  test('ends for whoever gave it back: what it still sends is refused', async () => {
    const rows = await open();
    const lock = await held(rows);
    await lock.projections.apply([note('a')], []);
    await lock.release();
    await expect(lock.projections.apply([note('late')], [])).rejects.toMatchObject({ code: 'store_unavailable' });
    const again = await held(rows);
    await expect(lock.projections.apply([note('late')], [])).rejects.toMatchObject({ code: 'store_unavailable' });
    await again.projections.apply([note('b')], []);
    expect(await notes()).toEqual(['a', 'b']);
  });

  test('is kept by a holder that has nothing to write', async () => {
    const [one, other] = [await open(url, { leaseMs: 250 }), await open(url, { leaseMs: 250 })];
    const lock = await held(one);
    const until = performance.now() + 1_000;
    while (performance.now() < until) expect(await other.hold()).toBeNull();
    await lock.projections.apply([note('a')], []);
    expect(lock.lost.aborted).toBe(false);
  });

  test('is taken from a frozen process, which writes nothing when it wakes up, and then follows', async () => {
    const child = startProjecting();
    await child.said('holds', 1);
    await eventually('it has written', async () => ((await notes()).length > 0 ? true : undefined));
    child.process.kill('SIGSTOP');
    const lock = await taken(await open());
    await lock.projections.apply([note('mine')], []);
    child.process.kill('SIGCONT');
    await child.said('lost', 1);
    await lock.projections.apply([note('mine')], []);
    expect(new Set((await notes()).slice((await notes()).indexOf('mine')))).toEqual(new Set(['mine']));
    await lock.release();
    await child.said('holds', 2);
    await eventually('it writes again', async () => ((await notes()).includes('child 2') ? true : undefined));
  });

  test('is taken from a holder that no packet reaches; what comes of it late is refused', async () => {
    const { proxy, address } = await proxied();
    const lock = await held(await open(address));
    await lock.projections.apply([note('before')], [{ name: 'notes', from: '', to: '1' }]);
    proxy.hold();
    const late = expect(
      lock.projections.apply([note('late')], [{ name: 'notes', from: '1', to: '2' }]),
    ).rejects.toMatchObject({ code: 'store_unavailable' });
    const next = await taken(await open());
    await next.projections.apply([note('after')], [{ name: 'notes', from: '1', to: '3' }]);
    proxy.release();
    await late;
    expect(lock.lost.aborted).toBe(true);
    expect(await notes()).toEqual(['before', 'after']);
  });

  test('is taken from a holder that stopped within a transaction, of which nothing is stored', async () => {
    const { proxy, address } = await proxied();
    const lock = await held(await open(address));
    proxy.swallow('INSERT INTO notes');
    const lost = expect(lock.projections.apply([note('half')], [])).rejects.toMatchObject({
      code: 'store_unavailable',
    });
    await proxy.swallowed();
    const next = await taken(await open());
    await next.projections.apply([note('after')], []);
    await lost;
    expect(await notes()).toEqual(['after']);
  });

  test('can be taken from a holder that is well, also with the rights of the application alone', async () => {
    const role = `app_${Math.random().toString(36).slice(2)}`;
    await server.run(url, 'CREATE TABLE events (); CREATE FUNCTION append_events() RETURNS void LANGUAGE sql AS $$$$');
    await server.run(url, roleScript(role));
    await server.run(url, `ALTER ROLE ${role} PASSWORD 'secret'; GRANT ALL ON notes, notes_id_seq TO ${role}`);
    const address = Object.assign(new URL(url), { username: role, password: 'secret' }).href;
    const [one, other] = [await open(address), await open(address)];
    const lock = await held(one);
    const next = await taken(other, true);
    await expect(lock.projections.apply([note('late')], [])).rejects.toMatchObject({ code: 'store_unavailable' });
    await next.projections.apply([note('after')], []);
    expect(lock.lost.aborted).toBe(true);
    await lock.release();
    expect(await one.hold()).toBeNull();
    expect(await notes()).toEqual(['after']);
  });

  test('is waited for over one connection', async () => {
    const { proxy, address } = await proxied();
    await held(await open());
    const rows = await open(address);
    await rows.hold();
    const before = proxy.connections();
    for (let tries = 0; tries < 20; tries += 1) {
      await rows.hold();
      await rows.projections.checkpoints();
    }
    expect(proxy.connections()).toBe(before);
  });
});

import { writeFileSync } from 'node:fs';
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type PostgresStoreOptions, postgresEventStore } from '../../../infra/event-store/postgres.ts';
import { assertReachable } from '../../../infra/postgres/pool.ts';
import { roleScript } from '../../../infra/postgres/roles.ts';
import { openPostgresReadStore } from '../../../infra/read-store/postgres.ts';
import type { ReadModels } from '../../../projections/read-models.ts';
import { START } from '../../../src/domain/event.ts';
import type { EventStore } from '../../../src/ports/event-store.ts';
import { projectInline } from '../../../src/projector.ts';
import { type PostgresServer, startPostgres } from '../../support/postgres.ts';
import { Collector, newEvent, newEvents, readEverything } from '../../support/store-events.ts';
import { temporaryFolder } from '../../support/store-files.ts';
import { startProxy } from '../../support/tcp-proxy.ts';

let server: PostgresServer;
let url: string;
const stores: EventStore[] = [];

beforeAll(async () => {
  server = await startPostgres({ isOwn: true });
});

afterAll(async () => {
  await server.close();
});

beforeEach(async () => {
  url = await server.newSchema();
});

afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()));
});

async function open(options: PostgresStoreOptions = {}, at = url): Promise<EventStore> {
  const store = await postgresEventStore(at, { poolSize: 4, ...options });
  stores.push(store);
  return store;
}

/** The address with other parts. */
function changed(
  parts: Partial<Pick<URL, 'hostname' | 'port' | 'password' | 'pathname' | 'username'>>,
  at = url,
): string {
  return Object.assign(new URL(at), parts).href;
}

function withParameter(name: string, value: string, at = url): string {
  const address = new URL(at);
  address.searchParams.set(name, value);
  return address.href;
}

describe('the log', () => {
  test('events can be neither changed nor deleted nor emptied, by whatever connection', async () => {
    const store = await open();
    await store.append('task-1', 'any', newEvents(2));
    for (const sql of ["UPDATE events SET type = 'X'", 'DELETE FROM events', 'TRUNCATE events']) {
      await expect(server.run(url, sql)).rejects.toThrow('events are never changed and never deleted');
    }
    expect(await readEverything(store)).toHaveLength(2);
  });

  test('an answer means that the disk has it, whatever the server is told to do by default', async () => {
    await open();
    const client = new Client({ connectionString: url });
    await client.connect();
    await client.query('SET synchronous_commit = off');
    await client.query('BEGIN');
    await client.query(
      "SELECT append_events(1000, '{task-1}', '{1}', '{-3}', '{1}', '{1}', '{1}', ARRAY[gen_random_uuid()], '{A}', '{1}', '{t}', '{p}', '{c}', '{c}', '{NULL}', '{NULL}', '{NULL}', '{1}', '{2}', '{}'::text::bytea)",
    );
    expect((await client.query('SHOW synchronous_commit')).rows).toEqual([{ synchronous_commit: 'on' }]);
    await client.query('ROLLBACK');
    await client.end();
  });

  test('an append that can not get the lock in time fails and stores nothing', async () => {
    const store = await open({ lockTimeoutMs: 50 });
    await store.append('task-0', 'any', newEvents(1));
    const client = new Client({ connectionString: url });
    await client.connect();
    await client.query('BEGIN');
    await client.query("SELECT pg_advisory_xact_lock((1383686979::bigint << 32) | 'events'::regclass::oid::bigint)");
    await expect(store.append('task-1', 'any', newEvents(1))).rejects.toMatchObject({
      code: 'store_unavailable',
      message: expect.stringContaining('holds its lock'),
    });
    await client.end();
    expect((await store.append('task-1', 'no-stream', newEvents(1))).version).toBe(0);
  });

  test('an append for which there is no room fails alone', async () => {
    const store = await open();
    await server.run(
      url,
      `CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF NEW.stream = 'task-large' THEN RAISE EXCEPTION 'no space left on device' USING ERRCODE = '53100'; END IF;
        RETURN NEW; END $$;
      CREATE TRIGGER full_disk BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION full_disk()`,
    );
    const results = await Promise.allSettled(
      ['task-1', 'task-large', 'task-2'].map((stream) => store.append(stream, 'no-stream', newEvents(2))),
    );
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(results[1]).toMatchObject({ reason: { code: 'store_full' } });
    const positions = (await readEverything(store)).map((event) => Number.parseInt(event.position, 16));
    expect(positions).toEqual([1, 2, 3, 4]);
  });

  test('a page of large events ends early, and so does the reading of a stream in parts', async () => {
    const store = await open();
    const payload = JSON.stringify('x'.repeat(300_000));
    for (let index = 0; index < 10; index += 1) await store.append('task-1', 'any', newEvents(4, { payload }));
    const page = await store.readAll(START, {}, 1000);
    expect(page.events.length).toBeLessThan(20);
    expect(page.atHead).toBe(false);
    expect(await readEverything(store, {}, 1000)).toHaveLength(40);
    expect((await store.readStream('task-1', { from: 1, limit: 35 })).map((event) => event.version)).toEqual(
      Array.from({ length: 35 }, (_, index) => index + 1),
    );
  });

  test('a role with the rights of the script reads and appends, and can change nothing', async () => {
    const database = await server.newDatabase();
    const owned = await open({}, database);
    await owned.append('task-1', 'any', newEvents(1));
    await (await openPostgresReadStore(database)).close();
    const role = `app_${new URL(database).pathname.slice(6, 20)}`;
    await server.run(database, roleScript(role));
    await server.run(database, roleScript(role));
    await server.run(database, `ALTER ROLE ${role} PASSWORD 'app'`);
    const asRole = changed({ username: role, password: 'app' }, database);
    const store = await open({}, asRole);
    const live = new Collector(store);
    expect((await store.append('task-1', 0, newEvents(1))).version).toBe(1);
    await live.until((events) => events.length === 2);
    await live.stop();
    const rows = await openPostgresReadStore<ReadModels>(asRole);
    const projector = await projectInline(store, rows);
    await projector.progress.reach(await store.head(), 5_000);
    await projector.rebuild(undefined);
    await projector.close();
    await rows.close();
    const forbidden = [
      "UPDATE events SET type = 'X'",
      'DELETE FROM events',
      'TRUNCATE events',
      'DROP TABLE events',
      'ALTER TABLE events DISABLE TRIGGER ALL',
      'DROP FUNCTION append_events',
      "INSERT INTO ratchet_migrations (name, checksum, readable_from) VALUES ('x', 'x', 9)",
    ];
    for (const sql of forbidden) await expect(server.run(asRole, sql)).rejects.toMatchObject({ code: '42501' });
    await server.run(database, `DROP OWNED BY ${role}; DROP ROLE ${role}`);
  });
});

describe('settings of the pool', () => {
  const sessions = (): Promise<Record<string, unknown>[]> =>
    server.run(
      url,
      "SELECT pid, query FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = 'ratchet'",
    );

  test('a process opens no more connections than pool_size, those that listen included', async () => {
    const store = await open({ poolSize: 3 });
    const live = new Collector(store);
    await live.reaches(START);
    await Promise.all(Array.from({ length: 50 }, () => store.readStream('task-1')));
    await expect
      .poll(async () => (await sessions()).some(({ query }) => String(query).startsWith('LISTEN')))
      .toBe(true);
    expect(await sessions()).toHaveLength(3);
    await live.stop();
  });

  test('an idle connection is closed after idle_timeout', async () => {
    const store = await open({ idleTimeoutMs: 20 });
    await Promise.all(Array.from({ length: 10 }, () => store.readStream('task-1')));
    await expect.poll(async () => (await sessions()).length).toBe(0);
    expect(await store.head()).toBe(START);
  });

  test('no wait for a connection is longer than connection_timeout', async () => {
    const silent = await startProxy(Number(new URL(url).port || 5432));
    silent.swallow('');
    const opening = open({ connectionTimeoutMs: 50 }, changed({ port: String(silent.port) }));
    await expect(opening).rejects.toMatchObject({
      code: 'store_unavailable',
      message: expect.stringMatching(/^Database connection failed: .*timeout/),
    });
    await silent.close();
  });

  for (const preparedStatements of [true, false]) {
    const says = preparedStatements ? 'are prepared by name' : 'are not prepared by name, and nothing listens,';
    test(`statements ${says} as prepared_statements says`, async () => {
      const proxy = await startProxy(Number(new URL(url).port || 5432));
      const store = await open({ preparedStatements }, changed({ port: String(proxy.port) }));
      const live = new Collector(store, { types: ['ThingHappened'] });
      for (let index = 0; index < 3; index += 1) await store.append(`task-${index}`, 'no-stream', newEvents(2));
      const other = await open();
      await other.append('task-other', 'any', newEvents(1));
      await live.until((events) => events.length === 7);
      expect(await store.readStream('task-other')).toHaveLength(1);
      expect(proxy.hasSent('append_events')).toBe(true);
      // These names are sent with each use of a statement that was prepared.
      for (const name of ['append-events', 'events-page-types', 'events-of-stream', 'LISTEN']) {
        expect([name, proxy.hasSent(name)]).toEqual([name, preparedStatements]);
      }
      await live.stop();
      await store.close();
      await proxy.close();
    });
  }
});

describe('at start', () => {
  test('the password of the URL is told nowhere', async () => {
    const error: unknown = await open({}, changed({ password: 'hunter2' })).catch((reason: unknown) => reason);
    expect(JSON.stringify([error, String(error)])).not.toContain('hunter2');
    expect(String(error)).toContain('correct user and password');
  });

  const wrong: [string, () => string, RegExp][] = [
    ['a port where nobody listens', () => changed({ port: '1' }), /ECONNREFUSED.*; start the server/],
    ['a wrong password', () => changed({ password: 'wrong' }), /password authentication failed.*; correct user and/],
    ['a database that is not there', () => changed({ pathname: '/none' }), /"none" does not exist; create the/],
    ['a host that is not there', () => changed({ hostname: 'none.invalid' }), /correct the host in the URL/],
  ];
  for (const [what, address, words] of wrong) {
    test(`${what} is told in one sentence with the way out`, async () => {
      await expect(open({ connectionTimeoutMs: 5_000 }, address())).rejects.toMatchObject({
        code: 'store_unavailable',
        message: expect.stringMatching(words),
      });
      await expect(open({ connectionTimeoutMs: 5_000 }, address())).rejects.toThrow(/^Database connection failed: /);
    });
  }

  test('an address that is none is refused without being told, for it may hold a password', async () => {
    const opening = open({}, 'postgresql://me:hunter2@host:port/db');
    await expect(opening).rejects.toMatchObject({ code: 'configuration_invalid' });
    await expect(opening).rejects.not.toThrow('hunter2');
  });

  test('a server that is too old is refused, and the oldest that will do is not', async () => {
    const answering = (version: string) => assertReachable({ place: 'host:5432/db', query: async () => [[version]] });
    await expect(answering('130022')).rejects.toMatchObject({
      code: 'store_unavailable',
      message:
        'Database connection failed: host:5432/db: the server is PostgreSQL 13; needed is 14 or later; upgrade the server',
    });
    await answering('140000');
  });
});

describe('TLS', () => {
  test('is spoken as sslmode says, and the certificate is checked against the file of sslrootcert', async ({
    skip,
  }) => {
    const { own } = server;
    if (own === null) return skip('the server is not ours to give a certificate');
    const folder = await temporaryFolder();
    const right = folder.file('right.pem');
    const other = folder.file('other.pem');
    writeFileSync(right, own.certificate);
    writeFileSync(other, (await import('../../support/certificate.ts')).selfSigned().cert);
    const encrypted = async (at: string): Promise<unknown> => {
      const store = await open({ poolSize: 1 }, at);
      await store.append('task-1', 'any', [newEvent()]);
      const [row] = await server.run(
        url,
        "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'ratchet' AND datname = current_database()",
      );
      await store.close();
      return row?.['ssl'];
    };
    const full = withParameter('sslmode', 'verify-full');
    expect(await encrypted(withParameter('sslrootcert', right, full))).toBe(true);
    expect(await encrypted(withParameter('sslmode', 'require'))).toBe(true);
    expect(await encrypted(withParameter('sslmode', 'disable'))).toBe(false);
    for (const refused of [full, withParameter('sslrootcert', other, full)]) {
      await expect(open({}, refused)).rejects.toMatchObject({
        code: 'store_unavailable',
        message: expect.stringMatching(/^Database connection failed: .*certificate/),
      });
    }
    const missing = open({}, withParameter('sslrootcert', folder.file('none.pem'), full));
    await expect(missing).rejects.toThrow(/^Database connection failed: .*none\.pem/);
    await folder.remove();
  });
});

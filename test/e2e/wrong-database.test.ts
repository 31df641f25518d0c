/** What a server says at its start about a database that will not do: one sentence with the way out, and exit code 3. */
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { selfSigned } from '../support/certificate.ts';
import { EventStoreDbDouble } from '../support/eventstoredb-double.ts';
import { type PostgresServer, startPostgres } from '../support/postgres.ts';
import { call, type Finished, type Home, openHome, ratchet, startServerProcess } from '../support/server.ts';

let server: PostgresServer;
let url: string;
let home: Home;

beforeAll(async () => {
  server = await startPostgres();
});

afterAll(() => server.close());

beforeEach(async () => {
  url = await server.newDatabase();
  home = openHome();
  return () => home[Symbol.dispose]();
});

function start(database: string, more = ''): Promise<Finished> {
  home.file('config.yaml', `database:\n  url: "${database}"\n  connection_timeout: 5\n${more}`);
  return ratchet(home, ['serve', '--config', 'config.yaml', '--port', '0']);
}

/** The first line says what is wrong and the rest what to do; nobody gets a stack or a password. */
async function refuses(starting: Promise<Finished>, words: RegExp): Promise<void> {
  const { code, stdout, stderr } = await starting;
  expect([stderr.split('\n')[0], code]).toEqual([expect.stringMatching(words), 3]);
  expect(stderr.trim().split('\n')).toHaveLength(2);
  expect(`${stdout}${stderr}`).not.toMatch(/hunter2|\n {4}at /);
}

function changed(parts: Partial<Pick<URL, 'port' | 'host' | 'password' | 'pathname'>>): string {
  return Object.assign(new URL(url), parts).href;
}

/** The address of the database as one in which this function stands before that of the server. */
async function shadowed(signature: string, body: string): Promise<string> {
  await server.run(url, `CREATE SCHEMA shadow; CREATE FUNCTION shadow.${signature} LANGUAGE sql AS $$ ${body} $$`);
  const address = new URL(url);
  address.searchParams.set('options', '-csearch_path=shadow,pg_catalog');
  return address.href;
}

const clockAhead = (by: string): Promise<string> =>
  shadowed('clock_timestamp() RETURNS timestamptz', `SELECT pg_catalog.clock_timestamp() + interval '${by}'`);

describe('a PostgreSQL database', { timeout: 60_000 }, () => {
  it('at a port where nobody listens', () =>
    refuses(
      start(changed({ port: '1', password: 'hunter2' })),
      /^Database connection failed: \S+:1\/\w+: connect ECONNREFUSED [^;]+; start the server, or correct host and port in the URL$/,
    ));

  it('on a host that is not there', () =>
    refuses(
      start('postgresql://me:hunter2@none.invalid/db'),
      /^Database connection failed: none\.invalid:5432\/db: [^;]+; correct the host in the URL$/,
    ));

  it('with a wrong password', () =>
    refuses(
      start(changed({ password: 'hunter2' })),
      /^Database connection failed: \S+: password authentication failed [^;]+; correct user and password in the URL$/,
    ));

  it('that does not exist', () =>
    refuses(
      start(changed({ pathname: '/none' })),
      /^Database connection failed: \S+: database "none" does not exist; create the database, or correct its name in the URL$/,
    ));

  it('on a server that is too old', async () => {
    const body = "SELECT CASE $1 WHEN 'server_version_num' THEN '130022' ELSE pg_catalog.current_setting($1) END";
    await refuses(
      start(await shadowed('current_setting(text) RETURNS text', body)),
      /^Database connection failed: \S+: the server is PostgreSQL 13; needed is 14 or later; upgrade the server$/,
    );
  });

  for (const family of ['event-log', 'read-store']) {
    it(`whose ${family} is of a newer program`, async () => {
      home.file('config.yaml', `database:\n  url: "${url}"\n`);
      expect((await ratchet(home, ['migrate', '--config', 'config.yaml'])).code).toBe(0);
      const row = `('${family}-99-other', 'x', 99)`;
      await server.run(url, `INSERT INTO ratchet_migrations (name, checksum, readable_from) VALUES ${row}`);
      await refuses(
        start(url),
        /^Database connection failed: \S+: its schema is newer than this program \(\S+\); upgrade/,
      );
    });
  }

  it('whose clock is five minutes away', async () => {
    await refuses(
      start(await clockAhead('5 minutes 1 second')),
      /^the clock of this machine is 5 min behind that of the database \S+$/,
    );
  });

  it('whose clock is some seconds away is served, with a warning', async () => {
    await using running = await startServerProcess(home, { database: await clockAhead('-30 seconds') });
    expect(running.stdout()).toMatch(/the clock of this machine is \d+\.\d s ahead of that of the database/);
    expect((await call(running.url, 'GET', '/health')).status).toBe(200);
  });

  it('that is no address at all is wrong use, and not shown', async () => {
    for (const wrong of ['postgresql://me:hun/ter2@host/db', 'postgresql://me:hunter2@host:port/db']) {
      const { code, stderr } = await start(wrong);
      expect(code).toBe(2);
      expect(stderr).toMatch(/^the address of the database is no URL such as .*write @ as %40/);
      expect(stderr).not.toMatch(/hun|ter2/);
    }
  });

  it('asked for with a TLS mode that does not exist is wrong use', async () => {
    const { code, stderr } = await start(`${url}?sslmode=verify_full`);
    expect([code, stderr]).toEqual([2, expect.stringMatching(/^sslmode in the address .* none of disable, prefer,/)]);
  });
});

describe('a log in EventStoreDB', { timeout: 90_000 }, () => {
  let double: EventStoreDbDouble;

  beforeEach(async () => {
    double = await new EventStoreDbDouble().start();
    return () => double.stop();
  });

  const log = (address: string): string => `event_store:\n  url: "${address}"\n`;

  it('at a port where nobody listens', () =>
    refuses(
      start(url, log('esdb://127.0.0.1:1?tls=false')),
      /^Database connection failed: EventStoreDB at 127\.0\.0\.1:1: .*ECONNREFUSED/,
    ));

  it('on a server that is too old', async () => {
    double.faults.isForeign = true;
    await refuses(
      start(url, log(double.url)),
      /^Database connection failed: EventStoreDB at \S+: it does not offer streams over gRPC: is it EventStoreDB 20\.6 or later/,
    );
  });

  it('with a wrong password', async () => {
    const certificate = selfSigned();
    const guarded = await new EventStoreDbDouble({ certificate }).start();
    const authority = home.file('ca.pem', certificate.cert);
    const address = `esdb://admin:hunter2@localhost:${guarded.port}?tlsCAFile=${authority}`;
    await refuses(
      start(url, log(address)).finally(() => guarded.stop()),
      /^Database connection failed: EventStoreDB at \S+: the user admin is not accepted with this password: correct user and password/,
    );
  });

  it('whose read models are to lie beside those of another log', async () => {
    const settings = { database: url, more: log(double.url) };
    const first = await startServerProcess(home, settings);
    await call(first.url, 'POST', '/api/v1/tasks', { name: 'one', code: 'function main() { return 1; }' });
    expect(await first.stop()).toBe(0);
    const other = log(`${double.url}&streamPrefix=other.`);
    await refuses(
      start(url, other),
      /^the read models are of another log, which begins with the event \S+; this log is empty$/,
    );
    await refuses(start(url), /^the read models are of another log/);
    await using again = await startServerProcess(home, settings);
    expect((await call(again.url, 'GET', '/api/v1/tasks')).body).toMatchObject({ tasks: [{ name: 'one' }] });
  });
});

describe('read models', { timeout: 120_000 }, () => {
  it('of a log that was set back are refused until they are rebuilt', async () => {
    const task = (at: string, name: string) =>
      call(at, 'POST', '/api/v1/tasks', { name, code: 'function main() { return 1; }' });
    const at = (name: string): string => join(home.folder, name);
    const first = await startServerProcess(home);
    await task(first.url, 'kept');
    expect(await first.stop()).toBe(0);
    const copy = await ratchet(home, ['events', 'copy', '--from', 'sqlite:ratchet.db', '--to', 'sqlite:copy.db']);
    expect(copy.code).toBe(0);
    const second = await startServerProcess(home);
    await task(second.url, 'lost');
    expect(await second.stop()).toBe(0);
    for (const end of ['', '-wal', '-shm']) if (existsSync(at(`ratchet.db${end}`))) rmSync(at(`ratchet.db${end}`));
    await ratchet(home, ['events', 'copy', '--from', 'sqlite:copy.db', '--to', 'sqlite:ratchet.db']);
    await refuses(
      ratchet(home, ['serve', '--config', 'config.yaml', '--port', '0']),
      /^the read models know events up to \S+, and the log ends at \S+: an older copy was restored$/,
    );
    expect((await ratchet(home, ['projections', 'rebuild', '--config', 'config.yaml'])).code).toBe(0);
    await using third = await startServerProcess(home);
    expect((await call(third.url, 'GET', '/api/v1/tasks')).body).toMatchObject({ tasks: [{ name: 'kept' }] });
  });
});

/** How a log lies on a server that others use too, and what is said when the server can not be used. */

import { randomUUID } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { positionOfText, positionText } from '../../../infra/event-store/eventstoredb-events.ts';
import { KnownEvents } from '../../../infra/event-store/eventstoredb-known.ts';
import { eventStoreDbLogName, parseEventStoreDbUrl } from '../../../infra/event-store/eventstoredb-url.ts';
import { openEventStore } from '../../../infra/event-store/open.ts';
import { selfSigned } from '../../support/certificate.ts';
import { EventStoreDbDouble } from '../../support/eventstoredb-double.ts';
import { newEvent, newEvents, readEverything } from '../../support/store-events.ts';

let double: EventStoreDbDouble;

beforeEach(async () => {
  double = await new EventStoreDbDouble().start();
});

afterEach(() => double.stop());

describe('on the server', () => {
  test('an event lies with its id, its payload as bytes, and metadata that tools of the server understand', async () => {
    const store = await openEventStore(double.url);
    const event = newEvent({ payload: '{ "b":1.0 }', correlationId: 'c-1', causationId: 'c-0', principal: 'key:ci' });
    await store.append('task-1', 'no-stream', [event]);
    const record = double.log.records.find(({ stream }) => stream === 'task-1');
    expect(record).toMatchObject({ id: event.eventId, type: event.type, revision: 0n });
    expect(Buffer.from(record?.data ?? []).toString()).toBe('{ "b":1.0 }');
    expect(JSON.parse(Buffer.from(record?.metadata ?? []).toString())).toMatchObject({
      $correlationId: 'c-1',
      $causationId: 'c-0',
      principal: 'key:ci',
      schemaVersion: 1,
    });
    await store.close();
  });

  test('logs with different stream prefixes share a server and do not see each other', async () => {
    const [one, two, plain] = await Promise.all(
      ['&streamPrefix=one.', '&streamPrefix=two.', ''].map((option) => openEventStore(`${double.url}${option}`)),
    );
    if (one === undefined || two === undefined || plain === undefined) throw new Error('three stores were opened');
    await one.append('task-1', 'no-stream', newEvents(2));
    await two.append('task-1', 'no-stream', newEvents(3));
    await plain.append('task-1', 'no-stream', newEvents(4));
    const counts = await Promise.all([one, two, plain].map(async (store) => (await readEverything(store)).length));
    expect(counts).toEqual([2, 3, 4]);
    expect(double.log.stream('one.task-1')).toHaveLength(2);
    expect((await one.readStream('task-1'))[1]?.stream).toBe('task-1');
    for (const store of [one, two, plain]) await store.close();
  });

  test('many events of others before a log are looked through once, and its first events are not missed', async () => {
    for (let index = 0; index < 1000; index += 1) double.log.writeNoise();
    const store = await openEventStore(double.url);
    const other = await openEventStore(double.url);
    expect(await store.head()).toBe('');
    expect(await store.readAll('', {}, 10)).toMatchObject({ events: [], atHead: true });
    await other.append('task-1', 'no-stream', newEvents(3));
    expect(await readEverything(store, {}, 2)).toHaveLength(3);
    expect((await readEverything(store)).at(-1)?.position).toBe(await store.head());
    for (const one of [store, other]) await one.close();
  });

  test('reads that end early and a close while the log is read leave nothing that is waited for', async () => {
    const writer = await openEventStore(double.url);
    for (let index = 0; index < 10; index += 1) await writer.append(`task-${index}`, 'no-stream', newEvents(100));
    const store = await openEventStore(double.url);
    expect((await store.readAll('', {}, 1)).events).toHaveLength(1);
    const reads = Promise.allSettled(Array.from({ length: 20 }, () => store.readAll('', { types: ['None'] }, 5)));
    await store.close();
    for (const read of await reads) {
      if (read.status === 'rejected') expect(read.reason).toMatchObject({ code: 'store_unavailable' });
    }
    await writer.close();
  });

  test('an append of more than 1 MiB in all is refused before it is sent', async () => {
    const store = await openEventStore(double.url);
    const payload = JSON.stringify('x'.repeat(400_000));
    const append = store.append('task-1', 'no-stream', newEvents(3, { payload }));
    await expect(append).rejects.toMatchObject({ code: 'payload_too_large', details: { limit: 1024 * 1024 } });
    expect(double.log.stream('task-1')).toBeUndefined();
    await store.close();
  });

  test('positions compare as the order of the server does, and come back as they were', () => {
    const number = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n });
    const position = fc.record({ commit: number, prepare: number });
    fc.assert(
      fc.property(position, position, (left, right) => {
        const isBefore = left.commit < right.commit || (left.commit === right.commit && left.prepare < right.prepare);
        expect(positionText(left) < positionText(right)).toBe(isBefore);
        expect(positionOfText(positionText(left))).toEqual(left);
      }),
    );
  });

  test('of ids that are known only so many are kept, whole streams of them', () => {
    const known = new KnownEvents(10);
    for (let stream = 0; stream < 4; stream += 1) {
      known.add(`task-${stream}`, 0, [`${stream}a`, `${stream}b`, `${stream}c`], true);
    }
    known.add('task-2', 7, ['gap'], false);
    known.add('task-9', 5, ['unknown beginning'], false);
    expect([0, 1, 2, 3].map((stream) => known.lastOf(`task-${stream}`))).toEqual([null, 2, 2, 2]);
    expect(known.lastOf('task-9')).toBeNull();
    expect([known.find('0a'), known.find('1a')?.version, known.find('gap')]).toEqual([undefined, 0, undefined]);
  });
});

describe('at the start', () => {
  /** @returns the error of opening, which never holds the password. */
  async function refusal(url: string): Promise<{ readonly code: unknown; readonly message: string }> {
    const error: unknown = await openEventStore(url).then(
      (store) => store.close(),
      (reason: unknown) => reason,
    );
    if (!(error instanceof Error) || !('code' in error)) throw new Error(`expected an error, got ${String(error)}`);
    expect(JSON.stringify([error.message, Object.entries(error)])).not.toContain('s3cret');
    return { code: error.code, message: error.message };
  }

  test('a port at which nothing listens is named', async () => {
    double.stop();
    expect(await refusal(`esdb://admin:s3cret@127.0.0.1:${double.port}?tls=false`)).toEqual({
      code: 'store_unavailable',
      message: expect.stringMatching(
        new RegExp(
          `^Database connection failed: EventStoreDB at 127.0.0.1:${double.port}: connect ECONNREFUSED 127.0.0.1:${double.port}$`,
        ),
      ),
    });
  });

  test('over TLS with user and password the store works; without, with wrong ones or untrusted it says what is wrong', async () => {
    const certificate = selfSigned();
    const file = join(tmpdir(), `ratchet-${randomUUID()}.pem`);
    await writeFile(file, certificate.cert);
    const secured = await new EventStoreDbDouble({ certificate, password: 's3cret/%' }).start();
    const at = `localhost:${secured.port}?tlsCAFile=${file}`;
    const store = await openEventStore(`esdb://admin:s3cret%2F%25@${at}`);
    expect((await store.append('task-1', 'any', newEvents(2))).version).toBe(1);
    expect(await readEverything(store)).toHaveLength(2);
    await store.close();
    const wrong = await refusal(`esdb://admin:s3cret@${at}`);
    expect(wrong.message).toContain('the user admin is not accepted with this password');
    expect((await refusal(`esdb://${at}`)).message).toContain('it asks for a user');
    expect((await refusal(`esdb://admin:s3cret@localhost:${secured.port}`)).message).toContain('tlsCAFile=FILE');
    expect((await refusal(`esdb://admin:s3cret@127.0.0.1:${secured.port}`)).message).toContain('by its name');
    const plain = await refusal(`esdb://admin:s3cret@127.0.0.1:${secured.port}?tls=false`);
    expect(plain.message).toContain('it speaks TLS: take tls=false out');
    secured.stop();
    await rm(file);
  });

  test('a server without TLS is told when TLS was meant, and it never gets the password', async () => {
    const { message } = await refusal(`esdb://admin:s3cret@localhost:${double.port}`);
    expect(message).toContain('it does not speak TLS: add tls=false');
    const store = await openEventStore(`esdb://admin:s3cret@127.0.0.1:${double.port}?tls=false`);
    await store.append('task-1', 'any', newEvents(1));
    await store.close();
    expect([...double.authorizations]).toEqual([]);
  });

  test('a server that offers no streams, and one that is something else, are told apart from a broken one', async () => {
    double.faults.isForeign = true;
    expect((await refusal(double.url)).message).toContain('does not offer streams over gRPC');
    const web = createServer((_request, response) => response.end('hello'));
    const port = await new Promise<number>((resolve) => {
      web.listen(0, '127.0.0.1', () => {
        const address = web.address();
        resolve(typeof address === 'object' && address !== null ? address.port : 0);
      });
    });
    const other = await refusal(`esdb://127.0.0.1:${port}?tls=false`);
    expect(other).toMatchObject({
      code: 'store_unavailable',
      message: expect.stringContaining('Database connection failed'),
    });
    web.closeAllConnections();
    await new Promise((resolve) => web.close(resolve));
  });

  test('a cluster of which no node answers is told', async () => {
    double.stop();
    const url = `esdb+discover://admin:s3cret@127.0.0.1:${double.port}?tls=false&maxDiscoverAttempts=2&discoveryInterval=1`;
    expect((await refusal(url)).message).toMatch(/^Database connection failed: .*Failed to discover/);
  });

  const broken: [string, string][] = [
    ['esdb:host', 'is not of the form'],
    ['esdb://admin@host', 'a user without a password'],
    ['esdb://admin:s3cret@host:0', 'of the form name:port'],
    ['esdb://host?tls=perhaps', 'neither true nor false'],
    ['esdb://host?tlsVerifyCert=false', 'tlsCAFile=FILE'],
    ['esdb://host?throwOnAppendFailure=false', 'leave it out'],
    ['esdb://host?nodePreference=best', 'nodePreference'],
    ['esdb://host?defaultDeadline=soon', 'defaultdeadline'],
    ['esdb://host?userCertFile=/x', 'both userCertFile and userKeyFile'],
    ['esdb://host?tlsCAFile=/none.pem', 'not there: /none.pem'],
    ['esdb://admin:s3cret%@host', '%25'],
    ['esdb://host?speed=high', 'unknown option speed'],
  ];
  for (const [url, words] of broken) {
    test(`${url} is refused in one sentence`, async () => {
      expect(await refusal(url)).toEqual({ code: 'configuration_invalid', message: expect.stringContaining(words) });
    });
  }

  test('a log has one name whatever user, options and order of hosts it is opened with', () => {
    const name = eventStoreDbLogName('esdb://a:1,b:2?tls=false');
    expect(eventStoreDbLogName('kurrentdb://me:s3cret@B:2,A:1?defaultDeadline=9')).toBe(name);
    for (const other of ['esdb://a:1', 'esdb://a:1,b:3', 'esdb://a:1,b:2?streamPrefix=x.']) {
      expect(eventStoreDbLogName(other)).not.toBe(name);
    }
  });

  test('every part of a connection string is understood', () => {
    const url =
      'kurrentdb+discover://me:p%40ss@db.example:2114/?nodePreference=follower&max_discover_attempts=7&streamPrefix=a.&connectionName=r';
    expect(parseEventStoreDbUrl(url)).toMatchObject({
      hosts: [{ address: 'db.example', port: 2114 }],
      discover: true,
      user: { username: 'me', password: 'p@ss' },
      tls: true,
      nodePreference: 'follower',
      maxDiscoverAttempts: 7,
      streamPrefix: 'a.',
      connectionName: 'r',
    });
    expect(parseEventStoreDbUrl('esdb://[::1],other:1').hosts).toEqual([
      { address: '[::1]', port: 2113 },
      { address: 'other', port: 1 },
    ]);
  });
});

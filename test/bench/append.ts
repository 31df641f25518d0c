/** Durable appends through the port against a bare loop on the same driver, schema and grouping. */
import { join } from 'node:path';
import { openEventStore } from '../../infra/event-store/open.ts';
import { openWriter } from '../../infra/event-store/sqlite-file.ts';
import { bytesOf, INSERT } from '../../infra/event-store/sqlite-rows.ts';
import { systemRuntime } from '../../infra/runtime.ts';
import type { NewEvent } from '../../src/domain/event.ts';
import { openHome } from '../support/server.ts';
import type { Benchmark, BenchSettings, Limit, Line } from './benchmark.ts';
import { closedLoop, interleaved } from './measure.ts';

const PAYLOAD_BYTES = 500;
/** Pages of the write-ahead log after which the bare loop moves it into the file, as the product does under load. */
const CHECKPOINT_PAGES = 6_000;
const runtime = systemRuntime();

/** An event with a payload of 500 bytes. */
export function newEvent(id: string): NewEvent {
  const data = { id, text: '' };
  data.text = 'x'.repeat(PAYLOAD_BYTES - JSON.stringify(data).length);
  return {
    eventId: runtime.newId(),
    type: 'SomethingHappened',
    schemaVersion: 1,
    occurredAt: new Date().toISOString(),
    principal: 'local:admin',
    commandId: id,
    correlationId: id,
    causationId: null,
    traceparent: null,
    payload: JSON.stringify(data),
  };
}

async function throughPort(inFlight: number, ms: number): Promise<number> {
  using home = openHome();
  const store = await openEventStore(`sqlite:${join(home.folder, 'log.db')}`);
  try {
    return await closedLoop(inFlight, ms, () => {
      const id = runtime.newId();
      return store.append(`execution-${id}`, 'no-stream', [newEvent(id)]);
    });
  } finally {
    await store.close();
  }
}

/** Events a second of a bare loop: one a stream, groups of as many as the port has in flight, each one durable transaction. */
export function bareAppends(group: number, ms: number): number {
  using home = openHome();
  const db = openWriter(join(home.folder, 'log.db'));
  db.exec(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
  const [begin, commit, insert] = [db.prepare('BEGIN IMMEDIATE'), db.prepare('COMMIT'), db.prepare(INSERT)];
  const start = performance.now();
  let position = 0;
  while (performance.now() - start < ms) {
    begin.run();
    for (let index = 0; index < group; index += 1) {
      const id = runtime.newId();
      const event = newEvent(id);
      position += 1;
      const envelope = [
        event.type,
        1,
        event.occurredAt,
        event.occurredAt,
        event.principal,
        id,
        id,
        null,
        null,
      ] as const;
      insert.run(position, `execution-${id}`, 0, bytesOf(event.eventId), ...envelope, event.payload);
    }
    commit.run();
  }
  const rate = position / ((performance.now() - start) / 1000);
  db.close();
  return rate;
}

async function run({ seconds, rounds }: BenchSettings) {
  const ms = seconds * 1000;
  await throughPort(256, 1_000);
  bareAppends(256, 500);
  const lines: Line[] = [];
  for (const inFlight of [1, 256]) {
    const { port, raw } = await interleaved(rounds, {
      raw: () => bareAppends(inFlight, ms),
      port: () => throughPort(inFlight, ms),
    });
    const limits: Limit[] = inFlight === 256 ? [{ of: 'ratio', floor: 0.6, goal: 0.85 }] : [];
    const baseline = { name: `bare loop, groups of ${inFlight}`, value: raw };
    lines.push({ name: `${inFlight} in flight`, unit: '/s', value: port, baseline, limits });
  }
  const notes = [
    'one event an append, each to a new stream named by a UUIDv7; payload of 500 bytes made in the loop; answered when durable',
  ];
  return { lines, notes };
}

export const append: Benchmark = { name: 'append', title: 'durable appends of one event, SQLite', run };

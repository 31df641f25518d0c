/** Durable appends to PostgreSQL through the port against the bare driver: one connection, the same table and grouping. */
import { Client } from 'pg';
import { openEventStore } from '../../infra/event-store/open.ts';
import { systemRuntime } from '../../infra/runtime.ts';
import type { NewEvent } from '../../src/domain/event.ts';
import { startPostgres } from '../support/postgres.ts';
import { newEvent } from './append.ts';
import type { Benchmark, BenchSettings, Limit, Line } from './benchmark.ts';
import { closedLoop, interleaved } from './measure.ts';

const runtime = systemRuntime();
/** What any program would do that had positions and versions for nothing. */
const INSERT = `
  INSERT INTO events (position, stream, version, event_id, type, schema_version, occurred_at, recorded_at, principal,
      command_id, correlation_id, payload)
    SELECT $1::bigint + e.ordinal, 'execution-' || e.id, 0, e.event_id, e.type, 1, e.time, e.time, e.principal, e.id, e.id,
        convert_to(e.payload, 'UTF8')
      FROM unnest($2::text[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[])
        WITH ORDINALITY AS e(id, event_id, type, time, principal, payload, ordinal)
`;

async function throughPort(url: string, inFlight: number, ms: number): Promise<number> {
  const store = await openEventStore(url, { postgres: { poolSize: 5 } });
  try {
    return await closedLoop(inFlight, ms, () => {
      const id = runtime.newId();
      return store.append(`execution-${id}`, 'no-stream', [newEvent(id)]);
    });
  } finally {
    await store.close();
  }
}

async function bare(url: string, group: number, ms: number): Promise<number> {
  const client = new Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query<{ head: string }>('SELECT coalesce(max(position), 0) AS head FROM events');
  const before = Number(rows[0]?.head ?? 0);
  const start = performance.now();
  let position = before;
  while (performance.now() - start < ms) {
    const events: NewEvent[] = Array.from({ length: group }, () => newEvent(runtime.newId()));
    const column = (of: (event: NewEvent) => string): string[] => events.map(of);
    await client.query({
      name: 'insert',
      text: INSERT,
      values: [
        position,
        column((event) => event.commandId),
        column((event) => event.eventId),
        column((event) => event.type),
        column((event) => event.occurredAt),
        column((event) => event.principal),
        column((event) => event.payload),
      ],
    });
    position += group;
  }
  const rate = (position - before) / ((performance.now() - start) / 1000);
  await client.end();
  return rate;
}

/** Durable commits of one event each, one after the other, of the bare driver. @param url a database without a log */
export async function bareCommits(url: string, ms: number): Promise<number> {
  await (await openEventStore(url, { postgres: { poolSize: 1 } })).close();
  return await bare(url, 1, ms);
}

async function run({ seconds, rounds }: BenchSettings) {
  const ms = seconds * 1000;
  const server = await startPostgres({ durable: true });
  try {
    const url = await server.newDatabase();
    await throughPort(url, 256, 1_000);
    await bare(url, 256, 500);
    const lines: Line[] = [];
    for (const inFlight of [1, 256]) {
      const { port, raw } = await interleaved(rounds, {
        raw: () => bare(url, inFlight, ms),
        port: () => throughPort(url, inFlight, ms),
      });
      const limits: Limit[] = inFlight === 256 ? [{ of: 'ratio', floor: 0.5, goal: 0.7 }] : [];
      const baseline = { name: `bare driver, groups of ${inFlight}`, value: raw };
      lines.push({ name: `${inFlight} in flight`, unit: '/s', value: port, baseline, limits });
    }
    const notes = [
      'one event an append, each to a new stream named by a UUIDv7; payload of 500 bytes made in the loop; answered when durable',
      'the bare driver is given positions and versions and looks nothing up; server and client share the machine',
    ];
    return { lines, notes };
  } finally {
    await server.close();
  }
}

export const appendPostgres: Benchmark = {
  name: 'append-postgres',
  title: 'durable appends of one event, PostgreSQL',
  run,
};

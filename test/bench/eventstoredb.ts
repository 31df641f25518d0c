/** Appends and catching up with a log in EventStoreDB, through the port against the bare client, both on the double. */
import { binaryEvent, EventStoreDBClient, NO_STREAM } from '@eventstore/db-client';
import { openEventStore } from '../../infra/event-store/open.ts';
import { systemRuntime } from '../../infra/runtime.ts';
import { START } from '../../src/domain/event.ts';
import { EventStoreDbDouble } from '../support/eventstoredb-double.ts';
import { newEvents } from '../support/store-events.ts';
import { newEvent } from './append.ts';
import type { Benchmark, BenchSettings, Line } from './benchmark.ts';
import { closedLoop, interleaved } from './measure.ts';

const CAUGHT_UP = 20_000;
const GROUP = 100;
const runtime = systemRuntime();

async function appendThroughPort(url: string, inFlight: number, ms: number): Promise<number> {
  const store = await openEventStore(url);
  try {
    return await closedLoop(inFlight, ms, () => {
      const id = runtime.newId();
      return store.append(`execution-${id}`, 'no-stream', [newEvent(id)]);
    });
  } finally {
    await store.close();
  }
}

async function appendBare(url: string, inFlight: number, ms: number): Promise<number> {
  const client = EventStoreDBClient.connectionString(url);
  try {
    return await closedLoop(inFlight, ms, () => {
      const { eventId, type, payload, ...metadata } = newEvent(runtime.newId());
      const event = binaryEvent({ id: eventId, type, data: Buffer.from(payload), metadata });
      return client.appendToStream(`execution-${metadata.commandId}`, event, { expectedRevision: NO_STREAM });
    });
  } finally {
    await client.dispose();
  }
}

async function catchUpThroughPort(url: string): Promise<number> {
  const store = await openEventStore(url);
  const stop = new AbortController();
  const start = performance.now();
  let events = 0;
  for await (const page of store.subscribe(START, {}, stop.signal)) {
    events += page.events.length;
    if (events >= CAUGHT_UP) break;
  }
  const rate = events / ((performance.now() - start) / 1000);
  await store.close();
  return rate;
}

async function catchUpBare(url: string): Promise<number> {
  const client = EventStoreDBClient.connectionString(url);
  const start = performance.now();
  let events = 0;
  for await (const _ of client.readAll()) events += 1;
  return events / ((performance.now() - start) / 1000);
}

async function run({ seconds, rounds }: BenchSettings) {
  const ms = seconds * 1000;
  const double = await new EventStoreDbDouble().start();
  const long = await new EventStoreDbDouble().start();
  try {
    const filling = await openEventStore(long.url);
    for (let index = 0; index < CAUGHT_UP / GROUP; index += 1) {
      await filling.append(`task-${index}`, 'no-stream', newEvents(GROUP));
    }
    await filling.close();
    const lines: Line[] = [];
    for (const inFlight of [1, 256]) {
      const { port, raw } = await interleaved(rounds, {
        raw: () => appendBare(double.url, inFlight, ms),
        port: () => appendThroughPort(double.url, inFlight, ms),
      });
      const baseline = { name: 'bare client, batch appends', value: raw };
      lines.push({ name: `append, ${inFlight} in flight`, unit: '/s', value: port, baseline, limits: [] });
    }
    const { port, raw } = await interleaved(rounds, {
      raw: () => catchUpBare(long.url),
      port: () => catchUpThroughPort(long.url),
    });
    const baseline = { name: 'bare client, one read', value: raw };
    lines.push({ name: 'catch-up, events', unit: '/s', value: port, baseline, limits: [] });
    return {
      lines,
      notes: [
        'the double runs in the same process and does half of the work: ratios are of the client, not of a server',
      ],
    };
  } finally {
    double.stop();
    long.stop();
  }
}

export const eventStoreDb: Benchmark = { name: 'eventstoredb', title: 'log in EventStoreDB, on its double', run };

/** A log of real executions, copied many times, and the row changes that it leads to: what catching up is measured on. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Kysely } from 'kysely';
import type { ReadStore } from '../../infra/read-store/read-store.ts';
import { systemRuntime } from '../../infra/runtime.ts';
import { PROJECTIONS } from '../../projections/index.ts';
import { createIndexes, createTable, type ReadModels } from '../../projections/read-models.ts';
import { StatementCompiler } from '../../projections/statements.ts';
import { type NewEvent, START, type StoredEvent, streamName } from '../../src/domain/event.ts';
import { decode, type KnownEvent } from '../../src/domain/history.ts';
import type { EventStore } from '../../src/ports/event-store.ts';
import type { Statement } from '../../src/ports/read-store.ts';
import { projectOnThread } from '../../src/projector-on-thread.ts';
import type { ProjectorSettings } from '../../src/projector.ts';
import type { Home } from '../support/server.ts';
import { openCommandPort } from './product.ts';

const EVENTS = 60_000;
const IN_FLIGHT = 256;
/** Events in one transaction, as the product has while it catches up. */
export const GROUP = 1_000;
const THREE_STEPS = `async function main({ url }) {
  for (let n = 0; n < 3; n += 1) {
    console.log('asking', { n });
    await span('ask ' + n, () => fetch(url));
  }
  return { asked: 3 };
}`;

const runtime = systemRuntime();

/** All events of one real execution, in the order of the log. */
export type Template = readonly StoredEvent[];

/** Runs a no-op and one with 3 HTTP steps, log lines and spans. */
export async function templates(home: Home): Promise<readonly Template[]> {
  const api = createServer((_, response) => response.setHeader('content-type', 'application/json').end('{"ok":true}'));
  api.listen(0, '127.0.0.1');
  await once(api, 'listening');
  try {
    await using port = await openCommandPort(home);
    await port.task('no-op', 'function main() { return null; }');
    await port.task('three-steps', THREE_STEPS);
    const url = `http://127.0.0.1:${(api.address() as AddressInfo).port}/`;
    const ids = [await port.execute('no-op', {}), await port.execute('three-steps', { url })];
    return await Promise.all(ids.map((id) => executionEvents(port.app.store, id)));
  } finally {
    api.closeAllConnections();
    api.close();
  }
}

async function executionEvents(store: EventStore, id: string): Promise<Template> {
  const streams = [streamName('execution', id), streamName('telemetry', id)];
  const events = await Promise.all(streams.map((stream) => store.readStream(stream)));
  return events.flat().sort((a, b) => (a.position < b.position ? -1 : 1));
}

/** Fills the log with copies of real executions, half of them no-ops, each under an id of its own. */
export async function fill(store: EventStore, executions: readonly Template[]): Promise<number> {
  let count = 0;
  let next = 0;
  const worker = async (): Promise<void> => {
    while (count < EVENTS) {
      const template = executions[next % executions.length] ?? [];
      next += 1;
      count += template.length;
      await copy(store, template);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  return count;
}

async function copy(store: EventStore, template: Template): Promise<void> {
  const old = template[0]?.stream.slice('execution-'.length) ?? '';
  const id = runtime.newId();
  const renamed = (text: string): string => text.replaceAll(old, id);
  for (const event of template) {
    const { stream, version: _version, position: _position, recordedAt: _recordedAt, ...rest } = event;
    const copied: NewEvent = {
      ...rest,
      eventId: runtime.newId(),
      commandId: renamed(rest.commandId),
      correlationId: renamed(rest.correlationId),
      causationId: rest.causationId === null ? null : renamed(rest.causationId),
      payload: renamed(rest.payload),
    };
    await store.append(renamed(stream), 'any', [copied]);
  }
}

/** Every statement that the projections make of the log for a read store, ready to be executed. */
export async function prepared(store: EventStore, rows: ReadStore<ReadModels>): Promise<Statement[][]> {
  const compiler = new StatementCompiler(rows.db as unknown as Kysely<never>, (name) => name);
  const groups: Statement[][] = [];
  for (let position = START; ; ) {
    const page = await store.readAll(position, {}, GROUP);
    groups.push(page.events.flatMap((stored) => changesOf(stored).map((change) => compiler.compile(change))));
    position = page.position;
    if (page.atHead) return groups;
  }
}

function changesOf(stored: StoredEvent) {
  const wanted = PROJECTIONS.filter(({ types }) => types.some((type) => type === stored.type));
  return wanted.flatMap((projection) => projection.apply(decode<KnownEvent>(stored), stored));
}

/** Makes the tables of all projections, empty, and closes the store. */
export async function makeTables(rows: ReadStore<ReadModels>): Promise<void> {
  const db = rows.db as unknown as Kysely<unknown>;
  for (const table of PROJECTIONS.flatMap(({ tables }) => tables)) {
    await createTable(db, table);
    await createIndexes(db, table);
  }
  await rows.close();
}

/** @returns seconds that the projector takes from its start to `head` */
export async function caughtUp(settings: ProjectorSettings, head: string): Promise<number> {
  let trouble: unknown = null;
  const projector = await projectOnThread(settings, (error) => (trouble = error));
  const start = performance.now();
  await projector.progress.reach(head, 120_000);
  const seconds = (performance.now() - start) / 1000;
  await projector.close();
  if (trouble !== null) throw new Error('projecting failed', { cause: trouble });
  return seconds;
}

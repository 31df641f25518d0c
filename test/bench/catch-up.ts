/** How fast all built-in projections together fold a log, against the bare inserts that they lead to. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Kysely } from 'kysely';
import { openEventStore } from '../../infra/event-store/open.ts';
import { bindable } from '../../infra/read-store/node-sqlite-dialect.ts';
import { openSqliteReadStore } from '../../infra/read-store/sqlite.ts';
import { systemRuntime } from '../../infra/runtime.ts';
import { PROJECTIONS } from '../../projections/index.ts';
import { createIndexes, createTable, type ReadModels } from '../../projections/read-models.ts';
import { StatementCompiler } from '../../projections/statements.ts';
import { type NewEvent, START, type StoredEvent, streamName } from '../../src/domain/event.ts';
import { decode, type KnownEvent } from '../../src/domain/history.ts';
import type { EventStore } from '../../src/ports/event-store.ts';
import type { Statement } from '../../src/ports/read-store.ts';
import { projectOnThread } from '../../src/projector-on-thread.ts';
import { type Home, openHome } from '../support/server.ts';
import type { Benchmark, BenchSettings, Outcome } from './benchmark.ts';
import { interleaved } from './measure.ts';
import { openCommandPort } from './product.ts';

const EVENTS = 60_000;
const IN_FLIGHT = 256;
/** Events in one transaction, as the product has while it catches up. */
const GROUP = 1_000;
const THREE_STEPS = `async function main({ url }) {
  for (let n = 0; n < 3; n += 1) {
    console.log('asking', { n });
    await span('ask ' + n, () => fetch(url));
  }
  return { asked: 3 };
}`;

const runtime = systemRuntime();

/** All events of one real execution, in the order of the log. */
type Template = readonly StoredEvent[];

async function templates(home: Home): Promise<readonly Template[]> {
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
async function fill(store: EventStore, executions: readonly Template[]): Promise<number> {
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

/** Every statement that the projections make of the log, ready to be executed. */
async function prepared(store: EventStore): Promise<Statement[][]> {
  const rows = openSqliteReadStore<ReadModels>(':memory:');
  const compiler = new StatementCompiler(rows.db as unknown as Kysely<never>, (name) => name);
  const groups: Statement[][] = [];
  for (let position = START; ; ) {
    const page = await store.readAll(position, {}, GROUP);
    groups.push(page.events.flatMap((stored) => changesOf(stored).map((change) => compiler.compile(change))));
    position = page.position;
    if (page.atHead) break;
  }
  await rows.close();
  return groups;
}

function changesOf(stored: StoredEvent) {
  const wanted = PROJECTIONS.filter(({ types }) => types.some((type) => type === stored.type));
  return wanted.flatMap((projection) => projection.apply(decode<KnownEvent>(stored), stored));
}

async function caughtUp(home: Home, url: string, head: string): Promise<number> {
  const readStore = join(home.folder, `${runtime.newId()}.db`);
  let trouble: unknown = null;
  const projector = await projectOnThread({ eventStoreUrl: url, readStore }, (error) => (trouble = error));
  const start = performance.now();
  await projector.progress.reach(head, 120_000);
  const seconds = (performance.now() - start) / 1000;
  await projector.close();
  if (trouble !== null) throw new Error('projecting failed', { cause: trouble });
  return seconds;
}

async function inserted(home: Home, groups: readonly Statement[][]): Promise<number> {
  const file = join(home.folder, `${runtime.newId()}.db`);
  const rows = openSqliteReadStore<ReadModels>(file);
  const db = rows.db as unknown as Kysely<unknown>;
  for (const table of PROJECTIONS.flatMap(({ tables }) => tables)) {
    await createTable(db, table);
    await createIndexes(db, table);
  }
  await rows.close();
  const database = new DatabaseSync(file);
  database.exec('pragma journal_mode = wal; pragma synchronous = normal; pragma cache_size = -32000');
  const statements = new Map(groups.flat().map(({ sql }) => [sql, database.prepare(sql)]));
  const start = performance.now();
  for (const group of groups) {
    database.exec('begin immediate');
    for (const { sql, parameters } of group) statements.get(sql)?.run(...parameters.map(bindable));
    database.exec('commit');
  }
  const seconds = (performance.now() - start) / 1000;
  database.close();
  return seconds;
}

async function run({ rounds }: BenchSettings): Promise<Outcome> {
  using home = openHome();
  const executions = await templates(home);
  const url = `sqlite:${join(home.folder, 'log.db')}`;
  const store = await openEventStore(url);
  try {
    const count = await fill(store, executions);
    const groups = await prepared(store);
    const head = await store.head();
    await caughtUp(home, url, head);
    const { projections, bare } = await interleaved(rounds, {
      bare: async () => count / (await inserted(home, groups)),
      projections: async () => count / (await caughtUp(home, url, head)),
    });
    const changes = groups.reduce((sum, group) => sum + group.length, 0);
    const sizes = executions.map((template) => template.length).join(' and ');
    return {
      lines: [
        {
          name: 'events folded by all projections',
          unit: '/s',
          value: projections,
          baseline: { name: 'bare statements', value: bare },
          limits: [{ of: 'value', floor: 30_000, goal: 60_000 }],
        },
      ],
      notes: [
        `${count.toLocaleString('en')} events: copies of a real no-op and of one with 3 HTTP steps, log lines and spans (${sizes} events); ${(changes / count).toFixed(2)} row changes an event`,
        `baseline: the same statements, prepared beforehand, ${GROUP} events a transaction, without reading the log or folding`,
      ],
    };
  } finally {
    await store.close();
  }
}

export const catchUp: Benchmark = { name: 'catch-up', title: 'all built-in projections from an empty read store', run };

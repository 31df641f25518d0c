import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { memoryEventStore } from '../../infra/event-store/memory.ts';
import { openEventStore } from '../../infra/event-store/open.ts';
import { holdLock } from '../../infra/event-store/sqlite-lock.ts';
import type { ReadStore } from '../../infra/read-store/read-store.ts';
import { openSqliteReadStore } from '../../infra/read-store/sqlite.ts';
import { audit } from '../../projections/audit.ts';
import { PROJECTIONS } from '../../projections/index.ts';
import { insert, type Projection } from '../../projections/projection.ts';
import { type ReadModels, TABLES } from '../../projections/read-models.ts';
import { ProjectionRunner, type ProjectionStatus } from '../../projections/runner.ts';
import { versionsOf } from '../../projections/versions.ts';
import { workers } from '../../projections/worker.ts';
import { RatchetError } from '../../src/domain/errors.ts';
import { type Position, START, streamName } from '../../src/domain/event.ts';
import type { EventStore } from '../../src/ports/event-store.ts';
import { projectInline } from '../../src/projector.ts';
import { projectOnThread } from '../../src/projector-on-thread.ts';
import { newEvent } from '../support/store-events.ts';

type Rows = ReadStore<ReadModels>;

const opened: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

function openStores(): { events: EventStore; rows: Rows } {
  const events = memoryEventStore();
  const rows = openSqliteReadStore<ReadModels>(':memory:');
  opened.push(
    () => events.close(),
    () => rows.close(),
  );
  return { events, rows };
}

/** A worker session begins: one event that several projections may want. */
async function sessionStarted(events: EventStore, sessionId: string, schemaVersion = 1): Promise<Position> {
  const data = { sessionId, host: 'h', pid: 1, node: 'v26', capacity: 1, isolation: 'uid', leaseMs: 1 };
  const event = newEvent({ type: 'WorkerSessionStarted', schemaVersion, payload: JSON.stringify(data) });
  const { position } = await events.append(streamName('worker', sessionId), 'any', [event]);
  return position;
}

/** Notes each session as a log line; `apply` may be made to fail. */
function notes(version: number, check: (sessionId: string) => void = () => undefined): Projection {
  return {
    name: 'notes',
    version,
    tables: ['log_lines'],
    types: ['WorkerSessionStarted'],
    apply: (event, { position }) => {
      if (event.type !== 'WorkerSessionStarted') return [];
      const { sessionId } = event.data;
      check(sessionId);
      const key = { execution_id: sessionId, attempt: 1, ordinal: 1 };
      const text = { level: 'info', severity: 2, message: `v${version}`, fields: null };
      return [insert('log_lines', { ...key, ...text, clock: 0, span_id: '', trace_id: '', position })];
    },
  };
}

const breaksAt =
  (bad: string) =>
  (sessionId: string): void => {
    if (sessionId === bad) throw new Error(`can not note ${bad}`);
  };

interface Running {
  readonly runner: ProjectionRunner;
  readonly told: readonly ProjectionStatus[][];
  reach(position: Position): Promise<void>;
  /** Rejects as the run does. */
  readonly ended: Promise<void>;
  stop(): Promise<void>;
}

async function run(events: EventStore, rows: Rows, projections: readonly Projection[]): Promise<Running> {
  let reached = START;
  let changed = Promise.withResolvers<void>();
  const told: ProjectionStatus[][] = [];
  const runner = new ProjectionRunner({ events, rows: rows.projections, db: rows.db }, projections, {
    onReached: (position) => {
      reached = position;
      changed.resolve();
      changed = Promise.withResolvers();
    },
    onStatus: (statuses) => told.push([...statuses]),
  });
  await runner.prepare();
  const stop = new AbortController();
  const ended = runner.run(stop.signal);
  ended.catch(() => undefined);
  const running: Running = {
    runner,
    told,
    ended,
    reach: async (position) => {
      while (reached < position) await Promise.race([changed.promise, ended]);
    },
    stop: async () => {
      stop.abort();
      await ended.catch(() => undefined);
    },
  };
  opened.push(() => running.stop());
  return running;
}

async function noted(rows: Rows): Promise<readonly string[]> {
  const found = await rows.db
    .selectFrom('log_lines')
    .select(['execution_id', 'message'])
    .orderBy('execution_id')
    .execute();
  return found.map(({ execution_id, message }) => `${execution_id} ${message}`);
}

async function sessions(rows: Rows): Promise<readonly string[]> {
  const found = await rows.db.selectFrom('workers').select('session_id').orderBy('session_id').execute();
  return found.map(({ session_id }) => session_id);
}

const statusOf = ({ runner }: Running, name: string) => runner.statuses().find((status) => status.name === name);

describe('a projection that can not apply an event', () => {
  it('pauses before that event, says why, and the others go on', async () => {
    const { events, rows } = openStores();
    const running = await run(events, rows, [workers, notes(1, breaksAt('bad'))]);
    const good = await sessionStarted(events, 'a');
    await running.reach(good);
    await sessionStarted(events, 'bad');
    const last = await sessionStarted(events, 'c');
    await running.reach(last);
    expect(await sessions(rows)).toEqual(['a', 'bad', 'c']);
    expect(await noted(rows)).toEqual(['a v1']);
    expect(statusOf(running, 'notes')).toMatchObject({ status: 'paused', error: 'can not note bad', position: good });
    expect(statusOf(running, 'workers')).toMatchObject({ status: 'live', position: last });
    expect(running.told.at(-1)).toContainEqual(expect.objectContaining({ name: 'notes', status: 'paused' }));
  });

  it('stays paused over a restart, and a rebuild with a better apply takes it up again', async () => {
    const { events, rows } = openStores();
    const first = await run(events, rows, [workers, notes(1, breaksAt('bad'))]);
    await first.reach(await sessionStarted(events, 'bad'));
    await first.stop();

    const second = await run(events, rows, [workers, notes(1)]);
    expect(statusOf(second, 'notes')).toMatchObject({ status: 'paused', error: 'can not note bad' });
    await second.reach(await sessionStarted(events, 'd'));
    expect(await noted(rows)).toEqual([]);
    await second.runner.rebuild(['notes']);
    expect(statusOf(second, 'notes')).toMatchObject({ status: 'live', error: null });
    await second.reach(await sessionStarted(events, 'e'));
    expect(await noted(rows)).toEqual(['bad v1', 'd v1', 'e v1']);
  });

  it('stops alone when the database refuses its rows', async () => {
    const { events, rows } = openStores();
    const twice: Projection = {
      ...notes(1),
      apply: (event, stored) => [...notes(1).apply(event, stored), ...notes(1).apply(event, stored)],
    };
    const running = await run(events, rows, [workers, twice]);
    await running.reach(await sessionStarted(events, 'a'));
    expect(await sessions(rows)).toEqual(['a']);
    expect(await noted(rows)).toEqual([]);
    expect(statusOf(running, 'notes')?.error).toMatch(/UNIQUE/);
  });

  it('stops alone at an event that is newer than this program', async () => {
    const { events, rows } = openStores();
    const beats: Projection = {
      ...notes(1),
      name: 'beats',
      tables: ['spans'],
      types: ['WorkerHeartbeat'],
      apply: () => [],
    };
    const running = await run(events, rows, [notes(1), beats]);
    const position = await sessionStarted(events, 'new', 99);
    await running.reach(position);
    expect(statusOf(running, 'notes')).toMatchObject({ status: 'paused' });
    expect(statusOf(running, 'notes')?.error).toMatch(/newer than this program/);
    expect(statusOf(running, 'beats')).toMatchObject({ status: 'live', position });
  });
});

describe('a rebuild', () => {
  it('for a raised version goes on beside the old rows, which are read until the new ones are complete', async () => {
    const { events, rows } = openStores();
    const old = await run(events, rows, [workers, notes(1)]);
    await old.reach(await sessionStarted(events, 'a'));
    await old.stop();

    const gate = Promise.withResolvers<void>();
    const reading = Promise.withResolvers<void>();
    const slow: EventStore = {
      append: (...args) => events.append(...args),
      readStream: (...args) => events.readStream(...args),
      readAt: (...args) => events.readAt(...args),
      subscribe: (...args) => events.subscribe(...args),
      head: () => events.head(),
      close: () => events.close(),
      readAll: async (...args) => {
        reading.resolve();
        await gate.promise;
        return events.readAll(...args);
      },
    };
    const starting = run(slow, rows, [workers, notes(2)]);
    await reading.promise;
    expect(await noted(rows)).toEqual(['a v1']);
    gate.resolve();
    const running = await starting;
    expect(await noted(rows)).toEqual(['a v2']);
    expect(await rows.projections.checkpoints()).toContainEqual(expect.objectContaining({ name: 'notes', version: 2 }));
    await running.reach(await sessionStarted(events, 'b'));
    expect(await noted(rows)).toEqual(['a v2', 'b v2']);
    expect(await sessions(rows)).toEqual(['a', 'b']);
  });

  it('that fails leaves rows, position and status as they were', async () => {
    const { events, rows } = openStores();
    let isBroken = false;
    const projection = notes(1, () => {
      if (isBroken) throw new Error('broken by now');
    });
    const running = await run(events, rows, [projection]);
    const position = await sessionStarted(events, 'a');
    await running.reach(position);
    isBroken = true;
    await expect(running.runner.rebuild()).rejects.toThrow('broken by now');
    expect(statusOf(running, 'notes')).toMatchObject({ status: 'live', position });
    expect(await noted(rows)).toEqual(['a v1']);
    isBroken = false;
    await running.runner.rebuild();
    expect(await noted(rows)).toEqual(['a v1']);
  });

  it('whose swap fails half-way changes neither tables nor checkpoint', async () => {
    const { events, rows } = openStores();
    const running = await run(events, rows, [notes(1)]);
    await running.reach(await sessionStarted(events, 'a'));
    const before = await rows.projections.checkpoints();
    const swap = [
      { sql: 'drop table log_lines', parameters: [] },
      { sql: 'alter table nowhere rename to log_lines', parameters: [] },
    ];
    const checkpoint = { name: 'notes', version: 9, position: START, status: 'live', error: null } as const;
    await expect(rows.projections.change(swap, checkpoint)).rejects.toThrow(/nowhere/);
    expect(await rows.projections.checkpoints()).toEqual(before);
    expect(await noted(rows)).toEqual(['a v1']);
  });

  it('keeps the indexes of the tables', async () => {
    const { events, rows } = openStores();
    const running = await run(events, rows, [{ ...notes(1), tables: ['tasks'], apply: () => [] }]);
    const indexes = async () => {
      const found = await sql<{
        sql: string;
      }>`select sql from sqlite_schema where type = 'index' and sql is not null`.execute(rows.db);
      return found.rows.map((row) => row.sql.replace(/^.* on /, '')).sort();
    };
    const before = await indexes();
    expect(before).toHaveLength(TABLES.tasks.indexes.length);
    for (let round = 0; round < 2; round += 1) {
      await running.runner.rebuild();
      expect(await indexes()).toEqual(before);
    }
  });

  it('waits for one that is under way', async () => {
    const { events, rows } = openStores();
    const running = await run(events, rows, [workers, notes(1)]);
    await running.reach(await sessionStarted(events, 'a'));
    await Promise.all([running.runner.rebuild(), running.runner.rebuild(['notes']), running.runner.rebuild()]);
    await running.reach(await sessionStarted(events, 'b'));
    expect(await noted(rows)).toEqual(['a v1', 'b v1']);
    expect(await sessions(rows)).toEqual(['a', 'b']);
  });

  it('of a projection that does not exist names those that do', async () => {
    const { events, rows } = openStores();
    const running = await run(events, rows, [workers, notes(1)]);
    await expect(running.runner.rebuild(['nots'])).rejects.toMatchObject({
      code: 'not_found',
      message: expect.stringContaining('workers, notes'),
    });
  });
});

describe('a checkpoint', () => {
  it('moves only from where it was believed to be, and its rows with it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ratchet-rows-'));
    const events = memoryEventStore();
    const [mine, other] = ['mine', 'other'].map(() => openSqliteReadStore<ReadModels>(join(folder, 'rows.db')));
    if (mine === undefined || other === undefined) throw new Error('two stores were opened');
    opened.push(
      () => rmSync(folder, { recursive: true }),
      () => events.close(),
      () => mine.close(),
      () => other.close(),
    );
    const running = await run(events, mine, [notes(1)]);
    const at = await sessionStarted(events, 'a');
    await running.reach(at);
    const [checkpoint] = await other.projections.checkpoints();
    expect(checkpoint).toMatchObject({ name: 'notes', position: at });
    const elsewhere = 'ffffffffffffffff';
    await other.projections.apply([], [{ name: 'notes', from: at, to: elsewhere }]);
    await sessionStarted(events, 'b');
    await expect(running.ended).rejects.toMatchObject({ code: 'version_conflict' });
    expect(await noted(other)).toEqual(['a v1']);
    expect(await other.projections.checkpoints()).toMatchObject([{ name: 'notes', position: elsewhere }]);
  });
});

describe('projecting through errors of the stores', () => {
  it('goes on after a write for which there was no room, and tells it', async () => {
    const { events, rows } = openStores();
    let isFull = true;
    const full = new RatchetError('store_full', 'no room');
    const projections: Rows['projections'] = {
      ...rows.projections,
      apply: (statements, moves) => (isFull ? Promise.reject(full) : rows.projections.apply(statements, moves)),
    };
    const troubles: unknown[] = [];
    const projector = await projectInline(events, { ...rows, projections }, (error) => {
      troubles.push(error);
      isFull = troubles.length < 2;
    });
    opened.push(() => projector.close());
    await projector.progress.reach(await sessionStarted(events, 'a'), 10_000);
    expect(troubles).toEqual([full, full]);
    expect(await sessions(rows)).toEqual(['a']);
    expect(projector.statuses().map(({ status }) => status)).not.toContain('paused');
    await projector.rebuild(undefined);
    await projector.progress.reach(await sessionStarted(events, 'b'), 10_000);
    expect(await sessions(rows)).toEqual(['a', 'b']);
  });

  it('goes on after a subscription that broke off', async () => {
    const { events, rows } = openStores();
    let breaks = 0;
    const breaking: EventStore = {
      ...events,
      async *subscribe(after, filter, signal) {
        for await (const page of events.subscribe(after, filter, signal)) {
          yield page;
          if (page.events.length === 0 || breaks === 1) continue;
          breaks += 1;
          throw new Error('disk I/O error');
        }
      },
    };
    const projector = await projectInline(breaking, rows);
    opened.push(() => projector.close());
    await projector.progress.reach(await sessionStarted(events, 'a'), 10_000);
    await projector.progress.reach(await sessionStarted(events, 'b'), 10_000);
    expect(breaks).toBe(1);
    expect(await sessions(rows)).toEqual(['a', 'b']);
  });

  it('takes a read store that has no room left for no fault of a projection', async () => {
    const { events, rows } = openStores();
    const troubles: unknown[] = [];
    const projector = await projectInline(events, rows, (error) => troubles.push(error));
    opened.push(() => projector.close());
    const pages = await sql<{ page_count: number }>`pragma page_count`.execute(rows.db);
    await sql.raw(`pragma max_page_count = ${pages.rows[0]?.page_count ?? 0}`).execute(rows.db);
    const many = Array.from({ length: 200 }, (_, index) => `session-${index}`);
    let last = START;
    for (const id of many) last = await sessionStarted(events, id);
    await vi.waitFor(() => expect(troubles).toContainEqual(expect.objectContaining({ code: 'store_full' })), 10_000);
    expect(projector.statuses().map(({ status }) => status)).not.toContain('paused');
    await sql.raw('pragma max_page_count = 1000000').execute(rows.db);
    await projector.progress.reach(last, 10_000);
    expect(await sessions(rows)).toHaveLength(200);
  });

  it('starts a thread that has died anew; who asks it meanwhile is told at once', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ratchet-rows-'));
    opened.push(() => rmSync(folder, { recursive: true }));
    const readStore = join(folder, 'rows.db');
    const eventStoreUrl = `sqlite:${join(folder, 'log.db')}`;
    const events = await openEventStore(eventStoreUrl);
    opened.push(() => events.close());
    const first = await projectOnThread({ eventStoreUrl, readStore }, () => undefined);
    await first.close();

    // As long as somebody else projects, the thread only looks at the checkpoints: without them it dies.
    const other = holdLock(`${readStore}.lock`);
    expect(other).not.toBeNull();
    const died = Promise.withResolvers<unknown>();
    const projector = await projectOnThread({ eventStoreUrl, readStore }, died.resolve);
    opened.push(() => projector.close());
    const waiting = expect(projector.progress.reach('ffffffffffffffff', 10_000)).rejects.toMatchObject({
      code: 'store_unavailable',
    });
    const rows = openSqliteReadStore<ReadModels>(readStore);
    opened.push(() => rows.close());
    await sql`alter table projection_checkpoints rename to away`.execute(rows.db);
    expect(await died.promise).toMatchObject({ code: 'store_unavailable' });
    await waiting;
    await expect(projector.rebuild(undefined)).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(projector.statuses().map(({ status }) => status)).toContain('paused');

    await sql`drop table if exists projection_checkpoints`.execute(rows.db);
    await sql`alter table away rename to projection_checkpoints`.execute(rows.db);
    other?.release();
    const position = await sessionStarted(events, 'a');
    await vi.waitFor(() => projector.progress.reach(position, 1_000), { timeout: 10_000 });
    await projector.rebuild(undefined);
    expect(await sessions(rows)).toEqual(['a']);
  });

  it('that may not end the turn of an older program fails, and says why', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ratchet-rows-'));
    opened.push(() => rmSync(folder, { recursive: true }));
    const readStore = join(folder, 'rows.db');
    const eventStoreUrl = `sqlite:${join(folder, 'log.db')}`;
    const events = await openEventStore(eventStoreUrl);
    opened.push(() => events.close());
    const rows = openSqliteReadStore<ReadModels>(readStore);
    opened.push(() => rows.close());
    const older = { ...versionsOf(PROJECTIONS), tasks: 0 };
    for (const [name, version] of Object.entries(older)) {
      await rows.projections.putCheckpoint({ name, version, position: START, status: 'live', error: null });
    }
    await rows.projections.announce(older);
    const lock = holdLock(`${readStore}.lock`);
    opened.push(() => lock?.release());
    const starting = projectOnThread({ eventStoreUrl, readStore, mayDisplace: false }, () => undefined);
    await expect(starting).rejects.toMatchObject({
      code: 'read_models_differ',
      message: expect.stringContaining('tasks is at version 0'),
    });
  });

  it('that may not lead waits for one that does, and follows it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ratchet-rows-'));
    opened.push(() => rmSync(folder, { recursive: true }));
    const readStore = join(folder, 'rows.db');
    const eventStoreUrl = `sqlite:${join(folder, 'log.db')}`;
    const events = await openEventStore(eventStoreUrl);
    opened.push(() => events.close());
    const starting = projectOnThread({ eventStoreUrl, readStore, mayLead: false }, () => undefined);
    const leader = await projectOnThread({ eventStoreUrl, readStore }, () => undefined);
    opened.push(() => leader.close());
    const follower = await starting;
    opened.push(() => follower.close());
    await follower.progress.reach(await sessionStarted(events, 'a'), 10_000);
    await leader.close();
    const lock = await vi.waitUntil(() => holdLock(`${readStore}.lock`), { timeout: 10_000 });
    expect(follower.statuses().map(({ status }) => status)).not.toContain('paused');
    lock.release();
  });
});

describe('reading at a position', () => {
  it('waits until the read models are there', async () => {
    const { events, rows } = openStores();
    const projector = await projectInline(events, rows);
    opened.push(() => projector.close());
    const next = await sessionStarted(events, 'a');
    await projector.progress.reach(next, 10_000);
    expect(await sessions(rows)).toEqual(['a']);
  });

  it('fails after the time it was given', async () => {
    const { events, rows } = openStores();
    const projector = await projectInline(events, rows);
    opened.push(() => projector.close());
    await expect(projector.progress.reach('ffffffffffffffff', 20)).rejects.toMatchObject({ code: 'projection_behind' });
  });

  it('fails at once when a projection has stopped, naming it', async () => {
    const { events, rows } = openStores();
    const stopped = { name: 'audit', version: audit.version, position: START, status: 'paused', error: 'why' } as const;
    await rows.projections.putCheckpoint(stopped);
    const projector = await projectInline(events, rows);
    opened.push(() => projector.close());
    await expect(projector.progress.reach('ffffffffffffffff', 10_000)).rejects.toMatchObject({
      code: 'projection_paused',
      details: { projection: 'audit' },
    });
  });

  it('fails for those who wait already when a projection stops', async () => {
    const { events, rows } = openStores();
    const projector = await projectInline(events, rows);
    opened.push(() => projector.close());
    const waiting = projector.progress.reach('ffffffffffffffff', 10_000);
    waiting.catch(() => undefined);
    await sessionStarted(events, 'new', 99);
    await expect(waiting).rejects.toMatchObject({ code: 'projection_paused' });
  });
});

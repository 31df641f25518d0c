/** Several processes on the read models of one PostgreSQL: who projects, who follows, and who rebuilds, also across releases. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { memoryEventStore } from '../infra/event-store/memory.ts';
import { openPostgresReadStore } from '../infra/read-store/postgres.ts';
import type { ReadStore } from '../infra/read-store/read-store.ts';
import { openSqliteReadStore } from '../infra/read-store/sqlite.ts';
import { insert, type Projection } from '../projections/projection.ts';
import type { ReadModels } from '../projections/read-models.ts';
import type { ProjectionStatus } from '../projections/runner.ts';
import { workers } from '../projections/worker.ts';
import { type Position, streamName } from '../src/domain/event.ts';
import type { EventStore } from '../src/ports/event-store.ts';
import type { Refusal } from '../src/ports/rebuild-requests.ts';
import { type FromProjector, Progress } from '../src/projector.ts';
import { ProjectorTurns } from '../src/projector-turns.ts';
import { type PostgresServer, startPostgres } from './support/postgres.ts';
import { eventually } from './support/server.ts';
import { newEvent } from './support/store-events.ts';

let server: PostgresServer;
let url: string;
let events: EventStore;
const opened: (() => unknown)[] = [];

beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.close());
beforeEach(async () => {
  url = await server.newSchema();
  events = memoryEventStore();
});
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
  await events.close();
});

/** Notes each worker session with the release that did. */
function notes(release: number, check: (sessionId: string) => void = () => undefined): Projection {
  return {
    name: 'notes',
    version: release,
    tables: ['log_lines'],
    types: ['WorkerSessionStarted'],
    apply: (event, { position }) => {
      if (event.type !== 'WorkerSessionStarted') return [];
      const { sessionId } = event.data;
      check(sessionId);
      const key = { execution_id: sessionId, attempt: 1, ordinal: 1 };
      const text = { level: 'info', severity: 2, message: `by ${release}`, fields: null };
      return [insert('log_lines', { ...key, ...text, clock: 0, span_id: '', trace_id: '', position })];
    },
  };
}

async function sessionStarted(sessionId: string): Promise<Position> {
  const data = { sessionId, host: 'h', pid: 1, node: 'v26', capacity: 1, isolation: 'uid', leaseMs: 1 };
  const event = newEvent({ type: 'WorkerSessionStarted', payload: JSON.stringify(data) });
  const { position } = await events.append(streamName('worker', sessionId), 'any', [event]);
  return position;
}

interface Node {
  readonly progress: Progress;
  readonly troubles: readonly Refusal[];
  statuses(): readonly ProjectionStatus[];
  rebuild(names?: readonly string[]): Promise<void>;
  noted(): Promise<readonly string[]>;
  /** Rejects as the node does. */
  readonly ended: Promise<void>;
  close(): Promise<void>;
}

interface NodeOptions {
  readonly mayLead?: boolean;
  readonly mayDisplace?: boolean;
  readonly olderPatienceMs?: number;
  readonly log?: EventStore;
  readonly rows?: ReadStore<ReadModels>;
  /** Told whenever it tries to become the one that projects. */
  readonly onTry?: () => void;
  readonly onTrouble?: (error: Refusal) => void;
}

/** A node as far as it projects; it is ready. */
async function start(projections: readonly Projection[], options: NodeOptions = {}): Promise<Node> {
  const { log = events, mayLead = true, onTry = () => undefined, onTrouble = () => undefined, ...more } = options;
  const rows = options.rows ?? (await openPostgresReadStore<ReadModels>(url, { poolSize: 2, leaseMs: 1_000 }));
  const trying = {
    ...rows,
    hold: (displacing?: boolean) => {
      onTry();
      return rows.hold(displacing);
    },
  };
  const stop = new AbortController();
  const ready = Promise.withResolvers<void>();
  const troubles: Refusal[] = [];
  let told: readonly ProjectionStatus[] = [];
  const tell = (message: FromProjector): void => {
    if (message.type === 'ready') ready.resolve();
    if (message.type === 'reached') progress.reached(message.position);
    if (message.type === 'trouble') {
      troubles.push(message.error);
      onTrouble(message.error);
    }
    if (message.type !== 'statuses') return;
    told = message.statuses;
    progress.statuses(told);
  };
  const turns = new ProjectorTurns({ events: log, rows: trying, projections, mayLead, tell, ...more });
  const progress = new Progress((position) => turns.wanted(position));
  const ended = turns.run(stop.signal);
  const node: Node = {
    progress,
    troubles,
    ended,
    statuses: () => progress.moved(told),
    rebuild: (names) => turns.rebuild(names ?? null, stop.signal),
    noted: async () => {
      const found = await rows.db.selectFrom('log_lines').select(['execution_id', 'message']).execute();
      return found.map(({ execution_id, message }) => `${execution_id} ${message}`).sort();
    },
    close: async () => {
      if (stop.signal.aborted) return;
      stop.abort();
      await ended.catch(() => undefined);
      await rows.close();
    },
  };
  opened.push(() => node.close());
  await Promise.race([ready.promise, ended]);
  return node;
}

/** Reads as a request does that must see a position. */
async function notedAt(node: Node, position: Position): Promise<readonly string[]> {
  await node.progress.reach(position, 10_000);
  return node.noted();
}

/** Counts tries, and waits for some more of them. */
function tries(): { onTry(): void; more(): Promise<unknown> } {
  let count = 0;
  return {
    onTry: () => {
      count += 1;
    },
    more: () => {
      const before = count;
      return eventually('it has tried again', () => (count >= before + 2 ? true : undefined));
    },
  };
}

/** The log, held up for whoever reads pages of it as a rebuild does. */
function held(): { log: EventStore; isReading: Promise<void>; release(): void } {
  const reading = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const log: EventStore = {
    ...events,
    readAll: async (...args) => {
      if (args[1].types === undefined) return events.readAll(...args);
      reading.resolve();
      await gate.promise;
      return events.readAll(...args);
    },
  };
  return { log, isReading: reading.promise, release: () => gate.resolve() };
}

describe('one that follows', () => {
  it('has reached what changes no rows as soon as it is asked for', async () => {
    await start([notes(1)]);
    const follower = await start([notes(1)]);
    await notedAt(follower, await sessionStarted('a'));
    const { position } = await events.append(streamName('session', 's'), 'any', [newEvent({ type: 'SessionClosed' })]);
    expect(await notedAt(follower, position)).toEqual(['a by 1']);
    await expect(follower.progress.reach(`${position}9`, 100)).rejects.toMatchObject({ code: 'projection_behind' });
    expect(await notedAt(follower, await sessionStarted('b'))).toEqual(['a by 1', 'b by 1']);
  });
});

describe('a rebuild', () => {
  it('asked of one that follows is done by the one that projects', async () => {
    const leader = await start([notes(1)]);
    const follower = await start([notes(1)]);
    const at = await sessionStarted('a');
    expect(await notedAt(follower, at)).toEqual(['a by 1']);
    await server.run(url, "UPDATE log_lines SET message = 'damaged'");
    await follower.rebuild(['notes']);
    expect(await follower.noted()).toEqual(['a by 1']);
    expect(await notedAt(leader, await sessionStarted('b'))).toEqual(['a by 1', 'b by 1']);
    await expect(follower.rebuild(['nots'])).rejects.toMatchObject({
      code: 'not_found',
      message: expect.stringContaining('known are notes'),
    });
    expect(await server.run(url, 'SELECT * FROM projection_rebuilds')).toEqual([]);
  });

  it('tells whoever asked why it failed', async () => {
    let isBroken = false;
    const broken = notes(1, () => {
      if (isBroken) throw new Error('broken by now');
    });
    await start([broken]);
    const follower = await start([broken]);
    await notedAt(follower, await sessionStarted('a'));
    isBroken = true;
    await expect(follower.rebuild()).rejects.toMatchObject({ message: expect.stringContaining('broken by now') });
    isBroken = false;
    await follower.rebuild();
    expect(await follower.noted()).toEqual(['a by 1']);
  });

  it('is done by the next that projects when the first one ends midway', async () => {
    const { log, isReading, release } = held();
    const leader = await start([notes(1)], { log });
    const follower = await start([notes(1)]);
    await notedAt(follower, await sessionStarted('a'));
    await server.run(url, "UPDATE log_lines SET message = 'damaged'");
    const rebuilt = follower.rebuild();
    await isReading;
    const closed = leader.close();
    release();
    await closed;
    await rebuilt;
    expect(await notedAt(follower, await sessionStarted('b'))).toEqual(['a by 1', 'b by 1']);
  });

  it('that lost the right to project midway changes nothing any more', async () => {
    const { log, isReading, release } = held();
    const leader = await start([notes(1)], { log });
    const follower = await start([notes(1)]);
    await notedAt(follower, await sessionStarted('a'));
    const rebuilt = leader.rebuild();
    await isReading;
    await server.run(
      url,
      `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    );
    await rebuilt;
    const before = await server.run(url, "SELECT 'log_lines'::regclass::oid AS oid");
    release();
    expect(await notedAt(leader, await sessionStarted('b'))).toEqual(['a by 1', 'b by 1']);
    expect(await server.run(url, "SELECT 'log_lines'::regclass::oid AS oid")).toEqual(before);
  });

  it('is withdrawn when whoever asked for it ends before anybody has seen it', async () => {
    const first = await start([notes(1)]);
    const follower = await start([notes(1)], { mayLead: false });
    await first.close();
    const rebuilt = expect(follower.rebuild()).rejects.toMatchObject({ code: 'store_unavailable' });
    await eventually('it was asked', async () =>
      (await server.run(url, 'SELECT * FROM projection_rebuilds')).length > 0 ? true : undefined,
    );
    await follower.close();
    await rebuilt;
    expect(await server.run(url, 'SELECT * FROM projection_rebuilds')).toEqual([]);
  });
});

describe('two releases on the same read models', () => {
  it('the newer takes over and rebuilds; the older follows and leaves it at that', async () => {
    const { onTry, more } = tries();
    const older = await start([notes(1)], { onTry });
    expect(await notedAt(older, await sessionStarted('a'))).toEqual(['a by 1']);
    const newer = await start([notes(2)]);
    const at = await sessionStarted('b');
    for (const node of [newer, older]) expect(await notedAt(node, at)).toEqual(['a by 2', 'b by 2']);
    await eventually('the older one tells', () => (older.troubles.length > 0 ? true : undefined));
    expect(older.troubles).toMatchObject([
      {
        code: 'read_models_differ',
        message: expect.stringMatching(/newer program.*notes is at version 2, here at 1.*upgrade/),
      },
    ]);
    expect(older.statuses()).toMatchObject([{ name: 'notes', version: 2, status: 'live' }]);
    await more();
    const table = await server.run(url, "SELECT 'log_lines'::regclass::oid AS oid");
    expect(await notedAt(older, await sessionStarted('c'))).toEqual(['a by 2', 'b by 2', 'c by 2']);
    expect(await server.run(url, "SELECT 'log_lines'::regclass::oid AS oid")).toEqual(table);
    expect(older.troubles).toHaveLength(1);
  });

  it('an older one that comes later follows, and may ask for a rebuild, which the newer one does', async () => {
    const newer = await start([notes(2)]);
    await notedAt(newer, await sessionStarted('a'));
    const older = await start([notes(1)]);
    await older.rebuild();
    expect(await notedAt(older, await sessionStarted('b'))).toEqual(['a by 2', 'b by 2']);
  });

  it('a newer one that ends for a moment finds the read models as they were', async () => {
    const newer = await start([notes(2)]);
    await notedAt(newer, await sessionStarted('a'));
    const { onTry, more } = tries();
    const older = await start([notes(1)], { onTry });
    await newer.close();
    await more();
    const again = await start([notes(2)]);
    expect(await notedAt(again, await sessionStarted('b'))).toEqual(['a by 2', 'b by 2']);
    expect(older.statuses()).toMatchObject([{ version: 2 }]);
  });

  it('the older one takes the read models back when the newer has gone for good', async () => {
    const newer = await start([notes(2)]);
    await notedAt(newer, await sessionStarted('a'));
    const older = await start([notes(1)], { olderPatienceMs: 100 });
    await newer.close();
    expect(await notedAt(older, await sessionStarted('b'))).toEqual(['a by 1', 'b by 1']);
  });

  it('nodes of one release leave each other alone while one of them rebuilds', async () => {
    const first = await start([notes(1)]);
    await notedAt(first, await sessionStarted('a'));
    await first.close();
    const { log, isReading, release } = held();
    const starting = start([notes(2)], { log });
    await isReading;
    const { onTry, more } = tries();
    const other = start([notes(2)], { onTry });
    await more();
    release();
    const [rebuilding, follower] = await Promise.all([starting, other]);
    expect(await notedAt(follower, await sessionStarted('b'))).toEqual(['a by 2', 'b by 2']);
    expect(rebuilding.troubles).toEqual([]);
  });

  it('a command of the newer leaves a server of the older alone, and fails', async () => {
    const older = await start([notes(1)]);
    await notedAt(older, await sessionStarted('a'));
    await expect(start([notes(2)], { mayDisplace: false })).rejects.toMatchObject({
      code: 'read_models_differ',
      message: expect.stringMatching(/^an older program projects .*: use this command of its release/),
    });
    expect(await notedAt(older, await sessionStarted('b'))).toEqual(['a by 1', 'b by 1']);
  });

  it('where the older one can not be made to end its turn, the newer says so and waits', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ratchet-turns-'));
    opened.push(() => rmSync(folder, { recursive: true }));
    const rows = () => openSqliteReadStore<ReadModels>(join(folder, 'rows.db'));
    const older = await start([notes(1)], { rows: rows() });
    await notedAt(older, await sessionStarted('a'));
    const trouble = Promise.withResolvers<Refusal>();
    const starting = start([notes(2)], { rows: rows(), onTrouble: trouble.resolve });
    expect(await trouble.promise).toMatchObject({
      code: 'read_models_differ',
      message: 'an older program projects these read models (notes is at version 1, here at 2): end it',
    });
    expect(await notedAt(older, await sessionStarted('b'))).toEqual(['a by 1', 'b by 1']);
    await older.close();
    expect(await notedAt(await starting, await sessionStarted('c'))).toEqual(['a by 2', 'b by 2', 'c by 2']);
  });

  it('what both know alike is kept up to date while the newer one rebuilds the rest', async () => {
    const { log, isReading, release } = held();
    const older = await start([workers, notes(1)]);
    expect(await notedAt(older, await sessionStarted('a'))).toEqual(['a by 1']);
    const starting = start([workers, notes(2)], { log });
    await isReading;
    const at = await sessionStarted('b');
    await eventually('the rows of b', async () =>
      (await server.run(url, "SELECT 1 FROM workers WHERE session_id = 'b'")).length === 1 ? true : undefined,
    );
    expect(await older.noted()).toEqual(['a by 1']);
    await expect(older.progress.reach(at, 50)).rejects.toMatchObject({ code: 'projection_behind' });
    release();
    for (const node of [older, await starting]) expect(await notedAt(node, at)).toEqual(['a by 2', 'b by 2']);
  });

  it('a projection that the newer one can not rebuild stops alone, and says why', async () => {
    const older = await start([workers, notes(1)]);
    await notedAt(older, await sessionStarted('a'));
    const broken = notes(2, () => {
      throw new Error('broken by now');
    });
    const newer = await start([workers, broken]);
    expect(newer.statuses()).toMatchObject([
      { name: 'workers', status: 'live' },
      { name: 'notes', status: 'paused', error: 'broken by now' },
    ]);
    await expect(newer.progress.reach(await sessionStarted('b'), 1_000)).rejects.toMatchObject({
      code: 'projection_paused',
    });
    expect(await older.noted()).toEqual(['a by 1']);
  });

  it('a new projection of the newer one does not trouble the older', async () => {
    const more: Projection = { ...notes(1), name: 'more', tables: ['spans'], apply: () => [] };
    const older = await start([notes(1)]);
    await notedAt(older, await sessionStarted('a'));
    const newer = await start([notes(1), more]);
    const at = await sessionStarted('b');
    for (const node of [newer, older]) expect(await notedAt(node, at)).toEqual(['a by 1', 'b by 1']);
    expect(older.statuses().map(({ name }) => name)).toEqual(['notes']);
    expect(older.troubles).toEqual([]);
  });
});

import { afterEach, describe, expect, it } from 'vitest';
import { memoryEventStore } from '../../infra/event-store/memory.ts';
import { openSqliteReadStore } from '../../infra/read-store/sqlite.ts';
import { assertSameLog, originOf } from '../../projections/log-origin.ts';
import type { ReadModels } from '../../projections/read-models.ts';
import { START, streamName } from '../../src/domain/event.ts';
import type { EventStore } from '../../src/ports/event-store.ts';
import { type Projector, projectInline } from '../../src/projector.ts';
import { newEvent } from '../support/store-events.ts';

const opened: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

function openRows() {
  const rows = openSqliteReadStore<ReadModels>(':memory:');
  opened.push(() => rows.close());
  return rows;
}

/** A log in which these worker sessions have begun. */
async function logOf(...sessions: readonly string[]): Promise<EventStore> {
  const events = memoryEventStore();
  opened.push(() => events.close());
  for (const sessionId of sessions) {
    const data = { sessionId, host: 'h', pid: 1, node: 'v26', capacity: 1, isolation: 'uid', leaseMs: 1 };
    const event = newEvent({ type: 'WorkerSessionStarted', payload: JSON.stringify(data) });
    await events.append(streamName('worker', sessionId), 'any', [event]);
  }
  return events;
}

type Rows = ReturnType<typeof openRows>;

async function project(events: EventStore, rows: Rows, work: (projector: Projector) => Promise<void>): Promise<void> {
  const projector = await projectInline(events, rows);
  try {
    await work(projector);
  } finally {
    await projector.close();
  }
}

const upToDate = (events: EventStore) => async (projector: Projector) =>
  projector.progress.reach(await events.head(), 10_000);

const compare = (events: EventStore, { projections: rows }: Rows, hasOwnPositions = true) =>
  assertSameLog({ events, rows, hasOwnPositions });

async function sessions(rows: Rows): Promise<readonly string[]> {
  return (await rows.db.selectFrom('workers').select('session_id').execute()).map(({ session_id }) => session_id);
}

describe('read models', () => {
  it('are of the log whose events they were folded from, also when they were begun before its first one', async () => {
    const rows = openRows();
    const events = await logOf();
    await project(events, rows, upToDate(events));
    expect(await rows.projections.origin()).toBeNull();
    await compare(events, rows);
    const first = await logOf('a');
    await project(first, rows, upToDate(first));
    expect(await rows.projections.origin()).toBe(await originOf(first));
    await compare(first, rows);
    const differs = {
      code: 'read_models_differ',
      message: expect.stringMatching(/^the read models are of another log/),
    };
    await expect(compare(await logOf('a'), rows)).rejects.toMatchObject(differs);
    await expect(compare(events, rows)).rejects.toMatchObject(differs);
  });

  it('of a log that now ends before them are told, where the log alone gives positions', async () => {
    const rows = openRows();
    const events = await logOf('a', 'b');
    await project(events, rows, upToDate(events));
    const shorter = { ...events, head: async () => (await events.readAll(START, {}, 1)).position };
    await expect(compare(shorter, rows)).rejects.toMatchObject({
      code: 'read_models_differ',
      message: expect.stringMatching(/^the read models know events up to \S+, and the log ends at \S+:/),
    });
    await compare(shorter, rows, false);
  });

  it('of another log get no rows of this one until all of them are rebuilt', async () => {
    const rows = openRows();
    const other = await logOf('a', 'b');
    await project(other, rows, upToDate(other));
    const events = await logOf('c');
    await project(events, rows, async (projector) => {
      expect(new Set(projector.statuses().map(({ status }) => status))).toEqual(new Set(['paused']));
      await expect(projector.progress.reach(await events.head(), 10_000)).rejects.toMatchObject({
        code: 'projection_paused',
      });
      expect(await sessions(rows)).toEqual(['a', 'b']);
      await projector.rebuild(undefined);
      await projector.progress.reach(await events.head(), 10_000);
      expect(await sessions(rows)).toEqual(['c']);
    });
    await compare(events, rows);
    const empty = await logOf();
    await project(empty, rows, (projector) => projector.rebuild(undefined));
    await compare(empty, rows);
  });
});

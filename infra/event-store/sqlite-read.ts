/** Reads an event log in SQLite in bounded pieces, because the reading thread has other things to do as well. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Position, StoredEvent } from '../../src/domain/event.ts';
import type { EventFilter, EventPage } from '../../src/ports/event-store.ts';
import { numberOf, positionOf } from './positions.ts';
import { COLUMNS, eventOf, whole } from './sqlite-rows.ts';

/** Rows looked at for one page when few of them match: some milliseconds. */
const SCANNED_ROWS = 4096;
/** A page ends early once its payloads have so many characters. */
const PAGE_CHARACTERS = 4 * 1024 * 1024;
/** Rows come in slices, so that a page of large events ends before all of them are in memory. */
const FIRST_SLICE = 32;
const LARGEST_SLICE = 512;
const CACHED_STATEMENTS = 64;

export class SqliteReader {
  readonly #db: DatabaseSync;
  readonly #head: StatementSync;
  readonly #dataVersion: StatementSync;
  readonly #stream: StatementSync;
  readonly #one: StatementSync;
  readonly #filtered = new Map<string, StatementSync>();

  constructor(db: DatabaseSync) {
    this.#db = db;
    this.#head = db.prepare('SELECT max(position) AS position FROM events');
    this.#dataVersion = db.prepare('PRAGMA data_version');
    this.#one = db.prepare(`SELECT ${COLUMNS} FROM events WHERE position = ?`);
    this.#stream = db.prepare(
      `SELECT ${COLUMNS} FROM events WHERE stream = ? AND version >= ? ORDER BY version LIMIT ?`,
    );
  }

  /** @returns a number that differs whenever another connection has written since it was last asked for. */
  dataVersion(): number {
    return whole(this.#dataVersion.get()?.['data_version']);
  }

  /** @returns the position of the last event. */
  head(): Position {
    return positionOf(this.#headNumber());
  }

  /** See `EventStore.readStream`. */
  readStream(stream: string, from: number, limit: number | undefined): StoredEvent[] {
    return this.#stream.all(stream, from, limit ?? -1).map(eventOf);
  }

  /** See `EventStore.readAt`. */
  readAt(position: Position): StoredEvent | null {
    const row = this.#one.get(numberOf(position));
    return row === undefined ? null : eventOf(row);
  }

  /** See `EventStore.readAll`. */
  readAll(after: Position, filter: EventFilter, limit: number): EventPage {
    const start = numberOf(after);
    const head = this.#headNumber();
    const isFiltered = filter.categories !== undefined || filter.types !== undefined;
    const end = isFiltered ? Math.min(start + SCANNED_ROWS, head) : head;
    const events: StoredEvent[] = [];
    let at = start;
    let characters = 0;
    for (let slice = FIRST_SLICE; at < end; slice = Math.min(slice * 2, LARGEST_SLICE)) {
      const wanted = Math.min(slice, limit - events.length);
      if (wanted === 0 || characters >= PAGE_CHARACTERS) break;
      const rows = this.#rows(at, end, filter, wanted);
      for (const row of rows) {
        const event = eventOf(row);
        events.push(event);
        characters += event.payload.length;
      }
      at = rows.length < wanted ? end : whole(rows.at(-1)?.['position']);
    }
    return { events, position: positionOf(at), atHead: at >= head };
  }

  #rows(after: number, end: number, filter: EventFilter, limit: number): ReturnType<StatementSync['all']> {
    const categories = filter.categories ?? [];
    const types = filter.types ?? [];
    return this.#statementFor(filter).all(after, end, ...categories, ...types, limit);
  }

  #statementFor({ categories, types }: EventFilter): StatementSync {
    const key = `${categories?.length}/${types?.length}`;
    const known = this.#filtered.get(key);
    if (known !== undefined) return known;
    const statement = this.#db.prepare(
      `SELECT ${COLUMNS} FROM events WHERE position > ? AND position <= ?` +
        `${among('category', categories)}${among('type', types)} ORDER BY position LIMIT ?`,
    );
    if (this.#filtered.size >= CACHED_STATEMENTS) this.#filtered.clear();
    this.#filtered.set(key, statement);
    return statement;
  }

  #headNumber(): number {
    const position = this.#head.get()?.['position'];
    return position === null ? 0 : whole(position);
  }
}

function among(column: string, values: readonly string[] | undefined): string {
  return values === undefined ? '' : ` AND ${column} IN (${values.map(() => '?').join(', ')})`;
}

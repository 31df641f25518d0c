/** Reads an event log in PostgreSQL in bounded pieces, each with one statement. */
import type { Position, StoredEvent } from '../../src/domain/event.ts';
import type { EventFilter, EventPage } from '../../src/ports/event-store.ts';
import type { Connections, Row } from '../postgres/pool.ts';
import { numberOf, positionOf } from './positions.ts';
import { COLUMNS, eventOf, whole } from './postgres-rows.ts';

/** Rows looked at for one page when few of them match: some milliseconds of the server. */
const SCANNED_ROWS = 20_000;
/** Most events of one page, whatever was asked for. */
const PAGE_EVENTS = 1_000;
/** A page ends once its payloads have so many bytes; how large they are is known without reading them. */
const PAGE_BYTES = 4 * 1024 * 1024;
/** Columns that {@link bounded} puts before those of an event. */
const BOUNDS = 2;

export class PostgresReader {
  readonly #query: Connections['query'];

  constructor({ query }: Pick<Connections, 'query'>) {
    this.#query = query;
  }

  /** @returns the position of the last event. */
  async head(): Promise<Position> {
    const [[head] = []] = await this.#query({
      name: 'events-head',
      text: 'SELECT coalesce(max(position), 0) FROM events',
    });
    return positionOf(whole(head));
  }

  /** See `EventStore.readAt`. */
  async readAt(position: Position): Promise<StoredEvent | null> {
    const text = `SELECT ${COLUMNS} FROM events WHERE position = $1`;
    const [row] = await this.#query({ name: 'events-at', text, values: [numberOf(position)] });
    return row === undefined ? null : eventOf(row);
  }

  /** See `EventStore.readStream`. */
  async readStream(stream: string, from: number, limit: number | undefined): Promise<StoredEvent[]> {
    const events: StoredEvent[] = [];
    const text = bounded('stream = $1 AND version >= $2', 'version', '$3');
    for (;;) {
      const left = limit === undefined ? PAGE_EVENTS : Math.min(PAGE_EVENTS, limit - events.length);
      const values = [stream, from + events.length, left];
      const rows = await this.#query({ name: 'events-of-stream', text, values });
      for (const row of rows) events.push(eventOf(row.slice(BOUNDS)));
      const found = foundBy(rows);
      if (events.length === limit || (found < left && rows.length === found)) return events;
    }
  }

  /** See `EventStore.readAll`. */
  async readAll(after: Position, filter: EventFilter, limit: number): Promise<EventPage> {
    const start = numberOf(after);
    const isFiltered = filter.categories !== undefined || filter.types !== undefined;
    const end = isFiltered ? start + SCANNED_ROWS : Number.MAX_SAFE_INTEGER;
    const wanted = Math.min(limit, PAGE_EVENTS);
    const rows = await this.#query(pageQuery(start, end, filter, wanted));
    const head = whole(rows[0]?.[0]);
    const found = rows.filter(([, count]) => count !== null).map((row) => row.slice(1));
    const events = found.map((row) => eventOf(row.slice(BOUNDS)));
    const count = foundBy(found);
    const isWhole = events.length === count && count < wanted;
    const last = found.at(-1)?.[BOUNDS];
    const at = isWhole || last === undefined ? Math.max(start, Math.min(end, head)) : whole(last);
    return { events, position: positionOf(at), atHead: at >= head };
  }
}

/** One statement, so that head and rows are of one moment; the head comes also where no row does. */
function pageQuery(start: number, end: number, { categories, types }: EventFilter, limit: number) {
  const values: unknown[] = [start, end, limit];
  const among = (column: string, wanted: readonly string[] | undefined): string => {
    if (wanted === undefined) return '';
    values.push(wanted);
    return ` AND ${column} = ANY ($${values.length}::text[])`;
  };
  const filters = `${among('category', categories)}${among('type', types)}`;
  const rows = bounded(`position > $1 AND position <= $2${filters}`, 'position', '$3');
  const name = `events-page${categories === undefined ? '' : '-categories'}${types === undefined ? '' : '-types'}`;
  const text = `SELECT head.at, rows.* FROM (SELECT coalesce(max(position), 0) AS at FROM events) AS head LEFT JOIN (${rows}) AS rows ON true`;
  return { name, text, values };
}

/** Rows in order up to a number of them and a number of bytes, at least one; before each, how many the number alone had allowed. */
function bounded(condition: string, order: string, limit: string): string {
  const sizes = `sum(octet_length(payload)) OVER (ORDER BY ${order}) - octet_length(payload) AS before, count(*) OVER () AS found`;
  const all = `SELECT ${COLUMNS} FROM events WHERE ${condition} ORDER BY ${order} LIMIT ${limit}`;
  return `SELECT found, before, ${COLUMNS} FROM (SELECT ${sizes}, ${COLUMNS} FROM (${all}) AS all_rows) AS sized WHERE before < ${PAGE_BYTES} ORDER BY ${order}`;
}

/** How many rows there were before large ones ended the page. */
function foundBy(rows: readonly Row[]): number {
  const first = rows[0]?.[0];
  return first === undefined ? 0 : whole(first);
}

/** Appends to an event log in SQLite: many appends in one transaction, of which each succeeds or fails alone. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { RatchetError } from '../../src/domain/errors.ts';
import type { NewEvent } from '../../src/domain/event.ts';
import type { AppendRequest, Outcome, Placed } from './append-request.ts';
import { earlierAppend, isAsExpected, notBefore, type StoredAt, versionConflict } from './rules.ts';
import { isBusy, isConstraint, isFull, storeError } from './sqlite-errors.ts';
import { pause } from './sqlite-file.ts';
import { bytesOf, INSERT, text, whole } from './sqlite-rows.ts';

export interface AppenderOptions {
  /** Milliseconds since the epoch; the system's clock by default. */
  readonly now?: () => number;
  /** How long to try for the write lock while other processes hold it; 10,000 ms by default. */
  readonly lockTimeoutMs?: number;
}

/** SQLite's own busy handler sleeps ever longer and so starves behind a busy writer: we ask again at short intervals. */
const ACQUIRE_RETRY_MS = 0.3;
const FOREIGN_RECENTLY_MS = 1000;
const REMEMBERED_STREAMS = 10_000;

/** An append turned out to share some events with the log after a part of it was inserted. */
class PartlyStored extends Error {}

export class SqliteAppender {
  readonly #db: DatabaseSync;
  readonly #path: string;
  readonly #now: () => number;
  readonly #lockTimeoutMs: number;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  readonly #dataVersion: StatementSync;
  readonly #lastEvent: StatementSync;
  readonly #lastVersion: StatementSync;
  readonly #byEventId: StatementSync;
  readonly #insert: StatementSync;
  readonly #walSize: StatementSync;
  readonly #checkpoint: StatementSync;
  /** Versions of streams as this transaction sees them. Forgotten whenever somebody else has written. */
  readonly #versions = new Map<string, number>();
  #seenDataVersion: number | null = null;
  #foreignAt = Number.NEGATIVE_INFINITY;
  #headKnown = false;
  #at = 0;
  /** Of the last event. */
  #recordedAt = '';
  /** Of events that do not tell their own. */
  #present = '';

  constructor(db: DatabaseSync, path: string, options: AppenderOptions = {}) {
    this.#db = db;
    this.#path = path;
    this.#now = options.now ?? Date.now;
    this.#lockTimeoutMs = options.lockTimeoutMs ?? 10_000;
    this.#begin = db.prepare('BEGIN IMMEDIATE');
    this.#commit = db.prepare('COMMIT');
    this.#dataVersion = db.prepare('PRAGMA data_version');
    this.#lastEvent = db.prepare('SELECT position, recorded_at FROM events ORDER BY position DESC LIMIT 1');
    this.#lastVersion = db.prepare('SELECT version FROM events WHERE stream = ? ORDER BY version DESC LIMIT 1');
    this.#byEventId = db.prepare('SELECT stream, version, position FROM events WHERE event_id = ?');
    this.#insert = db.prepare(INSERT);
    this.#walSize = db.prepare('PRAGMA wal_checkpoint(NOOP)');
    this.#checkpoint = db.prepare('PRAGMA wal_checkpoint(PASSIVE)');
  }

  /** Whether another process wrote to this log within the last second: then it needs room between our commits. */
  get hasRivals(): boolean {
    return performance.now() - this.#foreignAt < FOREIGN_RECENTLY_MS;
  }

  /** @returns where an append stands, or throws why it failed. */
  append(request: AppendRequest): Placed {
    const [outcome] = this.appendAll([request]);
    if (outcome === undefined) throw new RatchetError('internal', 'an append had no outcome');
    if (outcome instanceof RatchetError) throw outcome;
    return outcome;
  }

  /** @returns for each append where it stands or why it failed. What stands is durable. Throws nothing. */
  appendAll(requests: readonly AppendRequest[]): Outcome[] {
    try {
      return this.#transaction(requests, false);
    } catch (error) {
      if (error instanceof PartlyStored) return this.#appendCarefully(requests);
      return this.#afterFailure(requests, error);
    }
  }

  /** Moves the write-ahead log into the file once that many pages wait in it. Takes about 10 µs a page. */
  checkpoint(pages: number): void {
    try {
      const size = this.#walSize.get();
      if (whole(size?.['log']) - whole(size?.['checkpointed']) >= pages) this.#checkpoint.get();
    } catch {
      // Nothing is lost: the pages stay in the write-ahead log, and the next call tries again.
    }
  }

  /** The quick way found out too late that an event was stored before; now each is looked up before anything is inserted. */
  #appendCarefully(requests: readonly AppendRequest[]): Outcome[] {
    try {
      return this.#transaction(requests, true);
    } catch (error) {
      return this.#afterFailure(requests, error);
    }
  }

  #afterFailure(requests: readonly AppendRequest[], error: unknown): Outcome[] {
    // A large append that does not fit must not take small ones with it.
    if (isFull(error) && requests.length > 1) return requests.flatMap((request) => this.appendAll([request]));
    const failure = storeError(error, this.#path);
    return requests.map(() => failure);
  }

  #transaction(requests: readonly AppendRequest[], careful: boolean): Outcome[] {
    this.#acquire();
    try {
      this.#refresh();
      const outcomes = requests.map((request) => this.#tryAppend(request, careful));
      this.#commit.run();
      return outcomes;
    } catch (error) {
      this.#forget();
      // Some errors, such as a full disk, have rolled back already.
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  #acquire(): void {
    const deadline = performance.now() + this.#lockTimeoutMs;
    for (;;) {
      try {
        this.#begin.run();
        return;
      } catch (error) {
        if (!isBusy(error) || performance.now() > deadline) throw error;
        pause(ACQUIRE_RETRY_MS);
      }
    }
  }

  /** Brings what is remembered of the log up to date, should another connection have written. */
  #refresh(): void {
    const dataVersion = whole(this.#dataVersion.get()?.['data_version']);
    if (dataVersion !== this.#seenDataVersion) {
      if (this.#seenDataVersion !== null) this.#foreignAt = performance.now();
      this.#seenDataVersion = dataVersion;
      this.#forget();
    }
    if (!this.#headKnown) {
      const last = this.#lastEvent.get();
      this.#at = last === undefined ? 0 : whole(last['position']);
      this.#recordedAt = last === undefined ? '' : text(last['recorded_at']);
      this.#headKnown = true;
    }
    this.#present = new Date(this.#now()).toISOString();
  }

  #forget(): void {
    this.#versions.clear();
    this.#headKnown = false;
  }

  #tryAppend(request: AppendRequest, careful: boolean): Outcome {
    try {
      return this.#place(request, careful);
    } catch (error) {
      if (error instanceof RatchetError) return error;
      throw error;
    }
  }

  #place(request: AppendRequest, careful: boolean): Placed {
    const { stream, expected, events } = request;
    const head = this.#versionOf(stream);
    const asExpected = isAsExpected(expected, head);
    if (careful || !asExpected) {
      const earlier = this.#earlier(request);
      if (earlier !== null) return earlier;
    }
    if (!asExpected) throw versionConflict(stream, expected, head);
    for (const [index, event] of events.entries()) {
      try {
        this.#insertEvent(stream, head + 1 + index, this.#at + 1, event);
      } catch (error) {
        if (!isConstraint(error)) throw error;
        if (index > 0 && !careful) throw new PartlyStored();
        const earlier = index === 0 ? this.#earlier(request) : null;
        if (earlier === null) throw error;
        return earlier;
      }
      this.#at += 1;
    }
    const version = head + events.length;
    this.#remember(stream, version);
    return { version, at: this.#at };
  }

  #insertEvent(stream: string, version: number, at: number, event: NewEvent): void {
    // A clock that was set back must not make later events look older.
    const recordedAt = notBefore(this.#recordedAt, event.recordedAt ?? this.#present);
    this.#insert.run(
      at,
      stream,
      version,
      bytesOf(event.eventId),
      event.type,
      event.schemaVersion,
      event.occurredAt,
      recordedAt,
      event.principal,
      event.commandId,
      event.correlationId,
      event.causationId,
      event.traceparent,
      event.payload,
    );
    this.#recordedAt = recordedAt;
  }

  #earlier({ stream, events }: AppendRequest): Placed | null {
    return earlierAppend(
      stream,
      events.map((event) => this.#storedAt(event.eventId)),
    );
  }

  #storedAt(eventId: string): StoredAt | undefined {
    const row = this.#byEventId.get(bytesOf(eventId));
    if (row === undefined) return undefined;
    return { stream: text(row['stream']), version: whole(row['version']), at: whole(row['position']) };
  }

  #versionOf(stream: string): number {
    const known = this.#versions.get(stream);
    if (known !== undefined) return known;
    const row = this.#lastVersion.get(stream);
    return row === undefined ? -1 : whole(row['version']);
  }

  #remember(stream: string, version: number): void {
    if (this.#versions.size >= REMEMBERED_STREAMS) this.#versions.clear();
    this.#versions.set(stream, version);
  }
}

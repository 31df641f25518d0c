/** Keeps read models up to date: catches up, follows, pauses on an error, rebuilds beside the old and swaps. */
import { type CompiledQuery, type Kysely, sql } from 'kysely';
import { isRatchetError, RatchetError } from '../src/domain/errors.ts';
import { type Position, START, type StoredEvent } from '../src/domain/event.ts';
import { decode, type KnownEvent } from '../src/domain/history.ts';
import type { EventPage, EventStore } from '../src/ports/event-store.ts';
import type { Checkpoint, ProjectionStore, Statement } from '../src/ports/read-store.ts';
import { originOf } from './log-origin.ts';
import type { Projection } from './projection.ts';
import { indexesOf, nextTable, type ReadModels, tableOf } from './read-models.ts';
import { StatementCompiler } from './statements.ts';

/** Events in one transaction while catching up. */
const PAGE = 1_000;
/** Characters that tell the indexes of two builds of a table apart. */
const INDEX_SUFFIX = 8;

export interface RunnerOptions {
  /** Told whenever the read models have reached a position. */
  readonly onReached: (position: Position) => void;
  /** Told when a projection stops or goes on. */
  readonly onStatus: (statuses: readonly ProjectionStatus[]) => void;
}

export interface ProjectionStatus {
  readonly name: string;
  readonly version: number;
  readonly position: Position;
  readonly status: 'live' | 'paused' | 'rebuilding';
  readonly error: string | null;
}

interface Kept {
  readonly projection: Projection;
  position: Position;
  /** Position in the stored checkpoint, which stays behind while pages hold nothing to write. */
  checkpoint: Position;
  status: ProjectionStatus['status'];
  error: string | null;
}

export class ProjectionRunner {
  readonly #events: EventStore;
  readonly #rows: ProjectionStore;
  readonly #db: Kysely<ReadModels>;
  readonly #kept: Kept[];
  readonly #options: RunnerOptions;
  readonly #compiler: StatementCompiler;
  #turn: Promise<unknown> = Promise.resolve();
  /** One after the other: two would build the same tables. */
  #rebuilds: Promise<unknown> = Promise.resolve();
  #isOriginKnown = false;

  constructor(
    deps: { events: EventStore; rows: ProjectionStore; db: Kysely<ReadModels> },
    projections: readonly Projection[],
    options: RunnerOptions,
  ) {
    this.#events = deps.events;
    this.#rows = deps.rows;
    this.#db = deps.db;
    this.#options = options;
    this.#kept = projections.map((projection) => ({
      projection,
      position: START,
      checkpoint: START,
      status: 'live',
      error: null,
    }));
    this.#compiler = new StatementCompiler(deps.db as unknown as Kysely<never>, (name) => name);
  }

  statuses(): readonly ProjectionStatus[] {
    return this.#kept.map(({ projection, position, status, error }) => {
      return { name: projection.name, version: projection.version, position, status, error };
    });
  }

  /** Creates what is missing, rebuilds what has a new version, and catches up with the head. */
  async prepare(): Promise<void> {
    const stored = new Map((await this.#rows.checkpoints()).map((checkpoint) => [checkpoint.name, checkpoint]));
    for (const kept of this.#kept) {
      const known = stored.get(kept.projection.name);
      if (known === undefined) await this.#create(kept);
      else if (known.version !== kept.projection.version) await this.#rebuild(kept);
      else {
        const { position, status, error } = known;
        Object.assign(kept, { position, checkpoint: position, status, error });
      }
    }
    await this.#compareOrigin();
    this.#tell();
  }

  /** After a failed run: puts each projection where its stored checkpoint stands, which is where its rows are. */
  async resume(): Promise<void> {
    await this.#exclusive(async () => {
      const stored = new Map((await this.#rows.checkpoints()).map((checkpoint) => [checkpoint.name, checkpoint]));
      for (const kept of this.#kept) {
        const position = stored.get(kept.projection.name)?.position;
        if (position !== undefined) Object.assign(kept, { position, checkpoint: position });
      }
    });
  }

  /** Applies new events until `signal` aborts. Fails with an error of either store; {@link resume} then comes before the next run. */
  async run(signal: AbortSignal): Promise<void> {
    const types = [...new Set(this.#kept.flatMap((kept) => kept.projection.types))];
    for await (const page of this.#events.subscribe(this.#start(), { types }, signal)) {
      await this.#exclusive(() => this.#applyPage(page));
      this.#options.onReached(page.position);
    }
  }

  /**
   * Builds the named projections (default: all) anew beside the old ones, then swaps. Also takes a paused one up again.
   * Fails with `not_found` for a name that is none, or as the projection does; the old one then stays.
   */
  async rebuild(names?: readonly string[], onProgress?: (name: string, position: Position) => void): Promise<void> {
    const known = this.#kept.map((kept) => kept.projection.name);
    const wrong = names?.find((name) => !known.includes(name));
    if (wrong !== undefined) {
      throw new RatchetError('not_found', `there is no projection ${wrong}; known are ${known.join(', ')}`);
    }
    const rebuilt = this.#rebuilds.then(async () => {
      for (const kept of this.#kept) {
        if (names !== undefined && !names.includes(kept.projection.name)) continue;
        await this.#rebuild(kept, onProgress);
      }
      if (names === undefined) await this.#noteOrigin();
    });
    this.#rebuilds = rebuilt.catch(() => undefined);
    await rebuilt;
  }

  /** Nothing is added to rows of another log: they wait for a rebuild. */
  async #compareOrigin(): Promise<void> {
    const kept = await this.#rows.origin();
    this.#isOriginKnown = kept !== null;
    if (kept === null || kept === (await originOf(this.#events))) return;
    const error = 'the read models are of another log: rebuild all of them';
    const position = await this.#events.head();
    for (const one of this.#kept) Object.assign(one, { position, status: 'paused', error });
  }

  /** Before the first rows are written, and when no row of before is left. */
  async #noteOrigin(): Promise<void> {
    const origin = await originOf(this.#events);
    await this.#rows.putOrigin(origin);
    this.#isOriginKnown = origin !== null;
  }

  #start(): Position {
    return this.#kept.reduce((lowest, kept) => (kept.position < lowest ? kept.position : lowest), this.#highest());
  }

  #highest(): Position {
    return this.#kept.reduce((highest, kept) => (kept.position > highest ? kept.position : highest), START);
  }

  #tell(): void {
    this.#options.onStatus(this.statuses());
  }

  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  async #create(kept: Kept): Promise<void> {
    const db = this.#db as Kysely<unknown>;
    const made = kept.projection.tables.flatMap((table) => [
      tableOf(db, table),
      ...indexesOf(db, table).map((index) => index.ifNotExists()),
    ]);
    await this.#rows.change(
      made.map((one) => one.compile()),
      checkpointOf(kept),
    );
  }

  async #applyPage(page: EventPage): Promise<void> {
    if (!this.#isOriginKnown && page.events.length > 0) await this.#noteOrigin();
    const decoded = page.events.map(decodedOnce);
    const live = this.#kept.filter((kept) => kept.status !== 'paused' && kept.position < page.position);
    const works = live.map((kept) => ({ kept, statements: this.#statements(kept, decoded) }));
    const sound = works.filter(({ statements }) => statements !== null);
    const all = sound.flatMap(({ statements }) => statements ?? []);
    try {
      if (all.length > 0)
        await this.#rows.apply(
          all,
          sound.map(({ kept }) => moveOf(kept, page.position)),
        );
    } catch (error) {
      if (isRatchetError(error)) throw error;
      for (const { kept, statements } of sound) await this.#applyAlone(kept, statements ?? [], page.position);
      return;
    }
    for (const { kept } of sound) {
      kept.position = page.position;
      if (all.length > 0) kept.checkpoint = page.position;
    }
  }

  #statements(kept: Kept, decoded: readonly Decoded[]): readonly Statement[] | null {
    const { projection, position } = kept;
    try {
      return decoded
        .filter(({ stored }) => stored.position > position && wants(projection, stored))
        .flatMap(({ stored, event }) => projection.apply(event(), stored))
        .map((change) => this.#compiler.compile(change));
    } catch (error) {
      this.#pause(kept, error);
      return null;
    }
  }

  /** One of several projections could not be applied: each tries alone, so that only the broken one stops. */
  async #applyAlone(kept: Kept, statements: readonly Statement[], to: Position): Promise<void> {
    try {
      await this.#rows.apply(statements, [moveOf(kept, to)]);
      Object.assign(kept, { position: to, checkpoint: to });
    } catch (error) {
      if (isRatchetError(error)) throw error;
      this.#pause(kept, error);
    }
  }

  #pause(kept: Kept, error: unknown): void {
    kept.status = 'paused';
    kept.error = error instanceof Error ? error.message : String(error);
    kept.checkpoint = kept.position;
    void this.#rows.putCheckpoint(checkpointOf(kept)).catch(() => undefined);
    this.#tell();
  }

  async #rebuild(kept: Kept, onProgress?: (name: string, position: Position) => void): Promise<void> {
    const before = kept.status;
    kept.status = before === 'paused' ? 'paused' : 'rebuilding';
    this.#tell();
    try {
      await this.#rebuildBeside(kept, onProgress);
    } catch (error) {
      if (kept.status === 'rebuilding') kept.status = before;
      throw error;
    } finally {
      this.#tell();
    }
  }

  async #rebuildBeside(kept: Kept, onProgress?: (name: string, position: Position) => void): Promise<void> {
    const { projection } = kept;
    const { tables, types } = projection;
    const fresh = tables.flatMap((table) => [
      this.#db.schema.dropTable(nextTable(table)).ifExists().compile(),
      tableOf(this.#db as Kysely<unknown>, table, nextTable(table)).compile(),
    ]);
    await this.#rows.apply(fresh, []);
    const compiler = new StatementCompiler(this.#db as unknown as Kysely<never>, nextTable);
    let position = START;
    const advance = async (): Promise<boolean> => {
      const page = await this.#events.readAll(position, { types }, PAGE);
      const changes = page.events.flatMap((stored) => projection.apply(decode<KnownEvent>(stored), stored));
      await this.#rows.apply(
        changes.map((change) => compiler.compile(change)),
        [],
      );
      position = page.position;
      onProgress?.(projection.name, position);
      return page.atHead;
    };
    while (!(await advance())) continue;
    await this.#index(projection);
    while (!(await advance())) continue;
    await this.#exclusive(async () => {
      while (!(await advance())) continue;
      await this.#swap(kept, position);
    });
  }

  /** Now that the new tables are full, because that is quicker; one by one, because rows of others wait for each. */
  async #index({ tables }: Projection): Promise<void> {
    const suffix = Math.random()
      .toString(36)
      .slice(2, 2 + INDEX_SUFFIX);
    for (const table of tables) {
      const indexes = indexesOf(this.#db as Kysely<unknown>, table, { as: nextTable(table), suffix });
      for (const index of indexes) await this.#rows.change([index.compile()], null);
    }
  }

  /** The new tables and their checkpoint take the place of the old ones at once; readers, and a crash, see one or the other. */
  async #swap(kept: Kept, position: Position): Promise<void> {
    const statements: CompiledQuery[] = [];
    for (const table of kept.projection.tables) {
      statements.push(this.#db.schema.dropTable(table).ifExists().compile());
      statements.push(sql`alter table ${sql.table(nextTable(table))} rename to ${sql.table(table)}`.compile(this.#db));
    }
    const swapped: Kept = { projection: kept.projection, position, checkpoint: position, status: 'live', error: null };
    await this.#rows.change(statements, checkpointOf(swapped));
    Object.assign(kept, swapped);
  }
}

interface Decoded {
  readonly stored: StoredEvent;
  /** Fails for an event that this program does not know; those projections stop that want it. */
  readonly event: () => KnownEvent;
}

/** Decodes at most once, however many projections want the event. */
function decodedOnce(stored: StoredEvent): Decoded {
  let event: KnownEvent | null = null;
  return { stored, event: () => (event ??= decode<KnownEvent>(stored)) };
}

function wants({ types }: Projection, { type }: StoredEvent): boolean {
  return types.some((wanted) => wanted === type);
}

function moveOf(kept: Kept, to: Position) {
  return { name: kept.projection.name, from: kept.checkpoint, to };
}

function checkpointOf(kept: Kept): Checkpoint {
  const { name, version } = kept.projection;
  const status = kept.status === 'paused' ? 'paused' : 'live';
  return { name, version, position: kept.position, status, error: kept.error };
}

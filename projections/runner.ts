/** Keeps read models up to date: catches up, follows, pauses on an error, rebuilds beside the old and swaps. */
import type { Kysely } from 'kysely';
import { isRatchetError, RatchetError } from '../src/domain/errors.ts';
import { type Position, START, type StoredEvent } from '../src/domain/event.ts';
import { decode, type KnownEvent } from '../src/domain/history.ts';
import type { EventPage, EventStore } from '../src/ports/event-store.ts';
import type { Checkpoint, ProjectionStore, Statement } from '../src/ports/read-store.ts';
import { originOf } from './log-origin.ts';
import { NextTables } from './next-tables.ts';
import type { Projection } from './projection.ts';
import { indexesOf, type ReadModels, tableOf } from './read-models.ts';
import { StatementCompiler } from './statements.ts';

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
  /** Its rows are of another version: they stay as they are until it is rebuilt. */
  isOutdated: boolean;
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
      isOutdated: false,
    }));
    this.#compiler = new StatementCompiler(deps.db as unknown as Kysely<never>, (name) => name);
  }

  statuses(): readonly ProjectionStatus[] {
    return this.#kept.map(({ projection, position, status, error }) => {
      return { name: projection.name, version: projection.version, position, status, error };
    });
  }

  /** {@link load} and {@link renew}, one after the other. */
  async prepare(): Promise<void> {
    await this.load();
    await this.renew();
  }

  /** Creates what is missing, and finds out where the rest stands. */
  async load(): Promise<void> {
    const stored = new Map((await this.#rows.checkpoints()).map((checkpoint) => [checkpoint.name, checkpoint]));
    for (const kept of this.#kept) {
      const known = stored.get(kept.projection.name);
      if (known === undefined) {
        await this.#create(kept);
        continue;
      }
      const { version, position, status, error } = known;
      const isOutdated = version !== kept.projection.version;
      const state = isOutdated ? { status: 'rebuilding' as const, error: null } : { status, error };
      Object.assign(kept, { position, checkpoint: position, isOutdated, ...state });
    }
    await this.#compareOrigin();
    this.#tell();
  }

  /**
   * Rebuilds what has another version; {@link run} may keep the others up to date meanwhile, and reaches no position
   * before the end of this. One that can not be rebuilt stops, and says why. Fails with an error of a store; may then be
   * called again.
   */
  async renew(): Promise<void> {
    for (const kept of this.#kept) await this.#afterRebuilds(() => this.#renew(kept));
    if (!this.#isAwaited()) this.#options.onReached(this.#start());
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
      if (!this.#isAwaited()) this.#options.onReached(page.position);
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
    await this.#afterRebuilds(async () => {
      for (const kept of this.#kept) {
        if (names !== undefined && !names.includes(kept.projection.name)) continue;
        await this.#rebuild(kept, onProgress);
      }
      if (names === undefined) await this.#noteOrigin();
    });
  }

  #afterRebuilds(work: () => Promise<void>): Promise<void> {
    const done = this.#rebuilds.then(work);
    this.#rebuilds = done.catch(() => undefined);
    return done;
  }

  async #renew(kept: Kept): Promise<void> {
    if (!kept.isOutdated) return;
    try {
      await this.#rebuild(kept);
    } catch (error) {
      if (isRatchetError(error, 'store_unavailable') || isRatchetError(error, 'store_full')) throw error;
      Object.assign(kept, { status: 'paused', error: error instanceof Error ? error.message : String(error) });
      this.#tell();
    }
  }

  /** Whether there are rows that will be those of this version. */
  #isAwaited(): boolean {
    return this.#kept.some(({ isOutdated, status }) => isOutdated && status !== 'paused');
  }

  /** Nothing is added to rows of another log: they wait for a rebuild. */
  async #compareOrigin(): Promise<void> {
    const kept = await this.#rows.origin();
    this.#isOriginKnown = kept !== null;
    if (kept === null || kept === (await originOf(this.#events))) return;
    const error = 'the read models are of another log: rebuild all of them';
    const position = await this.#events.head();
    for (const one of this.#kept) Object.assign(one, { position, status: 'paused', error, isOutdated: false });
  }

  /** Before the first rows are written, and when no row of before is left. */
  async #noteOrigin(): Promise<void> {
    const origin = await originOf(this.#events);
    await this.#rows.putOrigin(origin);
    this.#isOriginKnown = origin !== null;
  }

  #start(): Position {
    const current = this.#kept.filter(({ isOutdated }) => !isOutdated);
    return current.reduce((lowest, { position }) => (position < lowest ? position : lowest), this.#highest());
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
    const live = this.#kept.filter(
      ({ status, isOutdated, position }) => status !== 'paused' && !isOutdated && position < page.position,
    );
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
    const parts = { events: this.#events, rows: this.#rows, db: this.#db };
    const next = new NextTables(parts, projection, (position) => onProgress?.(projection.name, position));
    await next.make();
    await next.catchUp();
    await next.index();
    await next.catchUp();
    await this.#exclusive(async () => {
      await next.catchUp();
      const { position } = next;
      const place = { projection, position, checkpoint: position };
      const swapped: Kept = { ...place, status: 'live', error: null, isOutdated: false };
      // With the checkpoint at once: readers, and a crash, see the old or the new.
      await this.#rows.change(next.swap(), checkpointOf(swapped));
      Object.assign(kept, swapped);
    });
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

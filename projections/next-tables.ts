/** The tables of a projection as they are built from all events, beside those that are read meanwhile. */
import { type CompiledQuery, type Kysely, sql } from 'kysely';
import { type Position, START } from '../src/domain/event.ts';
import { decode, type KnownEvent } from '../src/domain/history.ts';
import type { EventStore } from '../src/ports/event-store.ts';
import type { ProjectionStore } from '../src/ports/read-store.ts';
import type { Projection } from './projection.ts';
import { indexesOf, nextTable, type ReadModels, tableOf } from './read-models.ts';
import { StatementCompiler } from './statements.ts';

/** Events in one transaction. */
const PAGE = 1_000;
/** Characters that tell the indexes of two builds of a table apart. */
const SUFFIX = 8;

export interface NextTablesParts {
  readonly events: Pick<EventStore, 'readAll'>;
  readonly rows: ProjectionStore;
  readonly db: Kysely<ReadModels>;
}

export class NextTables {
  readonly #parts: NextTablesParts;
  readonly #db: Kysely<unknown>;
  readonly #projection: Projection;
  readonly #onProgress: (position: Position) => void;
  readonly #compiler: StatementCompiler;
  #position: Position = START;

  constructor(parts: NextTablesParts, projection: Projection, onProgress: (position: Position) => void) {
    this.#parts = parts;
    this.#db = parts.db as Kysely<unknown>;
    this.#projection = projection;
    this.#onProgress = onProgress;
    this.#compiler = new StatementCompiler(parts.db as unknown as Kysely<never>, nextTable);
  }

  /** Up to where the log has been folded. */
  get position(): Position {
    return this.#position;
  }

  /** Makes them empty; what a build of before has left is thrown away. */
  async make(): Promise<void> {
    const fresh = this.#projection.tables.flatMap((table) => [
      this.#db.schema.dropTable(nextTable(table)).ifExists().compile(),
      tableOf(this.#db, table, nextTable(table)).compile(),
    ]);
    await this.#parts.rows.apply(fresh, []);
  }

  /** Folds the log up to its head. Fails as the projection does. */
  async catchUp(): Promise<void> {
    const { events, rows } = this.#parts;
    const { types, apply } = this.#projection;
    for (let isAtHead = false; !isAtHead; ) {
      const page = await events.readAll(this.#position, { types }, PAGE);
      const changes = page.events.flatMap((stored) => apply(decode<KnownEvent>(stored), stored));
      await rows.apply(
        changes.map((change) => this.#compiler.compile(change)),
        [],
      );
      this.#position = page.position;
      this.#onProgress(this.#position);
      isAtHead = page.atHead;
    }
  }

  /** Makes the indexes, which is quicker when the tables are full; one by one, because rows of others wait for each. */
  async index(): Promise<void> {
    const suffix = Math.random()
      .toString(36)
      .slice(2, 2 + SUFFIX);
    for (const table of this.#projection.tables) {
      const indexes = indexesOf(this.#db, table, { as: nextTable(table), suffix });
      for (const index of indexes) await this.#parts.rows.change([index.compile()], null);
    }
  }

  /** What puts them in the place of those in use, to be executed in one transaction. */
  swap(): readonly CompiledQuery[] {
    return this.#projection.tables.flatMap((table) => [
      this.#db.schema.dropTable(table).ifExists().compile(),
      sql`alter table ${sql.table(nextTable(table))} rename to ${sql.table(table)}`.compile(this.#db),
    ]);
  }
}

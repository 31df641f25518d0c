/** Turns row changes into SQL: one compiled statement for each shape of change, so that only values vary between events. */
import { type CompiledQuery, type Kysely, sql } from 'kysely';
import type { Statement } from '../src/ports/read-store.ts';
import type { RowChange } from './projection.ts';
import { type ReadModelName, TABLES } from './read-models.ts';

/** Compiles changes for one database; `tableOf` gives the physical table, which differs while a projection is rebuilt. */
export class StatementCompiler {
  readonly #db: Kysely<Record<string, Record<string, unknown>>>;
  readonly #tableOf: (name: ReadModelName) => string;
  readonly #texts = new Map<string, string>();

  constructor(db: Kysely<never>, tableOf: (name: ReadModelName) => string) {
    this.#db = db as unknown as Kysely<Record<string, Record<string, unknown>>>;
    this.#tableOf = tableOf;
  }

  compile(change: RowChange): Statement {
    const shape = shapeOf(change);
    let text = this.#texts.get(shape);
    if (text === undefined) {
      text = this.#query(change).sql;
      this.#texts.set(shape, text);
    }
    return { sql: text, parameters: parametersOf(change) };
  }

  #query(change: RowChange): CompiledQuery {
    const table = this.#tableOf(change.table);
    switch (change.op) {
      case 'insert':
        return this.#db.insertInto(table).values(change.row).compile();
      case 'upsert': {
        const key: readonly string[] = TABLES[change.table].key;
        const columns = Object.keys(change.row).filter((column) => !key.includes(column));
        const excluded = Object.fromEntries(columns.map((column) => [column, sql.ref(`excluded.${column}`)]));
        return this.#db
          .insertInto(table)
          .values(change.row)
          .onConflict((conflict) => conflict.columns([...key]).doUpdateSet(excluded))
          .compile();
      }
      case 'update': {
        const added = Object.entries(change.add ?? {}).map(([column, by]) => [column, sql`${sql.ref(column)} + ${by}`]);
        const base = this.#db.updateTable(table).set({ ...change.set, ...Object.fromEntries(added) });
        return Object.entries(change.where)
          .reduce((query, [column, value]) => query.where(column, '=', value), base)
          .compile();
      }
      case 'delete':
        return Object.entries(change.where)
          .reduce((query, [column, value]) => query.where(column, '=', value), this.#db.deleteFrom(table))
          .compile();
      default:
        return change satisfies never;
    }
  }
}

/** Two changes of equal shape differ only in values. */
function shapeOf(change: RowChange): string {
  switch (change.op) {
    case 'insert':
    case 'upsert':
      return `${change.op} ${change.table} ${Object.keys(change.row).join()}`;
    case 'update':
      return `update ${change.table} ${Object.keys(change.set).join()}+${Object.keys(change.add ?? {}).join()}?${Object.keys(change.where).join()}`;
    case 'delete':
      return `delete ${change.table} ${Object.keys(change.where).join()}`;
    default:
      return change satisfies never;
  }
}

/** In the order in which the compiled text names them. */
function parametersOf(change: RowChange): readonly unknown[] {
  switch (change.op) {
    case 'insert':
    case 'upsert':
      return Object.values(change.row);
    case 'update':
      return [...Object.values(change.set), ...Object.values(change.add ?? {}), ...Object.values(change.where)];
    case 'delete':
      return Object.values(change.where);
    default:
      return change satisfies never;
  }
}

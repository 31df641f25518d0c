/** What a projection is: a name, a version, the events it wants, and a pure function from an event to row changes. */
import type { StoredEvent } from '../src/domain/event.ts';
import type { KnownEvent } from '../src/domain/history.ts';
import type { ReadModelName, ReadModels } from './read-models.ts';

type Row<Name extends ReadModelName> = ReadModels[Name];
type Value = string | number | null;

/** One change of one table; the runner turns equal shapes into one statement that is compiled once. */
export type RowChange =
  | { readonly op: 'insert'; readonly table: ReadModelName; readonly row: Readonly<Record<string, Value>> }
  /** Inserts, or replaces the given columns of the row with the same key. */
  | { readonly op: 'upsert'; readonly table: ReadModelName; readonly row: Readonly<Record<string, Value>> }
  | {
      readonly op: 'update';
      readonly table: ReadModelName;
      readonly set: Readonly<Record<string, Value>>;
      /** Added to the present values. */
      readonly add?: Readonly<Record<string, number>>;
      readonly where: Readonly<Record<string, Value>>;
    }
  | { readonly op: 'delete'; readonly table: ReadModelName; readonly where: Readonly<Record<string, Value>> };

export function insert<Name extends ReadModelName>(table: Name, row: Row<Name>): RowChange {
  return { op: 'insert', table, row: values(row) };
}

export function upsert<Name extends ReadModelName>(table: Name, row: Row<Name>): RowChange {
  return { op: 'upsert', table, row: values(row) };
}

export function update<Name extends ReadModelName>(
  table: Name,
  where: Partial<Row<Name>>,
  set: Partial<Row<Name>>,
  add?: Partial<Record<keyof Row<Name>, number>>,
): RowChange {
  const change = { op: 'update', table, set: values(set), where: values(where) } as const;
  return add === undefined ? change : { ...change, add: add as Readonly<Record<string, number>> };
}

export function remove<Name extends ReadModelName>(table: Name, where: Partial<Row<Name>>): RowChange {
  return { op: 'delete', table, where: values(where) };
}

function values(row: object): Readonly<Record<string, Value>> {
  return row as Readonly<Record<string, Value>>;
}

export interface Projection {
  readonly name: string;
  /** Raised when `apply` or the tables change: the projection is then rebuilt beside the old one. */
  readonly version: number;
  readonly tables: readonly ReadModelName[];
  readonly types: readonly KnownEvent['type'][];
  /** Pure: nothing but the event goes in, so two rebuilds agree. */
  readonly apply: (event: KnownEvent, stored: StoredEvent) => readonly RowChange[];
}

/** What a query is: an input, a permission, and a reading of the read models; and how pages are cut. */
import type { Kysely } from 'kysely';
import { z } from 'zod';
import type { ReadModels } from '../projections/read-models.ts';
import type { Permission, TaskPatterns } from '../src/domain/access.ts';
import { RatchetError } from '../src/domain/errors.ts';
import type { Json } from '../src/domain/event.ts';
import type { Blobs } from '../src/ports/blobs.ts';
import type { EventStore } from '../src/ports/event-store.ts';

export interface QueryDeps {
  readonly db: Kysely<ReadModels>;
  readonly store: EventStore;
  readonly blobs: Blobs;
}

export interface Query<Input, Output> {
  readonly name: string;
  readonly permission: Permission;
  readonly description: string;
  readonly input: z.ZodType<Input>;
  /**
   * `tasks`: those that the caller may see; lists leave out the others. Every task when left out.
   * Fails with `not_found` and its kin, or `invalid_cursor`.
   */
  readonly read: (deps: QueryDeps, input: Input, tasks?: TaskPatterns) => Promise<Output>;
}

/** Keeps the types of a query together; adds nothing. */
export function defineQuery<Input, Output>(query: Query<Input, Output>): Query<Input, Output> {
  return query;
}

/** Number of rows of a page: 1 to 1,000. */
export const limit = (standard: number): z.ZodType<number> =>
  z.coerce.number().int().min(1).max(1_000).default(standard).describe('Rows in a page.');

export const cursor: z.ZodType<string | undefined> = z
  .string()
  .max(2_048)
  .optional()
  .describe('next_cursor of the page before.');

/** A page of rows; `next_cursor` is null on the last one. */
export interface Page<Row> {
  readonly rows: readonly Row[];
  readonly next_cursor: string | null;
}

/** Cuts rows that were read with one more than the limit. `keyOf` gives the sort key of a row, unique among rows. */
export function pageOf<Row>(rows: readonly Row[], size: number, keyOf: (row: Row) => readonly Json[]): Page<Row> {
  const last = rows[size - 1];
  const hasMore = rows.length > size && last !== undefined;
  return { rows: rows.slice(0, size), next_cursor: hasMore ? encodeCursor(keyOf(last)) : null };
}

/** @returns the cursor of the row with this sort key. */
export function encodeCursor(key: readonly Json[]): string {
  return Buffer.from(JSON.stringify(key)).toString('base64url');
}

/** @returns the sort key in a cursor. Fails with `invalid_cursor`. */
export function decodeCursor<Key>(text: string, form: z.ZodType<Key>): Key {
  const parsed = form.safeParse(parse(Buffer.from(text, 'base64url').toString('utf8')));
  if (parsed.success) return parsed.data;
  throw new RatchetError('invalid_cursor', 'the cursor is not one of this list', {
    details: { cursor: text.slice(0, 100) },
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Reads JSON text that a projection wrote. */
export function stored(text: string): Json {
  return JSON.parse(text);
}

/** Reads a payload that a projection wrote, from its blob if it is one. */
export async function payload(blobs: Blobs, text: string): Promise<Json> {
  return blobs.get(JSON.parse(text));
}

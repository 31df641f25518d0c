/** Lists as agents read them: as much of a page as fits, and a cursor that goes on right after it. */
import { encodeCursor } from '../../../queries/query.ts';
import type { Json } from '../../domain/event.ts';
import { fitItems, type Payload } from './fit.ts';

export interface ToldPage<Row> {
  /** Name of the list in the answer. */
  readonly name: string;
  readonly rows: readonly Row[];
  /** The cursor that the query told; null on its last page. */
  readonly next: string | null;
  /** Whether the page is the first one. */
  readonly isFirst: boolean;
  /** The sort key of a row, as the query's cursors hold it. */
  readonly keyOf: (row: Row) => readonly Json[];
  readonly tell: (row: Row) => unknown;
  readonly more?: Payload;
}

/** @returns the page with `total` (null while nobody has counted), `next_cursor`, `truncated` and `omitted`. */
export function fitPage<Row>(maxTokens: number, page: ToldPage<Row>): Payload {
  const { name, rows, next, isFirst, keyOf, tell, more = {} } = page;
  const told = rows.map((row) => ({ row, told: tell(row) }));
  return fitItems(maxTokens, {
    items: told,
    tell: (one) => one.told,
    build: (kept, isWhole) => {
      const last = kept.at(-1);
      const left = rows.length - kept.length;
      return {
        [name]: kept.map((one) => one.told),
        ...more,
        total: isFirst && next === null ? rows.length : null,
        next_cursor: isWhole || last === undefined ? next : encodeCursor(keyOf(last.row)),
        truncated: !isWhole,
        omitted: isWhole
          ? null
          : { count: left, reason: `to stay within max_tokens ${maxTokens}; next_cursor tells them` },
      };
    },
  });
}

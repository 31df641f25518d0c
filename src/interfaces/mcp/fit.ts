/** Fits answers into a budget of tokens: what is least useful goes first, and what went is always told. */
import { RatchetError } from '../../domain/errors.ts';
import { smallerForms } from './cut-answer.ts';
import { costOf } from './token-budget.ts';

export type Payload = Readonly<Record<string, unknown>>;

/** What an answer leaves out. */
export interface Omitted {
  readonly count: number;
  readonly reason: string;
  readonly fields?: readonly string[];
}

export interface Items<Item> {
  readonly items: readonly Item[];
  /** Places in `items`, the most useful first; in their own order when left out. */
  readonly ranked?: readonly number[];
  /** What the answer tells of an item; the item itself when left out. */
  readonly tell?: (item: Item) => unknown;
  /** Items that are kept at most; all when left out. */
  readonly most?: number;
  /** Makes the answer of the items that are kept, in the order of `items`. `isWhole` is false when some were left out. */
  readonly build: (kept: readonly Item[], isWhole: boolean) => Payload;
}

/** @returns the answer with as many items as fit, the most useful ones; at least one of them, cut if it must be. */
export function fitItems<Item>(maxTokens: number, given: Items<Item>): Payload {
  const { items, most = items.length, build } = given;
  const order = given.ranked ?? items.map((_, index) => index);
  const first = (count: number): Payload => {
    if (count === items.length) return build(items, true);
    const kept = order.slice(0, count).toSorted((a, b) => a - b);
    return build(
      kept.flatMap((index) => items.slice(index, index + 1)),
      false,
    );
  };
  let fits = 0;
  let tooMany = 1 + Math.min(most, roughly(maxTokens, given, order));
  while (tooMany - fits > 1) {
    const count = Math.ceil((fits + tooMany) / 2);
    if (costOf(first(count), maxTokens) <= maxTokens) fits = count;
    else tooMany = count;
  }
  if (fits > 0 || items.length === 0) return within(maxTokens, first(fits));
  return within(maxTokens, first(1));
}

/** @returns a number of items that surely holds all that fit. */
function roughly<Item>(maxTokens: number, { items, tell }: Items<Item>, order: readonly number[]): number {
  let tokens = 0;
  for (const [count, index] of order.entries()) {
    // Each is measured with a reserve that the sum has only once.
    for (const item of items.slice(index, index + 1)) tokens += costOf(tell?.(item) ?? item, maxTokens * 2) / 2;
    if (tokens > maxTokens) return Math.max(count, 1);
  }
  return items.length;
}

export interface Fields {
  /** Small facts that are always told. */
  readonly fixed: Payload;
  /** The rest, the most useful first: whole while there is room, then cut, then null. */
  readonly fields: readonly (readonly [name: string, value: unknown])[];
}

/** Less room than this is left empty: what would stand in it says nothing. */
const LEAST_ROOM = 60;
/** For `truncated`, `omitted` and the names in it. */
const TOLD_ROOM = 120;

/** @returns the answer with `truncated` and `omitted`, which names the fields that were cut or left out. */
export function fitFields(maxTokens: number, { fixed, fields }: Fields): Payload {
  const whole = { ...assembled(fixed, fields), truncated: false, omitted: null };
  if (costOf(whole, maxTokens) <= maxTokens) return whole;
  const cut: string[] = [];
  let room =
    maxTokens -
    TOLD_ROOM -
    costOf(
      assembled(
        fixed,
        fields.map(([name]) => [name, null]),
      ),
    );
  const shown = fields.map(([name, value]): readonly [string, unknown] => {
    const smaller = shortened(room, value);
    room -= costOf(smaller, maxTokens);
    if (smaller !== value) cut.push(name);
    return [name, smaller];
  });
  const omitted: Omitted = { count: cut.length, reason: `to stay within max_tokens ${maxTokens}`, fields: cut };
  return within(maxTokens, { ...assembled(fixed, shown), truncated: true, omitted });
}

/** A name such as `context.variables` stands for a member of a member. */
function assembled(fixed: Payload, fields: Fields['fields']): Payload {
  const told: Record<string, unknown> = { ...fixed };
  const inner: Record<string, Record<string, unknown>> = {};
  for (const [name, value] of fields) {
    const [outer = name, member] = name.split('.');
    if (member === undefined) told[outer] = value;
    else (inner[outer] ??= {})[member] = value;
  }
  return { ...told, ...inner };
}

/** @returns the largest form of a JSON value that costs at most `room` tokens; null when there is none. */
export function shortened(room: number, value: unknown): unknown {
  if (costOf(value, room) <= room) return value;
  if (room < LEAST_ROOM) return null;
  for (const form of smallerForms(value)) {
    if (costOf(form, room) <= room) return form;
  }
  return null;
}

const CUT = 'long values are cut to stay within max_tokens; each tells how much of it';

function omittedIn({ omitted }: Payload): unknown {
  return omitted ?? null;
}

/**
 * The last word on every answer: @returns it as it is where it fits, else with every long value cut.
 * Fails with `response_too_large` when even that is more than `maxTokens`.
 */
export function within(maxTokens: number, payload: Payload): Payload {
  if (costOf(payload, maxTokens) <= maxTokens) return payload;
  for (const form of smallerForms(payload)) {
    if (typeof form !== 'object' || form === null) continue;
    const told = { ...form, truncated: true, omitted: omittedIn(payload) ?? { count: null, reason: CUT } };
    if (costOf(told, maxTokens) <= maxTokens) return told;
  }
  throw new RatchetError('response_too_large', `the answer does not fit into max_tokens ${maxTokens}`, {
    details: { max_tokens: maxTokens },
  });
}

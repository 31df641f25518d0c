/** Makes values smaller for a model, always saying how much was left out and from where. */

/** How much of a value is shown. */
interface Size {
  /** Characters of one text. */
  readonly text: number;
  /** Items of one list, or members of one object. */
  readonly items: number;
  /** Levels of nesting. */
  readonly depth: number;
}

/** From little left out to almost everything. */
const SIZES: readonly Size[] = [
  { text: 4_000, items: 100, depth: 12 },
  { text: 2_000, items: 50, depth: 10 },
  { text: 1_000, items: 30, depth: 8 },
  { text: 500, items: 20, depth: 6 },
  { text: 300, items: 10, depth: 5 },
  { text: 200, items: 6, depth: 4 },
  { text: 100, items: 4, depth: 3 },
  { text: 40, items: 2, depth: 2 },
  { text: 20, items: 1, depth: 1 },
];

/** @returns a text of about `most` characters: its beginning and its end, and how much was left out between them. */
export function cutMiddle(text: string, most: number): string {
  if (text.length <= most) return text;
  return joined(text.slice(0, headOf(most)), text.slice(text.length - tailOf(most)), text.length);
}

/** @returns the same for a text of which only both ends were read. */
export function joined(head: string, tail: string, length: number): string {
  // Half of a surrogate pair is no character.
  const start = /[\uD800-\uDBFF]$/.test(head) ? head.slice(0, -1) : head;
  const end = /^[\uDC00-\uDFFF]/.test(tail) ? tail.slice(1) : tail;
  return `${start}… [${length - start.length - end.length} of ${length} characters left out] …${end}`;
}

function headOf(most: number): number {
  return Math.ceil(most * 0.7);
}

function tailOf(most: number): number {
  return Math.floor(most * 0.3);
}

/** @returns smaller and smaller forms of a JSON value, the value itself first, the smallest last. */
export function* smallerForms(value: unknown): Generator<unknown> {
  yield value;
  for (const size of SIZES) yield sized(value, size);
}

function sized(value: unknown, size: Size): unknown {
  if (typeof value === 'string') return cutMiddle(value, size.text);
  if (typeof value !== 'object' || value === null) return value;
  const smaller = { ...size, depth: size.depth - 1 };
  if (Array.isArray(value)) {
    if (size.depth === 0) return value.length === 0 ? value : [`… ${value.length} items left out`];
    const shown = value.slice(0, size.items).map((item) => sized(item, smaller));
    return value.length === shown.length ? shown : [...shown, `… ${value.length - shown.length} items left out`];
  }
  const members = Object.entries(value);
  if (size.depth === 0) return members.length === 0 ? value : { '…': `${members.length} members left out` };
  const most = size.items * 2 + 4;
  const shown = members.slice(0, most).map(([name, member]) => [cutMiddle(name, 200), sized(member, smaller)]);
  if (shown.length === members.length) return Object.fromEntries(shown);
  return { ...Object.fromEntries(shown), '…': `${members.length - shown.length} members left out` };
}

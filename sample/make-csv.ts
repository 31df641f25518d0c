/** Writes a CSV of made-up sales to standard output, the same for the same number of rows: `node sample/make-csv.ts 10000 > sales.csv`. The data is in the public domain (CC0). */
import { pathToFileURL } from 'node:url';

const CITIES = ['Berlin', 'Lagos', 'Lima', 'Oslo', 'Rome', 'Tokyo', 'Wellington', 'New York, NY'];
const PRODUCTS = ['Kettle', 'Lamp', 'Desk "Pro"', 'Chair', 'Notebook', 'Umbrella'];

/** @returns CSV text with a header and `rows` rows; about one in fifty has no rating. */
export function makeCsv(rows: number): string {
  const next = generator(42);
  const pick = (list: readonly string[]): string => list[Math.floor(next() * list.length)] ?? '';
  const lines = ['order_id,date,city,product,quantity,unit_price,rating,returned'];
  for (let id = 1; id <= rows; id++) {
    const date = new Date(Date.UTC(2025, 0, 1 + Math.floor(next() * 365))).toISOString().slice(0, 10);
    const rating = next() < 0.02 ? '' : String(1 + Math.floor(next() * 5));
    const price = (5 + next() * 495).toFixed(2);
    const quantity = 1 + Math.floor(next() * 9);
    lines.push(
      [id, date, quoted(pick(CITIES)), quoted(pick(PRODUCTS)), quantity, price, rating, next() < 0.05].join(','),
    );
  }
  return `${lines.join('\n')}\n`;
}

/** Mulberry32: small, and the same everywhere. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function quoted(text: string): string {
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const rows = Number(process.argv[2] ?? 10_000);
  if (!Number.isInteger(rows) || rows < 0) throw new TypeError('usage: node sample/make-csv.ts [rows]');
  process.stdout.write(makeCsv(rows));
}

/** Finds names that are written almost like one that does not exist. */

const MAX_COMPARED = 2_000;
/** Comparing takes time by the square of the length; names that people write are shorter. */
const MAX_LENGTH = 128;

/** @returns up to three of `known` that differ from `name` by few letters, the nearest first, then in alphabetical order. */
export function nearNames(name: string, known: readonly string[]): readonly string[] {
  if (name.length > MAX_LENGTH) return [];
  const most = name.length <= 3 ? 1 : name.length <= 7 ? 2 : 3;
  const lower = name.toLowerCase();
  return [...new Set(known)]
    .slice(0, MAX_COMPARED)
    .filter((candidate) => candidate !== name && Math.abs(candidate.length - name.length) <= most)
    .map((candidate) => ({ candidate, edits: edits(lower, candidate.toLowerCase()) }))
    .filter((one) => one.edits <= most)
    .sort((a, b) => a.edits - b.edits || (a.candidate < b.candidate ? -1 : 1))
    .slice(0, 3)
    .map((one) => one.candidate);
}

/** Letters to insert, delete, replace, or swap with their neighbour (Damerau 1964, optimal string alignment). */
function edits(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, index) => index)];
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let best = Math.min(cell(rows, i - 1, j) + 1, (row[j - 1] ?? 0) + 1, cell(rows, i - 1, j - 1) + cost);
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (isSwap) best = Math.min(best, cell(rows, i - 2, j - 2) + 1);
      row.push(best);
    }
    rows.push(row);
  }
  return cell(rows, a.length, b.length);
}

function cell(rows: readonly (readonly number[])[], row: number, column: number): number {
  return rows[row]?.[column] ?? 0;
}

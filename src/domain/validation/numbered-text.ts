/** Code by its lines, numbered once, so that many places in a large file can be told quickly. */
import { linesOf } from '../diagnosis/syntax.ts';

/** Characters of a line that are told on either side of the column. */
const BESIDE = 60;
const LINE_END = /\r\n|[\n\r\u2028\u2029]/g;

export class NumberedText {
  readonly #lines: readonly string[];
  /** Offset at which each line begins. */
  readonly #starts: readonly number[];

  constructor(text: string) {
    this.#lines = linesOf(text);
    this.#starts = [0, ...Array.from(text.matchAll(LINE_END), (end) => end.index + end[0].length)];
  }

  /** @returns line and column of an offset, both from 1. */
  placeAt(offset: number): { readonly line: number; readonly column: number } {
    let [first, last] = [0, this.#starts.length - 1];
    while (first < last) {
      const middle = Math.ceil((first + last) / 2);
      if ((this.#starts[middle] ?? 0) <= offset) first = middle;
      else last = middle - 1;
    }
    return { line: first + 1, column: offset - (this.#starts[first] ?? 0) + 1 };
  }

  /** @returns a line, cut, with a mark below the column; null outside the text. Line and column from 1. */
  excerpt(line: number, column: number): string | null {
    const content = this.#lines[line - 1];
    if (content === undefined) return null;
    const from = Math.max(0, column - 1 - BESIDE);
    const cut = content.slice(from, column - 1 + BESIDE).replaceAll('\t', ' ');
    const label = `${line} | `;
    const before = from === 0 ? '' : '…';
    const mark = `${' '.repeat(label.length - 2)}| ${' '.repeat(before.length + Math.max(0, column - 1 - from))}^`;
    return `${label}${before}${cut}\n${mark}`;
  }

  /** @returns where a problem at `offset` is, as problems tell it. */
  at(offset: number): { readonly line: number; readonly column: number; readonly source: string | null } {
    const { line, column } = this.placeAt(offset);
    return { line, column, source: this.excerpt(line, column) };
  }
}

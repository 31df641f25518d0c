/** How commands speak: readable on a terminal, JSON when piped or asked for; results on stdout, all else on stderr. */
import type { Json } from '../domain/event.ts';
import { type Colors, colored } from './colors.ts';

export interface Output {
  readonly isJson: boolean;
  /** A result: for people as text, for programs as one JSON document a line. */
  result(value: unknown, text: () => string): void;
  /** Something worth knowing that is not the result. */
  note(text: string): void;
  /** Redraws one line on a terminal; silent elsewhere. */
  progress(fraction: number | null, label: string): void;
}

const WIDTH = 24;

/**
 * @param json true: JSON whatever stdout is; undefined: JSON unless stdout is a terminal
 * @param colors what stdout gets
 */
export function openOutput(json: boolean | undefined, colors: Colors): Output {
  const isJson = json ?? !process.stdout.isTTY;
  return {
    isJson,
    result: (value, text) =>
      void process.stdout.write(isJson ? `${JSON.stringify(value)}\n` : `${colored(text(), colors)}\n`),
    note: (text) => void process.stderr.write(`${text}\n`),
    progress: (fraction, label) => {
      if (!process.stderr.isTTY) return;
      const done = fraction === null ? 0 : Math.round(fraction * WIDTH);
      const bar =
        fraction === null ? '' : `[${'='.repeat(done)}${' '.repeat(WIDTH - done)}] ${Math.round(fraction * 100)}% `;
      process.stderr.write(`\r\u001b[2K${bar}${label}${fraction === 1 ? '\n' : ''}`);
    },
  };
}

/** @returns rows as columns of equal width. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows.reduce<number[]>(
    (known, row) => row.map((cell, index) => Math.max(known[index] ?? 0, cell.length)),
    [],
  );
  return rows
    .map((row) =>
      row
        .map((cell, index) => cell.padEnd(widths[index] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** @returns JSON as people read it. */
export function pretty(value: Json): string {
  return JSON.stringify(value, null, 2);
}

/** A task's code as its author wrote it, and how places in it and in what the engine runs belong together. */
import type { SourceMap, SourceMaps } from '../ports/source-map.ts';
import type { EnginePlace } from './inspected.ts';

/** A place as people count: line and column from 1. */
export interface AuthoredPlace {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** Characters of a line that are told. */
const MAX_LINE = 500;
const LINE_ENDS = /\r\n|[\n\r\u2028\u2029]/;

export class AuthoredCode {
  /** The file whose lines are meant when a line alone is named. */
  readonly file: string;
  readonly #running: string;
  readonly #map: SourceMap | null;
  readonly #lines: readonly string[];

  /** @param file the name under which `code` runs */
  constructor(file: string, code: string, maps: SourceMaps) {
    this.#map = maps.inside(code);
    this.#running = file;
    this.file = this.#map?.file ?? file;
    this.#lines = (this.#map === null ? code : (this.#map.text ?? '')).split(LINE_ENDS);
  }

  /** @returns the author's place; that in the running file where no author wrote the code. */
  authored({ line, column }: EnginePlace): AuthoredPlace {
    const running = { line: line + 1, column: Math.max(1, column + 1) };
    return this.#map?.original(running) ?? { file: this.#running, ...running };
  }

  /** @returns the text of a line; empty for other files than {@link file}. */
  text({ file, line }: Pick<AuthoredPlace, 'file' | 'line'>): string {
    return file === this.file ? (this.#lines[line - 1] ?? '').slice(0, MAX_LINE) : '';
  }

  /**
   * @param places where the engine can stop, in its order
   * @returns the first of the line, or of the next line that has one; null when nothing comes after it
   */
  firstAt(line: number, places: readonly EnginePlace[]): { readonly at: EnginePlace; readonly line: number } | null {
    let found: { at: EnginePlace; line: number } | null = null;
    for (const at of places) {
      const authored = this.authored(at);
      if (!this.#isOwn(authored) || authored.file !== this.file || authored.line < line) continue;
      if (found === null || authored.line < found.line) found = { at, line: authored.line };
    }
    return found;
  }

  /** @returns of each of the author's lines the first place. */
  lineStarts(places: readonly EnginePlace[]): readonly EnginePlace[] {
    const starts = new Map<string, EnginePlace>();
    for (const at of places) {
      const authored = this.authored(at);
      const key = `${authored.file}:${authored.line}`;
      if (!starts.has(key) && this.#isOwn(authored)) starts.set(key, at);
    }
    return [...starts.values()];
  }

  /** Below the last line stands what makes a script of a module. */
  #isOwn({ file, line }: AuthoredPlace): boolean {
    return this.#map === null ? line <= this.#lines.length : file !== this.#running;
  }
}

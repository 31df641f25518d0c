/** What the core asks of source maps: from the code that runs to the code as its author wrote it. */

/** A place in code: line from 1, column from 1. */
export interface CodePlace {
  readonly line: number;
  readonly column: number;
}

export interface SourceMap {
  /** The author's file that is meant when only a line is named: the last one, as bundlers put what was asked for last. */
  readonly file: string;
  /** Its text; null when the map does not carry it. */
  readonly text: string | null;
  /** @returns the author's place, in whatever file; null for code that no author wrote. */
  original(place: CodePlace): (CodePlace & { readonly file: string }) | null;
}

export interface SourceMaps {
  /** @returns the map that stands at the end of the code, as base64 or plain JSON in a data URL; null without one that can be read. */
  inside(code: string): SourceMap | null;
}

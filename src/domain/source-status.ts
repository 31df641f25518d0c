/** How a task source was last read; told to people, never stored. */

/** A place in a source that could not be read as a task. */
export interface BrokenPlace {
  readonly path: string;
  readonly reason: string;
}

export interface SourceStatus {
  readonly source: string;
  readonly tasks: number;
  readonly published: readonly string[];
  readonly broken: readonly BrokenPlace[];
  /** Why the source itself could not be read. */
  readonly error: string | null;
  /** When it was read, ISO 8601. */
  readonly syncedAt: string;
}

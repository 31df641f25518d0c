/** How a task source was last read; told to people, never stored. */

/** A place in a source that could not be read as a task. */
export interface BrokenPlace {
  readonly path: string;
  readonly reason: string;
}

export interface SourceStatus {
  readonly source: string;
  /** Where it is, without credentials. */
  readonly uri: string;
  /** Branch, tag or commit that is asked for. */
  readonly ref: string | null;
  /** Branch that was followed; null for anything that no push moves, and before the first reading. */
  readonly branch: string | null;
  /** Commit, or SHA-256 of the archive, that the tasks are of; null for a folder, and where there is no good copy. */
  readonly revision: string | null;
  readonly tasks: number;
  readonly published: readonly string[];
  readonly broken: readonly BrokenPlace[];
  /** Why the source itself could not be read; with a revision, its last good copy is in use. */
  readonly error: string | null;
  /** When it was read, ISO 8601. */
  readonly syncedAt: string;
}

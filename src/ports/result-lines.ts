/** What the core asks of places that take results as lines. */

export interface ResultLines {
  /** Adds one line to a file and answers when it is on disk. Fails with `store_full` or `store_unavailable`. */
  append(path: string, line: string): Promise<void>;
  /** Writes one line to the standard output of the process. Fails with `store_unavailable`. */
  print(line: string): Promise<void>;
}

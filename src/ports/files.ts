/** What the core asks of the file system on behalf of tasks: read below the configured roots, nothing else. */

export interface Files {
  /**
   * Reads a whole file. Relative paths are tried below each root in order.
   * Fails with `file_refused` (outside the roots, after links are resolved), `not_found`, or `body_too_large`.
   */
  read(path: string, maxBytes: number): Promise<Uint8Array>;
}

/** What the core asks of a file that mirrors the audit trail. */
import type { Position } from '../domain/event.ts';

export interface AuditFile {
  /** Position of the last line that was written; null for a new file. */
  last(): Position | null;
  /** Adds lines of JSON, whole or not at all. Fails with `store_full` or `store_unavailable` when they can not be written. */
  write(lines: readonly string[]): void;
}

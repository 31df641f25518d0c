/** What a replay found: whether everything came out as recorded, and where not. */
import type { Json } from './event.ts';

/** One place where the replay and the record differ. */
export interface ReplayDifference {
  readonly what: 'output' | 'error' | 'log' | 'span' | 'progress';
  readonly expected: Json;
  readonly actual: Json;
}

export interface ReplayResult {
  readonly executionId: string;
  readonly attempt: number;
  readonly identical: boolean;
  readonly differences: readonly ReplayDifference[];
  readonly steps: number;
  readonly turns: number;
  readonly result: 'returned' | 'threw' | 'cancelled' | 'parked';
  readonly output: Json;
  readonly error: { readonly name: string; readonly message: string } | null;
  /** Set when the record was made on another version of Node than the replay. */
  readonly recordedOnNode: string | null;
}

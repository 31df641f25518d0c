/** What projections ask of the database that holds read models: apply row changes and checkpoints in one transaction. */
import type { Position } from '../domain/event.ts';
import type { HeldLock } from './held-lock.ts';

export interface Statement {
  readonly sql: string;
  readonly parameters: readonly unknown[];
}

export interface Checkpoint {
  readonly name: string;
  readonly version: number;
  readonly position: Position;
  readonly status: 'live' | 'paused';
  /** Why it is paused. */
  readonly error: string | null;
}

/** A checkpoint moves only from where it was believed to be. */
export interface CheckpointMove {
  readonly name: string;
  readonly from: Position;
  readonly to: Position;
}

export interface ProjectionStore {
  checkpoints(): Promise<readonly Checkpoint[]>;
  /** Stores a checkpoint as it is, whatever stood there. */
  putCheckpoint(checkpoint: Checkpoint): Promise<void>;
  /**
   * Executes all statements and moves the checkpoints in one transaction, or none.
   * Fails with `version_conflict` when a checkpoint stands elsewhere: another process projects.
   */
  apply(statements: readonly Statement[], moves: readonly CheckpointMove[]): Promise<void>;
  /** Which log the rows are of; null where none was noted yet. */
  origin(): Promise<string | null>;
  /** Notes which log the rows are of, whatever was noted; null: there are none of any. */
  putOrigin(origin: string | null): Promise<void>;
  /** Tells others of which versions, by projection, the program is that projects from now on. */
  announce(versions: Readonly<Record<string, number>>): Promise<void>;
  /** What was announced last; null before that. */
  announced(): Promise<Readonly<Record<string, number>> | null>;
  /** Runs schema changes, which may take long, and stores a checkpoint as it is where one is given, in one transaction. */
  change(statements: readonly Statement[], checkpoint: Checkpoint | null): Promise<void>;
}

/** The right to project, and the way to do it, which ends with that right. */
export interface ProjectionLock extends HeldLock {
  readonly projections: ProjectionStore;
}

/** How far the read models are, as queries see it. */
export interface ProjectionProgress {
  /**
   * Resolves once every live projection has applied everything up to `position`.
   * Fails with `projection_behind` after `timeoutMs`, or `projection_paused` when one has stopped.
   */
  reach(position: Position, timeoutMs: number): Promise<void>;
}

/** A lock between processes, held until it is given back, or its holder dies. */
export interface HeldLock {
  /** Aborts when the lock was lost: somebody else may hold it now. */
  readonly lost: AbortSignal;
  /** Gives the lock back; a second call does nothing. */
  release(): void | Promise<void>;
}

/** What the runner asks of the durable order of work: what is due, and what a dead worker left behind. */

/** An execution that waits for a start, and is due. */
export interface Due {
  readonly executionId: string;
  /** In whose turn it comes: who asked for it. Empty for what goes before its equals: subtasks, and what has begun already. */
  readonly client: string;
  readonly priority: number;
}

/**
 * The order of work as one process reads it for itself. What is due comes by priority; among equals of it, whose client has
 * the fewest places comes first; then by age.
 */
export interface DispatchTable {
  /** @param now milliseconds since the epoch: what is due by then. Other processes are told the same: the claim decides. */
  due(now: number, limit: number): Promise<readonly Due[]>;
  /** Executions that run in a session other than the given ones. */
  runningElsewhere(
    liveSessions: readonly string[],
    limit: number,
  ): Promise<readonly { executionId: string; worker: string }[]>;
}

/** The same order where several nodes are handed work, each execution to one of them. All fail with an error of the store. */
export interface SharedWork {
  /** For how long, in milliseconds, a session may claim what it has picked; others get it only well after that. */
  readonly claimMs: number;
  /** Whether clients that have as many places as they may, on all nodes together, are passed over. */
  readonly limitsClients: boolean;
  /** At most `limit` of what is due, kept for `session`, in order. */
  pick(session: string, limit: number): Promise<readonly Due[]>;
  /**
   * Makes those of `executionIds` due now that wait for their time, or were picked by `session`.
   * @returns those that now wait for a worker; the others have not come to wait, or do no more
   */
  wake(session: string, executionIds: readonly string[]): Promise<readonly string[]>;
  /** How many are due and not picked, counted up to `atMost`. */
  waiting(atMost: number): Promise<number>;
}

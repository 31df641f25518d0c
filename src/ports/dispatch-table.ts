/** What the runner asks of the durable order of work: what is due, and what a dead worker left behind. */

export interface DispatchTable {
  /** Executions that wait for a start and are due, by priority, then age. */
  due(now: number, limit: number): Promise<readonly { executionId: string; priority: number }[]>;
  /** Executions that run in a session other than the given ones. */
  runningElsewhere(
    liveSessions: readonly string[],
    limit: number,
  ): Promise<readonly { executionId: string; worker: string }[]>;
}

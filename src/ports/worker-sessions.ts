/** What is asked about worker sessions: which of them may act, seen from here. */

export interface Sessions {
  /** The session of this process; another one once it has lapsed. */
  readonly own: string;
  /** Whether the own session holds for sure: only then new work is taken up under it. */
  isHeld(): boolean;
  /**
   * Resolves when `session` is the own one and holds for sure, which may take a heartbeat. Fails with `version_conflict` when
   * it has lapsed, `shutting_down` when it is closed, or as `signal` was aborted.
   */
  confirm(session: string, signal: AbortSignal): Promise<void>;
  /** Sessions that are known here to be alive, the own one among them. One that is missing need not be gone: {@link isGone} tells. */
  alive(): Promise<readonly string[]>;
  /** Whether a session has ended for good, so that others may take over what it ran. Fails with an error of the store. */
  isGone(session: string): Promise<boolean>;
}

/** What the machine itself knows about the processes of sessions. */
export interface Presence {
  /** Shows a session of this process to the other processes of the machine. Fails with `store_unavailable`. */
  enter(session: string): void;
  /** Shows it no more. */
  leave(session: string): void;
  /** Whether its process has ended for sure. One that is not known here may live on another machine. */
  hasDied(session: string): boolean;
}

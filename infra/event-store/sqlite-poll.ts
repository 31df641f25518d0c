/** Notices what other processes write to the same SQLite file, which nothing but looking can tell. */

/** While another process writes: look often. */
const BUSY_MS = 5;
const IDLE_MS = 50;
const FOREIGN_RECENTLY_MS = 1000;

export class Poll {
  readonly #dataVersion: () => number;
  readonly #onChange: () => void;
  #seen: number | null = null;
  #ownCommits = false;
  #foreignAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | null = null;

  /**
   * @param dataVersion gives a number that changes with each commit of any other connection
   * @param onChange called when there may be something new
   */
  constructor(dataVersion: () => number, onChange: () => void) {
    this.#dataVersion = dataVersion;
    this.#onChange = onChange;
  }

  /** To be called after commits of this process, which are no sign of another one. */
  ownCommit(): void {
    this.#ownCommits = true;
  }

  start(): void {
    this.stop();
    this.#look();
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #look(): void {
    const version = this.#currentVersion();
    const changed = version === null || version !== this.#seen;
    if (changed && this.#seen !== null && !this.#ownCommits) this.#foreignAt = performance.now();
    this.#seen = version;
    this.#ownCommits = false;
    const busy = performance.now() - this.#foreignAt < FOREIGN_RECENTLY_MS;
    this.#timer = setTimeout(() => this.#look(), busy ? BUSY_MS : IDLE_MS);
    if (changed) this.#onChange();
  }

  /** Null when the file can not be read: the read that follows meets the same error and tells those who wait. */
  #currentVersion(): number | null {
    try {
      return this.#dataVersion();
    } catch {
      return null;
    }
  }
}

/** Tells how quickly executions end here, so that a node takes in ahead what it soon gets to, and leaves the rest to others. */

export class Pace {
  readonly #windowMs: number;
  readonly #ends: number[] = [];

  /** @param windowMs how far back it looks, in milliseconds */
  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  /** @param at when an execution ended, in milliseconds of a clock that never goes back */
  ended(at: number): void {
    this.#ends.push(at);
    this.#forget(at);
  }

  /** How many have ended within the window before `at`. */
  lately(at: number): number {
    this.#forget(at);
    return this.#ends.length;
  }

  #forget(at: number): void {
    const kept = this.#ends.findIndex((end) => end > at - this.#windowMs);
    this.#ends.splice(0, kept < 0 ? this.#ends.length : kept);
  }
}

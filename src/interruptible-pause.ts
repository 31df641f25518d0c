/** A pause that may be cut short, for whoever looks now and then and is told when looking pays. */
import { setTimeout as pause } from 'node:timers/promises';

export class InterruptiblePause {
  #cut = new AbortController();

  /** Waits so many milliseconds, or until {@link cut} was called since the last wait began, or `signal` aborts. Never rejects. */
  async wait(ms: number, signal: AbortSignal): Promise<void> {
    const ended = AbortSignal.any([signal, this.#cut.signal]);
    await pause(ms, undefined, { signal: ended }).catch(() => undefined);
    if (this.#cut.signal.aborted) this.#cut = new AbortController();
  }

  cut(): void {
    this.#cut.abort();
  }
}

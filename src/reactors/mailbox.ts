/** A place where answers arrive while one reader waits, so that an attempt sees them in the order they came. */

/** Longest delay that a timer of the platform can hold. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

export class Mailbox<Mail> {
  #mail: Mail[] = [];
  #failure: { readonly error: unknown } | null = null;
  #wake: (() => void) | null = null;
  readonly #signals: readonly AbortSignal[];

  /** @param signals end a {@link wait} early when they abort */
  constructor(signals: readonly AbortSignal[]) {
    this.#signals = signals;
    for (const signal of signals) signal.addEventListener('abort', () => this.#wake?.(), { once: true });
  }

  put(mail: Mail): void {
    this.#mail.push(mail);
    this.#wake?.();
  }

  /** The next {@link peek} throws `error`. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#wake?.();
  }

  /** @returns the first mail that matches, which stays until it is taken. */
  peek(matches: (mail: Mail) => boolean): Mail | undefined {
    if (this.#failure !== null) throw this.#failure.error;
    return this.#mail.find(matches);
  }

  take(mail: Mail): void {
    this.#mail = this.#mail.filter((candidate) => candidate !== mail);
  }

  /** Waits for something new, an abort, or at most `ms` milliseconds (null: without end). */
  async wait(ms: number | null): Promise<void> {
    if (this.#signals.some((signal) => signal.aborted)) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      if (ms !== null) timer = setTimeout(resolve, Math.min(ms, MAX_TIMER_MS));
    });
    clearTimeout(timer);
    this.#wake = null;
  }
}

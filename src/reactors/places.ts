/** Places in which executions run: as many as workers, given back while an execution only waits for others. */

/** One execution's claim on a place. */
export interface Place {
  /** Waits for a free place: higher priority first, then first come, first served. Rejects with the reason of `signal`. */
  take(priority: number, signal: AbortSignal): Promise<void>;
  /** True: it only waits for other executions, so its place may serve one of them. False: it goes on, whether one is free or not. */
  idle(isIdle: boolean): void;
  /** Gives the place back for good. Idempotent; also right when none was ever taken. */
  leave(): void;
}

export class Places {
  #free: number;
  readonly #waiting: { readonly priority: number; readonly given: () => void }[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  /** @param onLeave called once, when the execution has left */
  open(onLeave: () => void): Place {
    let held = false;
    let left = false;
    return {
      take: async (priority, signal) => {
        await this.#take(priority, signal);
        held = true;
        if (left) this.#give();
      },
      idle: (isIdle) => {
        if (left || held !== isIdle) return;
        held = !isIdle;
        if (isIdle) this.#give();
        else this.#free -= 1;
      },
      leave: () => {
        if (left) return;
        left = true;
        if (held) this.#give();
        onLeave();
      },
    };
  }

  #take(priority: number, signal: AbortSignal): Promise<void> {
    if (this.#free > 0) {
      this.#free -= 1;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const given = (): void => {
        signal.removeEventListener('abort', aborted);
        resolve();
      };
      const waiter = { priority, given };
      const aborted = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        reject(signal.reason);
      };
      signal.addEventListener('abort', aborted, { once: true });
      const behind = this.#waiting.findIndex((other) => other.priority < priority);
      this.#waiting.splice(behind < 0 ? this.#waiting.length : behind, 0, waiter);
    });
  }

  #give(): void {
    this.#free += 1;
    if (this.#free <= 0) return;
    const next = this.#waiting.shift();
    if (next === undefined) return;
    this.#free -= 1;
    next.given();
  }
}

/** Places in which executions run: as many as workers, lent to subtasks while an execution only waits for them. */

/** One execution's claim on a place. */
export interface Place {
  /** Waits for a free place: higher priority first, then subtasks, then first come, first served. Rejects with the reason of `signal`. */
  take(priority: number, signal: AbortSignal): Promise<void>;
  /** True: it only waits for other executions, so a subtask may run in its place. False: it goes on, whether one is free or not. */
  idle(isIdle: boolean): void;
  /** Gives the place back for good. Idempotent; also right when none was ever taken. */
  leave(): void;
}

interface Waiter {
  readonly priority: number;
  readonly isSubtask: boolean;
  readonly given: () => void;
}

/**
 * Were a place that is lent open to everybody, executions that ask for subtasks would fill it one after the other, each
 * keeping its process, until no process is left for the subtasks that all of them wait for.
 */
export class Places {
  readonly #count: number;
  /** Executions that run and are not idle. */
  #running = 0;
  /** Executions that are nobody's subtask, those that are idle included. */
  #roots = 0;
  readonly #waiting: Waiter[] = [];

  constructor(count: number) {
    this.#count = count;
  }

  /** @param onLeave called once, when the execution has left */
  open(isSubtask: boolean, onLeave: () => void): Place {
    let state: 'outside' | 'running' | 'idle' | 'left' = 'outside';
    const vacate = (wasRunning: boolean): void => {
      if (wasRunning) this.#running -= 1;
      if (!isSubtask) this.#roots -= 1;
      this.#give();
    };
    return {
      take: async (priority, signal) => {
        await this.#take({ priority, isSubtask }, signal);
        if (state === 'left') vacate(true);
        else state = 'running';
      },
      idle: (isIdle) => {
        if (state !== (isIdle ? 'running' : 'idle')) return;
        state = isIdle ? 'idle' : 'running';
        this.#running += isIdle ? -1 : 1;
        if (isIdle) this.#give();
      },
      leave: () => {
        if (state === 'left') return;
        const before = state;
        state = 'left';
        if (before !== 'outside') vacate(before === 'running');
        onLeave();
      },
    };
  }

  #isOpenTo({ isSubtask }: Pick<Waiter, 'isSubtask'>): boolean {
    return this.#running < this.#count && (isSubtask || this.#roots < this.#count);
  }

  #enter({ isSubtask }: Pick<Waiter, 'isSubtask'>): void {
    this.#running += 1;
    if (!isSubtask) this.#roots += 1;
  }

  #take(asked: Omit<Waiter, 'given'>, signal: AbortSignal): Promise<void> {
    if (this.#isOpenTo(asked)) {
      this.#enter(asked);
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        ...asked,
        given: () => {
          signal.removeEventListener('abort', aborted);
          resolve();
        },
      };
      const aborted = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        reject(signal.reason);
      };
      signal.addEventListener('abort', aborted, { once: true });
      const behind = this.#waiting.findIndex((other) => goesBefore(waiter, other));
      this.#waiting.splice(behind < 0 ? this.#waiting.length : behind, 0, waiter);
    });
  }

  /** Lets in whoever may, in order: one that leaves can make way for a root and for a subtask. */
  #give(): void {
    for (;;) {
      const index = this.#waiting.findIndex((waiter) => this.#isOpenTo(waiter));
      const [next] = index < 0 ? [] : this.#waiting.splice(index, 1);
      if (next === undefined) return;
      this.#enter(next);
      next.given();
    }
  }
}

function goesBefore(waiter: Waiter, other: Waiter): boolean {
  if (waiter.priority !== other.priority) return waiter.priority > other.priority;
  return waiter.isSubtask && !other.isSubtask;
}

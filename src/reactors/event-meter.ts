/** Counts the events that are stored, by whichever process, so that people see how busy the log is. */
import type { Position } from '../domain/event.ts';
import type { EventPage, EventStore } from '../ports/event-store.ts';
import type { Runtime } from '../ports/runtime.ts';
import { keepFollowing } from './keep-following.ts';

const SECONDS = 60;

export class EventMeter {
  readonly #runtime: Pick<Runtime, 'now'>;
  readonly #counts = new Map<number, number>();
  readonly #since: number;

  constructor(runtime: Pick<Runtime, 'now'>) {
    this.#runtime = runtime;
    this.#since = runtime.now();
  }

  /** Events in a second, over the last minute, or since the start where that is shorter. */
  perSecond(): number {
    const now = this.#runtime.now();
    this.#forget(now);
    const counted = [...this.#counts.values()].reduce((sum, count) => sum + count, 0);
    const seconds = Math.min(SECONDS, Math.max(1, (now - this.#since) / 1_000));
    return Math.round((counted / seconds) * 100) / 100;
  }

  /** Counts what comes after `from` until `signal` aborts. */
  follow(store: EventStore, from: Position, onTrouble: (error: unknown) => void, signal: AbortSignal): Promise<void> {
    const onPage = ({ events }: EventPage): void => {
      const now = this.#runtime.now();
      const second = Math.floor(now / 1_000);
      this.#counts.set(second, (this.#counts.get(second) ?? 0) + events.length);
      this.#forget(now);
    };
    return keepFollowing(store, { from, filter: {}, onPage, onTrouble }, signal);
  }

  #forget(now: number): void {
    const oldest = Math.floor(now / 1_000) - SECONDS;
    for (const second of this.#counts.keys()) if (second <= oldest) this.#counts.delete(second);
  }
}

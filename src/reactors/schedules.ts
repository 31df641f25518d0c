/** Fires schedules when their time has come: waits for the next time of all, and is woken by every change of a schedule. */
import type { ScheduleDeps } from '../../commands/define-schedule.ts';
import { fireSchedule, type KnownSchedule, UNREAD } from '../../commands/fire-schedule.ts';
import { idOf, type Position, START } from '../domain/event.ts';
import { decode } from '../domain/history.ts';
import { type ScheduleEvent, schedule } from '../domain/schedule.ts';
import { timeOf } from '../domain/time.ts';
import type { EventPage } from '../ports/event-store.ts';
import { keepFollowing } from './keep-following.ts';

const FILTER = { categories: ['schedule'] } as const;
const PAGE = 1_000;
/** Clocks can be set: the next time is looked at again at least this often. */
const LOOK_MS = 60_000;
/** How often a node that is not elected looks whether it is now. */
const STAND_BY_MS = 1_000;
/** Schedules fired at once. */
const MAX_FIRING = 16;
/** How long whoever decided a firing has to make its execution, before others look. */
const SETTLE_MS = 5_000;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;

interface Watched {
  known: KnownSchedule;
  /** Not looked at before this time, milliseconds since the epoch: after an error. */
  notBefore: number;
  pauseMs: number;
  /** When the last firing, decided here or elsewhere, is looked after; null when it is known to have become an execution. */
  settleAt: number | null;
}

export interface SchedulesDeps extends ScheduleDeps {
  /** Whether this node fires; should two believe so for a moment, the stream of a schedule lets one win. */
  readonly isElected: () => boolean;
}

export class Schedules {
  readonly #deps: SchedulesDeps;
  readonly #onTrouble: (error: unknown) => void;
  readonly #watched = new Map<string, Watched>();
  readonly #firing = new Map<string, Promise<void>>();
  #position: Position = START;
  #timer: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(deps: SchedulesDeps, onTrouble: (error: unknown) => void) {
    this.#deps = deps;
    this.#onTrouble = onTrouble;
  }

  /** Reads all schedules, fires what is due, and goes on until `signal` aborts. Resolves once it watches. */
  async start(signal: AbortSignal): Promise<void> {
    for (let atHead = false; !atHead; ) {
      const page = await this.#deps.store.readAll(this.#position, FILTER, PAGE);
      this.#fold(page);
      atHead = page.atHead;
    }
    // Whoever decided the last firings may be gone: they are looked after now.
    for (const watched of this.#watched.values()) if (watched.settleAt !== null) watched.settleAt = 0;
    const onPage = (page: EventPage): void => {
      this.#fold(page);
      this.look();
    };
    const { store } = this.#deps;
    void keepFollowing(store, { from: this.#position, filter: FILTER, onPage, onTrouble: this.#onTrouble }, signal);
    this.look();
  }

  /** Fires everything that is due by the clock, and waits for the next time. Done by itself whenever there is a reason. */
  look(): void {
    if (this.#closed) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (!this.#deps.isElected()) {
      this.#timer = setTimeout(() => this.look(), STAND_BY_MS);
      return;
    }
    const now = this.#deps.runtime.now();
    let next = now + LOOK_MS;
    for (const [id, watched] of this.#watched) {
      if (this.#firing.has(id)) continue;
      const at = dueTime(watched);
      if (at > now) next = Math.min(next, at);
      else if (this.#firing.size < MAX_FIRING) this.#fire(id, watched);
    }
    this.#timer = setTimeout(() => this.look(), Math.max(1, next - now));
  }

  /** Lets what is being fired become executions, and fires nothing more. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await Promise.all(this.#firing.values());
  }

  #fire(id: string, watched: Watched): void {
    const fired = fireSchedule(this.#deps, id, watched.known).then(
      (known) => {
        Object.assign(watched, { known: later(watched.known, known), settleAt: null, ...SOUND });
        if (watched.known.state.status === 'deleted') this.#watched.delete(id);
      },
      (error: unknown) => this.#troubled(watched, error),
    );
    const done = fired.then(() => {
      this.#firing.delete(id);
      this.look();
    });
    this.#firing.set(id, done);
  }

  #troubled(watched: Watched, error: unknown): void {
    this.#onTrouble(error);
    watched.notBefore = this.#deps.runtime.now() + watched.pauseMs;
    watched.pauseMs = Math.min(watched.pauseMs * 2, LONGEST_PAUSE_MS);
  }

  #fold(page: EventPage): void {
    // All or none: a page with an event that can not be read is brought again.
    const decoded = page.events.map((stored) => ({ stored, event: decode<ScheduleEvent>(stored) }));
    for (const { stored, event } of decoded) {
      const id = idOf(stored.stream);
      const watched = this.#watched.get(id) ?? { known: UNREAD, settleAt: null, ...SOUND };
      this.#watched.set(id, watched);
      // What was fired here is known already.
      if (stored.version !== watched.known.version + 1) continue;
      watched.known = { state: schedule.evolve(watched.known.state, event), version: stored.version };
      if (event.type === 'ScheduleFired') watched.settleAt = this.#deps.runtime.now() + SETTLE_MS;
      // Once its last firing is settled, nothing more can come of it.
      if (event.type === 'ScheduleDeleted' && watched.settleAt === null) this.#watched.delete(id);
    }
    this.#position = page.position;
  }
}

const SOUND = { notBefore: 0, pauseMs: FIRST_PAUSE_MS } as const;

function later(one: KnownSchedule, other: KnownSchedule): KnownSchedule {
  return one.version > other.version ? one : other;
}

/** @returns when there is something to do about it, milliseconds since the epoch; infinite for never. */
function dueTime({ known: { state }, notBefore, settleAt }: Watched): number {
  const nextAt = state.status === 'enabled' && state.nextAt !== null ? timeOf(state.nextAt) : Number.POSITIVE_INFINITY;
  return Math.max(notBefore, Math.min(nextAt, settleAt ?? Number.POSITIVE_INFINITY));
}

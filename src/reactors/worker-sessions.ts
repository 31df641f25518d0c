/**
 * Worker sessions: keeps the own one alive in the log, and ends there those of others that have lapsed. A session ends by
 * an event at the version of its last heartbeat that was seen: one winner, and whoever was taken for dead is told so by
 * its next heartbeat. Nothing here compares the clocks of two machines: a lease is measured from when a heartbeat was seen.
 */
import { type Deps, envelopes } from '../../commands/handle.ts';
import { workerPrincipal } from '../domain/access.ts';
import { isRatchetError, RatchetError } from '../domain/errors.ts';
import { idOf, type StoredEvent, streamName } from '../domain/event.ts';
import { decode } from '../domain/history.ts';
import { type WorkerEvent, type WorkerSession, workerSession } from '../domain/worker.ts';
import type { EventPage } from '../ports/event-store.ts';
import type { Presence, Sessions } from '../ports/worker-sessions.ts';
import { keepFollowing, pause } from './keep-following.ts';

export interface SessionFacts {
  readonly host: string;
  readonly pid: number;
  readonly node: string;
  /** Executions at once; 0 where none are run. */
  readonly capacity: number;
  readonly isolation: string;
}

export interface WorkerSessionsDeps extends Deps {
  readonly presence: Presence;
  /** Milliseconds that only grow, by a clock of this process. */
  readonly elapsed: () => number;
  readonly onTrouble: (error: unknown) => void;
  /** Called when this process has ended the session of another one that is gone. */
  readonly onGone: (gone: { readonly sessionId: string; readonly host: string; readonly pid: number }) => void;
}

/** How the own session is kept. */
export interface Keeping {
  readonly facts: SessionFacts;
  /** Sessions that the read models take for alive; those that end meanwhile do no harm. */
  readonly known: () => Promise<readonly string[]>;
  /** How many executions run here. */
  readonly running: () => number;
  /** Called when others have ended the own session, and may have taken over what it ran. */
  readonly onLapsed: () => void;
}

/** What has been read of a session's stream. */
interface Known {
  readonly state: WorkerSession;
  /** Of the last event; -1 for none. */
  readonly version: number;
}

/** When something was, by both clocks: the one that only grows stands still while the machine sleeps. */
interface Moment {
  readonly elapsed: number;
  /** Milliseconds since the epoch. */
  readonly time: number;
}

/** A session that has not ended, as far as is known here. */
interface Watched extends Known {
  /** Who began before whom: `recordedAt` of its start. */
  readonly startedAt: string;
  /** When it gave the last sign of life, by our clock. */
  seenAt: number;
}

const UNREAD: Known = { state: workerSession.initial, version: -1 };
const LONG_AGO: Moment = { elapsed: Number.NEGATIVE_INFINITY, time: Number.NEGATIVE_INFINITY };
const BEATS_PER_LEASE = 3;
const LOOKS_PER_LEASE = 6;
const PAGE = 1_000;
/** Ended sessions remembered; of others the log is asked again. */
const MAX_ENDED = 10_000;
const FILTER = { categories: ['worker'] } as const;

export class WorkerSessions implements Sessions {
  readonly #deps: WorkerSessionsDeps;
  readonly #leaseMs: number;
  readonly #watched = new Map<string, Watched>();
  readonly #ended = new Set<string>();
  #own: string;
  #ownStartedAt = '';
  /** Of the last event of the own session that is known to be stored; -1 until it has begun. */
  #version = -1;
  /** When the last heartbeat that was stored had left. */
  #beatAt: Moment = LONG_AGO;
  #keeping: Keeping | null = null;
  #beating: Promise<void> | null = null;
  #isJudging = false;
  #isClosing = false;
  #timers: NodeJS.Timeout[] = [];

  /** @param leaseMs how long a session holds after a heartbeat, milliseconds */
  constructor(deps: WorkerSessionsDeps, leaseMs: number) {
    this.#deps = deps;
    this.#leaseMs = leaseMs;
    this.#own = deps.runtime.newId();
    deps.presence.enter(this.#own);
  }

  get own(): string {
    return this.#own;
  }

  isHeld(): boolean {
    const { elapsed, time } = this.#moment();
    const { elapsed: elapsedThen, time: timeThen } = this.#beatAt;
    return !this.#isClosing && elapsed - elapsedThen < this.#leaseMs && time - timeThen < this.#leaseMs;
  }

  async confirm(session: string, signal: AbortSignal): Promise<void> {
    while (session === this.#own && !this.isHeld()) {
      signal.throwIfAborted();
      if (this.#isClosing) throw new RatchetError('shutting_down', 'the worker is shutting down');
      // Trouble with the log is told by the heartbeats that the timer sends.
      await this.#beat().catch(() => pause(this.#leaseMs / BEATS_PER_LEASE, signal));
    }
    signal.throwIfAborted();
    if (session !== this.#own) throw lapsed();
  }

  async alive(): Promise<readonly string[]> {
    const others = [...this.#watched.keys()].filter((session) => !this.#deps.presence.hasDied(session));
    return [this.#own, ...others];
  }

  async isGone(session: string): Promise<boolean> {
    if (session === this.#own) return false;
    if (!this.#ended.has(session) && !this.#watched.has(session)) await this.#look(session);
    if (this.#watched.has(session) && this.#deps.presence.hasDied(session)) await this.#end(session);
    return this.#ended.has(session);
  }

  /** Whether no other session that runs executions is known to be alive. */
  isAlone(): boolean {
    for (const { state } of this.#watched.values()) if (state.status === 'alive' && state.capacity > 0) return false;
    return true;
  }

  /** Whether, of all sessions that run executions, this one began first: what only one should do is done here. */
  isElected(): boolean {
    if (!this.isHeld() || this.#keeping === null || this.#keeping.facts.capacity === 0) return false;
    const rank = rankOf(this.#ownStartedAt, this.#own);
    for (const [session, { state, startedAt }] of this.#watched) {
      const runs = state.status === 'alive' && state.capacity > 0;
      if (runs && rankOf(startedAt, session) < rank && !this.#deps.presence.hasDied(session)) return false;
    }
    return true;
  }

  #moment(): Moment {
    const { elapsed, runtime } = this.#deps;
    return { elapsed: elapsed(), time: runtime.now() };
  }

  /** Begins the own session, and to watch the others, until {@link close} or `signal`. Fails with an error of the store. */
  async start(keeping: Keeping, signal: AbortSignal): Promise<void> {
    this.#keeping = keeping;
    const { store, onTrouble } = this.#deps;
    const from = await store.head();
    await this.#begin();
    const onPage = (page: EventPage): void => {
      for (const event of page.events) this.#fold(event);
    };
    void keepFollowing(store, { from, filter: FILTER, onPage, onTrouble }, signal);
    for (const session of await keeping.known()) {
      if (session !== this.#own && !this.#ended.has(session)) await this.#look(session);
    }
    this.#every(this.#leaseMs / BEATS_PER_LEASE, () => this.#beat());
    this.#every(this.#leaseMs / LOOKS_PER_LEASE, () => this.#judge());
  }

  /** Ends the own session: what it ran may be taken over at once. */
  async close(): Promise<void> {
    if (this.#isClosing) return;
    this.#isClosing = true;
    for (const timer of this.#timers) clearInterval(timer);
    try {
      await this.#beating?.catch(() => undefined);
      if (this.#version < 0) return;
      const ended: WorkerEvent = { type: 'WorkerSessionEnded', data: { sessionId: this.#own, reason: 'closed' } };
      await this.#append(this.#own, this.#version, ended, `end:${this.#own}`).catch((error: unknown) => {
        // Others have ended it before.
        if (!isRatchetError(error, 'version_conflict')) throw error;
      });
    } finally {
      this.#deps.presence.leave(this.#own);
    }
  }

  #every(ms: number, work: () => Promise<void>): void {
    const timer = setInterval(() => void work().catch(this.#deps.onTrouble), ms);
    timer.unref();
    this.#timers.push(timer);
  }

  /** May be done again where it failed: it begins once. */
  async #begin(): Promise<void> {
    if (this.#keeping === null) return;
    const sentAt = this.#moment();
    const data = { sessionId: this.#own, ...this.#keeping.facts, leaseMs: this.#leaseMs };
    const version = await this.#append(this.#own, -1, { type: 'WorkerSessionStarted', data }, `start:${this.#own}`);
    const [started] = await this.#deps.store.readStream(streamName('worker', this.#own), { limit: 1 });
    this.#ownStartedAt = started?.recordedAt ?? '';
    this.#version = version;
    this.#confirmed(sentAt);
  }

  #beat(): Promise<void> {
    this.#beating ??= this.#beaten().finally(() => {
      this.#beating = null;
    });
    return this.#beating;
  }

  async #beaten(): Promise<void> {
    if (this.#version < 0) return this.#begin();
    const { runtime } = this.#deps;
    const sessionId = this.#own;
    const beat: WorkerEvent = { type: 'WorkerHeartbeat', data: { sessionId, running: this.#keeping?.running() ?? 0 } };
    const sentAt = this.#moment();
    try {
      this.#version = await this.#append(sessionId, this.#version, beat, `beat:${sessionId}:${runtime.newId()}`);
      this.#confirmed(sentAt);
    } catch (error) {
      if (!isRatchetError(error, 'version_conflict')) throw error;
      // A heartbeat whose answer was lost, or the end of the session.
      const { state, version } = await this.#read(sessionId, UNREAD);
      this.#version = version;
      if (state.status === 'ended') await this.#renew();
    }
  }

  /** The own session has lapsed: what it ran is left to whoever takes it over, and a new session begins. */
  async #renew(): Promise<void> {
    const { presence, runtime } = this.#deps;
    this.#beatAt = LONG_AGO;
    this.#keeping?.onLapsed();
    this.#remember(this.#own);
    presence.leave(this.#own);
    this.#own = runtime.newId();
    this.#version = -1;
    presence.enter(this.#own);
    await this.#begin();
  }

  /** Who could not reach the log for a while has missed the heartbeats of others: everybody gets a new lease. */
  #confirmed(sentAt: Moment): void {
    if (sentAt.elapsed - this.#beatAt.elapsed > this.#leaseMs) {
      for (const watched of this.#watched.values()) watched.seenAt = this.#deps.elapsed();
    }
    this.#beatAt = sentAt;
  }

  /** Ends the sessions of others that have given no sign of life for a lease, or whose process is known to have died. */
  async #judge(): Promise<void> {
    if (this.#isJudging || !this.isHeld()) return;
    this.#isJudging = true;
    try {
      for (const [session, { state, seenAt }] of this.#watched) {
        const leaseMs = state.status === 'alive' ? state.leaseMs : this.#leaseMs;
        const isOverdue = this.#deps.elapsed() - seenAt > leaseMs;
        if (isOverdue || this.#deps.presence.hasDied(session)) await this.#end(session);
      }
    } finally {
      this.#isJudging = false;
    }
  }

  async #end(session: string): Promise<void> {
    const watched = this.#watched.get(session);
    if (watched === undefined) return;
    const lapsed: WorkerEvent = { type: 'WorkerSessionEnded', data: { sessionId: session, reason: 'lapsed' } };
    try {
      await this.#append(session, watched.version, lapsed, `lapse:${session}:${watched.version}:${this.#own}`);
      this.#remember(session);
      const { state } = watched;
      if (state.status === 'alive') this.#deps.onGone({ sessionId: session, host: state.host, pid: state.pid });
    } catch (error) {
      if (!isRatchetError(error, 'version_conflict')) throw error;
      await this.#look(session);
    }
  }

  /** Learns from the log what has become of a session. */
  async #look(session: string): Promise<void> {
    const read = await this.#read(session, this.#watched.get(session) ?? UNREAD);
    if (read.state.status === 'ended') return this.#remember(session);
    const known = this.#watched.get(session);
    if (known !== undefined && known.version >= read.version) return;
    const startedAt = read.startedAt ?? known?.startedAt ?? '';
    this.#watched.set(session, { ...read, startedAt, seenAt: this.#deps.elapsed() });
  }

  /** @returns what a session has come to, from what is known of it already on; `startedAt` where its start was read now. */
  async #read(session: string, known: Known): Promise<Known & { readonly startedAt: string | null }> {
    let { state, version } = known;
    let startedAt: string | null = null;
    for (;;) {
      const options = { from: version + 1, limit: PAGE };
      const events = await this.#deps.store.readStream(streamName('worker', session), options);
      for (const stored of events) {
        state = workerSession.evolve(state, decode<WorkerEvent>(stored));
        version = stored.version;
        if (version === 0) startedAt = stored.recordedAt;
      }
      if (events.length < PAGE) return { state, version, startedAt };
    }
  }

  #fold(stored: StoredEvent): void {
    const session = idOf(stored.stream);
    if (this.#ended.has(session)) return;
    if (session === this.#own) {
      // Somebody took us for dead: the next heartbeat learns so, and need not wait.
      if (stored.type === 'WorkerSessionEnded' && !this.#isClosing) void this.#beat().catch(this.#deps.onTrouble);
      return;
    }
    const watched = this.#watched.get(session);
    const known = watched ?? UNREAD;
    if (stored.version <= known.version) return;
    if (stored.version > known.version + 1) return void this.#look(session).catch(this.#deps.onTrouble);
    const state = workerSession.evolve(known.state, decode<WorkerEvent>(stored));
    if (state.status === 'ended') return this.#remember(session);
    const startedAt = stored.version === 0 ? stored.recordedAt : (watched?.startedAt ?? '');
    this.#watched.set(session, { state, version: stored.version, startedAt, seenAt: this.#deps.elapsed() });
  }

  #remember(session: string): void {
    this.#watched.delete(session);
    this.#ended.add(session);
    const [oldest] = this.#ended;
    if (this.#ended.size > MAX_ENDED && oldest !== undefined) this.#ended.delete(oldest);
  }

  /** @returns the version after it. Fails with `version_conflict` where the stream stands elsewhere, or an error of the store. */
  async #append(session: string, version: number, event: WorkerEvent, commandId: string): Promise<number> {
    const { store, runtime } = this.#deps;
    const meta = {
      principal: workerPrincipal(this.#own),
      commandId,
      correlationId: session,
      causationId: null,
      traceparent: null,
      now: runtime.now(),
    };
    const expected = version < 0 ? 'no-stream' : version;
    const appended = await store.append(streamName('worker', session), expected, envelopes(runtime, [event], meta));
    return appended.version;
  }
}

/** What is told to those who act for a session that others have ended. */
export function lapsed(): RatchetError {
  return new RatchetError('version_conflict', 'the worker session has lapsed: others take over what it ran');
}

function rankOf(startedAt: string, session: string): string {
  return `${startedAt} ${session}`;
}

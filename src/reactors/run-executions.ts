/** Runs executions: claims them, one process each, records how each attempt ended, and comes back to those that wait. */
import { isRatchetError, RatchetError } from '../domain/errors.ts';
import type { ExecutionRequest } from '../domain/execution.ts';
import { freshStart } from '../domain/next-attempt.ts';
import type { Payload } from '../domain/payload.ts';
import { timeOf } from '../domain/time.ts';
import type { DispatchTable, Due, SharedWork } from '../ports/dispatch-table.ts';
import type { Dispatcher, Reservation } from '../ports/dispatcher.ts';
import type { ProjectionProgress } from '../ports/read-store.ts';
import type { Sessions } from '../ports/worker-sessions.ts';
import { birth, claim, readUnfinished } from './claim.ts';
import { ClientPlaces } from './client-places.ts';
import { FairQueue } from './fair-queue.ts';
import { WorkFinder } from './find-work.ts';
import { type AttemptFact, type Claimed, type LiveDeps, type Running, runLive } from './live-attempt.ts';
import { MAX_TIMER_MS } from './mailbox.ts';
import { Pace } from './pace.ts';
import { Places } from './places.ts';
import { lapsed } from './worker-sessions.ts';

/**
 * Executions claimed for each place. Those beyond the places are ready to run the moment one is free, so that places do not
 * stand idle while a claim becomes durable; more would only keep them from other nodes.
 */
const ADMITTED_PER_PLACE = 16;
/**
 * While there are other nodes, as many are claimed ahead as have ended here in so many milliseconds lately: it takes part of
 * that time until a claim is durable, and with fewer the places would stand idle meanwhile.
 */
const PACE_MS = 500;
/** Executions that one look at the own table brings; they stay in it until they are claimed. */
const TOLD_AT_ONCE = 1_000;

const MAX_BACKOFF_MS = 60_000;

export interface RunnerOptions {
  /** Executions at once; 0 where other nodes run them all. */
  readonly capacity: number;
  /** Executions of one client at once, subtasks not counted; no limit where left out or null. */
  readonly maxPerClient?: number | null;
  /** Version of Node, recorded with each attempt. */
  readonly node: string;
  /** Milliseconds between looks at the dispatch table. */
  readonly scanMs: number;
  /** Up to how many executions that wait for other nodes too are counted. */
  readonly countUpTo: number;
}

export interface RunnerDeps extends LiveDeps {
  readonly table: DispatchTable;
  /** Work that several nodes share, each execution handed to one of them; null: what is found in `table` is run here. */
  readonly shared: SharedWork | null;
  readonly progress: ProjectionProgress;
  readonly sessions: Sessions;
  /** Whether no other node that runs executions is known. */
  readonly isAlone: () => boolean;
  /** Told about a failure that is nobody's request, such as a store that can not be reached. */
  readonly onTrouble: (error: unknown, executionId: string | null) => void;
}

export class ExecutionRunner implements Dispatcher {
  readonly #deps: RunnerDeps;
  readonly #options: RunnerOptions;
  readonly #queue = new FairQueue();
  readonly #pace = new Pace(PACE_MS);
  readonly #running = new Map<string, Running>();
  readonly #later = new Map<string, NodeJS.Timeout>();
  /** Parents running here whose subtask ended meanwhile; should they park, they go on at once. */
  readonly #childEnded = new Set<string>();
  /** Own attempts that broke off without a recorded end, because the store failed; they are taken over from ourselves. */
  readonly #abandoned = new Set<string>();
  /** Being claimed here: taken out of the queue, and not running yet. */
  readonly #claiming = new Set<string>();
  /** Settled when the one taken last has been claimed, or will not be: claims leave in the order in which they were taken. */
  #claimed: Promise<void> = Promise.resolve();
  /** Running here, and asked to end. */
  readonly #cancelAsked = new Set<string>();
  /** How often in a row each one broke off or could not be claimed. */
  readonly #troubles = new Map<string, number>();
  /** How often in a row the process of each one died. */
  readonly #crashes = new Map<string, number>();
  readonly #places: Places;
  readonly #clients: ClientPlaces;
  /** Brings the work that is shared with other nodes; null where none is. */
  readonly finder: WorkFinder | null;
  /** Executions being claimed, waiting for a place, or in one. */
  #admitted = 0;
  #closing = false;
  #aborting = false;
  #scanTimer: NodeJS.Timeout | null = null;
  #idle: (() => void)[] = [];

  constructor(deps: RunnerDeps, options: RunnerOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#places = new Places(options.capacity);
    const { shared, progress, sessions, onTrouble } = deps;
    // Whoever hands out shared work counts the places of clients on all nodes.
    this.#clients = new ClientPlaces(shared === null ? (options.maxPerClient ?? null) : null);
    this.finder =
      shared &&
      new WorkFinder(
        { work: shared, progress, session: () => sessions.own, onTrouble: (error) => onTrouble(error, null) },
        options,
        { room: () => this.#room(), take: (due) => this.#push(due) },
      );
  }

  /** Takes what running tasks ask for. It has room of its own, so that it does not wait behind what waits for its parent. */
  readonly forSubtasks: Dispatcher = {
    reserve: () => {
      const most = this.#options.capacity * ADMITTED_PER_PLACE * 2;
      return this.#mayClaim() && this.#admitted < most ? this.#reserve(null) : null;
    },
    offer: (waiting, runAt) => this.offer(waiting, runAt),
    queued: () => this.queued(),
  };

  reserve(client: string): Reservation | null {
    if (this.#room() < 1 || this.#queue.size > 0 || this.finder?.mayPass === false) return null;
    return this.#clients.enter(client) ? this.#reserve(client) : null;
  }

  #reserve(client: string | null): Reservation {
    this.#admitted += 1;
    const start = freshStart(1, birth(this.#deps, this.#options.node));
    return {
      start,
      cancel: () => this.#left(client),
      run: (request, version) =>
        this.#run({ request, version, start, state: null, streamVersion: 1, crashes: 0 }, client),
    };
  }

  offer(waiting: Due, runAt: number): void {
    const delay = runAt - this.#deps.runtime.now();
    if (delay > 0) this.#offerLater(waiting, delay);
    else if (this.finder !== null) this.finder.stored();
    else this.#push(waiting);
  }

  queued(): number {
    return this.#queue.size + this.#clients.waiting + (this.finder?.waiting ?? 0);
  }

  /** How many run here now. */
  running(): number {
    return this.#running.size;
  }

  /** Asks an execution to end that runs here, or has just parked here. */
  cancel(executionId: string, reason: string | null): void {
    const running = this.#running.get(executionId);
    if (running !== undefined) {
      this.#cancelAsked.add(executionId);
      running.cancel(reason);
    } else if (this.#later.has(executionId)) this.#again(begun(executionId));
    else if (this.#clients.isWaiting(executionId)) {
      // It does not wait for others of its client in order to end.
      this.#queue.push(begun(executionId));
      this.#pump();
      // It may have parked without a time just before the wish came: whoever claims it then ends it.
    } else this.#push(begun(executionId));
  }

  /** Brings an answer to an execution that runs here; one that waits is woken by the dispatch table. */
  answer(executionId: string, path: string, answer: Payload): void {
    this.#running.get(executionId)?.answer(path, answer);
  }

  /** Takes up what is due or was left behind, now and from then on. */
  async start(): Promise<void> {
    if (this.#options.capacity > 0) await this.#scan();
    await this.finder?.start();
  }

  /** Stops claiming, waits up to `graceMs` for running attempts, then leaves the rest for others to resume. */
  async close(graceMs: number): Promise<void> {
    this.#closing = true;
    if (this.#scanTimer !== null) clearTimeout(this.#scanTimer);
    for (const timer of this.#later.values()) clearTimeout(timer);
    const timer = setTimeout(() => this.#abortAll(), graceMs);
    await this.finder?.close();
    await this.#whenIdle();
    clearTimeout(timer);
  }

  #abortAll(): void {
    this.#aborting = true;
    for (const running of this.#running.values()) running.abort(shuttingDown());
  }

  /** Breaks off everything that runs: its session has lapsed, and others may have taken it over. */
  lapse(): void {
    for (const running of this.#running.values()) running.abort(lapsed());
  }

  #mayClaim(): boolean {
    return !this.#closing && this.#deps.sessions.isHeld();
  }

  #isHere(executionId: string): boolean {
    return this.#running.has(executionId) || this.#claiming.has(executionId);
  }

  #whenIdle(): Promise<void> {
    if (this.#admitted === 0 && this.#running.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /** @param isWoken whether it is due then even if it waits for a later time, or for nothing that has one */
  #offerLater(due: Due, delay: number, isWoken = false): void {
    if (this.#closing || this.#options.capacity === 0) return;
    const known = this.#later.get(due.executionId);
    if (known !== undefined) clearTimeout(known);
    const at = this.#deps.runtime.now() + delay;
    const timer = setTimeout(
      () => {
        this.#later.delete(due.executionId);
        // A timer may be early by a part of a millisecond, and none is as long as some delays.
        const left = at - this.#deps.runtime.now();
        if (left > 0 && !isWoken) this.#offerLater(due, left);
        else if (isWoken || this.finder === null) this.#again(due);
        else this.finder.wake();
      },
      Math.min(delay, MAX_TIMER_MS),
    );
    timer.unref();
    this.#later.set(due.executionId, timer);
  }

  /** It is due now. What broke off here is still ours; the rest is anybody's where work is shared. */
  #again(due: Due): void {
    if (this.finder === null || this.#abandoned.has(due.executionId)) this.#push(due);
    else this.finder.wakeFor(due.executionId);
  }

  /** @returns whether it is to be claimed: it is not when it is here already */
  #push(due: Due): boolean {
    if (this.#closing || this.#options.capacity === 0) return false;
    if (this.#isHere(due.executionId) || this.#clients.isWaiting(due.executionId)) return false;
    this.#queue.push(due);
    this.#pump();
    return true;
  }

  async #scan(): Promise<void> {
    this.#pump();
    try {
      const { table, sessions, runtime } = this.#deps;
      const told = this.finder === null ? await table.due(runtime.now(), TOLD_AT_ONCE) : [];
      for (const due of told) this.#push(due);
      // Own ones too: a claim whose answer was lost runs nowhere, under a session that is alive.
      const others = (await sessions.alive()).filter((session) => session !== sessions.own);
      const lost = await table.runningElsewhere(others, this.#options.capacity * 4 + this.#running.size);
      for (const { executionId, worker } of lost) {
        if (worker === sessions.own || (await sessions.isGone(worker))) this.#push(begun(executionId));
      }
    } catch (error) {
      this.#deps.onTrouble(error, null);
    }
    if (this.#closing) return;
    this.#scanTimer = setTimeout(() => void this.#scan(), this.#options.scanMs);
  }

  #pump(): void {
    while (this.#mayClaim() && this.#admitted < this.#most() && this.#queue.size > 0) {
      const executionId = this.#queue.pop();
      if (executionId === undefined || this.#isHere(executionId)) continue;
      this.#admitted += 1;
      this.#claiming.add(executionId);
      void this.#take(executionId);
    }
  }

  /** Runs it if it can be claimed, and if its client may have one more. */
  async #take(executionId: string): Promise<void> {
    let client = this.#clients.given(executionId);
    const before = this.#claimed;
    const { promise, resolve: next } = Promise.withResolvers<void>();
    this.#claimed = promise;
    try {
      const found = await readUnfinished(this.#deps.store, executionId);
      await before;
      if (this.finder?.mayClaim(executionId) === false) {
        this.finder.wakeFor(executionId);
        return this.#left(client);
      }
      if (found !== null && client === null && found.state.request.parent === null && !found.state.cancelRequested) {
        if (!this.#clients.enter(found.client)) {
          this.#clients.wait(found.client, executionId, found.state.request.options.priority);
          return this.#left(null);
        }
        client = found.client;
      }
      const claimant = { node: this.#options.node, hasBrokenOff: this.#abandoned.has(executionId) };
      const claiming = found === null ? null : claim(this.#deps, found, claimant);
      next();
      const claimed = await claiming;
      this.finder?.settled(executionId);
      if (claimed === null) this.#unclaimed(executionId, client);
      else this.#run({ ...claimed, crashes: this.#crashes.get(executionId) ?? 0 }, client);
    } catch (error) {
      if (!isRatchetError(error, 'version_conflict')) this.#troubled(begun(executionId), error);
      // Something else than a claim may have come in between: then it still waits.
      else this.finder?.wakeFor(executionId);
      this.#left(client);
    } finally {
      next();
      this.#claiming.delete(executionId);
    }
  }

  /** It has ended, or runs elsewhere: what was remembered about it here is forgotten. */
  #unclaimed(executionId: string, client: string | null): void {
    this.#abandoned.delete(executionId);
    this.#troubles.delete(executionId);
    this.#crashes.delete(executionId);
    this.#left(client);
  }

  #run(claimed: Claimed, client: string | null): void {
    const { executionId, parent } = claimed.request;
    const place = this.#places.open(parent !== null, () => this.#left(client));
    const running = runLive(this.#deps, claimed, place);
    this.#running.set(executionId, running);
    this.#abandoned.delete(executionId);
    if (this.#aborting) running.abort(shuttingDown());
    running.ended
      .then((end) => this.#afterEnd(claimed.request, client, end))
      .catch((error: unknown) => this.#afterTrouble(executionId, error))
      .finally(() => {
        this.#pace.ended(performance.now());
        this.#running.delete(executionId);
        this.#childEnded.delete(executionId);
        this.#cancelAsked.delete(executionId);
        place.leave();
        this.#tellIdle();
      });
  }

  #afterEnd(request: ExecutionRequest, client: string | null, end: AttemptFact): void {
    const { executionId, options, parent } = request;
    const due = { executionId, client: client ?? '', priority: options.priority };
    this.#troubles.delete(executionId);
    this.#crashes.delete(executionId);
    if (end.type !== 'ExecutionWaiting' && end.type !== 'AttemptFailed') {
      if (parent !== null) this.#childOf(parent.executionId);
      return;
    }
    const until = end.type === 'AttemptFailed' ? end.data.retryAt : end.data.until;
    const isWoken = end.type === 'ExecutionWaiting' && end.data.reason === 'task' && this.#childEnded.has(executionId);
    const isDue = isWoken || this.#cancelAsked.has(executionId);
    if (isDue) return this.#offerLater(due, 1, true);
    // Without a time, only an answer brings it back, through the dispatch table.
    if (until !== null) {
      this.#offerLater(due, Math.max(1, timeOf(until) - this.#deps.runtime.now()));
    }
  }

  #afterTrouble(executionId: string, error: unknown): void {
    if (isRatchetError(error, 'version_conflict') || isRatchetError(error, 'shutting_down')) return;
    this.#abandoned.add(executionId);
    if (!isRatchetError(error, 'sandbox_crashed')) return this.#troubled(begun(executionId), error);
    this.#deps.onTrouble(error, executionId);
    this.#crashes.set(executionId, (this.#crashes.get(executionId) ?? 0) + 1);
    this.#offerLater(begun(executionId), 1, true);
  }

  /** Tried again ever more rarely, so that what can not be recorded does not run without end. */
  #troubled(due: Due, error: unknown): void {
    const { executionId } = due;
    this.#deps.onTrouble(error, executionId);
    const times = this.#troubles.get(executionId) ?? 0;
    this.#troubles.set(executionId, times + 1);
    this.#offerLater(due, Math.min(this.#options.scanMs * 2 ** times, MAX_BACKOFF_MS), true);
  }

  #childOf(parentId: string): void {
    if (this.#running.has(parentId)) this.#childEnded.add(parentId);
    else if (this.#later.has(parentId)) this.#again(begun(parentId));
  }

  /** Alone, a node claims far ahead; among others it leaves to them what it would not get to soon. */
  #most(): number {
    const { capacity } = this.#options;
    const ahead = capacity * (ADMITTED_PER_PLACE - 1);
    if (this.finder === null || this.#deps.isAlone()) return capacity + ahead;
    return capacity + Math.min(ahead, this.#pace.lately(performance.now()));
  }

  #room(): number {
    return this.#mayClaim() ? this.#most() - this.#admitted - this.#queue.size : 0;
  }

  #left(client: string | null): void {
    this.#admitted -= 1;
    if (client !== null) this.#passOn(client);
    this.#pump();
    this.finder?.freed();
    this.#tellIdle();
  }

  /** To the next of the client that is not being ended already. */
  #passOn(client: string): void {
    for (let next = this.#clients.leave(client); next !== null; next = this.#clients.leave(client)) {
      if (!this.#isHere(next.executionId)) return void this.#push({ ...next, client: '' });
      this.#clients.given(next.executionId);
    }
  }

  #tellIdle(): void {
    if (this.#admitted > 0 || this.#running.size > 0) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}

function shuttingDown(): RatchetError {
  return new RatchetError('shutting_down', 'the worker is shutting down');
}

/** What has begun goes on before its equals. */
function begun(executionId: string): Due {
  return { executionId, client: '', priority: 0 };
}

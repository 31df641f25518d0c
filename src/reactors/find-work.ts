/** Finds work among that which nodes share: soon after something has come, else now and then, and no more than there is room for. */
import { isRatchetError } from '../domain/errors.ts';
import { type Position, START } from '../domain/event.ts';
import type { Due, SharedWork } from '../ports/dispatch-table.ts';
import type { ProjectionProgress } from '../ports/read-store.ts';

/** Between two looks, so that a flood of requests does not become one of queries. */
const GAP_MS = 10;
/** Most executions picked at once. */
const MOST = 64;
/** How long a look waits for what was seen in the log to be seen among the work, too. */
const REACH_MS = 5_000;
/** For how long, and how often, an execution is woken that has not come to wait yet. */
const WAKE_MS = 5_000;
const WAKE_GAP_MS = 50;

/** Who runs what is found. */
export interface Taker {
  /** How many executions it would take now. */
  room(): number;
  /** @returns whether it is to be claimed */
  take(due: Due): boolean;
}

export interface FinderDeps {
  readonly work: SharedWork;
  /** Of the read models that the work is kept with. */
  readonly progress: ProjectionProgress;
  /** The worker session that picks. */
  readonly session: () => string;
  readonly onTrouble: (error: unknown) => void;
}

export interface FinderOptions {
  /** Milliseconds between looks when nothing is known to have come. */
  readonly scanMs: number;
  /** Up to how many that wait are counted. */
  readonly countUpTo: number;
}

export class WorkFinder {
  readonly #deps: FinderDeps;
  readonly #options: FinderOptions;
  readonly #taker: Taker;
  /** Until when each that was picked may be claimed. */
  readonly #picked = new Map<string, number>();
  /** Are to be due now; until when that is tried. */
  readonly #woken = new Map<string, number>();
  /** Up to where the log is known to tell of work. */
  #seen: Position = START;
  /** There may be more: something came, or the last look found something. */
  #hasMore = false;
  /** More waits than there was room for. */
  #isBehind = false;
  /** Something is due whose client has as many places as it may. */
  #isHeldBack = false;
  /** As counted at the last regular look, and stored here since. */
  #waiting = 0;
  #lastLook = Number.NEGATIVE_INFINITY;
  #looking: Promise<void> | null = null;
  #soon: NodeJS.Timeout | null = null;
  #regular: NodeJS.Timeout | null = null;
  #isOpen = false;

  constructor(deps: FinderDeps, options: FinderOptions, taker: Taker) {
    this.#deps = deps;
    this.#options = options;
    this.#taker = taker;
  }

  /** Whether what comes now may be run at once: it goes before nobody that waits, and no places need to be counted. */
  get mayPass(): boolean {
    return !this.#isBehind && !this.#deps.work.limitsClients;
  }

  /** About how many wait, for whichever node. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Looks once, and from then on. */
  async start(): Promise<void> {
    this.#isOpen = true;
    await this.#lookRegularly();
  }

  /** Stops looking, and gives back what was picked and is not claimed yet. */
  async close(): Promise<void> {
    this.#isOpen = false;
    for (const timer of [this.#soon, this.#regular]) if (timer !== null) clearTimeout(timer);
    await this.#looking;
    const left = [...this.#picked.keys()];
    this.#picked.clear();
    if (left.length === 0) return;
    await this.#deps.work.wake(this.#deps.session(), left).catch(this.#deps.onTrouble);
  }

  /** An execution that waits was stored here. */
  stored(): void {
    this.#waiting += 1;
  }

  /** The log tells, up to here, that something has come to wait or was answered (`came`), or has left its place. */
  follow(position: Position, { came, left }: { readonly came: boolean; readonly left: boolean }): void {
    this.#seen = position;
    if (came || (left && this.#isHeldBack)) this.wake();
  }

  /** Something is due now. */
  wake(): void {
    this.#hasMore = true;
    this.#lookSoon(GAP_MS);
  }

  /** This execution is due now, whatever time it waits for; what was picked of it and not claimed is given back. */
  wakeFor(executionId: string): void {
    this.#picked.delete(executionId);
    this.#woken.set(executionId, performance.now() + WAKE_MS);
    this.wake();
  }

  /** There is room again. */
  freed(): void {
    if (this.#hasMore) this.#lookSoon(GAP_MS);
  }

  /** False: it was picked too long ago, and another node may be about to claim it. */
  mayClaim(executionId: string): boolean {
    return performance.now() < (this.#picked.get(executionId) ?? Number.POSITIVE_INFINITY);
  }

  /** It was claimed, or has ended, or runs elsewhere: the log tells the rest. */
  settled(executionId: string): void {
    this.#picked.delete(executionId);
  }

  #lookSoon(gapMs: number): void {
    // A look under way sees to it when it is done.
    if (!this.#isOpen || this.#soon !== null || this.#looking !== null) return;
    if (this.#taker.room() < 1) this.#isBehind ||= this.#hasMore;
    if (this.#woken.size === 0 && this.#taker.room() < 1) return;
    const pause = Math.max(0, this.#lastLook + gapMs - performance.now());
    this.#soon = setTimeout(() => {
      this.#soon = null;
      void this.#look();
    }, pause);
  }

  async #lookRegularly(): Promise<void> {
    await this.#look();
    await this.#count();
    if (!this.#isOpen) return;
    this.#regular = setTimeout(() => void this.#lookRegularly(), this.#options.scanMs);
  }

  async #look(): Promise<void> {
    if (this.#looking !== null) return this.#looking;
    let hasFailed = false;
    this.#looking = this.#lookNow().catch((error: unknown) => {
      // The next regular look tries again.
      hasFailed = true;
      this.#hasMore = true;
      this.#deps.onTrouble(error);
    });
    await this.#looking;
    this.#looking = null;
    if (hasFailed) return;
    if (this.#hasMore) this.#lookSoon(GAP_MS);
    else if (this.#woken.size > 0) this.#lookSoon(WAKE_GAP_MS);
  }

  async #lookNow(): Promise<void> {
    this.#lastLook = performance.now();
    // What comes from here on is another look's.
    const hadMore = this.#hasMore;
    this.#hasMore = false;
    if (!(await this.#hasPicked())) this.#hasMore ||= hadMore;
  }

  async #hasPicked(): Promise<boolean> {
    const { work, session } = this.#deps;
    if (!(await this.#isUpToDate())) return false;
    await this.#wakeNow();
    const limit = Math.min(MOST, this.#taker.room());
    if (limit < 1) return false;
    const claimBy = performance.now() + work.claimMs;
    const found = await work.pick(session(), limit);
    for (const due of found) {
      this.#picked.set(due.executionId, claimBy);
      // What the end of this node leaves is given back.
      if (!this.#taker.take(due) && this.#isOpen) this.#picked.delete(due.executionId);
    }
    this.#waiting = Math.max(0, this.#waiting - found.length);
    this.#isBehind = found.length >= limit;
    if (found.length > 0) this.#hasMore = true;
    else await this.#askWhatIsLeft();
    return true;
  }

  /** What waits and was not handed out belongs to clients with as many places as they may, or others were just picking it. */
  async #askWhatIsLeft(): Promise<void> {
    const { work } = this.#deps;
    const isLeft = (await work.waiting(1)) > 0;
    if (work.limitsClients) this.#isHeldBack = isLeft;
    else this.#hasMore ||= isLeft;
  }

  /**
   * Whether what the log has told is among the work. Places can only be counted where it is; what else keeps the read models
   * from going on is told elsewhere, and holds up nothing here.
   */
  async #isUpToDate(): Promise<boolean> {
    const { work, progress } = this.#deps;
    try {
      await progress.reach(this.#seen, REACH_MS);
      return true;
    } catch (error) {
      return !(work.limitsClients && isRatchetError(error, 'projection_behind'));
    }
  }

  async #wakeNow(): Promise<void> {
    const { work, session } = this.#deps;
    if (this.#woken.size === 0) return;
    for (const executionId of await work.wake(session(), [...this.#woken.keys()])) this.#woken.delete(executionId);
    const now = performance.now();
    for (const [executionId, until] of this.#woken) if (until < now) this.#woken.delete(executionId);
  }

  async #count(): Promise<void> {
    const { work, onTrouble } = this.#deps;
    if (this.#waiting === 0 && !this.#hasMore) return;
    try {
      this.#waiting = await work.waiting(this.#options.countUpTo);
      if (this.#waiting === 0 && this.#taker.room() < 1) this.#hasMore = false;
    } catch (error) {
      onTrouble(error);
    }
  }
}

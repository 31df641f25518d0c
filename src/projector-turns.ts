/** What a process does for the read models as long as it lives: projects while it has the right to, else follows who has. */
import type { Kysely } from 'kysely';
import type { Projection } from '../projections/projection.ts';
import type { ReadModels } from '../projections/read-models.ts';
import { ProjectionRunner, type ProjectionStatus } from '../projections/runner.ts';
import { aheadOf, behindOf, isNewer, type Versions, versionsOf } from '../projections/versions.ts';
import { askRebuild, serveRebuilds, told } from './asked-rebuilds.ts';
import { RatchetError } from './domain/errors.ts';
import { type Position, START } from './domain/event.ts';
import { InterruptiblePause } from './interruptible-pause.ts';
import type { EventStore } from './ports/event-store.ts';
import type { Checkpoint, ProjectionLock, ProjectionStore } from './ports/read-store.ts';
import type { RebuildRequests } from './ports/rebuild-requests.ts';
import { keepProjecting, keepRenewing } from './projecting.ts';
import type { FromProjector } from './projector.ts';

/** How often a process that follows looks how far the other is: rarely, unless somebody waits here. */
const LOOK_MS = 1_000;
const WAITED_FOR_LOOK_MS = 10;
/** Whoever waits longer sees what is new a little later. */
const WAITED_FOR_MS = 10_000;
const UNREADY_LOOK_MS = 50;
const TRY_MS = 2_000;
const WAITED_FOR_TRY_MS = 250;
/** Whoever has lost the right to project lets others try first: they may have taken it for a reason. */
const LOST_MS = 1_500;
/** So often an older program is made to end its turn at once; then it is one that can not be. */
const DISPLACINGS = 3;
const OLDER_PATIENCE_MS = 30_000;

export interface ProjectorParts {
  readonly events: EventStore;
  readonly rows: {
    readonly db: Kysely<ReadModels>;
    readonly projections: ProjectionStore;
    readonly rebuilds: RebuildRequests;
    hold(displacing?: boolean): Promise<ProjectionLock | null>;
  };
  readonly projections: readonly Projection[];
  /** False where this process only follows. */
  readonly mayLead: boolean;
  /** False for a command that is over soon: it leaves a server of an older release alone, and fails. True by default. */
  readonly mayDisplace?: boolean;
  /** How long nobody projects before an older program takes the read models of a newer one back; 30,000 ms by default. */
  readonly olderPatienceMs?: number;
  readonly tell: (message: FromProjector) => void;
}

export class ProjectorTurns {
  readonly #parts: ProjectorParts;
  readonly #own: Versions;
  readonly #rest = new InterruptiblePause();
  readonly #restOfServing = new InterruptiblePause();
  #isFollowing = false;
  #isReady = false;
  #reached: Position = START;
  #wanted: { readonly position: Position; readonly at: number } = { position: START, at: 0 };
  #mayTryAt = 0;
  #triedAt = Number.NEGATIVE_INFINITY;
  /** Since when nobody was seen to project; null while somebody does. */
  #freeSince: number | null = null;
  #wasHeld = false;
  #displacings = 0;
  #toldOf = '';

  constructor(parts: ProjectorParts) {
    this.#parts = parts;
    this.#own = versionsOf(parts.projections);
  }

  /** Takes turns until `signal` aborts. Fails with an error of a store while it follows or begins to project. */
  async run(signal: AbortSignal): Promise<void> {
    for (;;) {
      const lock = await this.#follow(signal);
      if (lock === null) return;
      try {
        await this.#lead(lock, AbortSignal.any([signal, lock.lost]));
      } catch (error) {
        if (!lock.lost.aborted) throw error;
      } finally {
        await lock.release();
      }
      this.#mayTryAt = performance.now() + LOST_MS;
    }
  }

  /** To be told of each position that somebody waits for. */
  wanted(position: Position): void {
    this.#wanted = { position, at: performance.now() };
    this.#rest.cut();
  }

  /** Rebuilds projections (null: all), here or where they are projected. Fails as {@link askRebuild}. */
  async rebuild(names: readonly string[] | null, signal: AbortSignal): Promise<void> {
    const { rebuilds } = this.#parts.rows;
    await askRebuild({ requests: rebuilds, onAsked: () => this.#restOfServing.cut() }, names, signal);
    if (this.#isFollowing) await this.#look();
  }

  async #lead({ projections }: ProjectionLock, signal: AbortSignal): Promise<void> {
    const { events, rows, tell } = this.#parts;
    await projections.announce(this.#own);
    const runner = new ProjectionRunner({ events, rows: projections, db: rows.db }, this.#parts.projections, {
      onReached: (position) => tell({ type: 'reached', position }),
      onStatus: (statuses) => tell({ type: 'statuses', statuses }),
    });
    await runner.load();
    const onTrouble = (error: unknown): void => tell({ type: 'trouble', error: told(error) });
    const served = {
      requests: rows.rebuilds,
      rebuild: runner.rebuild.bind(runner),
      rest: this.#restOfServing,
      onTrouble,
    };
    // Neither is waited for at the end: without the lock what is under way fails.
    void serveRebuilds(served, signal);
    void keepRenewing(runner, onTrouble, signal).then((isDone) => isDone && this.#tellReady());
    await keepProjecting(runner, onTrouble, signal);
  }

  /** While another process projects, tells how far it is; answers with the lock once that one has gone, null at the end. */
  async #follow(signal: AbortSignal): Promise<ProjectionLock | null> {
    this.#isFollowing = true;
    try {
      while (!signal.aborted) {
        const stored = await this.#look();
        if (this.#parts.mayLead && this.#isTimeToTry()) {
          const lock = await this.#try(stored);
          if (lock !== null) return lock;
        }
        await this.#rest.wait(this.#restMs(), signal);
      }
      return null;
    } finally {
      this.#isFollowing = false;
    }
  }

  #isTimeToTry(): boolean {
    const now = performance.now();
    return now >= Math.max(this.#mayTryAt, this.#triedAt + (this.#isWaitedFor() ? WAITED_FOR_TRY_MS : TRY_MS));
  }

  #restMs(): number {
    if (!this.#isReady) return UNREADY_LOOK_MS;
    return this.#isWaitedFor() ? WAITED_FOR_LOOK_MS : LOOK_MS;
  }

  #isWaitedFor(): boolean {
    const { position, at } = this.#wanted;
    return position > this.#reached && performance.now() - at < WAITED_FOR_MS;
  }

  async #try(stored: Versions): Promise<ProjectionLock | null> {
    const { rows } = this.#parts;
    this.#triedAt = performance.now();
    const lock = await rows.hold();
    if (lock !== null) return this.#unlessOlder(lock);
    // Others of this release look now and then as well, and are no reason to wait longer.
    if (this.#wasHeld) this.#freeSince = null;
    this.#wasHeld = true;
    if (aheadOf(this.#own, stored).length === 0) return null;
    const announced = await rows.projections.announced();
    if (announced === null || !isNewer(this.#own, announced)) return null;
    const older = `an older program projects these read models (${this.#compared(announced)})`;
    if (this.#parts.mayDisplace === false) {
      if (this.#isReady) return null;
      throw new RatchetError('read_models_differ', `${older}: use this command of its release, or upgrade it first`);
    }
    this.#displacings += 1;
    if (this.#displacings <= DISPLACINGS) this.#triedAt = Number.NEGATIVE_INFINITY;
    else this.#tellOnce(`${older}: end it`);
    return rows.hold(true);
  }

  /** Read models of a newer program are left to one of that kind, unless there is none any more. */
  async #unlessOlder(lock: ProjectionLock): Promise<ProjectionLock | null> {
    this.#wasHeld = false;
    this.#displacings = 0;
    const stored = versionsOf(await lock.projections.checkpoints());
    const now = performance.now();
    this.#freeSince ??= now;
    const { olderPatienceMs = OLDER_PATIENCE_MS } = this.#parts;
    if (behindOf(this.#own, stored).length === 0 || now - this.#freeSince >= olderPatienceMs) return lock;
    await lock.release();
    return null;
  }

  /** Tells what there is to tell. @returns the versions of the read models. */
  async #look(): Promise<Versions> {
    const checkpoints = await this.#parts.rows.projections.checkpoints();
    const stored = versionsOf(checkpoints);
    const outdated = aheadOf(this.#own, stored);
    const own = checkpoints.filter(({ name }) => this.#own[name] !== undefined);
    const statuses = own.map((checkpoint) => statusOf(checkpoint, outdated));
    this.#parts.tell({ type: 'statuses', statuses });
    if (outdated.length === 0) {
      const [lowest = START] = own.map(({ position }) => position).sort();
      this.#tellReached(lowest);
      this.#tellReady();
      // A newer program may project events that this one does not know.
      if (this.#isWaitedFor() && behindOf(this.#own, stored).length === 0) await this.#lookBehind(lowest);
    }
    this.#tellDifference(stored);
    return stored;
  }

  #tellReached(position: Position): void {
    if (position > this.#reached) this.#reached = position;
    this.#parts.tell({ type: 'reached', position });
  }

  /** Checkpoints do not move for events that change no rows: what is up to them is also up to the next event that does. */
  async #lookBehind(lowest: Position): Promise<void> {
    const { events, projections } = this.#parts;
    const types = [...new Set(projections.flatMap((projection) => projection.types))];
    const page = await events.readAll(lowest, { types }, 1);
    if (page.events.length === 0) this.#tellReached(page.position);
  }

  #tellReady(): void {
    if (!this.#isReady) this.#parts.tell({ type: 'ready' });
    this.#isReady = true;
  }

  #tellDifference(stored: Versions): void {
    if (behindOf(this.#own, stored).length === 0) return;
    this.#tellOnce(`a newer program projects these read models (${this.#compared(stored)}): upgrade this one`);
  }

  /** @returns words for the versions that differ. */
  #compared(there: Versions): string {
    const names = [...behindOf(this.#own, there), ...aheadOf(this.#own, there)];
    return names.map((name) => `${name} is at version ${there[name] ?? 'none'}, here at ${this.#own[name]}`).join('; ');
  }

  /** Until there is something else to tell. */
  #tellOnce(message: string): void {
    if (message === this.#toldOf) return;
    this.#toldOf = message;
    this.#parts.tell({ type: 'trouble', error: told(new RatchetError('read_models_differ', message)) });
  }
}

/** What is of an older program is about to be rebuilt. */
function statusOf(
  { name, version, position, status, error }: Checkpoint,
  outdated: readonly string[],
): ProjectionStatus {
  return { name, version, position, status: outdated.includes(name) ? 'rebuilding' : status, error };
}

/** All task sources of a server: how each was last read, and reading it again when asked. */
import type { PublishDeps } from '../../commands/publish-task.ts';
import { RatchetError } from '../domain/errors.ts';
import type { SourceStatus } from '../domain/source-status.ts';
import type { TaskSource } from '../ports/task-source.ts';
import { type FollowedSource, followSource } from './sync-sources.ts';

export interface SourceWish {
  readonly source: TaskSource;
  readonly watch: boolean;
  /** Milliseconds that the start waits for the first reading; null: until it is done. */
  readonly patienceMs: number | null;
}

export class TaskSources {
  readonly #followed = new Map<string, FollowedSource>();
  readonly #statuses = new Map<string, SourceStatus>();

  /** How each was last read, in the order of the configuration. */
  list(): readonly SourceStatus[] {
    return [...this.#followed.keys()].flatMap((name) => this.#statuses.get(name) ?? []);
  }

  /** Reads a source now. Fails with `not_found` for a name that is none. */
  async sync(name: string): Promise<SourceStatus> {
    return this.#one(name).sync();
  }

  #one(name: string): FollowedSource {
    const followed = this.#followed.get(name);
    if (followed !== undefined) return followed;
    throw new RatchetError('not_found', `there is no source ${name}`, {
      details: { known: [...this.#followed.keys()] },
    });
  }

  /** Asks for a sync and does not wait for it: what comes of it is told by {@link list}. Fails with `not_found` as {@link sync} does. */
  request(name: string): void {
    // Trouble is told to whoever follows.
    this.#one(name)
      .sync()
      .catch(() => undefined);
  }

  /** Reads all, and those that are watched after each change until `signal` aborts. Resolves after the first reading, as far as it is waited for. */
  async follow(
    deps: PublishDeps,
    wishes: readonly SourceWish[],
    told: { readonly onSync: (status: SourceStatus) => void; readonly onTrouble: (error: unknown) => void },
    signal: AbortSignal,
  ): Promise<void> {
    const onSync = (status: SourceStatus): void => {
      this.#statuses.set(status.source, status);
      told.onSync(status);
    };
    const following = wishes.map(async ({ source, watch, patienceMs }) => {
      const followed = followSource(deps, source, { ...told, watch, onSync }, signal);
      this.#followed.set(source.name, followed);
      await within(patienceMs, followed.first);
    });
    await Promise.all(following);
  }
}

/** Waits for `work`, though no longer than `ms`. */
async function within(ms: number | null, work: Promise<unknown>): Promise<void> {
  if (ms === null) return void (await work);
  const overdue = Promise.withResolvers<void>();
  const timer = setTimeout(overdue.resolve, ms);
  await Promise.race([work, overdue.promise]).finally(() => clearTimeout(timer));
}

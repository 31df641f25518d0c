/** All task sources of a server: how each was last read, and reading it again when asked. */
import type { PublishDeps } from '../../commands/publish-task.ts';
import { RatchetError } from '../domain/errors.ts';
import type { SourceStatus } from '../domain/source-status.ts';
import type { TaskSource } from '../ports/task-source.ts';
import { type FollowedSource, followSource } from './sync-sources.ts';

export interface SourceWish {
  readonly source: TaskSource;
  readonly watch: boolean;
}

export class TaskSources {
  readonly #followed = new Map<string, FollowedSource>();
  readonly #statuses = new Map<string, SourceStatus>();

  /** How each was last read, in the order of the configuration. */
  list(): readonly SourceStatus[] {
    return [...this.#statuses.values()];
  }

  /** Reads a source now. Fails with `not_found` for a name that is none. */
  async sync(name: string): Promise<SourceStatus> {
    const followed = this.#followed.get(name);
    if (followed !== undefined) return followed.sync();
    throw new RatchetError('not_found', `there is no source ${name}`, {
      details: { known: [...this.#followed.keys()] },
    });
  }

  /** Reads all, and those that are watched after each change until `signal` aborts. Resolves after the first reading. */
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
    const following = wishes.map(async ({ source, watch }) => {
      this.#followed.set(source.name, await followSource(deps, source, { ...told, watch, onSync }, signal));
    });
    await Promise.all(following);
  }
}

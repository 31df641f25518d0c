/** Keeps tasks in step with the places they come from: a changed file is a new version, a broken one is reported. */
import type { CommandMeta } from '../../commands/command.ts';
import { type PublishDeps, publishDefinition, taskIdOf } from '../../commands/publish-task.ts';
import { LOCAL_ADMIN } from '../domain/access.ts';
import { asRatchetError, isRatchetError } from '../domain/errors.ts';
import type { SourceStatus } from '../domain/source-status.ts';
import { isoTime } from '../domain/time.ts';
import type { BrokenTask, TaskSource } from '../ports/task-source.ts';

/** A source that is followed. */
export interface FollowedSource {
  /** Reads it now, after a sync that is under way; all who ask before that begins share one. */
  sync(): Promise<SourceStatus>;
  /** The first reading. */
  readonly first: Promise<unknown>;
}

/**
 * Reads a source once and publishes what is new. A broken task leaves its last good version in place. A copy that may be older than
 * what was published from elsewhere since, by another node or a person, only adds tasks that there have never been.
 */
export async function syncSource(deps: PublishDeps, source: TaskSource): Promise<SourceStatus> {
  const at = { source: source.name, uri: source.address, ref: source.ref, syncedAt: isoTime(deps.runtime.now()) };
  try {
    const { tasks, broken, revision, branch, stale } = await source.list();
    const published: string[] = [];
    const refused: BrokenTask[] = [...broken];
    for (const definition of tasks) {
      try {
        if (stale !== null && deps.directory.find(taskIdOf(deps, definition.name)) !== undefined) continue;
        const common = { enabled: true, baseVersion: null, source: source.name, revision } as const;
        const publication = { ...common, intent: stale === null ? 'sync' : 'create' } as const;
        const { changed } = await publishDefinition(deps, definition, publication, metaOf(deps, source));
        if (changed) published.push(definition.name);
      } catch (error) {
        if (stale !== null && isRatchetError(error, 'already_exists')) continue;
        refused.push({ path: definition.file, reason: asRatchetError(error).message });
      }
    }
    const error = stale === null ? null : `${stale.reason}; the copy of ${stale.since} stays in use`;
    return { ...at, branch, revision, tasks: tasks.length, published, broken: refused, error };
  } catch (error) {
    const { message } = asRatchetError(error);
    return { ...at, branch: null, revision: null, tasks: 0, published: [], broken: [], error: message };
  }
}

function metaOf(deps: PublishDeps, source: TaskSource): CommandMeta {
  const commandId = deps.runtime.newId();
  return {
    principal: { ...LOCAL_ADMIN, id: `source:${source.name}` },
    commandId,
    correlationId: commandId,
    causationId: null,
    traceparent: null,
    now: deps.runtime.now(),
  };
}

/** Syncs now and, if wanted, after each change until `signal` aborts. */
export function followSource(
  deps: PublishDeps,
  source: TaskSource,
  options: {
    readonly watch: boolean;
    readonly onSync: (status: SourceStatus) => void;
    readonly onTrouble: (error: unknown) => void;
  },
  signal: AbortSignal,
): FollowedSource {
  let turn: Promise<unknown> = Promise.resolve();
  let next: Promise<SourceStatus> | null = null;
  const sync = (): Promise<SourceStatus> => {
    next ??= turn
      .then(() => {
        next = null;
        return syncSource(deps, source);
      })
      .then((status) => {
        options.onSync(status);
        return status;
      });
    turn = next.catch(options.onTrouble);
    return next;
  };
  const watch = async (): Promise<void> => {
    if (options.watch) await source.watch(() => void sync().catch(() => undefined), signal);
  };
  const first = sync();
  first.then(watch).catch(options.onTrouble);
  return { sync, first };
}

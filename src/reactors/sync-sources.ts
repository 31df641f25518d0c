/** Keeps tasks in step with the folders they come from: a changed file is a new version, a broken one is reported. */
import type { CommandMeta } from '../../commands/command.ts';
import { type PublishDeps, publishDefinition } from '../../commands/publish-task.ts';
import { LOCAL_ADMIN } from '../domain/access.ts';
import { asRatchetError } from '../domain/errors.ts';
import type { SourceStatus } from '../domain/source-status.ts';
import { isoTime } from '../domain/time.ts';
import type { BrokenTask, TaskSource } from '../ports/task-source.ts';

/** A source that is followed. */
export interface FollowedSource {
  /** Reads it now, after a sync that is under way. */
  sync(): Promise<SourceStatus>;
}

/** Reads a source once and publishes what is new. A broken task leaves its last good version in place. */
export async function syncSource(deps: PublishDeps, source: TaskSource): Promise<SourceStatus> {
  const syncedAt = isoTime(deps.runtime.now());
  try {
    const { tasks, broken } = await source.list();
    const published: string[] = [];
    const refused: BrokenTask[] = [...broken];
    for (const definition of tasks) {
      try {
        const publication = { intent: 'sync', enabled: true, baseVersion: null, source: source.name } as const;
        const { changed } = await publishDefinition(deps, definition, publication, metaOf(deps, source));
        if (changed) published.push(definition.name);
      } catch (error) {
        refused.push({ path: definition.file, reason: asRatchetError(error).message });
      }
    }
    return { source: source.name, tasks: tasks.length, published, broken: refused, error: null, syncedAt };
  } catch (error) {
    return { source: source.name, tasks: 0, published: [], broken: [], error: asRatchetError(error).message, syncedAt };
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

/** Syncs now and, if wanted, after each change until `signal` aborts. Resolves after the first sync. */
export async function followSource(
  deps: PublishDeps,
  source: TaskSource,
  options: {
    readonly watch: boolean;
    readonly onSync: (status: SourceStatus) => void;
    readonly onTrouble: (error: unknown) => void;
  },
  signal: AbortSignal,
): Promise<FollowedSource> {
  let turn: Promise<unknown> = Promise.resolve();
  const sync = (): Promise<SourceStatus> => {
    const synced = turn
      .then(() => syncSource(deps, source))
      .then((status) => {
        options.onSync(status);
        return status;
      });
    turn = synced.catch(options.onTrouble);
    return synced;
  };
  await sync();
  if (options.watch) source.watch(() => void sync().catch(() => undefined), signal).catch(options.onTrouble);
  return { sync };
}

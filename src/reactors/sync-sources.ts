/** Keeps tasks in step with the folders they come from: a changed file is a new version, a broken one is reported. */
import type { CommandMeta } from '../../commands/command.ts';
import { type PublishDeps, publishDefinition } from '../../commands/publish-task.ts';
import { LOCAL_ADMIN } from '../domain/access.ts';
import { asRatchetError } from '../domain/errors.ts';
import type { BrokenTask, TaskSource } from '../ports/task-source.ts';

export interface SourceStatus {
  readonly source: string;
  readonly tasks: number;
  readonly published: readonly string[];
  readonly broken: readonly BrokenTask[];
  /** Why the source itself could not be read. */
  readonly error: string | null;
}

/** Reads a source once and publishes what is new. A broken task leaves its last good version in place. */
export async function syncSource(deps: PublishDeps, source: TaskSource): Promise<SourceStatus> {
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
    return { source: source.name, tasks: tasks.length, published, broken: refused, error: null };
  } catch (error) {
    return { source: source.name, tasks: 0, published: [], broken: [], error: asRatchetError(error).message };
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
): Promise<void> {
  let turn = syncSource(deps, source).then(options.onSync);
  await turn;
  if (!options.watch) return;
  const onChange = (): void => {
    turn = turn.then(() => syncSource(deps, source)).then(options.onSync);
  };
  source.watch(onChange, signal).catch(options.onTrouble);
}

/** Holds every operation to the caller's task patterns: finds the tasks its input is about, and asks the one decision. */
import type { QueryDeps } from '../../queries/query.ts';
import { namesMeant, taskOfStream, tasksOfBatch } from '../../queries/task-scope.ts';
import { authorizeTask, isAllowedTask, isEveryTask, type Principal } from '../domain/access.ts';
import type { Debugging } from '../domain/debugging.ts';
import { streamName } from '../domain/event.ts';
import type { TaskDirectory } from '../ports/task-directory.ts';

/** Something that belongs to a task, or the task itself by name or id. */
export interface Subject {
  readonly kind: 'batch' | 'task' | 'execution' | 'replay' | 'session' | 'delivery';
  readonly id: string;
}

/** Input fields that name a subject, in every operation that has them. */
export const SUBJECT_FIELDS: Readonly<Record<string, Subject['kind']>> = {
  task_id: 'task',
  execution_id: 'execution',
  other_id: 'execution',
  parent_id: 'execution',
  original_execution: 'execution',
  replay_id: 'replay',
  session_id: 'session',
  batch_id: 'batch',
  delivery_id: 'delivery',
};

export interface TaskAccessDeps {
  readonly directory: TaskDirectory;
  readonly query: Pick<QueryDeps, 'db' | 'store'>;
  readonly debugging: Pick<Debugging, 'sessions'>;
}

/** @returns what the named fields of an input are about. */
export function subjectsIn(input: unknown): readonly Subject[] {
  if (typeof input !== 'object' || input === null) return [];
  return Object.entries(input).flatMap(([field, id]) => {
    const kind = SUBJECT_FIELDS[field];
    return kind === undefined || typeof id !== 'string' ? [] : [{ kind, id }];
  });
}

/**
 * Fails with `permission_denied` ("Task not allowed") when a subject belongs to a task that the patterns of `principal`
 * leave out. What does not exist is left to the operation to tell.
 */
export async function authorizeSubjects(
  deps: TaskAccessDeps,
  principal: Principal,
  subjects: readonly Subject[],
  operation: string,
): Promise<void> {
  if (isEveryTask(principal.tasks)) return;
  for (const subject of subjects) {
    for (const name of await tasksOf(deps, subject, principal)) authorizeTask(principal, name, operation);
  }
}

/** @returns the items that are about executions of tasks that the caller may touch. */
export async function onlyAllowed<Item extends { readonly executionId: string }>(
  { query }: Pick<TaskAccessDeps, 'query'>,
  principal: Principal,
  items: readonly Item[],
): Promise<readonly Item[]> {
  if (isEveryTask(principal.tasks)) return items;
  const names = await Promise.all(
    items.map((item) => taskOfStream(query.store, streamName('execution', item.executionId))),
  );
  return items.filter((_, index) => {
    const name = names[index] ?? null;
    return name !== null && isAllowedTask(principal.tasks, name);
  });
}

async function tasksOf(deps: TaskAccessDeps, { kind, id }: Subject, by: Principal): Promise<readonly string[]> {
  switch (kind) {
    case 'task': {
      // Whoever reads may take the text for a name, an id or the author's id: all that it can mean must be allowed.
      const found = deps.directory.find(id)?.name;
      const meant = await namesMeant(deps.query.db, id);
      const names = found === undefined ? meant : [found, ...meant];
      return names.length === 0 ? [id] : names;
    }
    case 'execution':
    case 'replay':
    case 'delivery':
      return present(await taskOfStream(deps.query.store, streamName(kind, id)));
    case 'batch':
      return tasksOfBatch(deps.query.store, id);
    case 'session': {
      const session = deps.debugging.sessions(by).find(({ sessionId }) => sessionId === id);
      if (session === undefined) return [];
      return present(await taskOfStream(deps.query.store, streamName('execution', session.executionId)));
    }
    default:
      return kind satisfies never;
  }
}

function present(name: string | null): readonly string[] {
  return name === null ? [] : [name];
}

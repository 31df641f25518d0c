/** Reads the tasks that a `--from-fs` names, together with those beside it that it may run through `runTask`. */
import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { folderSource } from '../../infra/task-source.ts';
import { RatchetError } from '../domain/errors.ts';
import type { BrokenTask, TaskDefinition } from '../ports/task-source.ts';

export interface FromFs {
  /** What was named. */
  readonly main: TaskDefinition;
  /** That, and its neighbours. */
  readonly tasks: readonly TaskDefinition[];
}

/** Everything below `path`. Fails with `not_found` when there is nothing. */
export async function listFrom(
  path: string,
): Promise<{ readonly tasks: readonly TaskDefinition[]; readonly broken: readonly BrokenTask[] }> {
  const root = resolve(path);
  if (!existsSync(root)) throw new RatchetError('not_found', `there is no file or folder ${path}`);
  return folderSource({ name: 'from-fs', root }).list();
}

/** One task to run. Fails with `not_found`, `invalid_task`, or when the folder holds several. */
export async function tasksFrom(path: string): Promise<FromFs> {
  const { tasks, broken } = await listFrom(path);
  const [main, second] = tasks;
  if (main === undefined) {
    const reason = broken[0] === undefined ? 'no task is there' : `${broken[0].path}: ${broken[0].reason}`;
    throw new RatchetError('invalid_task', `${path} is not a task: ${reason}`);
  }
  if (second !== undefined) {
    throw new RatchetError(
      'invalid_task',
      `${path} holds ${tasks.length} tasks: name the folder of one, such as ${main.name}`,
    );
  }
  const neighbours = await folderSource({ name: 'neighbours', root: dirname(resolve(path)) })
    .list()
    .catch(() => ({ tasks: [] }));
  return { main, tasks: [main, ...neighbours.tasks.filter((task) => task.name !== main.name)] };
}

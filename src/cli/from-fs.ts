/** Reads the tasks that a `--from-fs` names, together with those beside it that it may run through `runTask`. */
import { existsSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { openOutbound } from '../../infra/outbound.ts';
import { systemRuntime } from '../../infra/runtime.ts';
import { openTaskSource } from '../../infra/sources/open.ts';
import { folderSource } from '../../infra/task-source.ts';
import { RatchetError } from '../domain/errors.ts';
import type { BrokenTask, TaskDefinition } from '../ports/task-source.ts';

export interface FromFs {
  /** What was named. */
  readonly main: TaskDefinition;
  /** That, and its neighbours. */
  readonly tasks: readonly TaskDefinition[];
}

/** Everything below `path`, or in the archive that it is. Fails with `not_found` when there is nothing, or `source_refused`. */
export async function listFrom(
  path: string,
): Promise<{ readonly tasks: readonly TaskDefinition[]; readonly broken: readonly BrokenTask[] }> {
  const root = resolve(path);
  if (!existsSync(root)) throw new RatchetError('not_found', `there is no file or folder ${path}`);
  if (statSync(root).isDirectory()) return folderSource({ name: 'from-fs', root }).list();
  const { newId, now } = systemRuntime();
  const copiesFolder = join(tmpdir(), `ratchet-from-fs-${newId()}`);
  try {
    const deps = { outbound: openOutbound({ allow: [] }), copiesFolder, now };
    return await openTaskSource({ name: 'from-fs', root, watch: false }, deps).list();
  } finally {
    rmSync(copiesFolder, { recursive: true, force: true });
  }
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
  // An archive is complete in itself.
  if (!statSync(path).isDirectory()) return { main, tasks };
  const neighbours = await folderSource({ name: 'neighbours', root: dirname(resolve(path)) })
    .list()
    .catch(() => ({ tasks: [] }));
  return { main, tasks: [main, ...neighbours.tasks.filter((task) => task.name !== main.name)] };
}

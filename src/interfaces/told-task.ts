/** What became of a change to a task, as every surface tells it. */
import type { Handled } from '../../commands/handle.ts';
import { RatchetError } from '../domain/errors.ts';
import { currentVersion, type TaskState } from '../domain/task.ts';

export function toldTask(handled: Handled<TaskState>) {
  const { state, changed, position } = handled;
  if (state.status === 'none') throw new RatchetError('internal', 'a command left no task');
  const version = currentVersion(state);
  return {
    id: state.taskId,
    name: state.name,
    status: state.status,
    version: version?.version ?? 0,
    version_label: version?.versionLabel ?? '',
    content_hash: version?.contentHash ?? '',
    changed,
    position,
  };
}

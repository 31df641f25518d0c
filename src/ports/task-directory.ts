/** What the write side asks about tasks when an execution is requested: the task of a name or id, as of now. */
import type { Position } from '../domain/event.ts';
import type { ExistingTask } from '../domain/task.ts';

export interface TaskDirectory {
  /** By name, id, or the id its author gave it; undefined when there is none. Deleted tasks are told with their status. */
  find(nameOrId: string): ExistingTask | undefined;
  /** All tasks that are not deleted, by name. */
  all(): readonly ExistingTask[];
  /** Resolves once every event up to `position` is in the answers of {@link find}. Fails with `timeout` or `shutting_down`. */
  reach(position: Position): Promise<void>;
}

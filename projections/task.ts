/** Shapes the facts about tasks into a list of tasks and of their versions. */
import { idOf } from '../src/domain/event.ts';
import { TASK_EVENT_TYPES, type TaskVersion } from '../src/domain/task.ts';
import { insert, type Projection, type RowChange, update, upsert } from './projection.ts';

export const tasks: Projection = {
  name: 'tasks',
  version: 3,
  tables: ['tasks', 'task_versions'],
  types: TASK_EVENT_TYPES,
  apply: (event, { stream, position, recordedAt, principal }) => {
    const taskId = idOf(stream);
    const told = { updated_at: recordedAt, position };
    switch (event.type) {
      case 'TaskCreated':
        return [insert('tasks', emptyTask(taskId, event.data.name, recordedAt, position))];
      case 'TaskVersionPublished': {
        const { uuid, ...version } = event.data;
        return [
          update('tasks', { task_id: taskId }, { ...currentColumns(version), ...told }),
          ...(uuid === null ? [] : [update('tasks', { task_id: taskId }, { uuid })]),
          versionRow(taskId, version, { at: recordedAt, by: principal, position }),
        ];
      }
      case 'TaskEnabled':
      case 'TaskRestored':
        return [update('tasks', { task_id: taskId }, { status: 'enabled', ...told })];
      case 'TaskDisabled':
        return [update('tasks', { task_id: taskId }, { status: 'disabled', ...told })];
      case 'TaskDeleted':
        return [update('tasks', { task_id: taskId }, { status: 'deleted', ...told })];
      default:
        return [];
    }
  },
};

function emptyTask(taskId: string, name: string, at: string, position: string) {
  return {
    task_id: taskId,
    name,
    uuid: null,
    status: 'enabled',
    version: 0,
    version_label: '',
    content_hash: '',
    label: null,
    description: '',
    tags: '[]',
    category: null,
    author: null,
    dangerous: 0,
    source: null,
    revision: null,
    created_at: at,
    updated_at: at,
    position,
  };
}

function currentColumns(version: TaskVersion) {
  return {
    version: version.version,
    version_label: version.versionLabel,
    content_hash: version.contentHash,
    label: version.label,
    description: version.description,
    tags: JSON.stringify(version.tags),
    category: version.category,
    author: version.author,
    dangerous: version.dangerous ? 1 : 0,
    source: version.source,
    revision: version.revision ?? null,
  };
}

function versionRow(
  taskId: string,
  version: TaskVersion,
  published: { at: string; by: string; position: string },
): RowChange {
  return upsert('task_versions', {
    task_id: taskId,
    version: version.version,
    version_label: version.versionLabel,
    content_hash: version.contentHash,
    description: version.description,
    code: JSON.stringify(version.code),
    input_schema: JSON.stringify(version.inputSchema),
    output_schema: JSON.stringify(version.outputSchema),
    tests: JSON.stringify(version.tests),
    metadata: JSON.stringify(version.metadata),
    source: version.source,
    revision: version.revision ?? null,
    published_by: published.by,
    published_at: published.at,
    position: published.position,
  });
}

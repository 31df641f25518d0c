/** Facts about tasks: a named unit of JavaScript with immutable, content-addressed versions. */
import type { Evolution, Fact, JsonObject } from './event.ts';
import type { Payload } from './payload.ts';

/** Names are shown, globbed and put into paths: letters, digits, `-`, `_`, `.` and `/` between segments. */
export const TASK_NAME: RegExp = /^[A-Za-z0-9][A-Za-z0-9_.-]*(?:\/[A-Za-z0-9][A-Za-z0-9_.-]*)*$/;
export const MAX_TASK_NAME = 128;

/** Everything that makes one version of a task; never changes once published. */
export interface TaskVersion {
  /** 1 for the first version of the task, then one more each time. */
  readonly version: number;
  /** SHA-256 of the canonical JSON of the definition: equal content, equal hash. */
  readonly contentHash: string;
  /** The author's own version text, such as `1.2.0`. */
  readonly versionLabel: string;
  readonly label: string | null;
  readonly description: string;
  readonly tags: readonly string[];
  readonly category: string | null;
  readonly author: string | null;
  readonly license: string | null;
  readonly dangerous: boolean;
  readonly timeoutMs: number | null;
  readonly memoryMb: number | null;
  readonly style: 'auto' | 'blocking' | 'promise';
  /** Code text as a JSON string. */
  readonly code: Payload;
  /** File name shown in stacks. */
  readonly file: string;
  readonly inputSchema: Payload;
  readonly outputSchema: Payload;
  readonly tests: Payload;
  readonly metadata: JsonObject;
  /** Name of the registry source it came from; null when it was created through an interface. */
  readonly source: string | null;
  /** Commit, or SHA-256 of the archive, that the source had; absent where it has none, and in older facts. */
  readonly revision?: string;
}

export type TaskEvent =
  | Fact<'TaskCreated', { readonly taskId: string; readonly name: string; readonly uuid: string | null }>
  | Fact<'TaskVersionPublished', TaskVersion & { readonly uuid: string | null }>
  | Fact<'TaskEnabled', Record<string, never>>
  | Fact<'TaskDisabled', { readonly reason: string | null }>
  | Fact<'TaskDeleted', { readonly reason: string | null }>
  | Fact<'TaskRestored', Record<string, never>>;

export const TASK_EVENT_TYPES = [
  'TaskCreated',
  'TaskVersionPublished',
  'TaskEnabled',
  'TaskDisabled',
  'TaskDeleted',
  'TaskRestored',
] as const satisfies readonly TaskEvent['type'][];

export interface ExistingTask {
  readonly status: 'enabled' | 'disabled' | 'deleted';
  readonly taskId: string;
  readonly name: string;
  /** The id its author gave it; an alias by which it is found. */
  readonly uuid: string | null;
  /** In order; the last one is current. */
  readonly versions: readonly TaskVersion[];
}

export type TaskState = { readonly status: 'none' } | ExistingTask;

export const task: Evolution<TaskState, TaskEvent> = { initial: { status: 'none' }, evolve };

function evolve(state: TaskState, event: TaskEvent): TaskState {
  if (event.type === 'TaskCreated') {
    return { status: 'enabled', taskId: event.data.taskId, name: event.data.name, uuid: event.data.uuid, versions: [] };
  }
  if (state.status === 'none') return state;
  switch (event.type) {
    case 'TaskVersionPublished': {
      const { uuid, ...version } = event.data;
      return { ...state, uuid: uuid ?? state.uuid, versions: [...state.versions, version] };
    }
    case 'TaskEnabled':
    case 'TaskRestored':
      return { ...state, status: 'enabled' };
    case 'TaskDisabled':
      return { ...state, status: 'disabled' };
    case 'TaskDeleted':
      return { ...state, status: 'deleted' };
    default:
      return event satisfies never;
  }
}

/** @returns the version that new executions use; undefined only before the first is published. */
export function currentVersion(state: ExistingTask): TaskVersion | undefined {
  return state.versions.at(-1);
}

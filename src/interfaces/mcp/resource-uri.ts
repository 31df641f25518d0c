/** Addresses of what can be read: executions with their logs and traces, versions of tasks, single events. */

export type ResourceUri =
  | { readonly kind: 'execution'; readonly executionId: string }
  | { readonly kind: 'logs'; readonly executionId: string }
  | { readonly kind: 'trace'; readonly executionId: string }
  | { readonly kind: 'task'; readonly name: string; readonly version: number | null }
  | { readonly kind: 'event'; readonly position: string };

const EXECUTION = /^execution:\/\/([\w-]{1,64})(\/logs|\/trace)?$/;
const TASK = /^task:\/\/([^@\s]{1,768})(?:@(\d{1,9}))?$/;
const EVENT = /^event:\/\/([\w-]{1,64})$/;

/** @returns what an address means; null when it means nothing here. */
export function resourceUri(uri: string): ResourceUri | null {
  const [, executionId, part] = EXECUTION.exec(uri) ?? [];
  if (executionId !== undefined) {
    return { kind: part === '/logs' ? 'logs' : part === '/trace' ? 'trace' : 'execution', executionId };
  }
  const [, task, version] = TASK.exec(uri) ?? [];
  if (task !== undefined) {
    const name = decoded(task);
    return name === null ? null : { kind: 'task', name, version: version === undefined ? null : Number(version) };
  }
  const [, position] = EVENT.exec(uri) ?? [];
  return position === undefined ? null : { kind: 'event', position };
}

/** @returns the address of a task, of its current version where none is named. */
export function taskUri(name: string, version: number | null = null): string {
  return `task://${encodeURIComponent(name)}${version === null ? '' : `@${version}`}`;
}

export function executionUri(executionId: string, part: 'logs' | 'trace' | null = null): string {
  return `execution://${executionId}${part === null ? '' : `/${part}`}`;
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

/** Addresses with a part that the client fills in. */
export const RESOURCE_TEMPLATES = [
  {
    uriTemplate: 'execution://{execution_id}',
    name: 'execution',
    title: 'Execution',
    description: 'Status, input, result or error of an execution.',
    mimeType: 'application/json',
  },
  {
    uriTemplate: 'execution://{execution_id}/logs',
    name: 'execution-logs',
    title: 'Logs of an execution',
    description: 'What its code logged, first lines first.',
    mimeType: 'application/json',
  },
  {
    uriTemplate: 'execution://{execution_id}/trace',
    name: 'execution-trace',
    title: 'Trace of an execution',
    description: 'Its spans, critical path and bottlenecks.',
    mimeType: 'application/json',
  },
  {
    uriTemplate: 'task://{name}@{version}',
    name: 'task-version',
    title: 'Version of a task',
    description: 'Code, schemas and tests; without @version the current one.',
    mimeType: 'application/json',
  },
  {
    uriTemplate: 'event://{position}',
    name: 'event',
    title: 'Event',
    description: 'The stored event at a position of the log.',
    mimeType: 'application/json',
  },
] as const;

/** Finds what is meant: agents name executions and tasks by id, by name, by address, or as the latest. */
import { z } from 'zod';
import { RatchetError } from '../../domain/errors.ts';
import { reachNow } from './reading-tool.ts';
import type { ToolCall } from './tool.ts';

export const executionReference = z
  .string()
  .min(1)
  .max(2_048)
  .describe('Id, trace or log URL, latest, last_failed or last_success.');

export const taskReference = z.string().min(1).max(2_048).describe('Name, id or URL.');

/** With `latest`: of which task. */
export const ofTask = taskReference.optional().describe('With latest: of this task.');

const RELATIVE: ReadonlyMap<string, object> = new Map([
  ['latest', {}],
  ['last_failed', { status: 'failed' }],
  ['last_success', { status: 'completed' }],
]);

const IN_ADDRESS = /(?:^|\/)(?:executions?:?\/?|traces|logs)\/([^/?#\s]+)/;
const TASK_IN_ADDRESS = /(?:^|\/)tasks?:?\/+([^/?#@\s]+)/;

const listed = z.object({ executions: z.array(z.looseObject({ execution_id: z.string() })) });

/** @returns the id of the execution that is meant. Fails with `execution_not_found` when there is none yet. */
export async function executionMeant(call: ToolCall, reference: string, task?: string): Promise<string> {
  const relative = RELATIVE.get(reference.trim().toLowerCase());
  if (relative === undefined) return decoded(IN_ADDRESS.exec(reference)?.[1] ?? reference.trim());
  const about = task === undefined ? {} : { task_id: taskMeant(task) };
  await reachNow(call);
  const { executions } = listed.parse(await call.ask('list_executions', { ...about, ...relative, limit: 1 }));
  const [execution] = executions;
  if (execution !== undefined) return execution.execution_id;
  const which = task === undefined ? '' : ` of the task ${taskMeant(task)}`;
  throw new RatchetError('execution_not_found', `there is no ${reference.trim()} execution${which}`, {
    details: { executionId: reference, ...about },
  });
}

/** @returns the name or id of the task that is meant. */
export function taskMeant(reference: string): string {
  return decoded(TASK_IN_ADDRESS.exec(reference)?.[1] ?? reference.trim());
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

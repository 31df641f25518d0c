/** Adds to an error what leads out of it: the nearest names, and the call to make instead. */
import { isAllowedTask } from '../../domain/access.ts';
import { nearNames } from '../../domain/diagnosis/near-names.ts';
import { isRatchetError, RatchetError } from '../../domain/errors.ts';
import type { Caller, Core } from '../operation.ts';
import { cutMiddle } from './cut-answer.ts';
import type { ReadyCall } from './tool-answer.ts';

const MAX_SAID = 200;

/** Who calls, and what there is. */
interface Call {
  readonly core: Core;
  readonly caller: Caller;
}

/** @returns the error as it is told of a call of `tool`; names only what the caller may see. */
export function helpfulError(call: Call, tool: string, args: unknown, error: unknown): unknown {
  if (isRatchetError(error, 'task_not_found')) return taskNotFound(call, tool, args, error);
  if (isRatchetError(error, 'execution_not_found')) {
    const { task_id } = error.details;
    const about = typeof task_id === 'string' ? { task_id } : {};
    return withCall(error, error.message, { tool: 'list_executions', arguments: { ...about, limit: 5 } });
  }
  const other = instead(error, error instanceof RatchetError ? error.details['executionId'] : undefined);
  return other === null || !(error instanceof RatchetError) ? error : withCall(error, error.message, other);
}

/** Calls that tell more, or do what was wanted in another way. */
function instead(error: unknown, executionId: unknown): ReadyCall | null {
  if (typeof executionId !== 'string') return null;
  const about = { execution_id: executionId };
  if (isRatchetError(error, 'execution_running')) return { tool: 'get_execution_status', arguments: about };
  if (isRatchetError(error, 'not_failed')) return { tool: 'get_execution_status', arguments: about };
  if (isRatchetError(error, 'replay_mismatch')) return { tool: 'get_execution_trace', arguments: about };
  return null;
}

function taskNotFound({ core, caller }: Call, tool: string, args: unknown, error: RatchetError): RatchetError {
  const said = error.details['task'];
  if (typeof said !== 'string') return error;
  const known = core.execute.directory
    .all()
    .map(({ name }) => name)
    .filter((name) => isAllowedTask(caller.principal.tasks, name));
  const all = [...nearNames(said, known), ...known.filter((name) => isPartOf(said, name))];
  const near = [...new Set(all)].slice(0, 3);
  const [best] = near;
  const shown = cutMiddle(said, MAX_SAID);
  if (best === undefined) {
    return withCall(error, `Unknown task '${shown}'`, { tool: 'list_available_tasks', arguments: {} });
  }
  return withCall(error, `Unknown task '${shown}'. Did you mean '${best}'?`, corrected(tool, args, best), near);
}

/** Longer calls would be cut, and a call that was cut does something else. */
const MAX_CALL = 2_000;

/** @returns the same call with another task; null where it names the task elsewhere, or is too long to be told whole. */
function corrected(tool: string, args: unknown, task: string): ReadyCall | null {
  if (typeof args !== 'object' || args === null || !('task_id' in args)) return null;
  const call = { tool, arguments: { ...args, task_id: task } };
  return JSON.stringify(call).length > MAX_CALL ? null : call;
}

/** Agents leave out parts of names. */
function isPartOf(said: string, name: string): boolean {
  const [short, long] = [plain(said), plain(name)];
  return short.length > 2 && long.includes(short);
}

function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
}

function withCall(
  error: RatchetError,
  message: string,
  call: ReadyCall | null,
  near: readonly string[] = [],
): RatchetError {
  const known = { ...error.details, ...(near.length === 0 ? {} : { did_you_mean: near }) };
  const details = call === null ? known : { ...known, call };
  return new RatchetError(error.code, message, { details, cause: error });
}

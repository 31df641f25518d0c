/** Where results go: which targets are told of the end of an execution, and how patiently. */

import { type DeliveryRequest, deliveryIdOf, type ResultKind } from './delivery.ts';
import { RatchetError } from './errors.ts';
import type { ExecutionRequest } from './execution.ts';
import { matchesGlob } from './glob.ts';

/** How often and how soon a delivery is tried; delays grow fourfold. */
export interface Patience {
  /** Attempts in all before it is a dead letter. */
  readonly maxAttempts: number;
  /** Milliseconds before the second attempt. */
  readonly initialDelayMs: number;
  /** Longest pause in milliseconds, also where the receiver asks for a longer one. */
  readonly maxDelayMs: number;
}

/** How a target is reached. */
export type Reach =
  | {
      readonly kind: 'webhook';
      readonly url: string;
      /** `whsec_` and the key in base64; each signs. Not empty. */
      readonly secrets: readonly string[];
      readonly headers: Readonly<Record<string, string>>;
      /** Milliseconds for one whole exchange. */
      readonly timeoutMs: number;
      /** Deliveries under way at once. */
      readonly concurrency: number;
    }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'stdout' };

/** One target, as the configuration names it. */
export interface ResultTarget {
  readonly name: string;
  /** Ends that it is told of. */
  readonly events: readonly ResultKind[];
  /** Globs on task names: results of other tasks never get there. */
  readonly tasks: readonly string[];
  /** Whether it gets only results of executions that name it. */
  readonly onRequest: boolean;
  readonly patience: Patience;
  /** Bytes of JSON up to which an output, an error or metadata is sent itself. */
  readonly maxValueBytes: number;
  readonly reach: Reach;
  /** True where this process can not bring anything there: requests may name it, and others deliver. */
  readonly isLeftToOthers?: boolean;
}

/** Target by name. */
export type ResultTargets = ReadonlyMap<string, ResultTarget>;

/** @returns whether results of a task may get to a target at all. */
function takesTask({ tasks }: ResultTarget, task: string): boolean {
  return tasks.some((pattern) => matchesGlob(pattern, task));
}

/**
 * @returns what is to be delivered of an execution that ended so. Subtasks are part of what their parent tells, and are not
 * delivered by themselves.
 */
export function deliveriesOf(
  targets: Iterable<ResultTarget>,
  request: ExecutionRequest,
  { result, endVersion }: Pick<DeliveryRequest, 'result' | 'endVersion'>,
): readonly DeliveryRequest[] {
  if (request.parent !== null) return [];
  const { executionId } = request;
  const task = { id: request.task.id, name: request.task.name, version: request.task.version };
  return [...targets]
    .filter((target) => {
      const isWanted = !target.onRequest || request.resultTo?.includes(target.name) === true;
      return isWanted && target.events.includes(result) && takesTask(target, task.name);
    })
    .map(({ name, reach }) => {
      const deliveryId = deliveryIdOf(executionId, name);
      return { deliveryId, executionId, task, target: name, kind: reach.kind, result, endVersion };
    });
}

/** Fails with `result_target_not_found` when a caller names a target that is not there, or takes no results of the task. */
export function assertTargets(targets: ResultTargets, names: readonly string[], task: string): void {
  for (const name of names) {
    const target = targets.get(name);
    if (target !== undefined && takesTask(target, task)) continue;
    // One answer for both: which targets there are for other tasks is nobody's business.
    throw new RatchetError(
      'result_target_not_found',
      `result_to: no target ${name} takes results of the task ${task}`,
      {
        details: { target: name, task },
      },
    );
  }
}

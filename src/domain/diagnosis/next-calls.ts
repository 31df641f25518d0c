/** Calls that lead on from an analysis, ready to be made. */
import type { JsonObject } from '../event.ts';
import type { FailureCase } from './failure-case.ts';
import type { Findings } from './findings.ts';

export interface NextCall {
  /** Name of an operation. */
  readonly operation: string;
  readonly input: JsonObject;
  /** What it is good for here. */
  readonly why: string;
}

/** @returns calls in the order in which they help. Whoever tells them leaves out operations that it does not have. */
export function nextCalls(subject: FailureCase, findings: Findings): readonly NextCall[] {
  const { run, attempt, attempts, end } = subject;
  const execution_id = run.executionId;
  const which = attempt === attempts ? { execution_id } : { execution_id, attempt };
  const calls: NextCall[] = [];
  const add = (operation: string, input: JsonObject, why: string): void => void calls.push({ operation, input, why });
  if (subject.subtask !== null) {
    add('analyze_execution_error', { execution_id: subject.subtask.executionId }, 'the subtask holds the cause');
  }
  if (end.is === 'failed' && end.turn > 0) {
    const { line } = findings;
    if (line !== null) {
      const breakpoints = [{ line: line.line }];
      add(
        'debug_execution',
        { ...which, breakpoints },
        `stop on line ${line.line} with the real data, nothing goes out`,
      );
    }
    add('replay_execution', which, 'see it fail again on its journal, without network');
  }
  if (findings.difference !== null) {
    const input = { execution_id: findings.difference.execution_id, other_id: execution_id };
    add('compare_executions', input, 'the last success of the task against this one');
  }
  again(findings, execution_id, add);
  if (findings.failing !== null || subject.open.length > 0)
    add('list_steps', which, 'all steps with request and outcome');
  if ((subject.history?.count ?? 0) > 1) {
    add('list_failures', { task_id: run.task.name }, `${subject.history?.count} executions failed so`);
  }
  if (findings.retry.helps === 'no') {
    add('get_task', { task_id: run.task.name, version: run.task.version }, 'the code that ran, to correct it');
  }
  return calls;
}

function again(
  { retry, kind, failing }: Findings,
  execution_id: string,
  add: (operation: string, input: JsonObject, why: string) => void,
): void {
  if (retry.helps === 'no') return;
  if (retry.done_again.length > 0 && failing?.relation === 'raised') {
    add(
      'fork_execution',
      { execution_id, from_step: 'failed' },
      'run it again from the failed step, keeping what took effect',
    );
    return;
  }
  const when = retry.after_seconds === null ? '' : ` after ${retry.after_seconds} s`;
  add('retry_execution', { execution_id, reason: kind }, `run it again${when}: ${retry.reason}`);
}

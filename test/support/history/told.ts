/** What must hold of answers to clients: what was acknowledged exists, once for each key, and ended as they were told. */
import { canonicalJson } from '../../../src/domain/journal.ts';
import { inline } from './journals.ts';
import type { RecordedExecution, Told, Violation } from './known.ts';

export function toldViolations(executions: readonly RecordedExecution[], told: readonly Told[]): readonly Violation[] {
  const byId = new Map(executions.map((execution) => [execution.id, execution]));
  const ids = new Map<string, string>();
  return told.flatMap((answer): readonly Violation[] => {
    const { key, executionId } = answer;
    const first = ids.get(key) ?? executionId;
    ids.set(key, first);
    if (first !== executionId)
      return [{ rule: 'one execution a key', text: `${key} was told to be ${first}, then ${executionId}` }];
    const execution = byId.get(executionId);
    if (execution === undefined)
      return [{ rule: 'lost', text: `${key} was told to be ${executionId}, which is not in the log` }];
    return endProblem(answer, execution);
  });
}

const ENDED: ReadonlySet<string> = new Set(['completed', 'failed', 'cancelled']);

function endProblem({ key, status, output }: Told, { id, state }: RecordedExecution): readonly Violation[] {
  if (!ENDED.has(status)) return [];
  if (state?.status !== status)
    return [{ rule: 'told ends', text: `${key} (${id}) was told ${status} and is ${state?.status}` }];
  if (output === undefined || state.end?.type !== 'ExecutionCompleted') return [];
  const stored = inline(state.end.data.output);
  if (stored !== undefined && canonicalJson(stored) === canonicalJson(output)) return [];
  return [
    {
      rule: 'told outputs',
      text: `${key} (${id}) was told ${JSON.stringify(output)}, stored is ${JSON.stringify(stored)}`,
    },
  ];
}

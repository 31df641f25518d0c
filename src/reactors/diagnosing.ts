/** Gathers from the events what an analysis or a comparison rests on, and lets the pure rules of the domain judge it. */
import { analysisOf } from '../domain/diagnosis/analysis.ts';
import { type ComparedRun, compareRuns } from '../domain/diagnosis/compare-runs.ts';
import type { Diagnosis } from '../domain/diagnosis.ts';
import type { ExecutionEvent } from '../domain/execution.ts';
import { type DiagnosingDeps, gatherCase } from './gather-case.ts';
import { readExecution, readRun } from './recorded-case.ts';

export function diagnosisOf(deps: DiagnosingDeps): Diagnosis {
  return {
    analyze: async (request, by) => analysisOf(await gatherCase(deps, request, by), request),
    compare: async (executionId, otherId) => {
      const [a, b] = await Promise.all([comparedRun(deps, executionId), comparedRun(deps, otherId)]);
      return compareRuns(a, b);
    },
  };
}

/** An execution as far as it has come; of several attempts, the last one. */
async function comparedRun(deps: DiagnosingDeps, executionId: string): Promise<ComparedRun> {
  const recorded = await readExecution(deps, executionId);
  const { state, events } = recorded;
  const attempt = state.attempts.at(-1)?.attempt ?? null;
  const run = await readRun(deps, recorded, attempt);
  const end = events.findLast(({ event }) => isEnd(event, attempt))?.event;
  const completed = end?.type === 'ExecutionCompleted' ? end.data : null;
  const failed = end?.type === 'ExecutionFailed' || end?.type === 'AttemptFailed' ? end.data : null;
  const cancelled = end?.type === 'ExecutionCancelled' ? end.data : null;
  return {
    ...run,
    attempt,
    status: state.status,
    output: completed === null ? null : await deps.blobs.get(completed.output),
    failure: failed === null ? null : { code: failed.code, error: failed.error },
    durationMs: (completed ?? failed ?? cancelled)?.durationMs ?? null,
  };
}

function isEnd({ type, data }: ExecutionEvent, attempt: number | null): boolean {
  switch (type) {
    case 'ExecutionCompleted':
    case 'ExecutionFailed':
    case 'ExecutionCancelled':
    case 'AttemptFailed':
      return data.attempt === attempt;
    default:
      return false;
  }
}

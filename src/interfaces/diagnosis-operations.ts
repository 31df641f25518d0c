/** What can be asked about failures: why one failed, how two executions differ, which failures there are. */
import { z } from 'zod';
import { listFailures } from '../../queries/failure.ts';
import type { Principal } from '../domain/access.ts';
import type { Analysis } from '../domain/diagnosis/analysis.ts';
import type { AnalysisRequest } from '../domain/diagnosis.ts';
import { type Core, command, type Operation, query } from './operation.ts';
import { ROUTES } from './surfaces.ts';

const id = z.string().min(1).max(64);
/** In a query string a flag is a word. */
const flag = z.preprocess(
  (value) => (value === 'true' ? true : value === 'false' ? false : value),
  z.boolean().default(true),
);
/** A call that leads nowhere is no help: only operations that are public are told. */
const PUBLIC: ReadonlySet<string> = new Set(ROUTES.map(({ operation }) => operation));

/** @returns an analysis whose next calls can be made here. Fails as {@link Core.diagnosis} does. */
export async function analyze({ diagnosis }: Core, request: AnalysisRequest, by: Principal): Promise<Analysis> {
  const analysis = await diagnosis.analyze(request, by);
  return { ...analysis, next_calls: analysis.next_calls.filter(({ operation }) => PUBLIC.has(operation)) };
}

export const DIAGNOSIS_OPERATIONS: readonly Operation[] = [
  command({
    name: 'analyze_execution_error',
    permission: 'read_traces',
    description:
      'Why an execution failed: kind, failing line with variables, failing step, first difference from the last success, what to do.',
    input: z.strictObject({
      execution_id: id,
      attempt: z.coerce.number().int().positive().optional(),
      include_suggestions: flag.describe('What to do, and calls that lead on.'),
      include_context: flag.describe('Source lines, variables, failing step, first difference, history.'),
    }),
    run: async (core, input, { principal }) => {
      const request = {
        executionId: input.execution_id,
        attempt: input.attempt ?? null,
        includeSuggestions: input.include_suggestions,
        includeContext: input.include_context,
      };
      return analyze(core, request, principal);
    },
  }),
  command({
    name: 'compare_executions',
    permission: 'read_traces',
    description: 'How two executions differ: task, code, input, steps, result; and which difference comes first.',
    input: z.strictObject({ execution_id: id, other_id: id }),
    run: ({ diagnosis }, input) => diagnosis.compare(input.execution_id, input.other_id),
  }),
  query(listFailures),
];

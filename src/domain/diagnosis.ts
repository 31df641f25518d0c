/** What an analysis of a failed execution says, and what a comparison of two executions finds. */
import type { Principal } from './access.ts';
import type { Analysis } from './diagnosis/analysis.ts';
import type { ComparisonResult } from './diagnosis/compare-runs.ts';

export interface AnalysisRequest {
  readonly executionId: string;
  readonly attempt: number | null;
  readonly includeSuggestions: boolean;
  /** Source lines, variables, failing step, first difference, history. */
  readonly includeContext: boolean;
}

/** Why executions fail and how two differ. Deterministic: the same events give the same answer. */
export interface Diagnosis {
  /** Fails with `execution_not_found`, `execution_running`, `not_failed`, or `not_found` for an attempt that there is not. */
  analyze(request: AnalysisRequest, by: Principal): Promise<Analysis>;
  /** Aligns two journals and names the first difference. Fails with `execution_not_found`. */
  compare(executionId: string, otherId: string): Promise<ComparisonResult>;
}

/** What an analysis of a failed execution says, and what a comparison of two executions finds. */
import type { Principal } from './access.ts';
import type { Json, JsonObject } from './event.ts';

export interface AnalysisRequest {
  readonly executionId: string;
  readonly attempt: number | null;
  readonly includeSuggestions: boolean;
  /** Source lines, variables, failing step, history. */
  readonly includeContext: boolean;
}

/** Why executions fail and how two differ. Deterministic: the same events give the same answer. */
export interface Diagnosis {
  /** Fails with `execution_not_found`, `execution_running` or `not_failed`. */
  analyze(request: AnalysisRequest, by: Principal): Promise<JsonObject>;
  /** Aligns two journals and names the first difference. Fails with `execution_not_found`. */
  compare(executionId: string, otherId: string): Promise<JsonObject>;
}

export type Evidence = Json;

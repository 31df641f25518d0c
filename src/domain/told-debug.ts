/** What is told of a debugged replay to whoever asked: the same facts in the words of the interfaces. */
import type { Breakpoint, DebugReport, Hit, SeenFrame, SeenValue } from './debugging.ts';
import type { JsonObject } from './event.ts';

/** @returns the answer of a one-shot debugger. */
export function toldDebug(report: DebugReport): JsonObject {
  return {
    replay_id: report.replayId,
    execution_id: report.executionId,
    attempt: report.attempt,
    result: report.result,
    output: report.output,
    error: report.error,
    stops: report.stops,
    hits: report.hits.map(toldHit),
    breakpoints: report.breakpoints.map(({ asked, line, moved, conditionError }) => ({
      asked: toldBreakpoint(asked),
      line,
      moved,
      condition_error: conditionError,
    })),
  };
}

function toldBreakpoint({ line, condition, hitCount, step }: Breakpoint) {
  return { line, condition, hit_count: hitCount, step };
}

function toldHit({ reason, line, column, code, stepsDone, step, exception, frames, watches }: Hit) {
  return {
    reason,
    line,
    column,
    code,
    steps_done: stepsDone,
    step,
    exception: exception === null ? null : withoutName(exception),
    watches: watches.map(({ expression, value, error }) => ({
      expression,
      value: value === null ? null : withoutName(value),
      error,
    })),
    frames: frames.map(toldFrame),
  };
}

function toldFrame({ function: name, file, line, column, scopes }: SeenFrame) {
  const told = scopes.map(({ type, variables }) => ({
    type,
    variables: variables.map((variable) => ({ ...variable })),
  }));
  return { function: name, file, line, column, scopes: told };
}

/** What was named by the caller needs no other name. */
function withoutName({ type, value, preview, truncated }: SeenValue) {
  return { type, value, preview, truncated };
}

/** Runs of tests as answers tell them. */
import type { TestedCase, TestRun } from '../ports/task-testing.ts';

/** @returns counts first, then each test; spans only where they are wanted. */
export function toldRun({ cases, notRun, durationMs }: TestRun, hasTraces: boolean) {
  const failed = cases.filter(({ passed }) => !passed).length;
  return {
    passed: cases.length - failed,
    failed,
    not_run: notRun,
    duration_ms: durationMs,
    results: cases.map((one) => toldCase(one, hasTraces)),
  };
}

function toldCase({ durationMs, spans, difference, ...told }: TestedCase, hasTraces: boolean) {
  const { name, passed, reason, expected, actual, error, logs } = told;
  return {
    name,
    passed,
    reason,
    duration_ms: durationMs,
    expected,
    actual,
    difference,
    error,
    logs,
    ...(hasTraces ? { trace: spans.map(toldSpan) } : {}),
  };
}

/** Times are milliseconds of the task's clock since its start. */
function toldSpan({ ref, parent, name, startedAt, endedAt, ok, attributes }: TestedCase['spans'][number]) {
  return { ref, parent, name, start_ms: startedAt, duration_ms: endedAt - startedAt, ok, attributes };
}

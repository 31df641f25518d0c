/** `ratchet analyze` and `ratchet compare`: why an execution failed, and how two differ, without a server. */

import type { AppSettings } from '../app.ts';
import { LOCAL_ADMIN } from '../domain/access.ts';
import type { Analysis, AnalysisContext } from '../domain/diagnosis/analysis.ts';
import { analyze as analysisFor } from '../interfaces/diagnosis-operations.ts';
import { compareRunsText } from './comparison-text.ts';
import type { ExitCode } from './exit.ts';
import { withApp } from './inspect.ts';
import type { Output } from './output.ts';

export interface AnalyzeOptions {
  readonly attempt?: number | undefined;
}

/** Tells why an execution failed. Fails with `not_failed`, `execution_running` or `execution_not_found`. */
export async function analyze(
  settings: AppSettings,
  executionId: string,
  { attempt }: AnalyzeOptions,
  output: Output,
): Promise<ExitCode> {
  return withApp(settings, async ({ core }) => {
    const request = { executionId, attempt: attempt ?? null, includeSuggestions: true, includeContext: true };
    const analysis = await analysisFor(core, request, LOCAL_ADMIN);
    output.result(analysis, () => toldAnalysis(analysis));
    return 0;
  });
}

/** Tells how two executions differ; answers 1 when they do, as `diff` does. */
export async function compare(settings: AppSettings, a: string, b: string, output: Output): Promise<ExitCode> {
  return withApp(settings, async ({ core }) => {
    const comparison = await core.diagnosis.compare(a, b);
    output.result(comparison, () => compareRunsText(comparison));
    return comparison.first_difference.what === 'nothing' ? 0 : 1;
  });
}

/** @returns an analysis for people, the most important first. */
export function toldAnalysis(analysis: Analysis): string {
  const { task, attempt, attempts, context, retry } = analysis;
  const place = attempts > 1 ? `, attempt ${attempt} of ${attempts}` : '';
  const again = retry.after_seconds === null ? retry.reason : `${retry.reason}; wait ${retry.after_seconds} s`;
  return [
    `${analysis.title} (${analysis.kind}): ${task.name} version ${task.version}${place}`,
    analysis.summary,
    ...(context === null ? [] : toldContext(context)),
    ...listed(
      'causes',
      analysis.root_cause
        .slice(1)
        .map(({ error_type, message, line }) => `${error_type}: ${message}${line === null ? '' : ` (line ${line})`}`),
    ),
    ...listed('what to do', analysis.suggestions),
    '',
    `retry helps: ${retry.helps} (${again})`,
    ...listed(
      'next',
      analysis.next_calls.map(({ operation, input, why }) => `${operation} ${JSON.stringify(input)}\n    ${why}`),
    ),
    ...listed(
      'proven by',
      analysis.evidence.map(({ statement, events }) => `${statement} [${events.join(', ')}]`),
    ),
  ].join('\n');
}

function toldContext({
  failing_line,
  variables,
  failing_step,
  first_difference,
  history,
}: AnalysisContext): readonly string[] {
  const code = (failing_line?.lines ?? []).map(
    ({ line, text, failing }) => `${failing ? '>' : ' '} ${String(line).padStart(4)} | ${text}`,
  );
  const seen =
    history === null
      ? []
      : [
          `${history.count === 1 ? 'once, at' : `${history.count} times since`} ${history.first_seen}; ${history.recent.with_this_failure} of the last ${history.recent.executions} executions`,
        ];
  return [
    ...(code.length === 0 ? [] : ['', ...code]),
    ...listed(
      'variables',
      (variables ?? []).map(({ name, preview }) => `${name} = ${preview}`),
    ),
    ...listed(
      'step',
      failing_step === null
        ? []
        : [`${failing_step.path} ${failing_step.name}: ${failing_step.outcome} (${failing_step.relation})`],
    ),
    ...listed(
      'first difference from the last success',
      first_difference === null ? [] : [`${first_difference.sentence} (${first_difference.execution_id})`],
    ),
    ...listed('happened', seen),
  ];
}

function listed(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : ['', `${title}:`, ...lines.map((line) => `  ${line}`)];
}

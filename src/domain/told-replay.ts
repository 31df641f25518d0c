/** Patched replays as answers and records tell them: one form everywhere, with no value larger than can be looked at. */
import type { Json, JsonObject } from './event.ts';
import type { Outcome } from './journal.ts';
import type { FailuresResult, PatchedResult, PatchedStep } from './replay.ts';

/** Requests and outcomes with more characters of JSON than this are told by their size and beginning; the journal has them whole. */
const MAX_SHOWN = 32 * 1024;
const BEGINNING = 1_024;

/** @returns the result as interfaces answer it and as the replay's stream keeps it. */
export function toldPatched(result: PatchedResult): JsonObject {
  return {
    replay_id: result.replayId,
    execution_id: result.executionId,
    attempt: result.attempt,
    mode: 'patched',
    verdict: result.verdict,
    summary: result.summary,
    counts: result.counts,
    steps: result.steps.map(toldStep),
    result: result.result,
    output: result.output,
    error: result.error,
    recorded: { ...result.recorded },
    output_diff: result.outputDiff.map(({ path, expected, actual }) => ({
      path,
      ...(expected === undefined ? {} : { expected }),
      ...(actual === undefined ? {} : { actual }),
    })),
    logs: result.logs.map(({ level, message }) => ({ level, message })),
    test: result.test,
    unused_stubs: result.unusedStubs,
    recorded_on_node: result.recordedOnNode,
  };
}

function toldStep({ change, path, kind, name, answeredBy, request, recorded, outcome }: PatchedStep): JsonObject {
  return {
    change,
    path,
    kind,
    name,
    answered_by: answeredBy,
    request: request === null ? null : shown(request),
    recorded:
      recorded === null
        ? null
        : { path: recorded.path, request: shown(recorded.request), outcome: shownOutcome(recorded.outcome) },
    outcome: outcome === null ? null : shownOutcome(outcome),
  };
}

function shownOutcome(outcome: Outcome): Json {
  if (outcome.ok) return { ok: true, value: shown(outcome.value) };
  const { name, message, data } = outcome.error;
  return { ok: false, error: { name, message, data: shown(data) } };
}

function shown(value: Json): Json {
  const text = JSON.stringify(value);
  if (text.length <= MAX_SHOWN) return value;
  return { cut: true, characters: text.length, beginning: text.slice(0, BEGINNING) };
}

/** @returns the table of verdicts as interfaces answer it. */
export function toldFailures({ taskId, fingerprint, counts, rows }: FailuresResult): JsonObject {
  return {
    task_id: taskId,
    fingerprint,
    counts,
    rows: rows.map(({ executionId, replayId, verdict, summary }) => ({
      execution_id: executionId,
      replay_id: replayId,
      verdict,
      summary,
    })),
  };
}

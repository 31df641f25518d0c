/** Runs an ended attempt again with other code or input on the recorded outcomes, and tells what would have come of it. */
import { isRatchetError, RatchetError } from '../domain/errors.ts';
import type { Json } from '../domain/event.ts';
import type { Failure } from '../domain/execution.ts';
import { LOG_LEVELS, type LogLevel } from '../domain/journal.ts';
import type { PatchedRequest, PatchedResult } from '../domain/replay.ts';
import type { TaskVersion } from '../domain/task.ts';
import type { TaskStart } from '../ports/sandbox.ts';
import type { SchemaCheck } from '../ports/schema-check.ts';
import type { OpenCall } from './attempt-plan.ts';
import { codeOf, failureOf, isTasksFault } from './live-attempt.ts';
import { PatchedAnswers } from './patched-answers.ts';
import { type PatchedEnd, runPatched } from './patched-attempt.ts';
import { recordedCalls } from './patched-record.ts';
import { testOf } from './patched-test.ts';
import { countSteps, judge, type RecordedEnd, type ReplayedEnd } from './patched-verdict.ts';
import { isIdempotent, type OutsideDeps, performAlone, plainError } from './perform-steps.ts';
import type { RecordedRun } from './recorded-run.ts';
import type { ReplayDeps } from './replay.ts';
import { inReplaySession } from './replay-session.ts';

export interface PatchedDeps extends ReplayDeps, OutsideDeps {
  readonly schemas: SchemaCheck;
}

/** What stands in the place of the recorded code and input. */
export type Patch = Pick<PatchedRequest, 'code' | 'version' | 'input' | 'stubs' | 'allowLive' | 'changed' | 'saveTest'>;

/** A patch that was checked and can be run. */
export interface PatchedRun {
  readonly run: RecordedRun;
  readonly patch: Patch;
  readonly start: TaskStart;
  /** Of the version whose schemas hold. */
  readonly version: TaskVersion;
}

/** Fails with `syntax_error`, `invalid_task`, `not_found` for the version, or `input_schema_violation`. */
export async function preparePatch(deps: PatchedDeps, run: RecordedRun, patch: Patch): Promise<PatchedRun> {
  const version = patch.version === null ? run.version : publishedVersion(deps, run, patch.version);
  const code = await codeFor(deps, patch, version);
  const input = patch.input === undefined ? JSON.parse(run.taskStart.input) : patch.input;
  if (patch.input !== undefined || patch.version !== null) await checkInput(deps, version, input);
  const start: TaskStart = {
    ...run.taskStart,
    ...(code === null ? {} : { code: deps.sandbox.prepare(code, version.file), style: version.style }),
    input: JSON.stringify(input),
    context: { ...run.taskStart.context, taskVersion: String(version.version) },
  };
  return { run, patch, start, version };
}

function publishedVersion({ directory }: PatchedDeps, { state }: RecordedRun, wanted: number): TaskVersion {
  const { id, name } = state.request.task;
  const found = directory.find(id)?.versions.find(({ version }) => version === wanted);
  if (found !== undefined) return found;
  throw new RatchetError('not_found', `task ${name} has no version ${wanted}`, { details: { task: name, wanted } });
}

/** Null for the recorded code, which is prepared already. */
async function codeFor(deps: PatchedDeps, patch: Patch, version: TaskVersion): Promise<string | null> {
  if (patch.code !== null) return patch.code;
  if (patch.version === null) return null;
  const code = await deps.blobs.get(version.code);
  if (typeof code === 'string') return code;
  throw new RatchetError('store_corrupt', `the code of version ${version.version} is not text`);
}

async function checkInput(deps: PatchedDeps, version: TaskVersion, input: Json): Promise<void> {
  const problems = deps.schemas.compile(await deps.blobs.get(version.inputSchema)).check(input);
  const [first] = problems;
  if (first === undefined) return;
  throw new RatchetError('input_schema_violation', `input${first.path}: ${first.message}`, { details: { problems } });
}

/** What was told while it ran. */
interface Told {
  readonly answers: PatchedAnswers;
  readonly logs: { readonly level: LogLevel; readonly message: string }[];
}

/** Fails with an error of the sandbox that is not the code's fault. */
export async function replayPatched(deps: PatchedDeps, patched: PatchedRun, replayId: string): Promise<PatchedResult> {
  const { run, patch, start } = patched;
  const { stubs, changed } = patch;
  const recorded = await recordedCalls(deps, run);
  const answers = new PatchedAnswers({ ...recorded, stubs, changed, live: liveFor(deps, patch.allowLive, replayId) });
  const told: Told = { answers, logs: [] };
  const ended = await drive(deps, patched, told);
  const end = await replayedEnd(deps, patched, ended);
  const steps = answers.steps(ended.kind);
  const was = await recordedEnd(deps, run);
  const judgement = judge(was, end, steps, answers.decisive(ended.kind));
  const unused = answers.unusedStubs;
  const canBeTest = patch.saveTest !== null && end.kind !== 'blocked' && judgement.verdict !== 'undecided';
  return {
    replayId,
    executionId: run.executionId,
    attempt: run.start.attempt,
    ...judgement,
    summary: unused.length === 0 ? judgement.summary : `${judgement.summary} ${unusedWords(unused)}`,
    counts: countSteps(steps),
    steps,
    result: ended.kind,
    output: end.kind === 'output' ? end.output : null,
    error: end.kind === 'failure' ? shownError(end.failure) : null,
    recorded: {
      status: was.status,
      output: was.output,
      error: was.failure === null ? null : { name: was.failure.error.name, message: was.failure.error.message },
    },
    logs: told.logs,
    test: canBeTest ? testOf({ name: patch.saveTest ?? '', start, end, asked: answers.asked }) : null,
    unusedStubs: unused,
    recordedOnNode: run.start.node === process.version ? null : run.start.node,
  };
}

function shownError({ error }: Failure): PatchedResult['error'] {
  return { name: error.name, message: error.message, stack: error.stack };
}

function unusedWords(unused: readonly number[]): string {
  return unused.length === 1
    ? `Stub ${unused[0]} (counted from 0) fits no call that needed one.`
    : `Stubs ${unused.join(', ')} (counted from 0) fit no call that needed one.`;
}

/** Steps that involve another execution, a model or a person are never done for a replay. */
function liveFor(deps: PatchedDeps, allowLive: boolean, replayId: string) {
  return (call: OpenCall) => {
    const { kind, path, argsHash } = call;
    if (!allowLive || (kind !== 'http' && kind !== 'file' && kind !== 'hmac')) return null;
    // Never the recorded key: a server would take it for the recorded call, and answer from memory.
    const key = deps.runtime.uuidOf(`${replayId}\n${path}\n${argsHash}`);
    const added = { traceparent: null, idempotencyKey: isIdempotent(call) ? null : key };
    return (signal: AbortSignal) => performAlone(deps, call, added, signal);
  };
}

type Ended = PatchedEnd | { readonly kind: 'killed'; readonly failure: Failure };

async function drive(deps: PatchedDeps, { run, start }: PatchedRun, told: Told): Promise<Ended> {
  const { timeoutMs, logLevel } = run.state.request.options;
  const minLevel = LOG_LEVELS.indexOf(logLevel);
  try {
    return await inReplaySession(
      deps.sandbox,
      { limits: run.limits, timeoutMs, what: 'the replay' },
      (session, abort) =>
        runPatched({
          session,
          start,
          runtime: deps.runtime,
          answers: told.answers,
          telemetry: (records) => {
            for (const record of records) {
              if (record.kind !== 'log' || LOG_LEVELS.indexOf(record.level) < minLevel) continue;
              told.logs.push({ level: record.level, message: record.message });
            }
          },
          abort,
        }),
    );
  } catch (error) {
    if (!isRatchetError(error) || !isTasksFault(error)) throw error;
    return { kind: 'killed', failure: failureOf(error) };
  }
}

async function replayedEnd(deps: PatchedDeps, { version }: PatchedRun, ended: Ended): Promise<ReplayedEnd> {
  switch (ended.kind) {
    case 'returned': {
      const output: Json = JSON.parse(ended.output);
      const problem = deps.schemas.compile(await deps.blobs.get(version.outputSchema)).check(output)[0];
      if (problem === undefined) return { kind: 'output', output };
      const data = { code: 'output_schema_violation', path: problem.path };
      const error = plainError('ValidationError', `output${problem.path}: ${problem.message}`, data);
      return { kind: 'failure', failure: { code: 'output_schema_violation', error } };
    }
    case 'threw':
      return { kind: 'failure', failure: { code: codeOf(ended.error), error: ended.error } };
    case 'blocked':
      return { kind: 'blocked' };
    case 'stalled': {
      const error = new RatchetError('task_stalled', 'the task awaits something that never settles');
      return { kind: 'failure', failure: failureOf(error) };
    }
    case 'killed':
      return { kind: 'failure', failure: ended.failure };
    default:
      return ended satisfies never;
  }
}

async function recordedEnd({ blobs }: PatchedDeps, { ended }: RecordedRun): Promise<RecordedEnd> {
  switch (ended.type) {
    case 'ExecutionCompleted':
      return { status: 'completed', output: await blobs.get(ended.data.output), failure: null };
    case 'ExecutionCancelled':
      return { status: 'cancelled', output: null, failure: null };
    case 'ExecutionFailed':
    case 'AttemptFailed':
      return { status: 'failed', output: null, failure: { code: ended.data.code, error: ended.data.error } };
    default:
      return ended satisfies never;
  }
}

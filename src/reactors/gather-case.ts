/** Gathers the case of one failed execution: its record, its history, its last success, and what a replay shows. */
import { failureHistory, lastSuccess } from '../../queries/failure.ts';
import type { QueryDeps } from '../../queries/query.ts';
import { type Principal, workerPrincipal } from '../domain/access.ts';
import type { Debugging } from '../domain/debugging.ts';
import { analysisOf } from '../domain/diagnosis/analysis.ts';
import { raisingStep } from '../domain/diagnosis/failing-step.ts';
import type { CaseEnd, FailureCase, Run, Subanalysis, Variables, Waiting } from '../domain/diagnosis/failure-case.ts';
import type { AnalysisRequest } from '../domain/diagnosis.ts';
import { isRatchetError, RatchetError } from '../domain/errors.ts';
import type { ExistingExecution } from '../domain/execution.ts';
import { fingerprintOf } from '../domain/fingerprint.ts';
import type { ProjectionProgress } from '../ports/read-store.ts';
import { variablesOf } from './diagnose-variables.ts';
import { type WaitingDeps, waitingOf } from './diagnose-waiting.ts';
import {
  type Placed,
  type RecordedCaseDeps,
  type RecordedExecution,
  readCode,
  readExecution,
  readOpen,
  readRun,
  readSteps,
} from './recorded-case.ts';

/** How long the history waits for the read models. */
const REACH_MS = 10_000;
/** Subtasks of subtasks are followed so far. */
const MAX_SUBTASKS = 5;

export interface DiagnosingDeps extends WaitingDeps, RecordedCaseDeps, QueryDeps {
  /** Shows the variables at the failing line. */
  readonly debugging: Debugging;
  /** Histories are told when the read models have reached what is stored. */
  readonly progress: ProjectionProgress;
}

/** Fails with `execution_not_found`, `execution_running`, `not_failed`, or `not_found` for an attempt that there is not. */
export async function gatherCase(
  deps: DiagnosingDeps,
  request: AnalysisRequest,
  by: Principal,
  depth = 0,
): Promise<FailureCase> {
  const recorded = await readExecution(deps, request.executionId);
  const { state, events } = recorded;
  const ended = endOf(recorded, request.attempt);
  const { attempt } = ended;
  const [run, open, { code, why }] = await Promise.all([
    readRun(deps, recorded, attempt),
    attempt === null ? [] : readOpen(deps, recorded, attempt),
    readCode(deps, state),
  ]);
  const earlier = await readSteps(
    deps,
    events,
    state.completed.filter((step) => step.attempt !== attempt),
  );
  const known = new Set(run.steps.map(({ position }) => position));
  const base: FailureCase = {
    run,
    request: state.request,
    attempt: attempt ?? 0,
    attempts: state.attempts.length,
    end: ended.end,
    startPosition:
      events.find(({ event }) => event.type === 'ExecutionStarted' && event.data.attempt === attempt)?.position ?? null,
    endPosition: ended.position,
    open,
    earlier: earlier.filter(({ position }) => !known.has(position)),
    code,
    codeUnavailable: why,
    waiting: null,
    variables: { unavailable: 'they were not asked for' },
    history: null,
    lastSuccess: null,
    taskNames: deps.directory.all().map(({ name }) => name),
    subtask: null,
  };
  return completed(deps, base, { request, by, depth, requestedAt: events[0]?.at ?? '' });
}

interface Asked {
  readonly request: AnalysisRequest;
  readonly by: Principal;
  readonly depth: number;
  readonly requestedAt: string;
}

/** Adds what is read elsewhere than in the execution's own stream. */
async function completed(deps: DiagnosingDeps, base: FailureCase, asked: Asked): Promise<FailureCase> {
  if (base.end.is === 'cancelled') return base;
  const isFirst = asked.depth === 0;
  const withRows = isFirst ? await withHistory(deps, base, asked.requestedAt) : base;
  return {
    ...withRows,
    waiting: await waiting(deps, base, asked.by),
    variables: isFirst && asked.request.includeContext ? await variables(deps, base, asked.by) : base.variables,
    subtask: await subtask(deps, base, asked),
  };
}

async function withHistory(deps: DiagnosingDeps, base: FailureCase, requestedAt: string): Promise<FailureCase> {
  if (base.end.is !== 'failed') return base;
  const { id } = base.run.task;
  try {
    await deps.progress.reach(await deps.store.head(), REACH_MS);
  } catch (error) {
    // Read models that are far behind, or paused, would tell a history that is not true.
    if (isRatchetError(error, 'projection_behind') || isRatchetError(error, 'projection_paused')) return base;
    throw error;
  }
  const [history, success] = await Promise.all([
    failureHistory(deps, id, fingerprintOf(base.end.failure)),
    lastSuccess(deps, id, requestedAt),
  ]);
  return { ...base, history, lastSuccess: success === null ? null : await runOf(deps, success) };
}

async function runOf(deps: DiagnosingDeps, executionId: string): Promise<Run> {
  const recorded = await readExecution(deps, executionId);
  return readRun(deps, recorded, recorded.state.attempts.at(-1)?.attempt ?? null);
}

/** Only a time-out leaves open what the code was doing; a record that can not be replayed leaves it open for good. */
async function waiting(
  deps: DiagnosingDeps,
  { end, run, attempt, open }: FailureCase,
  by: Principal,
): Promise<Waiting | null> {
  if (end.is !== 'failed' || end.failure.code !== 'execution_timeout') return null;
  const found = await waitingOf(deps, run.executionId, attempt, by).catch((error: unknown) => {
    if (isRatchetError(error)) return null;
    throw error;
  });
  if (found === null) return null;
  const positions = new Map(open.map(({ path, position }) => [path, position]));
  return { ...found, open: found.open.map((step) => ({ ...step, position: positions.get(step.path) ?? null })) };
}

async function variables(deps: DiagnosingDeps, { end, run, attempt }: FailureCase, by: Principal): Promise<Variables> {
  if (end.is !== 'failed') return { unavailable: 'nothing was thrown' };
  if (end.turn === 0) return { unavailable: 'the attempt was ended from outside: no exception ended it' };
  if (end.failure.code === 'output_schema_violation') return { unavailable: 'main had returned: nothing was thrown' };
  return variablesOf(deps.debugging, { executionId: run.executionId, attempt }, end.failure.error, by);
}

/** The id of a subtask follows from who asked for it, where, and with what: it is the idempotency key of the step. */
async function subtask(deps: DiagnosingDeps, base: FailureCase, asked: Asked): Promise<FailureCase['subtask']> {
  if (base.end.is !== 'failed') return null;
  const step = raisingStep(base.run.steps, base.end.failure);
  if (step?.kind !== 'task') return null;
  const executionId = deps.runtime.uuidOf(`${base.run.executionId}\n${step.path}\n${step.argsHash}`);
  if (asked.depth >= MAX_SUBTASKS) return { executionId, analysis: null };
  const request = { executionId, attempt: null, includeSuggestions: false, includeContext: true };
  try {
    const found = await gatherCase(deps, request, asked.by, asked.depth + 1);
    return { executionId, analysis: subanalysis(found, request) };
  } catch (error) {
    if (isRatchetError(error, 'execution_not_found')) return null;
    if (isRatchetError(error, 'execution_running') || isRatchetError(error, 'not_failed'))
      return { executionId, analysis: null };
    throw error;
  }
}

function subanalysis(found: FailureCase, request: AnalysisRequest): Subanalysis {
  const { execution_id, task, kind, summary, context } = analysisOf(found, request);
  const line = context?.failing_line;
  return {
    execution_id,
    task: task.name,
    kind,
    summary,
    failing_line: line ? { file: line.file, line: line.line, function: line.function } : null,
  };
}

interface Ended {
  /** Null for a cancellation before the first attempt. */
  readonly attempt: number | null;
  readonly end: CaseEnd;
  readonly position: string;
}

function endOf(recorded: RecordedExecution, attempt: number | null): Ended {
  const { state, events } = recorded;
  const placed = events.findLast(({ event }) => {
    const ends =
      event.type === 'ExecutionFailed' || event.type === 'AttemptFailed' || event.type === 'ExecutionCancelled';
    const completes = event.type === 'ExecutionCompleted';
    return (ends || completes) && (attempt === null || event.data.attempt === attempt);
  });
  if (placed === undefined || (attempt === null && state.end === null)) throw noEnd(state, attempt);
  const { event, position } = placed;
  switch (event.type) {
    case 'ExecutionFailed':
    case 'AttemptFailed': {
      const { code, error, turn } = event.data;
      return { attempt: event.data.attempt, end: { is: 'failed', failure: { code, error }, turn }, position };
    }
    case 'ExecutionCancelled':
      return { attempt: event.data.attempt, end: cancellation(events, placed, event.data), position };
    default:
      throw notFailed(state, attempt);
  }
}

function cancellation(
  events: readonly Placed[],
  { at, by, position }: Placed,
  { reason, attempt }: { readonly reason: string | null; readonly attempt: number | null },
): CaseEnd {
  const request = events.find(({ event }) => event.type === 'ExecutionCancelRequested');
  const told = request?.event.type === 'ExecutionCancelRequested' ? request.event.data.reason : null;
  const isWorker = by.startsWith(workerPrincipal('').id);
  const asked = request ?? (isWorker ? null : { at, by, position });
  return {
    is: 'cancelled',
    reason: reason ?? told,
    endedAt: at,
    asked: asked === null ? null : { by: asked.by, at: asked.at, position: asked.position },
    neverStarted: attempt === null,
  };
}

function noEnd({ request, status, attempts }: ExistingExecution, attempt: number | null): RatchetError {
  const { executionId } = request;
  const isKnown = attempt === null || attempts.some((one) => one.attempt === attempt);
  const details = { executionId, status, ...(attempt === null ? {} : { attempt }) };
  return isKnown
    ? new RatchetError('execution_running', `execution ${executionId} is ${status}: it has not ended`, { details })
    : new RatchetError('not_found', `execution ${executionId} has no attempt ${attempt}`, { details });
}

function notFailed({ request, status }: ExistingExecution, attempt: number | null): RatchetError {
  const what = attempt === null ? 'it' : `attempt ${attempt}`;
  const details = { executionId: request.executionId, status };
  return new RatchetError('not_failed', `execution ${request.executionId} has not failed: ${what} completed`, {
    details,
  });
}

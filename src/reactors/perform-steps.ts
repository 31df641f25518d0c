/** Carries out the steps of a live attempt: the only place where a task's wishes meet the outside. */
import { type ExecuteDeps, executeTask, executeTaskInput } from '../../commands/execute-task.ts';
import { workerPrincipal } from '../domain/access.ts';
import { asRatchetError, isRatchetError, RatchetError } from '../domain/errors.ts';
import { type Json, objectOf, streamName } from '../domain/event.ts';
import type { ExecutionRequest, GivenAnswer, TerminalEvent } from '../domain/execution.ts';
import type { Outcome, TaskErrorData } from '../domain/journal.ts';
import type { Payload } from '../domain/payload.ts';
import { traceParentHeader } from '../domain/trace.ts';
import type { Files } from '../ports/files.ts';
import { type LanguageModel, ModelRefusal } from '../ports/language-model.ts';
import { type McpServers, McpToolError } from '../ports/mcp-servers.ts';
import { HeldBackError, type Outbound, OutboundError } from '../ports/outbound.ts';
import type { Secrets } from '../ports/secrets.ts';
import type { OpenCall, World } from './attempt-plan.ts';
import type { Awaited, Completions } from './completions.ts';
import { httpRequest, httpValue } from './http-step.ts';
import type { Recording } from './recording.ts';

export interface WorldDeps extends ExecuteDeps {
  readonly outbound: Outbound;
  readonly files: Files;
  readonly secrets: Secrets;
  readonly mcpServers: McpServers;
  readonly languageModel: LanguageModel;
  readonly completions: Completions;
  readonly stepLimits: { readonly httpTimeoutMs: number; readonly maxBodyBytes: number };
}

const STORE_ERRORS = ['store_unavailable', 'store_full', 'version_conflict', 'shutting_down'] as const;
const IDEMPOTENT_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/** What a world needs to know about the attempt it serves. */
export interface Served {
  readonly request: ExecutionRequest;
  readonly recording: Recording;
  /** Worker session that runs the attempt. */
  readonly worker: string;
  readonly lease: Lease;
  /** Paths of calls that left in an earlier attempt and whose outcome a crash hid. */
  readonly unknown: ReadonlySet<string>;
  /** Answers to questions that were asked in an earlier attempt, by path. */
  readonly answers: ReadonlyMap<string, GivenAnswer>;
}

/** Whether nobody else can have taken over the attempt. */
export interface Lease {
  /** As far as is known at this moment. */
  isHeld(): boolean;
  /** Resolves when that is so; rejects when the attempt must not go on. */
  confirm(signal: AbortSignal): Promise<void>;
}

/** A world that can be told what comes in while the attempt runs. */
export interface LiveWorld extends World {
  /** Brings the answer to a question of this attempt. */
  answer(path: string, answer: Payload): void;
}

/** The outside as one execution reaches it. */
export function liveWorld(deps: WorldDeps, served: Served): LiveWorld {
  const requests = new Map<string, Promise<unknown>>();
  const refused = new Set<string>();
  /** Answers that came while this attempt runs, and who waits for one. */
  const told = new Map<string, Payload>();
  const waiting = new Map<string, (answer: Payload) => void>();
  return {
    asked: async (path) => {
      await requests.get(path)?.catch(() => undefined);
    },
    isUnanswered: (call) => answerTo(served, call) === undefined && !told.has(call.path) && !refused.has(call.path),
    answer: (path, answer) => {
      told.set(path, answer);
      waiting.get(path)?.(answer);
    },
    perform: async (call, signal) => {
      if (call.kind === 'ask') {
        const problem = schemaProblem(deps, call);
        if (problem !== null) {
          refused.add(call.path);
          return failed(problem);
        }
        const asked = question(deps, served, call);
        requests.set(call.path, asked);
        const known = await asked;
        if (known !== null) return known;
        const answer = told.get(call.path) ?? (await comes(waiting, call.path, signal));
        return { ok: true, value: await deps.blobs.get(answer) };
      }
      if (served.unknown.has(call.path) && !isIdempotent(call) && served.request.options.unknownSteps === 'fail') {
        return failed(unknownOutcome(call));
      }
      if (!isIdempotent(call) && !served.unknown.has(call.path)) await served.recording.stepStarted(call);
      // A process that slept for long must not act on what others have taken over meanwhile.
      await served.lease.confirm(signal);
      try {
        if (call.kind !== 'task') return { ok: true, value: await perform(deps, served, call, signal) };
        const subtask = askForSubtask(deps, served, call, signal);
        requests.set(call.path, subtask);
        return { ok: true, value: await outcomeOf(deps, await subtask) };
      } catch (error) {
        signal.throwIfAborted();
        if (isOfOurStore(error)) throw error;
        return failed(taskError(error));
      }
    },
  };
}

/** What says nothing about the call, and so is no outcome of it: the attempt breaks off, and a later one calls again. */
function isOfOurStore(error: unknown): boolean {
  return STORE_ERRORS.some((code) => isRatchetError(error, code));
}

function schemaProblem(deps: WorldDeps, call: OpenCall): TaskErrorData | null {
  try {
    deps.schemas.compile(call.request['schema'] ?? true);
    return null;
  } catch (error) {
    return taskError(error);
  }
}

/** @returns the answer, or null when nobody has given one: the question is durably asked then. */
async function question(deps: WorldDeps, served: Served, call: OpenCall): Promise<Outcome | null> {
  const answer = answerTo(served, call);
  if (answer !== undefined) return { ok: true, value: await deps.blobs.get(answer) };
  if (!served.unknown.has(call.path)) await served.recording.stepStarted(call);
  return null;
}

/** Waits for an answer while this attempt runs; when it parks before, another goes on with it. */
function comes(waiting: Map<string, (answer: Payload) => void>, path: string, signal: AbortSignal): Promise<Payload> {
  return new Promise((resolve, reject) => {
    waiting.set(path, resolve);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

/** An answer that was given before this attempt, to this very question. */
function answerTo({ answers }: Served, { path, argsHash }: OpenCall): Payload | undefined {
  const given = answers.get(path);
  return given?.argsHash === argsHash ? given.answer : undefined;
}

/** @returns true for a call that may be sent twice. */
export function isIdempotent(call: OpenCall): boolean {
  if (call.kind !== 'http') return call.kind === 'file' || call.kind === 'task' || call.kind === 'hmac';
  return IDEMPOTENT_METHODS.has(String(call.request['method']).toUpperCase());
}

async function perform(deps: WorldDeps, served: Served, call: OpenCall, signal: AbortSignal): Promise<Json> {
  const { lease } = served;
  for (;;) {
    try {
      return await carryOut(
        deps,
        call,
        () => addedBy(deps, served, call),
        signal,
        () => lease.isHeld(),
      );
    } catch (error) {
      if (!(error instanceof HeldBackError)) throw error;
      await lease.confirm(signal);
    }
  }
}

/** What it takes to carry out a step that involves no other execution. */
export type OutsideDeps = Pick<
  WorldDeps,
  'outbound' | 'files' | 'secrets' | 'mcpServers' | 'languageModel' | 'stepLimits'
>;

/** What goes out with a call besides what the code asked for; nobody is shown it. */
export interface Added {
  readonly traceparent: string | null;
  /** The same in every attempt of the same execution (journal-protocol, Steps 4); null for a call that may be sent twice. */
  readonly idempotencyKey: string | null;
}

/** Carries out a step that belongs to no execution's record. */
export async function performAlone(
  deps: OutsideDeps,
  call: OpenCall,
  added: Added,
  signal: AbortSignal,
): Promise<Outcome> {
  try {
    return { ok: true, value: await carryOut(deps, call, () => added, signal) };
  } catch (error) {
    signal.throwIfAborted();
    return failed(taskError(error));
  }
}

async function carryOut(
  deps: OutsideDeps,
  call: OpenCall,
  added: () => Added,
  signal: AbortSignal,
  mayLeave?: () => boolean,
): Promise<Json> {
  switch (call.kind) {
    case 'http': {
      const request = httpRequest(call.request, headersOf(added()), deps.secrets, deps.stepLimits);
      const response = await deps.outbound.send(request, signal, mayLeave);
      return httpValue(response, call.request, request, deps.secrets);
    }
    case 'file': {
      const bytes = await deps.files.read(String(call.request['path']), deps.stepLimits.maxBodyBytes);
      return Buffer.from(bytes).toString(call.request['encoding'] === 'base64' ? 'base64' : 'utf8');
    }
    case 'hmac': {
      const { secret, data, algorithm, encoding } = call.request;
      return deps.secrets.hmac(String(secret), String(data), {
        algorithm: String(algorithm ?? 'sha256'),
        encoding: encoding === 'base64' ? 'base64' : 'hex',
      });
    }
    case 'mcp': {
      const { server, tool, arguments: given } = call.request;
      const names = { server: String(server), tool: String(tool) };
      const wish = { ...names, arguments: objectOf(given), ...added(), maxBytes: deps.stepLimits.maxBodyBytes };
      return deps.mcpServers.call(wish, signal);
    }
    case 'llm':
      return deps.languageModel.complete(objectOf(call.request['request']), deps.stepLimits.maxBodyBytes, signal);
    case 'task':
    case 'sleep':
    case 'custom':
    case 'ask':
      throw new RatchetError('unsupported', `a step of kind ${call.kind} can not be carried out here`);
    default:
      return call.kind satisfies never;
  }
}

/** The same in every attempt of the same execution (journal-protocol, Steps 4). */
function idempotencyKey(deps: WorldDeps, served: Served, call: OpenCall): string {
  return deps.runtime.uuidOf(`${served.request.executionId}\n${call.path}\n${call.argsHash}`);
}

function addedBy(deps: WorldDeps, served: Served, call: OpenCall): Added {
  return {
    traceparent: traceParentHeader(served.request.traceId, served.recording.spanId(`step:${call.path}`)),
    idempotencyKey: isIdempotent(call) ? null : idempotencyKey(deps, served, call),
  };
}

function headersOf({ traceparent, idempotencyKey: key }: Added): readonly (readonly [string, string])[] {
  const trace = traceparent === null ? [] : [['traceparent', traceparent] as const];
  return [...trace, ...(key === null ? [] : [['idempotency-key', key] as const])];
}

/** Durably asked for when it resolves; the execution is the same however often a resumed parent asks. */
async function askForSubtask(deps: WorldDeps, served: Served, call: OpenCall, signal: AbortSignal): Promise<Awaited> {
  const executionId = idempotencyKey(deps, served, call);
  const parsed = executeTaskInput.safeParse({
    task_id: call.request['task'],
    input: call.request['input'] ?? null,
    trace: served.request.options.trace,
    priority: served.request.options.priority,
  });
  if (!parsed.success) throw new RatchetError('invalid_request', 'runTask takes the name of a task and an input');
  const ended = deps.completions.next(executionId, signal);
  const requested = await executeTask(
    deps,
    parsed.data,
    {
      source: { kind: 'task', sessionId: null, clientInfo: null },
      parent: { executionId: served.request.executionId, path: call.path },
      executionId,
    },
    {
      principal: workerPrincipal(served.worker),
      // New each time: a resumed parent asks again, and must be told that the execution exists.
      commandId: deps.runtime.newId(),
      correlationId: served.request.executionId,
      causationId: served.request.executionId,
      traceparent: traceParentHeader(served.request.traceId, served.recording.spanId(`step:${call.path}`)),
      now: deps.runtime.now(),
    },
  ).catch((error: unknown) => {
    ended.cancel();
    throw error;
  });
  if (!requested.created) await deps.completions.look(streamName('execution', executionId));
  return ended;
}

async function outcomeOf(deps: WorldDeps, ended: Awaited): Promise<Json> {
  const { event: terminal } = await ended.promise;
  if (terminal.type === 'ExecutionCompleted') return deps.blobs.get(terminal.data.output);
  throw new SubtaskError(errorOf(terminal));
}

/** The error of a task that was run through `runTask`, handed on as the caller's own. */
class SubtaskError extends Error {
  readonly data: TaskErrorData;
  constructor(data: TaskErrorData) {
    super(data.message);
    this.data = data;
  }
}

function errorOf(terminal: TerminalEvent): TaskErrorData {
  if (terminal.type === 'ExecutionFailed') return terminal.data.error;
  return plainError('CancelledError', 'the task was cancelled', { code: 'cancelled' });
}

function failed(error: TaskErrorData): Outcome {
  return { ok: false, error };
}

export function plainError(name: string, message: string, data: TaskErrorData['data'] = {}): TaskErrorData {
  return { name, message, stack: null, data, cause: null };
}

function unknownOutcome(call: OpenCall): TaskErrorData {
  return plainError('ServiceUnavailableError', `it is unknown whether ${call.name} took effect before a crash`, {
    code: 'unknown_outcome',
  });
}

/** What went wrong outside, in the error classes that task code knows. */
function taskError(error: unknown): TaskErrorData {
  if (error instanceof SubtaskError) return error.data;
  if (error instanceof OutboundError) {
    const names = {
      network: 'NetworkError',
      timeout: 'TimeoutError',
      refused: 'AuthorizationError',
      'too-large': 'DataError',
    };
    const codes = { network: 'network', timeout: 'timeout', refused: 'address_refused', 'too-large': 'body_too_large' };
    return plainError(names[error.failure], error.message, { code: codes[error.failure] });
  }
  if (error instanceof McpToolError) return plainError('DataError', error.message, { code: 'mcp_tool_error' });
  if (error instanceof ModelRefusal) return modelError(error);
  const ours = asRatchetError(error);
  const name =
    ours.code === 'input_schema_violation' || ours.code === 'invalid_request'
      ? 'ValidationError'
      : 'ConfigurationError';
  return plainError(ours.code === 'queue_full' ? 'ServiceUnavailableError' : name, ours.message, { code: ours.code });
}

function modelError({ status, message, retryAfterSeconds }: ModelRefusal): TaskErrorData {
  const name =
    { 401: 'AuthenticationError', 403: 'AuthorizationError', 429: 'RateLimitError' }[status] ??
    (status >= 500 ? 'ServiceUnavailableError' : 'HttpError');
  const after = retryAfterSeconds === null ? {} : { retryAfter: retryAfterSeconds };
  return plainError(name, message, { code: 'llm_refused', status, ...after });
}

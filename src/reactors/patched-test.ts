/** Makes a test file of a patched replay: its input, clock and seed, the answers that were used, and the end it came to. */
import type { Json, JsonObject } from '../domain/event.ts';
import { isHttpValue } from '../domain/http-value.ts';
import type { Outcome } from '../domain/journal.ts';
import { isoTime } from '../domain/time.ts';
import type { TaskStart } from '../ports/sandbox.ts';
import type { AnsweredCall } from './patched-answers.ts';
import type { ReplayedEnd } from './patched-verdict.ts';

export interface TestCase {
  readonly name: string;
  readonly start: TaskStart;
  readonly end: Exclude<ReplayedEnd, { kind: 'blocked' }>;
  readonly asked: readonly AnsweredCall[];
}

/** @returns the content of a test file (task format) that runs without any network and comes to the same end. */
export function testOf({ name, start, end, asked }: TestCase): JsonObject {
  const outside = asked.filter(({ isMemo }) => !isMemo);
  // Answers come in the order of their calls where nothing else is said; only then sleeps need no mention.
  const places = placesOf(outside);
  const isOrdered = isAscending(outside.flatMap((call) => places.get(call) ?? []));
  const calls = isOrdered ? outside.filter(({ call }) => call.kind !== 'sleep') : outside;
  const orderOf = (call: AnsweredCall): JsonObject => {
    const order = isOrdered ? undefined : places.get(call);
    return order === undefined ? {} : { order };
  };
  const { executionId, taskId, taskVersion, jobId, attempt } = start.context;
  return {
    name,
    description: `Made from execution ${executionId}.`,
    input: JSON.parse(start.input),
    clock: isoTime(start.clock),
    seed: start.seed,
    context: { executionId, taskId, taskVersion, jobId, attempt },
    mock: {
      http: calls.filter(({ call }) => call.kind === 'http').map((call) => ({ ...httpMock(call), ...orderOf(call) })),
      steps: calls.filter(({ call }) => call.kind !== 'http').map((call) => ({ ...stepMock(call), ...orderOf(call) })),
    },
    ...(end.kind === 'output' ? { expected_output: end.output } : expectedError(end.failure.error)),
  };
}

function expectedError({ name, message }: { readonly name: string; readonly message: string }): JsonObject {
  return { expected_error: `${name}: ${message}` };
}

function httpMock(asked: AnsweredCall): JsonObject {
  const { request } = asked.call;
  const method = String(request['method'] ?? 'GET').toUpperCase();
  const outcome = usedOutcome(asked);
  const base = { url: `${method}:${String(request['url'])}`, method, times: 1, ...delayOf(asked) };
  if (outcome === null) return { ...base, never: true };
  if (!outcome.ok) return { ...base, error: errorOf(outcome) };
  return { ...base, response: responseOf(outcome.value) };
}

function responseOf(value: Json): JsonObject {
  if (!isHttpValue(value)) return { status: 200, body: value };
  const { status, statusText, headers, body, bodyEncoding, url, redirected } = value;
  return {
    status: status ?? 200,
    statusText: statusText ?? '',
    headers: headers ?? [],
    body: body ?? '',
    ...(bodyEncoding === 'base64' ? { bodyEncoding } : {}),
    ...(url === undefined ? {} : { url }),
    ...(redirected === true ? { redirected } : {}),
  };
}

function stepMock(asked: AnsweredCall): JsonObject {
  const { kind, name } = asked.call;
  const outcome = usedOutcome(asked);
  const base = { kind, name, times: 1, ...delayOf(asked) };
  if (outcome === null) return { ...base, never: true };
  return outcome.ok ? { ...base, value: outcome.value } : { ...base, error: errorOf(outcome) };
}

function errorOf({ error }: Extract<Outcome, { ok: false }>): JsonObject {
  const { name, message, data } = error;
  return { name, message, data };
}

/** What came back, or would have, had the code not ended before. */
function usedOutcome({ outcome, answer }: AnsweredCall): Outcome | null {
  return outcome ?? answer?.outcome ?? null;
}

function delayOf({ answer, call, delivered }: AnsweredCall): JsonObject {
  if (call.kind === 'sleep') return {};
  const afterMs = answer?.afterMs ?? (delivered === null ? 0 : delivered.at - call.startedAt);
  return afterMs > 0 ? { delay_ms: afterMs } : {};
}

/**
 * Answers in the order of their deliveries. Those that came when the code had ended are behind them: by the clock they may have
 * come at the same time as the one that ended it, and in the test they must not come before it.
 */
function placesOf(calls: readonly AnsweredCall[]): ReadonlyMap<AnsweredCall, number> {
  const answered = calls.filter((asked) => usedOutcome(asked) !== null);
  const late = answered.filter(({ delivered }) => delivered === null);
  const inTime = answered
    .flatMap((asked) => (asked.delivered === null ? [] : [{ asked, place: asked.delivered.place }]))
    .sort((a, b) => a.place - b.place)
    .map(({ asked }) => asked);
  return new Map([...inTime, ...late].map((asked, index) => [asked, index + 1]));
}

function isAscending(numbers: readonly number[]): boolean {
  return numbers.every((number, index) => index === 0 || number > (numbers[index - 1] ?? 0));
}

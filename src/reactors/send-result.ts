/** One attempt to bring a result to its target: what is sent is made anew from the record, so that no copy of it is kept. */
import type { AttemptReport } from '../../commands/delivery.ts';
import type { DeliveryRequest } from '../domain/delivery.ts';
import { isRatchetError, RatchetError } from '../domain/errors.ts';
import { type Json, streamName } from '../domain/event.ts';
import { type ExecutionEvent, TERMINAL_EVENT_TYPES, type TerminalEvent } from '../domain/execution.ts';
import { decode } from '../domain/history.ts';
import type { Payload } from '../domain/payload.ts';
import { resultMessage, type ToldEnd } from '../domain/result-message.ts';
import type { Reach, ResultTarget } from '../domain/result-target.ts';
import { timeOf } from '../domain/time.ts';
import type { Blobs } from '../ports/blobs.ts';
import type { EventStore } from '../ports/event-store.ts';
import { type Outbound, OutboundError, type OutboundResponse } from '../ports/outbound.ts';
import type { ResultLines } from '../ports/result-lines.ts';
import type { Runtime } from '../ports/runtime.ts';
import type { Signatures } from '../ports/signatures.ts';

export interface SendDeps {
  readonly store: EventStore;
  readonly runtime: Runtime;
  readonly blobs: Blobs;
  readonly outbound: Outbound;
  readonly signatures: Signatures;
  readonly lines: ResultLines;
}

const GONE = 410;

type Sent = Omit<AttemptReport, 'durationMs'>;

const ARRIVED: Sent = { ok: true, status: null, error: null, isFinal: false, retryAfterMs: null };

/** Sends it once. Fails with the reason of `signal` alone; everything else that goes wrong is told as the outcome. */
export async function sendResult(
  deps: SendDeps,
  request: DeliveryRequest,
  target: ResultTarget,
  signal: AbortSignal,
): Promise<AttemptReport> {
  const startedAt = deps.runtime.now();
  const sent = await bring(deps, request, target, signal).catch((error: unknown) => {
    signal.throwIfAborted();
    return failed(error);
  });
  return { ...sent, durationMs: Math.max(0, deps.runtime.now() - startedAt) };
}

async function bring(
  deps: SendDeps,
  request: DeliveryRequest,
  { name, reach, maxValueBytes }: ResultTarget,
  signal: AbortSignal,
): Promise<Sent> {
  const told = await toldEnd(deps, request, maxValueBytes);
  const fits = (value: Json): boolean => Buffer.byteLength(JSON.stringify(value)) <= maxValueBytes;
  const text = JSON.stringify(resultMessage(told, name, fits));
  switch (reach.kind) {
    case 'webhook':
      return call(deps, request.deliveryId, reach, text, signal);
    case 'file':
      await unlessAborted(deps.lines.append(reach.path, text), signal);
      return ARRIVED;
    case 'stdout':
      await unlessAborted(deps.lines.print(text), signal);
      return ARRIVED;
    default:
      return reach satisfies never;
  }
}

/** Nothing ends a line that nobody reads, or a file on a disk that hangs: it is left where it is. Fails with the reason of `signal`. */
async function unlessAborted(writing: Promise<void>, signal: AbortSignal): Promise<void> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => aborted.reject(signal.reason);
  signal.addEventListener('abort', onAbort);
  if (signal.aborted) onAbort();
  try {
    await Promise.race([writing, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

async function toldEnd(deps: SendDeps, { executionId, endVersion }: DeliveryRequest, most: number): Promise<ToldEnd> {
  const stream = streamName('execution', executionId);
  const [[first], [last]] = await Promise.all([
    deps.store.readStream(stream, { limit: 1 }),
    deps.store.readStream(stream, { from: endVersion, limit: 1 }),
  ]);
  const asked = first === undefined ? undefined : decode<ExecutionEvent>(first);
  const end = last === undefined ? undefined : decode<ExecutionEvent>(last);
  if (asked?.type !== 'ExecutionRequested' || last === undefined || end === undefined || !isTerminal(end)) {
    throw new RatchetError('store_corrupt', `the end of execution ${executionId} is not where it was`, {
      details: { executionId, version: endVersion },
    });
  }
  const payload: Payload = end.type === 'ExecutionCompleted' ? end.data.output : { value: null };
  const isOutputOmitted = 'blob' in payload && payload.bytes > most;
  const output = isOutputOmitted ? null : await deps.blobs.get(payload);
  return { request: asked.data, end, endedAt: last.occurredAt, output, isOutputOmitted };
}

function isTerminal(event: ExecutionEvent): event is TerminalEvent {
  return TERMINAL_EVENT_TYPES.some((type) => type === event.type);
}

/** Signed as Standard Webhooks 1.0.0 has it: id, time of this attempt and body, under each key. */
async function call(
  { runtime, outbound, signatures }: SendDeps,
  id: string,
  reach: Extract<Reach, { kind: 'webhook' }>,
  body: string,
  signal: AbortSignal,
): Promise<Sent> {
  const timestamp = String(Math.floor(runtime.now() / 1_000));
  const signed = reach.secrets.map((secret) => `v1,${signatures.sign(secret, `${id}.${timestamp}.${body}`)}`);
  const own: readonly (readonly [string, string])[] = [
    ['content-type', 'application/json'],
    ['webhook-id', id],
    ['webhook-timestamp', timestamp],
    ['webhook-signature', signed.join(' ')],
  ];
  const taken = new Set(own.map(([name]) => name));
  const more = Object.entries(reach.headers).filter(([name]) => !taken.has(name.toLowerCase()));
  const answer = await outbound.send(
    {
      method: 'POST',
      url: reach.url,
      headers: [...own, ...more],
      body: Buffer.from(body),
      timeoutMs: reach.timeoutMs,
      // It has arrived, or not: what a receiver says beside its status is not kept.
      maxBodyBytes: null,
      // Where else a result goes is for the configuration to say.
      redirect: 'manual',
      credentialHeaders: [],
      bodyHoldsSecrets: false,
    },
    signal,
  );
  const { status } = answer;
  if (status >= 200 && status < 300) return { ...ARRIVED, status };
  const retryAfterMs = retryAfter(answer, runtime.now());
  return { ok: false, status, error: `the receiver answered ${status}`, isFinal: status === GONE, retryAfterMs };
}

/** @returns the pause in milliseconds that an answer asks for, in seconds or as a date; null where it asks for none. */
function retryAfter({ headers }: OutboundResponse, now: number): number | null {
  const value = headers.find(([name]) => name === 'retry-after')?.[1].trim() ?? '';
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1_000;
  const at = timeOf(value);
  return Number.isNaN(at) ? null : Math.max(0, at - now);
}

function failed(error: unknown): Sent {
  const isFinal =
    (error instanceof OutboundError && error.failure === 'refused') ||
    isRatchetError(error, 'blob_not_found') ||
    isRatchetError(error, 'store_corrupt');
  // Only our own words: those of anything else may hold what was sent.
  const isOurs = error instanceof OutboundError || error instanceof RatchetError;
  const said = isOurs ? error.message : 'an unexpected error happened';
  return { ok: false, status: null, error: said, isFinal, retryAfterMs: null };
}

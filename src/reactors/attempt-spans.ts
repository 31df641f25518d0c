/** The spans that the runtime itself tells: one for the execution, one for each step. Deterministic, so replays repeat them. */
import type { JsonObject } from '../domain/event.ts';
import type { Outcome, StepCall, Telemetry } from '../domain/journal.ts';
import type { TaskStart } from '../ports/sandbox.ts';

export type Span = Extract<Telemetry, { readonly kind: 'span' }>;

/** Longer URLs are cut in spans; the step's request holds them whole. */
const MAX_URL = 2_048;

/** @returns the span of the execution itself. Clocks are logical. */
export function rootSpan({ code, clock, context }: TaskStart, endedAt: number, ok: boolean): Span {
  const name = code.file.slice(0, code.file.lastIndexOf('/')) || code.file;
  const attributes = { 'ratchet.execution': context.executionId };
  return { kind: 'span', ref: '', parent: '', name, startedAt: clock, endedAt, ok, attributes };
}

/** @returns the span of a step, from call to delivery. */
export function stepSpan(call: StepCall, startedAt: number, endedAt: number, outcome: Outcome): Span {
  const { path, span, name, kind } = call;
  const attributes = { 'ratchet.step': path, 'ratchet.kind': kind, ...httpAttributes(call, outcome) };
  return { kind: 'span', ref: `step:${path}`, parent: span, name, startedAt, endedAt, ok: outcome.ok, attributes };
}

/** Names of the semantic conventions of OpenTelemetry for HTTP clients. */
function httpAttributes({ kind, request }: StepCall, outcome: Outcome): JsonObject {
  if (kind !== 'http') return {};
  const asked = {
    'http.request.method': request['method'] ?? null,
    'url.full': String(request['url'] ?? '').slice(0, MAX_URL),
  };
  const value = outcome.ok ? outcome.value : null;
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return asked;
  return { ...asked, 'http.response.status_code': (value as JsonObject)['status'] ?? null };
}

/** W3C trace context: read it from callers, write it for those we call. */

export interface TraceParent {
  /** 32 hex digits, not all zero. */
  readonly traceId: string;
  /** 16 hex digits, not all zero. */
  readonly spanId: string;
}

const FORM = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?:-.*)?$/;

/** @returns the ids in a `traceparent` header; null when there is none or it is malformed (it is then ignored, as the standard says). */
export function traceParent(header: string | null): TraceParent | null {
  if (header === null || header.startsWith('ff')) return null;
  const [, traceId, spanId] = FORM.exec(header) ?? [];
  if (traceId === undefined || spanId === undefined || /^0+$/.test(traceId) || /^0+$/.test(spanId)) return null;
  return { traceId, spanId };
}

/** @returns a `traceparent` header for a call made inside `spanId`. */
export function traceParentHeader(traceId: string, spanId: string): string {
  return `00-${traceId}-${spanId}-01`;
}

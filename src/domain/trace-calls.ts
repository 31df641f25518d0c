/** What the spans of steps say about calls: to whom, for what, and which of them are the same call with another id in it. */
import { durationOf, type TraceNode } from './trace-tree.ts';

/** A step that asked somebody else for something. */
export interface TracedCall {
  readonly node: TraceNode;
  /** Kind of the step, such as `http`. */
  readonly kind: string;
  /** In upper case; null for what is not HTTP. */
  readonly method: string | null;
  readonly url: string | null;
  /** Host with port; null for what is not HTTP. */
  readonly host: string | null;
  /** The same for calls that differ only in ids and numbers: `GET https://example.com/users/{id}`. */
  readonly template: string;
  /** Failed, or was answered with a status of 400 or more. */
  readonly hasFailed: boolean;
}

/** Steps that ask nobody: the sandbox keeps them. */
const OWN: ReadonlySet<string> = new Set(['custom', 'sleep', 'hmac']);

/** @returns null for a span that is no call. */
export function callOf(node: TraceNode): TracedCall | null {
  const { attributes } = node;
  const kind = attributes['ratchet.kind'];
  if (typeof kind !== 'string' || OWN.has(kind)) return null;
  const method = attributes['http.request.method'];
  const full = attributes['url.full'];
  const status = attributes['http.response.status_code'];
  const hasFailed = !node.ok || (typeof status === 'number' && status >= 400);
  const url = typeof full === 'string' ? URL.parse(full) : null;
  if (typeof method !== 'string' || url === null) {
    return { node, kind, method: null, url: null, host: null, template: `${kind} ${node.name}`, hasFailed };
  }
  const upper = method.toUpperCase();
  return {
    node,
    kind,
    method: upper,
    url: url.href,
    host: url.host,
    template: `${upper} ${templateOf(url)}`,
    hasFailed,
  };
}

/** Numbers, UUIDs, hexadecimal ids, and long tokens with digits in them. */
const ID = /^(?:\d+(?:[.,:-]\d+)*|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{8,}|(?=.*\d)[\w~-]{16,})$/i;

/** @returns the URL with `{id}` for ids and numbers in its path, and with the names of its query's fields alone. */
export function templateOf(url: URL): string {
  const path = url.pathname
    .split('/')
    .map((part) => (ID.test(part) ? '{id}' : part))
    .join('/');
  const fields = [...new Set(url.searchParams.keys())].sort();
  return `${url.origin}${path}${fields.length === 0 ? '' : `?${fields.join('&')}`}`;
}

/** @returns a short name for flamegraphs, in which equal calls have equal names. */
export function frameName(node: TraceNode): string {
  return callOf(node)?.template ?? node.name;
}

/** Calls below one parent, each of which began when the one before had ended. */
export type Sequence = readonly TracedCall[];

/**
 * Cuts calls, ordered by start, into sequences that do not overlap.
 * @param follows says too whether a call goes on with the sequence of the one before
 */
export function sequences(
  calls: readonly TracedCall[],
  follows: (call: TracedCall, before: TracedCall) => boolean,
): readonly Sequence[] {
  const found: TracedCall[][] = [];
  let current: TracedCall[] = [];
  for (const call of calls) {
    const before = current.at(-1);
    if (before !== undefined && call.node.startedAt >= before.node.endedAt && follows(call, before)) current.push(call);
    else {
      current = [call];
      found.push(current);
    }
  }
  return found;
}

/** @returns the durations together, in milliseconds. */
export function sumOf(calls: readonly TracedCall[]): number {
  return calls.reduce((sum, { node }) => sum + durationOf(node), 0);
}

/** @returns milliseconds in which at least one of the spans ran. */
export function unionOf(nodes: readonly TraceNode[]): number {
  let covered = 0;
  let until = Number.NEGATIVE_INFINITY;
  for (const { startedAt, endedAt } of nodes.toSorted((a, b) => a.startedAt - b.startedAt)) {
    if (endedAt <= until) continue;
    covered += endedAt - Math.max(until, startedAt);
    until = endedAt;
  }
  return covered;
}

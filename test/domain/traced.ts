/** Spans with sensible contents, so that tests of traces name only what they are about. */
import fc from 'fast-check';
import type { JsonObject } from '../../src/domain/event.ts';
import type { TraceSpan } from '../../src/domain/trace-tree.ts';

export const T0 = Date.parse('2026-01-02T03:04:05.000Z');

type Times = readonly [start: number, end: number];

export function span(
  id: string,
  parentId: string | null,
  [start, end]: Times,
  more: Partial<TraceSpan> = {},
): TraceSpan {
  const kind = parentId === null ? 'execution' : 'span';
  return { id, parentId, name: id, kind, startedAt: T0 + start, endedAt: T0 + end, ok: true, attributes: {}, ...more };
}

export function step(
  id: string,
  parentId: string | null,
  times: Times,
  kind: string,
  attributes: JsonObject = {},
): TraceSpan {
  return span(id, parentId, times, { kind: 'step', attributes: { 'ratchet.kind': kind, ...attributes } });
}

export function http(id: string, parentId: string | null, times: Times, url: string, more: JsonObject = {}): TraceSpan {
  const { method = 'GET', status = 200 } = more;
  const attributes = { 'http.request.method': method, 'url.full': url, 'http.response.status_code': status };
  return { ...step(id, parentId, times, 'http', attributes), name: `${String(method)} ${url}` };
}

/** Trees of up to some hundred spans. `sequential`: children lie inside their parents and never overlap. */
export function traces(sequential: boolean): fc.Arbitrary<readonly TraceSpan[]> {
  const bounds = { min: -20, max: 1_000 };
  const one = fc.record({ parent: fc.nat({ max: 1_000 }), start: fc.integer(bounds), length: fc.nat({ max: 400 }) });
  return fc.array(one, { maxLength: 60 }).map((made) => {
    const spans: TraceSpan[] = [span('s0', null, [0, 1_000])];
    for (const { parent, start, length } of made) {
      const above = spans[parent % spans.length];
      if (above === undefined) continue;
      const siblings = spans.filter(({ parentId }) => parentId === above.id);
      const from = Math.max(above.startedAt, ...siblings.map(({ endedAt }) => endedAt));
      const startedAt = sequential ? Math.min(above.endedAt, from + Math.abs(start % 50)) : T0 + start;
      const endedAt = sequential ? Math.min(above.endedAt, startedAt + length) : startedAt + length;
      const id = `s${spans.length}`;
      spans.push({ ...span(id, above.id, [0, 0]), startedAt, endedAt });
    }
    return spans;
  });
}

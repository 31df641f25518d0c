/** Shapes log lines and spans into rows that can be filtered and paged. */
import { LOG_LEVELS } from '../src/domain/journal.ts';
import { type Projection, upsert } from './projection.ts';

export const logLines: Projection = {
  name: 'log_lines',
  version: 1,
  tables: ['log_lines'],
  types: ['LogLineWritten'],
  apply: (event, { position }) => {
    if (event.type !== 'LogLineWritten') return [];
    const { executionId, attempt, ordinal, level, message, fields, clock, spanId, traceId } = event.data;
    return [
      upsert('log_lines', {
        execution_id: executionId,
        attempt,
        ordinal,
        level,
        severity: LOG_LEVELS.indexOf(level),
        message,
        fields: fields === null ? null : JSON.stringify(fields),
        clock,
        span_id: spanId,
        trace_id: traceId,
        position,
      }),
    ];
  },
};

export const spans: Projection = {
  name: 'spans',
  version: 1,
  tables: ['spans'],
  types: ['SpanRecorded'],
  apply: (event, { position }) => {
    if (event.type !== 'SpanRecorded') return [];
    const { executionId, attempt, ordinal, traceId, spanId, parentSpanId, name, kind, startedAt, endedAt, ok } =
      event.data;
    return [
      upsert('spans', {
        execution_id: executionId,
        attempt,
        ordinal,
        trace_id: traceId,
        span_id: spanId,
        parent_span_id: parentSpanId,
        name,
        kind,
        started_at: startedAt,
        ended_at: endedAt,
        ok: ok ? 1 : 0,
        attributes: JSON.stringify(event.data.attributes),
        position,
      }),
    ];
  },
};

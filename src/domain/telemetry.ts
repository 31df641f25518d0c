/** Facts that tell about an execution without being needed to replay it: each log line and each span is its own event. */
import type { Fact, Json, JsonObject } from './event.ts';
import type { LogLevel } from './journal.ts';

interface Told {
  readonly executionId: string;
  readonly attempt: number;
  /** Place among the telemetry of the attempt chain, from 0; a resumed attempt does not store again what is stored. */
  readonly ordinal: number;
}

export type TelemetryEvent =
  | Fact<'TelemetryAttemptMarked', { readonly executionId: string; readonly attempt: number }>
  | Fact<
      'LogLineWritten',
      Told & {
        readonly level: LogLevel;
        readonly message: string;
        readonly fields: JsonObject | null;
        /** Logical clock, milliseconds since the epoch. */
        readonly clock: number;
        readonly spanId: string;
        readonly traceId: string;
      }
    >
  | Fact<
      'SpanRecorded',
      Told & {
        readonly traceId: string;
        readonly spanId: string;
        readonly parentSpanId: string | null;
        readonly name: string;
        readonly kind: string;
        readonly startedAt: number;
        readonly endedAt: number;
        readonly ok: boolean;
        readonly attributes: JsonObject;
      }
    >
  | Fact<
      'ProgressReported',
      Told & {
        readonly progress: number;
        readonly step: string | null;
        readonly message: string | null;
        readonly data: Json;
        readonly clock: number;
      }
    >;

export const TELEMETRY_EVENT_TYPES = [
  'TelemetryAttemptMarked',
  'LogLineWritten',
  'SpanRecorded',
  'ProgressReported',
] as const satisfies readonly TelemetryEvent['type'][];

/** Begins the telemetry of an attempt that is not the first: from then on an earlier one that is alive somewhere is refused there. */
import { type Deps, envelopes } from '../../commands/handle.ts';
import { workerPrincipal } from '../domain/access.ts';
import { isRatchetError } from '../domain/errors.ts';
import { streamName } from '../domain/event.ts';
import type { AttemptStart } from '../domain/execution.ts';
import { decode } from '../domain/history.ts';
import type { TelemetryEvent } from '../domain/telemetry.ts';
import type { RecordedAttempt } from './recording.ts';
import { fenced } from './stream-writer.ts';

export interface MarkedAttempt {
  readonly executionId: string;
  readonly start: AttemptStart;
  /** Attempts whose records the attempt goes on with, itself among them. */
  readonly chain: ReadonlySet<number>;
}

/**
 * Puts a marker at the end of the telemetry of an execution, so that what is stored can be counted.
 * Fails with `version_conflict` where a later attempt has begun there, or with an error of the store.
 */
export async function markTelemetry(
  deps: Deps,
  { executionId, start, chain }: MarkedAttempt,
): Promise<RecordedAttempt['telemetry']> {
  const stream = streamName('telemetry', executionId);
  const marker: TelemetryEvent = { type: 'TelemetryAttemptMarked', data: { executionId, attempt: start.attempt } };
  const meta = {
    principal: workerPrincipal(start.worker),
    commandId: `mark:${executionId}:${start.attempt}`,
    correlationId: executionId,
    causationId: executionId,
    traceparent: null,
    now: deps.runtime.now(),
  };
  for (;;) {
    const events = await deps.store.readStream(stream);
    const told = events.map((event) => decode<TelemetryEvent>(event));
    if (told.some(({ data }) => data.attempt > start.attempt)) throw fenced(stream);
    try {
      const expected = events.at(-1)?.version ?? 'no-stream';
      const { version } = await deps.store.append(stream, expected, envelopes(deps.runtime, [marker], meta));
      const stored = told.filter((event) => event.type !== 'TelemetryAttemptMarked' && chain.has(event.data.attempt));
      return { version, stored: stored.length };
    } catch (error) {
      if (!isRatchetError(error, 'version_conflict')) throw error;
    }
  }
}

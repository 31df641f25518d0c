/** What must hold of logs and spans: each told once in a chain of attempts, and nothing of an attempt behind its successor. */
import { telemetryChain } from '../../../src/domain/execution.ts';
import { decode } from '../../../src/domain/history.ts';
import type { TelemetryEvent } from '../../../src/domain/telemetry.ts';
import { type Known, type RecordedExecution, streamsOf, type Violation } from './known.ts';

export function telemetryViolations({ events }: Known, executions: readonly RecordedExecution[]): readonly Violation[] {
  const streams = streamsOf(events, 'telemetry');
  return executions.flatMap(({ id, state }) => {
    const facts = (streams.get(id) ?? []).map((event) => decode<TelemetryEvent>(event));
    return state === null ? [] : [...fenceViolations(id, facts), ...ordinalViolations(id, facts, state)];
  });
}

function fenceViolations(id: string, facts: readonly TelemetryEvent[]): readonly Violation[] {
  const found: Violation[] = [];
  let current = 1;
  for (const { type, data } of facts) {
    if (data.attempt < current)
      found.push({
        rule: 'telemetry fencing',
        text: `${id}: ${type} of attempt ${data.attempt} behind the mark of ${current}`,
      });
    if (type === 'TelemetryAttemptMarked') current = Math.max(current, data.attempt);
  }
  return found;
}

/** Records of a chain are numbered from 0 as they were told: a gap is a lost one. */
function ordinalViolations(
  id: string,
  facts: readonly TelemetryEvent[],
  state: NonNullable<RecordedExecution['state']>,
): readonly Violation[] {
  const chains = new Map<number, number[]>();
  for (const { type, data } of facts) {
    if (type === 'TelemetryAttemptMarked') continue;
    const root = Math.min(...telemetryChain(state, data.attempt));
    chains.set(root, [...(chains.get(root) ?? []), data.ordinal]);
  }
  return [...chains].flatMap(([root, ordinals]): readonly Violation[] =>
    ordinals.every((ordinal, index) => ordinal === index)
      ? []
      : [{ rule: 'telemetry ordinals', text: `${id}: the chain of attempt ${root} has ${ordinals.join(' ')}` }],
  );
}

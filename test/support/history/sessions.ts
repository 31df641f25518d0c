/** What must hold of worker sessions: each ends once, and what it ran is taken over only after that. */
import type { StoredEvent } from '../../../src/domain/event.ts';
import { decode } from '../../../src/domain/history.ts';
import type { WorkerEvent } from '../../../src/domain/worker.ts';
import { type Known, only, type RecordedExecution, streamsOf, type Violation } from './known.ts';

export function sessionViolations({ events }: Known, executions: readonly RecordedExecution[]): readonly Violation[] {
  const sessions = streamsOf(events, 'worker');
  const endOf = (worker: string) => sessions.get(worker)?.find(({ type }) => type === 'WorkerSessionEnded');
  return [
    ...[...sessions].flatMap(([id, stored]) => lifeViolations(id, stored)),
    ...executions.flatMap((execution) => takeOverViolations(execution, sessions, endOf)),
  ];
}

function lifeViolations(id: string, stored: readonly StoredEvent[]): readonly Violation[] {
  const facts = stored.map((event) => decode<WorkerEvent>(event));
  const started = facts.filter(({ type }) => type === 'WorkerSessionStarted').length;
  const ended = facts.findIndex(({ type }) => type === 'WorkerSessionEnded');
  const found: Violation[] = [];
  if (facts[0]?.type !== 'WorkerSessionStarted' || started !== 1)
    found.push({
      rule: 'sessions start once',
      text: `${id} begins with ${facts[0]?.type} and starts ${started} times`,
    });
  if (ended >= 0 && ended < facts.length - 1)
    found.push({ rule: 'sessions end once', text: `${id} has ${facts[ended + 1]?.type} after its end` });
  return found;
}

/** An attempt that had not stopped by itself goes over to another session only when its own has ended. */
function takeOverViolations(
  { id, facts }: RecordedExecution,
  sessions: ReadonlyMap<string, readonly StoredEvent[]>,
  endOf: (worker: string) => StoredEvent | undefined,
): readonly Violation[] {
  const starts = only(facts, 'ExecutionStarted');
  return starts.flatMap(({ stored, fact }, index): readonly Violation[] => {
    const { attempt, worker } = fact.data;
    const begun = sessions.get(worker)?.[0];
    if (begun === undefined || begun.position > stored.position)
      return [{ rule: 'unknown sessions', text: `${id}: attempt ${attempt} runs in ${worker}, which had not started` }];
    const before = starts[index - 1];
    if (before === undefined || before.fact.data.worker === worker || hasStopped(facts, before.stored, stored))
      return [];
    const ended = endOf(before.fact.data.worker);
    if (ended !== undefined && ended.position < stored.position) return [];
    const text = `${id}: attempt ${attempt} was taken from ${before.fact.data.worker} by ${worker} before that session had ended`;
    return [{ rule: 'take-over', text }];
  });
}

function hasStopped(facts: RecordedExecution['facts'], from: StoredEvent, to: StoredEvent): boolean {
  return facts.some(
    ({ stored, fact }) =>
      stored.version > from.version &&
      stored.version < to.version &&
      (fact.type === 'ExecutionWaiting' || fact.type === 'AttemptFailed'),
  );
}

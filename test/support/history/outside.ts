/** What the world outside may have seen: each call only as often as the protocol allows, and never after its outcome was stored. */
import { journalOf, type StepEnd } from '../../../src/domain/execution.ts';
import { urlOf } from './journals.ts';
import {
  type Arrival,
  isTerminal,
  only,
  type RecordedExecution,
  recordedAt,
  type Step,
  type Violation,
} from './known.ts';

const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Arrivals carry their execution; each step is one address, so that what arrived can be laid beside what was stored. */
export function outsideViolations(
  executions: readonly RecordedExecution[],
  arrivals: readonly Arrival[],
): readonly Violation[] {
  const byExecution = new Map<string, Arrival[]>();
  for (const arrival of arrivals) {
    const known = byExecution.get(arrival.executionId);
    if (known === undefined) byExecution.set(arrival.executionId, [arrival]);
    else known.push(arrival);
  }
  const found = executions.flatMap((execution) => {
    const mine = byExecution.get(execution.id) ?? [];
    byExecution.delete(execution.id);
    return ofExecution(execution, mine);
  });
  const strangers = [...byExecution.keys()].map(
    (id): Violation => ({ rule: 'unknown calls', text: `requests arrived for ${id}, which is not in the log` }),
  );
  return [...found, ...strangers, ...keyViolations(arrivals)];
}

function ofExecution(execution: RecordedExecution, arrivals: readonly Arrival[]): readonly Violation[] {
  const byUrl = Map.groupBy(arrivals, ({ url }) => url);
  return [
    ...lateViolations(execution, arrivals),
    ...[...byUrl].flatMap(([url, calls]) => [
      ...repeatViolations(execution, url, calls),
      ...unannouncedViolations(execution, url, calls),
    ]),
    ...inventedViolations(execution, byUrl),
  ];
}

/** Nothing arrives after the end, and no call whose outcome the attempt that runs holds already. */
function lateViolations({ id, facts, state }: RecordedExecution, arrivals: readonly Arrival[]): readonly Violation[] {
  const end = facts.find(({ fact }) => isTerminal(fact));
  const starts = only(facts, 'ExecutionStarted');
  const outcomes = only(facts, 'StepCompleted');
  return arrivals.flatMap((arrival): readonly Violation[] => {
    const { at, url, method } = arrival;
    if (end !== undefined && at > recordedAt(end.stored))
      return [
        { rule: 'calls after the end', text: `${id}: ${method} ${url} ${at - recordedAt(end.stored)} ms after it` },
      ];
    const latest = starts.findLast(({ stored }) => recordedAt(stored) <= at);
    if (latest === undefined || state === null)
      return [{ rule: 'calls before the start', text: `${id}: ${method} ${url}` }];
    const journal = new Set(journalOf(state, latest.fact.data.attempt).map(keyOf));
    const stored = outcomes.find(({ fact: { data } }) => urlOf(data) === url && journal.has(keyOf(data)));
    if (stored === undefined || recordedAt(stored.stored) >= at) return [];
    const late = at - recordedAt(stored.stored);
    const text = `${id}: ${method} ${url} arrived ${late} ms after its outcome (v${stored.stored.version}), in attempt ${latest.fact.data.attempt}`;
    return [{ rule: 'calls after their outcome', text }];
  });
}

function keyOf({ attempt, path }: StepEnd): string {
  return `${attempt} ${path}`;
}

/** Each attempt that does not know the outcome may send it once; where the task asks for `fail`, only the one that began it. */
function repeatViolations(
  { id, facts, state }: RecordedExecution,
  url: string,
  calls: readonly Arrival[],
): readonly Violation[] {
  if (state === null) return [];
  const begun = only(facts, 'StepStarted').filter(({ fact }) => urlOf(fact.data) === url);
  const outcomes = only(facts, 'StepCompleted').filter(({ fact }) => urlOf(fact.data) === url);
  const isIdempotent = calls.every(({ method }) => IDEMPOTENT.has(method));
  const sentOnce = !isIdempotent && state.request.options.unknownSteps === 'fail';
  const allowed = sentOnce
    ? begun.length
    : only(facts, 'ExecutionStarted').filter((start) => !isKnownAt(start, outcomes, state)).length;
  if (calls.length <= allowed) return [];
  return [
    { rule: 'repeated calls', text: `${id}: ${url} was called ${calls.length} times where ${allowed} are allowed` },
  ];
}

type Started = ReturnType<typeof only<'ExecutionStarted'>>[number];
type Completed = ReturnType<typeof only<'StepCompleted'>>[number];

function isKnownAt(
  start: Started,
  outcomes: readonly Completed[],
  state: NonNullable<RecordedExecution['state']>,
): boolean {
  const journal = new Set(journalOf(state, start.fact.data.attempt).map(keyOf));
  return outcomes.some(({ stored, fact }) => stored.version < start.stored.version && journal.has(keyOf(fact.data)));
}

/** What may not be sent twice leaves only after its beginning is stored. */
function unannouncedViolations(
  { id, facts }: RecordedExecution,
  url: string,
  calls: readonly Arrival[],
): readonly Violation[] {
  const [first] = calls;
  if (first === undefined || IDEMPOTENT.has(first.method)) return [];
  const begun = only(facts, 'StepStarted').find(({ fact }) => urlOf(fact.data) === url);
  if (begun !== undefined && recordedAt(begun.stored) <= first.at) return [];
  return [{ rule: 'unannounced calls', text: `${id}: ${first.method} ${url} left before its beginning was stored` }];
}

/** An answer that was recorded has been given: its request arrived before. */
function inventedViolations(
  { id, facts }: RecordedExecution,
  byUrl: ReadonlyMap<string, readonly Arrival[]>,
): readonly Violation[] {
  return only(facts, 'StepCompleted').flatMap((step): readonly Violation[] => {
    const url = urlOf(step.fact.data);
    if (url === null || !step.fact.data.outcome.ok || hasArrived(step, byUrl.get(url) ?? [])) return [];
    return [
      {
        rule: 'invented outcomes',
        text: `${id}: step ${step.fact.data.path} has an answer of ${url}, which nobody asked`,
      },
    ];
  });
}

function hasArrived({ stored }: Step<unknown>, calls: readonly Arrival[]): boolean {
  return calls.some(({ at }) => at <= recordedAt(stored));
}

/** What may not be sent twice carries a key: the same whenever the same call is sent, and never that of another call. */
function keyViolations(arrivals: readonly Arrival[]): readonly Violation[] {
  const keys = new Map<string, string>();
  const urls = new Map<string, string>();
  return arrivals.flatMap(({ method, url, idempotencyKey: key }): readonly Violation[] => {
    if (IDEMPOTENT.has(method)) return [];
    const first = key === null ? undefined : (keys.get(url) ?? key);
    const owner = key === null ? undefined : (urls.get(key) ?? url);
    if (key !== null) keys.set(url, first ?? key);
    if (key !== null) urls.set(key, owner ?? url);
    if (key !== null && first === key && owner === url) return [];
    return [
      {
        rule: 'idempotency keys',
        text: `${method} ${url} came with ${key}, before with ${first}; the key is that of ${owner}`,
      },
    ];
  });
}

/** All that is known about a run from three sides: the stored log, what clients were told, and what arrived outside. */
import { categoryOf, idOf, type Json, type StoredEvent } from '../../../src/domain/event.ts';
import {
  type ExecutionEvent,
  type ExistingExecution,
  execution,
  TERMINAL_EVENT_TYPES,
} from '../../../src/domain/execution.ts';
import { decode } from '../../../src/domain/history.ts';

/** What one client was told about the request that it made under one key. */
export interface Told {
  readonly key: string;
  readonly executionId: string;
  /** As the answer said. */
  readonly status: string;
  /** The output that the answer held; absent where it held none. */
  readonly output?: Json;
}

/** A request as the server outside received it. */
export interface Arrival {
  /** Milliseconds since the epoch, by the clock of the same machine. */
  readonly at: number;
  readonly method: string;
  readonly url: string;
  readonly idempotencyKey: string | null;
  /** The execution that made it, as its address tells. */
  readonly executionId: string;
}

export interface Known {
  /** The whole log, as the store returned it. */
  readonly events: readonly StoredEvent[];
  readonly told: readonly Told[];
  /** In the order in which they were received. */
  readonly arrivals: readonly Arrival[];
}

/** One thing that must not have happened. */
export interface Violation {
  readonly rule: string;
  readonly text: string;
}

/** A stored fact of an execution. */
export interface Step<Event = ExecutionEvent> {
  readonly stored: StoredEvent;
  readonly fact: Event;
}

export interface RecordedExecution {
  readonly id: string;
  readonly facts: readonly Step[];
  /** Null where its stream does not begin with a request. */
  readonly state: ExistingExecution | null;
}

/** @returns the events of one category, by the id of their stream, in stored order. */
export function streamsOf(
  events: readonly StoredEvent[],
  category: string,
): ReadonlyMap<string, readonly StoredEvent[]> {
  const streams = new Map<string, StoredEvent[]>();
  for (const event of events) {
    if (categoryOf(event.stream) !== category) continue;
    const id = idOf(event.stream);
    const known = streams.get(id);
    if (known === undefined) streams.set(id, [event]);
    else known.push(event);
  }
  return streams;
}

/** @returns every execution of the log. */
export function executionsOf(events: readonly StoredEvent[]): readonly RecordedExecution[] {
  return [...streamsOf(events, 'execution')].map(([id, stored]) => {
    const facts = stored.map((event) => ({ stored: event, fact: decode<ExecutionEvent>(event) }));
    const state = facts.reduce((before, { fact }) => execution.evolve(before, fact), execution.initial);
    return { id, facts, state: state.status === 'none' ? null : state };
  });
}

const TERMINAL: ReadonlySet<string> = new Set(TERMINAL_EVENT_TYPES);

export function isTerminal({ type }: { readonly type: string }): boolean {
  return TERMINAL.has(type);
}

/** @returns the facts of one type. */
export function only<Type extends ExecutionEvent['type']>(
  facts: readonly Step[],
  type: Type,
): readonly Step<Extract<ExecutionEvent, { type: Type }>>[] {
  return facts.flatMap(({ stored, fact }) =>
    fact.type === type ? [{ stored, fact: fact as Extract<ExecutionEvent, { type: Type }> }] : [],
  );
}

export function recordedAt({ recordedAt: text }: StoredEvent): number {
  return Date.parse(text);
}

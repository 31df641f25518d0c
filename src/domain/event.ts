/** The envelope every stored fact travels in, so that stores, projections and interfaces agree on one shape. */

/** Any value that JSON can carry. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export type JsonObject = { readonly [key: string]: Json };

/** @returns whether a JSON value is an object: neither null nor a list. */
export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** @returns the value where it is an object, else an empty one. */
export function objectOf(value: Json | undefined): JsonObject {
  return isObject(value) ? value : {};
}

/**
 * Place of an event in the order of all events. Opaque; two positions of one store compare as strings (`<`, `>`).
 * It is never a number, because some stores exceed 2^53.
 */
export type Position = string;

/** The position before the first event. */
export const START: Position = '';

/** Who caused an event and what it belongs to. */
export interface EventMetadata {
  /** When it happened, ISO 8601 with milliseconds, by the clock of the process that decided it. */
  readonly occurredAt: string;
  /** Who asked, such as `local:admin`, `key:ci` or `worker:<session>`. */
  readonly principal: string;
  readonly commandId: string;
  /** Id of the root request that this event belongs to. */
  readonly correlationId: string;
  /** Id of the event or command that immediately caused this one. */
  readonly causationId: string | null;
  /** W3C trace context of the cause. */
  readonly traceparent: string | null;
}

/** An event that is about to be stored. */
export interface NewEvent extends EventMetadata {
  /** UUIDv8 of (commandId, index): the same command stores nothing twice. */
  readonly eventId: string;
  /** Past tense, stable, such as `ExecutionStarted`. */
  readonly type: string;
  readonly schemaVersion: number;
  /** JSON text. Stored and returned exactly as given, never parsed or re-serialised by a store. */
  readonly payload: string;
  /**
   * When another store accepted it, for an event that is moved from there. Left out for a new one: then the store's clock
   * tells it.
   */
  readonly recordedAt?: string;
}

/** An event as a store returns it. */
export interface StoredEvent extends NewEvent {
  readonly stream: string;
  /** Place in its stream; the first event of a stream has version 0. */
  readonly version: number;
  readonly position: Position;
  /** When the store accepted it, ISO 8601 with milliseconds. */
  readonly recordedAt: string;
}

/** One fact: its type names it, its data tells it. */
export interface Fact<Type extends string = string, Data = unknown> {
  readonly type: Type;
  readonly data: Data;
}

/** Stream categories. A stream is named `category-id`; only the first dash separates. */
export type Category =
  | 'task'
  | 'execution'
  | 'telemetry'
  | 'worker'
  | 'blob'
  | 'batch'
  | 'bulk'
  | 'schedule'
  | 'access'
  | 'session'
  | 'replay'
  | 'delivery'
  | 'results';

/** @returns the name of the stream that holds the events of `id`. */
export function streamName(category: Category, id: string): string {
  return `${category}-${id}`;
}

/** @returns the part of a stream's name before the first dash. */
export function categoryOf(stream: string): string {
  const dash = stream.indexOf('-');
  return dash < 0 ? stream : stream.slice(0, dash);
}

/** @returns the part of a stream's name after the first dash. */
export function idOf(stream: string): string {
  return stream.slice(stream.indexOf('-') + 1);
}

/** A pure aggregate: a first state, and how each fact changes it. Decisions stand in `commands/`. */
export interface Evolution<State, Event extends Fact> {
  readonly initial: State;
  readonly evolve: (state: State, event: Event) => State;
}

/** Carries out a command: authorise, load, fold, decide, append at the version that was read; again on a conflict. */
import { authorize } from '../src/domain/access.ts';
import { isRatchetError, RatchetError } from '../src/domain/errors.ts';
import type { Evolution, Fact, NewEvent, Position, StoredEvent } from '../src/domain/event.ts';
import { START } from '../src/domain/event.ts';
import { encode, fold, type KnownEvent, schemaVersionOf } from '../src/domain/history.ts';
import { isoTime } from '../src/domain/time.ts';
import type { EventStore, Expected } from '../src/ports/event-store.ts';
import type { Runtime } from '../src/ports/runtime.ts';
import type { Command, CommandMeta } from './command.ts';

export interface Handled<State> {
  /** State after the command. */
  readonly state: State;
  /** Position of the last event of the stream that the answer rests on; queries can wait for it. */
  readonly position: Position;
  readonly version: number;
  /** False when the command had already been carried out, or changed nothing. */
  readonly changed: boolean;
}

export interface Deps {
  readonly store: EventStore;
  readonly runtime: Runtime;
}

/** A conflict means somebody else changed the stream in between; more than this many in a row is told to the caller. */
const MAX_TRIES = 8;

/**
 * Carries out `command`; one that was carried out before is answered as it is now. Fails as its decision does, or with
 * `permission_denied`, `version_conflict`, `idempotency_mismatch` for another request under the same id, or an error of the store.
 */
export async function handle<Input, State, Event extends Fact & KnownEvent>(
  deps: Deps,
  command: Command<Input, State, Event>,
  input: Input,
  meta: CommandMeta,
): Promise<Handled<State>> {
  authorize(meta.principal, command.permission, command.name);
  const stream = command.stream(input);
  for (let tries = 1; ; tries += 1) {
    const history = await deps.store.readStream(stream);
    const before = fold(command.evolution, history);
    if (history.some((event) => isRepeated(event, meta.commandId))) return answer(before, history, false);
    const facts = command.decide(before, input, meta);
    if (facts.length === 0) return answer(before, history, false);
    try {
      const appended = await deps.store.append(stream, expectedAfter(history), envelopes(deps.runtime, facts, meta));
      await checkOwn(deps, stream, appended.version, meta.commandId);
      return { ...appended, state: facts.reduce(command.evolution.evolve, before), changed: true };
    } catch (error) {
      if (!isRatchetError(error, 'version_conflict') || tries >= MAX_TRIES) throw error;
    }
  }
}

/**
 * Carries out a command on a stream that is believed to be new, without reading it first.
 * @returns null when the stream exists: the caller then asks {@link handle}, which knows repeated commands.
 */
export async function handleNew<Input, State, Event extends Fact & KnownEvent>(
  deps: Deps,
  command: Command<Input, State, Event>,
  input: Input,
  meta: CommandMeta,
): Promise<Handled<State> | null> {
  authorize(meta.principal, command.permission, command.name);
  const facts = command.decide(command.evolution.initial, input, meta);
  try {
    const appended = await deps.store.append(command.stream(input), 'no-stream', envelopes(deps.runtime, facts, meta));
    return { ...appended, state: facts.reduce(command.evolution.evolve, command.evolution.initial), changed: true };
  } catch (error) {
    if (isRatchetError(error, 'version_conflict')) return null;
    throw error;
  }
}

/**
 * @returns what this very command has left when it was carried out before, without what came after; null when it has stored nothing.
 * Fails with `idempotency_mismatch` where another request was carried out under its id.
 */
export async function handledBefore<State, Event extends Fact & KnownEvent>(
  { store }: Pick<Deps, 'store'>,
  evolution: Evolution<State, Event>,
  stream: string,
  { commandId }: Pick<CommandMeta, 'commandId'>,
): Promise<Handled<State> | null> {
  const history = await store.readStream(stream);
  const last = history.findLastIndex((event) => isRepeated(event, commandId));
  if (last === -1) return null;
  const known = history.slice(0, last + 1);
  return answer(fold(evolution, known), known, false);
}

const KEYED = /^([0-9a-f-]{36})\.([0-9a-f]{16})$/;

/** @returns the id of a command that a client can repeat: what its key stands for, and what was asked under it. */
export function keyedCommandId(id: string, requestHash: string): string {
  return `${id}.${requestHash.slice(0, 16)}`;
}

/** The id without what was asked; null hash where a command can not be repeated with another request. */
function partsOf(commandId: string): { readonly id: string; readonly hash: string | null } {
  const [, id, hash] = KEYED.exec(commandId) ?? [];
  return id === undefined || hash === undefined ? { id: commandId, hash: null } : { id, hash };
}

/** @returns whether the command stored this event. Fails with `idempotency_mismatch` when another request did under its id. */
function isRepeated(stored: StoredEvent, commandId: string): boolean {
  if (stored.commandId === commandId) return true;
  const known = partsOf(stored.commandId);
  const asked = partsOf(commandId);
  if (known.id !== asked.id) return false;
  if (known.hash === null || asked.hash === null) return true;
  throw new RatchetError('idempotency_mismatch', 'this idempotency key was used for a different request');
}

/** Two requests under one key at the same moment have the same event ids: the store then answers the later with the earlier. */
async function checkOwn(deps: Deps, stream: string, version: number, commandId: string): Promise<void> {
  if (partsOf(commandId).hash === null) return;
  const events = await deps.store.readStream(stream, { from: version, limit: 1 });
  for (const event of events) isRepeated(event, commandId);
}

function answer<State>(state: State, history: readonly StoredEvent[], changed: boolean): Handled<State> {
  const last = history.at(-1);
  return { state, changed, position: last?.position ?? START, version: last?.version ?? -1 };
}

function expectedAfter(history: readonly StoredEvent[]): Expected {
  return history.at(-1)?.version ?? 'no-stream';
}

/** Puts facts into envelopes; ids follow from the command id, so that a repeated append stores nothing twice. */
export function envelopes(
  runtime: Runtime,
  facts: readonly Fact[],
  meta: CommandMeta,
  firstIndex = 0,
): readonly NewEvent[] {
  const occurredAt = isoTime(meta.now);
  return facts.map((fact, index) => ({
    eventId: eventIdOf(runtime, meta.commandId, firstIndex + index),
    type: fact.type,
    schemaVersion: schemaVersionOf(fact.type),
    occurredAt,
    principal: meta.principal.id,
    commandId: meta.commandId,
    correlationId: meta.correlationId,
    causationId: meta.causationId,
    traceparent: meta.traceparent,
    payload: encode(fact),
  }));
}

const TIME_ORDERED = /([0-9a-f]{8}-[0-9a-f]{4})-7[0-9a-f]{3}-/;

/**
 * A UUIDv8 that is a function of (commandId, index), whatever was asked: two requests can not both be stored under one key.
 * Where the command id holds a UUIDv7, its time leads the event id too:
 * a log inserts ids that grow several times faster than random ones.
 */
export function eventIdOf(runtime: Runtime, commandId: string, index: number): string {
  const id = runtime.uuidOf(`${partsOf(commandId).id}:${index}`);
  const [, time] = TIME_ORDERED.exec(commandId) ?? [];
  return time === undefined ? id : `${time}${id.slice(time.length)}`;
}

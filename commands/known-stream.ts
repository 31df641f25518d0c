/** Streams that are decided on again and again: read once, then only what was stored since, and appended to at the version that is known. */
import { isRatchetError } from '../src/domain/errors.ts';
import type { Evolution, Fact } from '../src/domain/event.ts';
import { decode, type KnownEvent } from '../src/domain/history.ts';
import type { Command, CommandMeta } from './command.ts';
import { type Deps, envelopes } from './handle.ts';

/** A stream as far as it was read. */
export interface Known<State> {
  readonly state: State;
  /** Of its last event; -1 before the first. */
  readonly version: number;
}

/** @returns the stream with what was stored since. Fails with an error of the store. */
export async function readOn<State, Event extends KnownEvent>(
  { store }: Pick<Deps, 'store'>,
  { evolve }: Evolution<State, Event>,
  stream: string,
  { state, version }: Known<State>,
): Promise<Known<State>> {
  const news = await store.readStream(stream, { from: version + 1 });
  const after = news.reduce((before, stored) => evolve(before, decode<Event>(stored)), state);
  return { state: after, version: news.at(-1)?.version ?? version };
}

/**
 * Decides at exactly the version that is known, for a part of the service itself.
 * @returns the stream after that, null when there is nothing to store, and `conflict` when others have stored something
 * meanwhile. Fails as the decision does, or with another error of the store.
 */
export async function decideOn<Input, State, Event extends Fact & KnownEvent>(
  { store, runtime }: Deps,
  command: Command<Input, State, Event>,
  known: Known<State>,
  input: Input,
  meta: CommandMeta,
): Promise<{ readonly known: Known<State>; readonly facts: readonly Event[] } | 'conflict' | null> {
  const facts = command.decide(known.state, input, meta);
  if (facts.length === 0) return null;
  try {
    const { version } = await store.append(command.stream(input), known.version, envelopes(runtime, facts, meta));
    return { known: { state: facts.reduce(command.evolution.evolve, known.state), version }, facts };
  } catch (error) {
    if (isRatchetError(error, 'version_conflict')) return 'conflict';
    throw error;
  }
}

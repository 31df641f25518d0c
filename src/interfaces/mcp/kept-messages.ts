/** What a session has told its client, kept so that a client whose connection was cut gets what it missed. */
import { type EventStore, isJSONRPCResponse, type JSONRPCMessage } from '@modelcontextprotocol/server';
import { z } from 'zod';
import type { Principal } from '../../domain/access.ts';
import type { McpSessionLog } from '../../ports/mcp-session-log.ts';

/** Where messages go that answer no request; the SDK's own name for it. */
export const STANDALONE = '_GET_stream';
/** A request that takes longer may outlive the connection, the node, or both: from then on its messages are stored. */
const LONG_MS = 1_000;
/** What is kept in memory for one session. */
const MAX_MESSAGES = 1_000;
const MAX_CHARACTERS = 4 * 1024 * 1024;

const messageForm = z.record(z.string(), z.json());

interface Entry {
  readonly sequence: number;
  readonly message: JSONRPCMessage;
  readonly text: string;
}

interface Stream {
  readonly requests: readonly (string | number)[];
  readonly entries: Entry[];
  next: number;
  /** Sequence from which on messages are not yet stored; null while the request may still be a short one. */
  unstored: number | null;
  timer: NodeJS.Timeout | null;
  stored: Promise<void>;
}

export interface KeptFor {
  readonly log: McpSessionLog;
  readonly sessionId: string;
  readonly principal: Principal;
  readonly onTrouble: (error: unknown) => void;
}

/** Place of a message in what was told: its stream, and its number there. */
export interface Place {
  readonly streamId: string;
  readonly sequence: number;
  /** Of a message that answers no request: who told it, at which position of the log. */
  readonly told: { readonly node: string; readonly position: string } | null;
}

const REQUEST_EVENT = /^([0-9a-f-]{36})_(\d{1,9})$/;
const STANDALONE_EVENT = /^_GET_stream_([\w-]{1,36})_(\w{0,64})_(\d{1,9})$/;

/** @returns null for what is no id of ours. */
export function placeOf(eventId: string): Place | null {
  const [, streamId, sequence] = REQUEST_EVENT.exec(eventId) ?? [];
  if (streamId !== undefined) return { streamId, sequence: Number(sequence), told: null };
  const [, node, position, number] = STANDALONE_EVENT.exec(eventId) ?? [];
  if (node === undefined || position === undefined) return null;
  return { streamId: STANDALONE, sequence: Number(number), told: { node, position } };
}

export class KeptMessages implements EventStore {
  readonly #for: KeptFor;
  /** In the order in which they were begun. */
  readonly #streams = new Map<string, Stream>();
  #messages = 0;
  #characters = 0;
  /** Requests that come with the stream that is begun next. */
  #beginning: readonly (string | number)[] = [];

  constructor(keptFor: KeptFor) {
    this.#for = keptFor;
  }

  /** The next stream that is begun answers these requests. */
  begin(requests: readonly (string | number)[]): void {
    this.#beginning = requests;
  }

  /** @returns whether messages of this stream are here, so that the client can go on listening to it. */
  holds({ streamId, told }: Place): boolean {
    return told === null ? this.#streams.has(streamId) : told.node === this.#for.log.node;
  }

  /** @returns the requests that a stream answers. */
  requestsOf({ streamId }: Place): readonly (string | number)[] {
    return this.#streams.get(streamId)?.requests ?? [];
  }

  async storeEvent(streamId: string, message: JSONRPCMessage): Promise<string> {
    const stream = this.#streamOf(streamId, message);
    const entry = { sequence: stream.next, message, text: JSON.stringify(message) };
    stream.next += 1;
    stream.entries.push(entry);
    this.#messages += 1;
    this.#characters += entry.text.length;
    this.#forget(streamId);
    if (streamId === STANDALONE) {
      return `${STANDALONE}_${this.#for.log.node}_${await this.#for.log.head()}_${entry.sequence}`;
    }
    this.#watch(streamId, stream, isJSONRPCResponse(message));
    // The client that is still there gets its message whether or not it could be stored for later.
    if (stream.unstored !== null) await this.#store(streamId, stream).catch(this.#for.onTrouble);
    return `${streamId}_${entry.sequence}`;
  }

  async getStreamIdForEventId(eventId: string): Promise<string | undefined> {
    return placeOf(eventId)?.streamId;
  }

  async replayEventsAfter(
    lastEventId: string,
    { send }: { send: (eventId: string, message: JSONRPCMessage) => Promise<void> },
  ): Promise<string> {
    const place = placeOf(lastEventId);
    const entries = this.#streams.get(place?.streamId ?? '')?.entries ?? [];
    const after = entries.filter(({ sequence }) => place === null || sequence > place.sequence);
    const prefix = lastEventId.slice(0, lastEventId.lastIndexOf('_'));
    for (const { sequence, message } of after) await send(`${prefix}_${sequence}`, message);
    return place?.streamId ?? STANDALONE;
  }

  /** Ends the waiting; what is stored stays. */
  close(): void {
    for (const { timer } of this.#streams.values()) if (timer !== null) clearTimeout(timer);
  }

  #streamOf(streamId: string, message: JSONRPCMessage): Stream {
    const known = this.#streams.get(streamId);
    if (known !== undefined) return known;
    // The SDK begins the streams of clients that can come back with a message that says nothing.
    const requests = 'jsonrpc' in message ? [] : this.#beginning;
    const fresh: Stream = { requests, entries: [], next: 0, unstored: null, timer: null, stored: Promise.resolve() };
    this.#streams.set(streamId, fresh);
    return fresh;
  }

  #watch(streamId: string, stream: Stream, isEnd: boolean): void {
    if (isEnd && stream.timer !== null) {
      clearTimeout(stream.timer);
      stream.timer = null;
    }
    if (isEnd || stream.unstored !== null || stream.timer !== null) return;
    stream.timer = setTimeout(() => {
      stream.unstored = 0;
      this.#store(streamId, stream).catch(this.#for.onTrouble);
    }, LONG_MS).unref();
  }

  /** Messages of a stream are stored in their order, each once. */
  #store(streamId: string, stream: Stream): Promise<void> {
    const { log, sessionId, principal } = this.#for;
    stream.stored = stream.stored
      .catch(() => undefined)
      .then(async () => {
        const from = stream.unstored ?? 0;
        const fresh = stream.entries.filter(({ sequence }) => sequence >= from);
        const last = fresh.at(-1);
        if (last === undefined) return;
        const facts = fresh.map(({ sequence, text }) => {
          const message = messageForm.parse(JSON.parse(text));
          const data = { streamId, sequence, message, requests: stream.requests, node: log.node };
          return { type: 'MessageKept', data } as const;
        });
        await log.tell(sessionId, facts, principal, streamId);
        stream.unstored = last.sequence + 1;
      });
    return stream.stored;
  }

  /** What was told first is forgotten first; whoever comes back for it is told that it is not there any more. */
  #forget(current: string): void {
    for (const [streamId, stream] of this.#streams) {
      while (stream.entries.length > 0 && (this.#messages > MAX_MESSAGES || this.#characters > MAX_CHARACTERS)) {
        if (streamId === current && stream.entries.length === 1) return;
        const gone = stream.entries.shift();
        this.#messages -= 1;
        this.#characters -= gone?.text.length ?? 0;
      }
      if (stream.entries.length === 0 && streamId !== current) this.#streams.delete(streamId);
      if (this.#messages <= MAX_MESSAGES && this.#characters <= MAX_CHARACTERS) return;
    }
  }
}

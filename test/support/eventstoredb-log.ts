/** The log of the EventStoreDB double: stream semantics as the server has them, without any wire. */

export interface LogPosition {
  readonly commit: bigint;
  readonly prepare: bigint;
}

/** An event as a client proposes it. */
export interface Proposed {
  readonly id: string;
  readonly type: string;
  readonly contentType: string;
  readonly data: Uint8Array;
  readonly metadata: Uint8Array;
}

export interface LogRecord extends Proposed {
  readonly stream: string;
  readonly revision: bigint;
  readonly position: LogPosition;
  /** 100 ns since 1970. */
  readonly created: bigint;
}

export type ExpectedRevision = 'any' | 'no_stream' | 'stream_exists' | bigint;

export type AppendResult =
  | { readonly kind: 'stored'; readonly revision: bigint; readonly position: LogPosition }
  /** Null: the stream has no events. */
  | { readonly kind: 'conflict'; readonly current: bigint | null }
  | { readonly kind: 'too_large' };

/** As the server's default. */
export const MAX_APPEND_BYTES = 1024 * 1024;
const RECORD_OVERHEAD = 137n;
const NOISE_EVERY = 3;

export interface LogOptions {
  /** Whether the server writes of its own and others write too, between the appends; it does by default. */
  readonly noise?: boolean;
}

export class EventStoreDbLog {
  readonly records: LogRecord[] = [];
  readonly #streams = new Map<string, LogRecord[]>();
  readonly #noise: boolean;
  readonly #listeners = new Set<() => void>();
  #end = 0n;
  #appends = 0;
  #created = 0n;

  constructor({ noise = true }: LogOptions = {}) {
    this.#noise = noise;
    if (noise) this.#writeNoise('$users');
  }

  /** Appends all or none, or answers as the first time when the same ids stand where these would. */
  append(stream: string, expected: ExpectedRevision, events: readonly Proposed[]): AppendResult {
    const bytes = events.reduce(
      (sum, { data, metadata, type }) => sum + data.length + metadata.length + 2 * type.length,
      0,
    );
    if (bytes > MAX_APPEND_BYTES) return { kind: 'too_large' };
    const stored = this.#streams.get(stream) ?? [];
    const current = BigInt(stored.length) - 1n;
    const conflict: AppendResult = { kind: 'conflict', current: current < 0n ? null : current };
    if (expected === 'stream_exists' && current < 0n) return conflict;
    if (expected === 'any' || expected === 'stream_exists') {
      const found = events.map(({ id }) => stored.find((record) => record.id === id));
      const last = found.at(-1);
      if (last !== undefined && found.every((record) => record !== undefined)) return answered(last);
      if (found[0] !== undefined) return conflict;
      return this.#write(stream, stored, events);
    }
    const wanted = expected === 'no_stream' ? -1n : expected;
    if (wanted > current) return conflict;
    if (wanted === current) return this.#write(stream, stored, events);
    const again = events.map(({ id }, index) => {
      const record = stored[Number(wanted) + 1 + index];
      return record?.id === id ? record : undefined;
    });
    const last = again.at(-1);
    return last !== undefined && again.every((record) => record !== undefined) ? answered(last) : conflict;
  }

  /** @returns the events of a stream, or undefined where there is none. */
  stream(name: string): readonly LogRecord[] | undefined {
    return this.#streams.get(name);
  }

  /** @returns the index of the first record at a position or after it. */
  indexOf({ commit, prepare }: LogPosition): number {
    let low = 0;
    let high = this.records.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const at = this.records[middle]?.position;
      if (at !== undefined && (at.commit < commit || (at.commit === commit && at.prepare < prepare))) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Calls `listener` after each append until the answer of this is called. */
  onAppended(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Writes what servers and other programs write. */
  writeNoise(): void {
    this.#writeNoise('order');
    this.#tell();
  }

  #write(stream: string, stored: readonly LogRecord[], events: readonly Proposed[]): AppendResult {
    this.#appends += 1;
    const first = stored.length;
    const written = events.map((event, index) => this.#record(stream, BigInt(first + index), event));
    const last = written.at(-1);
    if (this.#noise && this.#appends % NOISE_EVERY === 1) this.#writeNoise(stream);
    this.#tell();
    if (last === undefined) throw new Error('an append without events');
    return answered(last);
  }

  #record(stream: string, revision: bigint, event: Proposed, isTransaction = false): LogRecord {
    const prepare = this.#end;
    this.#end += RECORD_OVERHEAD + BigInt(event.data.length + event.metadata.length);
    // Events of an old explicit transaction are committed by a record of its own, behind them.
    const commit = isTransaction ? this.#end : prepare;
    if (isTransaction) this.#end += RECORD_OVERHEAD;
    const now = BigInt(Date.now()) * 10_000n;
    if (now > this.#created) this.#created = now;
    const record = { ...event, stream, revision, position: { commit, prepare }, created: this.#created };
    this.records.push(record);
    this.#streams.set(stream, this.#streams.get(stream) ?? []);
    this.#streams.get(stream)?.push(record);
    return record;
  }

  #writeNoise(stream: string): void {
    const category = stream.split('-')[0] ?? stream;
    const next = (name: string): bigint => BigInt(this.#streams.get(name)?.length ?? 0);
    const write = (name: string, type: string, text: string, isTransaction = false): void =>
      void this.#record(name, next(name), proposed(type, text), isTransaction);
    write(`$$${stream}`, '$metadata', '{"$acl":{"$r":"$all"}}');
    write(`$ce-${category}`, '$>', `0@${stream}`);
    write('$stats-127.0.0.1:2113', '$statsCollected', '{"proc-cpu":0.5}');
    write('order-1', 'OrderPlaced', '{"total":3}', true);
    // Foreign programs may use the same words and yet mean other things.
    write('task-foreign.1', 'TaskPublished', 'no JSON');
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

function answered({ revision, position }: LogRecord): AppendResult {
  // The server tells the commit position twice, whatever the events' own prepare positions are.
  return { kind: 'stored', revision, position: { commit: position.commit, prepare: position.commit } };
}

let noiseNumber = 0;

function proposed(type: string, text: string): Proposed {
  noiseNumber += 1;
  const id = `00000000-0000-4000-8000-${noiseNumber.toString(16).padStart(12, '0')}`;
  const contentType = type === '$>' ? 'application/octet-stream' : 'application/json';
  return { id, type, contentType, data: Buffer.from(text), metadata: new Uint8Array() };
}

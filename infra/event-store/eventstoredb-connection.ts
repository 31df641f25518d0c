/** Keeps one good connection to EventStoreDB: calls that fail with it are made again on another, as long as it makes sense. */
import { setTimeout as pause } from 'node:timers/promises';
import { RatchetError } from '../../src/domain/errors.ts';
import { SingleConnectionClient } from './eventstoredb-client.ts';
import { eventStoreDbError, isPassing, leaderOf } from './eventstoredb-errors.ts';
import type { Endpoint, EventStoreDbSettings } from './eventstoredb-url.ts';

const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 1_000;

/** A client, and how many calls it has under way. */
interface Leased {
  readonly client: SingleConnectionClient;
  uses: number;
  retired: boolean;
}

/** How long a call is made again; where it ends by itself it fails with `store_unavailable`. */
export interface Patience {
  /** Milliseconds from the first try; for ever where it is Infinity. */
  readonly ms: number;
}

export class EventStoreDbConnection {
  readonly settings: EventStoreDbSettings;
  readonly #closing = new AbortController();
  #current: Leased | null = null;
  #leader: Endpoint | null = null;

  constructor(settings: EventStoreDbSettings) {
    this.settings = settings;
  }

  /** Aborts when the connection closes for good. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** Makes a call, again and again while it fails for reasons that pass. Fails as `eventStoreDbError` tells. */
  async call<Result>(action: (client: SingleConnectionClient) => Promise<Result>, patience: Patience): Promise<Result> {
    const since = performance.now();
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      try {
        return await this.once(action);
      } catch (error) {
        if (this.closing.aborted) throw closed();
        const isOver = performance.now() - since + pauseMs > patience.ms;
        if (isOver || !isPassing(error)) throw eventStoreDbError(error, this.settings);
      }
      await pause(pauseMs, undefined, { signal: this.closing }).catch(() => undefined);
      if (this.closing.aborted) throw closed();
    }
  }

  /** Makes a call once; fails with what the client or the server says. */
  async once<Result>(action: (client: SingleConnectionClient) => Promise<Result>): Promise<Result> {
    if (this.closing.aborted) throw closed();
    this.#current ??= { client: new SingleConnectionClient(this.settings, this.#leader), uses: 0, retired: false };
    const leased = this.#current;
    leased.uses += 1;
    try {
      return await action(leased.client);
    } catch (error) {
      if (isPassing(error)) this.#retire(leased, leaderOf(error));
      throw error;
    } finally {
      leased.uses -= 1;
      this.#release(leased);
    }
  }

  /** Ends all calls and frees everything. */
  async close(): Promise<void> {
    this.#closing.abort();
    const leased = this.#current;
    this.#current = null;
    if (leased === null) return;
    leased.retired = true;
    await leased.client.close();
  }

  /** The next call makes a new connection; calls under way on this one go on. */
  #retire(leased: Leased, leader: Endpoint | null): void {
    leased.retired = true;
    if (this.#current !== leased) return;
    this.#current = null;
    this.#leader = leader;
  }

  #release(leased: Leased): void {
    // An error while a connection closes that nobody uses is nobody's.
    if (leased.retired && leased.uses === 0) leased.client.close().catch(() => undefined);
  }
}

function closed(): RatchetError {
  return new RatchetError('store_unavailable', 'the event store is closed');
}

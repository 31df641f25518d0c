/**
 * Appends to an event log in PostgreSQL: while one transaction is under way the next appends gather, so load makes the
 * groups larger by itself and an idle store never waits.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { RatchetError } from '../../src/domain/errors.ts';
import { isOfStatement, isPassing, storeError } from '../postgres/errors.ts';
import type { Connections } from '../postgres/pool.ts';
import type { AppendRequest, Outcome, Placed } from './append-request.ts';
import { appendCall, outcomesOf } from './postgres-batch.ts';

const GROUP_EVENTS = 500;
const GROUP_CHARACTERS = 4 * 1024 * 1024;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1_000;

export interface WriterOptions {
  /** How long an append waits while other processes append; 10,000 ms by default. */
  readonly lockTimeoutMs?: number | undefined;
  /** Called after each transaction with the number of its last event, once its appends have been answered. */
  readonly onCommit: (at: number) => void;
}

interface Pending {
  readonly request: AppendRequest;
  /** By the clock of `performance`: until then it is tried again when the connection is lost. */
  readonly until: number;
  readonly resolve: (placed: Placed) => void;
  readonly reject: (error: unknown) => void;
}

export class PostgresWriter {
  readonly #connections: Connections;
  readonly #lockTimeoutMs: number;
  readonly #onCommit: (at: number) => void;
  readonly #queue: Pending[] = [];
  #running: Promise<void> | null = null;

  constructor(connections: Connections, { lockTimeoutMs = 10_000, onCommit }: WriterOptions) {
    this.#connections = connections;
    this.#lockTimeoutMs = lockTimeoutMs;
    this.#onCommit = onCommit;
  }

  /** Resolves once the append is durable. A lost connection is made again for as long as a connection may take. */
  append(request: AppendRequest): Promise<Placed> {
    return new Promise((resolve, reject) => {
      const until = performance.now() + this.#connections.connectionTimeoutMs;
      this.#queue.push({ request, until, resolve, reject });
      this.#running ??= this.#run();
    });
  }

  /** Waits until every append has its answer. */
  async close(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    // What the same turn of the caller appends as well belongs into the first group.
    await Promise.resolve();
    while (this.#queue.length > 0) await this.#settle(nextGroup(this.#queue));
    this.#running = null;
  }

  async #settle(group: readonly Pending[]): Promise<void> {
    const outcomes = await this.#outcomes(group);
    let last = 0;
    for (const [index, { resolve, reject }] of group.entries()) {
      const outcome = outcomes[index];
      if (outcome === undefined) reject(new RatchetError('internal', 'an append had no outcome'));
      else if (outcome instanceof RatchetError) reject(outcome);
      else {
        last = Math.max(last, outcome.at);
        resolve(outcome);
      }
    }
    if (last > 0) this.#onCommit(last);
  }

  /** Fails never. */
  async #outcomes(group: readonly Pending[]): Promise<readonly Outcome[]> {
    try {
      return await this.#stored(group);
    } catch (error) {
      if (isOfStatement(error) && group.length > 1) {
        // One that can not be stored, or does not fit, must not take the others with it.
        const alone: Outcome[] = [];
        for (const one of group) alone.push(...(await this.#outcomes([one])));
        return alone;
      }
      const failure = storeError(error, this.#connections.place);
      return group.map(() => failure);
    }
  }

  /**
   * Whether a transaction whose connection was lost has been committed nobody knows; asking again with the same event
   * ids finds out, and stores what was not.
   */
  async #stored(group: readonly Pending[]): Promise<readonly Outcome[]> {
    const requests = group.map(({ request }) => request);
    const call = appendCall(requests, this.#lockTimeoutMs);
    const until = Math.max(...group.map((pending) => pending.until));
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      try {
        const [row] = await this.#connections.query(call);
        return outcomesOf(requests, row);
      } catch (error) {
        if (!isPassing(error) || performance.now() + pauseMs > until) throw error;
      }
      await pause(pauseMs);
    }
  }
}

/**
 * Takes as many appends off the queue as one transaction should hold; at least one, however large. One that repeats
 * an append of the same group waits for the next, which finds its events stored.
 */
function nextGroup(queue: Pending[]): Pending[] {
  const ids = new Set<string>();
  let events = 0;
  let characters = 0;
  let count = 0;
  for (const { request } of queue) {
    events += request.events.length;
    for (const event of request.events) characters += event.payload.length;
    if (count > 0 && (events > GROUP_EVENTS || characters > GROUP_CHARACTERS)) break;
    if (request.events.some(({ eventId }) => ids.has(eventId))) break;
    for (const { eventId } of request.events) ids.add(eventId);
    count += 1;
  }
  return queue.splice(0, count);
}

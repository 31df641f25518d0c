/**
 * Tells readers of an event log in PostgreSQL that there is news: by NOTIFY where a connection can listen, and by
 * looking now and then, because a notification is a hint that may be lost.
 */
import type { Client } from 'pg';
import type { Connections } from '../postgres/pool.ts';

const CHANNEL = 'ratchet_events';
/** One notification for all commits of so long. */
const NOTIFY_EVERY_MS = 10;
/** Soon after news there may be more; after long silence rarely. */
const FIRST_LOOK_MS = 50;
const RAREST_LOOK_MS = 2_000;
const FIRST_RECONNECT_MS = 100;
const LONGEST_RECONNECT_MS = 5_000;
/**
 * In a transaction of its own, because it would slow down one that appends; and that need not reach the disk, because
 * what was notified is stored already.
 */
const NOTIFY = `SELECT set_config('synchronous_commit', 'off', true), pg_notify('${CHANNEL}', $1)`;

export class PostgresNews {
  readonly #connections: Connections;
  readonly #look: () => void;
  /** Number of the last event that was seen here. */
  #seen = 0;
  #isClosed = false;
  #lookTimer: NodeJS.Timeout | null = null;
  #lookMs = FIRST_LOOK_MS;
  #committed = 0;
  #notifyTimer: NodeJS.Timeout | null = null;
  #notifiedAt = Number.NEGATIVE_INFINITY;
  #listener: Client | null = null;
  #connecting: Promise<void> = Promise.resolve();
  #reconnectTimer: NodeJS.Timeout | null = null;
  #reconnectMs = FIRST_RECONNECT_MS;

  /** @param look called when there may be something new */
  constructor(connections: Connections, look: () => void) {
    this.#connections = connections;
    this.#look = look;
  }

  /** To be told when somebody begins to wait for news, and when nobody does any more. */
  waiting(isWaiting: boolean): void {
    if (this.#lookTimer !== null) clearTimeout(this.#lookTimer);
    this.#lookTimer = null;
    if (!isWaiting || this.#isClosed) return;
    this.#listen();
    this.#lookLater();
  }

  /** To be told of each page that was read: it ended with the event numbered `at`. */
  saw(at: number): void {
    if (at <= this.#seen) return;
    this.#seen = at;
    this.#lookMs = FIRST_LOOK_MS;
  }

  /** To be told of each commit of this process, up to the event numbered `at`. */
  committed(at: number): void {
    this.#committed = Math.max(this.#committed, at);
    if (!this.#connections.mayListen) return;
    const wait = this.#notifiedAt + NOTIFY_EVERY_MS - performance.now();
    this.#notifyTimer ??= setTimeout(() => void this.#notify(), Math.max(0, wait));
  }

  /** Tells others what was not yet told, and stops. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const timer of [this.#lookTimer, this.#reconnectTimer]) if (timer !== null) clearTimeout(timer);
    if (this.#notifyTimer !== null) await this.#notify();
    // A connection that is only being made can not be ended.
    await this.#connecting;
    await this.#listener?.end();
  }

  async #notify(): Promise<void> {
    if (this.#notifyTimer !== null) clearTimeout(this.#notifyTimer);
    this.#notifyTimer = null;
    this.#notifiedAt = performance.now();
    // Who misses it looks by itself soon.
    await this.#connections.query({ name: 'notify', text: NOTIFY, values: [String(this.#committed)] }).catch(() => {});
  }

  #lookLater(): void {
    this.#lookTimer = setTimeout(() => {
      this.#lookMs = Math.min(this.#lookMs * 2, RAREST_LOOK_MS);
      this.#lookLater();
      this.#look();
    }, this.#lookMs);
  }

  #listen(): void {
    if (this.#listener !== null || this.#reconnectTimer !== null || !this.#connections.mayListen) return;
    const client = this.#connections.client();
    this.#listener = client;
    client.on('error', () => {});
    client.once('end', () => this.#lost(client));
    client.on('notification', ({ payload }) => {
      if (Number(payload) > this.#seen) this.#look();
    });
    // What went wrong ends the connection, and so is tried again.
    this.#connecting = this.#startListening(client).catch(() => void client.end());
  }

  async #startListening(client: Client): Promise<void> {
    await client.connect();
    if (this.#isClosed) return;
    await client.query(`LISTEN ${CHANNEL}`);
    this.#reconnectMs = FIRST_RECONNECT_MS;
    // There may have been news while nobody listened.
    this.#look();
  }

  #lost(client: Client): void {
    if (this.#listener === client) this.#listener = null;
    if (this.#isClosed) return;
    this.#lookMs = FIRST_LOOK_MS;
    this.#reconnectTimer = setTimeout(() => {
      this.#reconnectTimer = null;
      this.#listen();
    }, this.#reconnectMs);
    this.#reconnectMs = Math.min(this.#reconnectMs * 2, LONGEST_RECONNECT_MS);
  }
}

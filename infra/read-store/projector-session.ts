/**
 * The connection over which a process projects into PostgreSQL. The right to project is a lock of this very connection,
 * so whoever has lost that right has lost the way to write as well: no late transaction of a process that was frozen
 * or cut off can come after those of its successor.
 */
import { hash } from 'node:crypto';
import type { Client, QueryConfig, QueryResult } from 'pg';
import type { RatchetError } from '../../src/domain/errors.ts';
import type { HeldLock } from '../../src/ports/held-lock.ts';
import type { Statement } from '../../src/ports/read-store.ts';
import { connectionFailed } from '../postgres/errors.ts';
import type { Connections } from '../postgres/pool.ts';
import { endHolder } from '../postgres/stuck-holders.ts';
import { storable } from './postgres-dialect.ts';

/** Of the schema that the connection finds first. */
const LOCK = "hashtextextended(current_schema() || ' projector', 0)";
/** The lease is the longest silence that the server bears from this connection; the lock ends with the connection. */
const TRY = `SELECT CASE WHEN pg_try_advisory_lock(${LOCK}) THEN set_config('idle_session_timeout', $1, false) END AS lease`;
const GIVE_BACK = `SELECT pg_advisory_unlock(${LOCK}), set_config('idle_session_timeout', '0', false)`;
const SIGN: Statement = { sql: 'SELECT 1', parameters: [] };
/** Of so many signs of life all but one may be late. */
const SIGNS_IN_A_LEASE = 5;
const LOOKS_FOR_STUCK_IN_A_LEASE = 4;
/** A transaction of rows without an answer for so long met a network that swallows packets. */
const STALLED_MS = 30_000;
/** A name of a prepared statement has at most 63 characters. */
const NAME_LENGTH = 32;

export interface TransactionOptions {
  /** May refuse what came of the statements, by throwing; then nothing is stored. */
  readonly check?: (results: readonly QueryResult[]) => void;
  /** How long an answer may take before the connection is given up, in milliseconds; 30,000 by default. */
  readonly stalledMs?: number;
}

/** Both fail with the driver's own error. */
export interface Sender {
  /** Sends all statements without waiting for each, and executes all or none. */
  transaction(statements: readonly Statement[], options?: TransactionOptions): Promise<readonly QueryResult[]>;
  /** Executes one statement. */
  query(statement: Statement): Promise<QueryResult>;
}

/** The right to project; what is sent over it fails from the moment that it is lost or given back. */
export interface ProjectorLock extends HeldLock, Sender {}

/** A query that ends the connection when it has no answer for so many milliseconds. */
interface TimedQuery extends QueryConfig {
  readonly query_timeout: number;
}

interface Held {
  readonly lost: AbortController;
  readonly signs: NodeJS.Timeout;
}

/** Sends whether or not it holds the lock; what needs the lock is sent over the lock. */
export class ProjectorSession implements Sender {
  readonly #connections: Connections;
  readonly #leaseMs: number;
  #client: Client | null = null;
  #turn: Promise<unknown> = Promise.resolve();
  #held: Held | null = null;
  #usedAt = 0;
  #lookedForStuckAt = 0;

  /** @param leaseMs how long the lock outlives a holder that is frozen or cut off */
  constructor(connections: Connections, leaseMs: number) {
    this.#connections = connections;
    this.#leaseMs = leaseMs;
  }

  transaction(statements: readonly Statement[], options: TransactionOptions = {}): Promise<readonly QueryResult[]> {
    return this.#inTurn((client) => this.#transact(client, statements, options));
  }

  query(statement: Statement): Promise<QueryResult> {
    return this.#inTurn((client) => this.#send(client, statement, STALLED_MS));
  }

  /**
   * Takes the lock of the one that projects, which then ends with this connection. Does not wait; ends the connection
   * of a holder that has shown no sign of life for a lease.
   *
   * @param displacing ends the connection of any other holder, so that a later call finds the lock free
   * @returns null while another holds it. Fails with the driver's own error.
   */
  async hold(displacing: boolean): Promise<ProjectorLock | null> {
    if (this.#held !== null) return null;
    const held = await this.#inTurn(async (client): Promise<Held | null> => {
      const lease = this.#connections.preparesStatements ? String(this.#leaseMs) : '0';
      const { rows } = await this.#send(client, { sql: TRY, parameters: [lease] }, STALLED_MS);
      if (rows[0]?.lease === null || this.#client !== client) return null;
      this.#held = { lost: new AbortController(), signs: this.#showSigns() };
      return this.#held;
    });
    if (held === null) {
      await this.#endOther(displacing);
      return null;
    }
    const whileHeld = <Result>(work: (client: Client) => Promise<Result>): Promise<Result> =>
      this.#inTurn((client) => {
        if (this.#held !== held) throw this.#lockLost();
        return work(client);
      });
    return {
      lost: held.lost.signal,
      release: () => this.#release(held),
      transaction: (statements, options = {}) => whileHeld((client) => this.#transact(client, statements, options)),
      query: (statement) => whileHeld((client) => this.#send(client, statement, STALLED_MS)),
    };
  }

  async close(): Promise<void> {
    await this.#turn;
    if (this.#held !== null) clearInterval(this.#held.signs);
    await this.#client?.end();
  }

  async #release(held: Held): Promise<void> {
    if (this.#held !== held) return;
    clearInterval(held.signs);
    if (!held.lost.signal.aborted) {
      await this.query({ sql: GIVE_BACK, parameters: [] }).catch(() => this.#drop(this.#client));
    }
    this.#held = null;
  }

  async #endOther(displacing: boolean): Promise<void> {
    const isDue = performance.now() - this.#lookedForStuckAt >= this.#leaseMs / LOOKS_FOR_STUCK_IN_A_LEASE;
    if (!displacing && !isDue) return;
    this.#lookedForStuckAt = performance.now();
    const ask = async ({ text, values = [] }: { text: string; values?: readonly unknown[] }) =>
      (await this.query({ sql: text, parameters: values })).rows;
    await endHolder(ask, LOCK, displacing ? null : this.#leaseMs);
  }

  /** What is sent anyway is a sign of life too. */
  #showSigns(): NodeJS.Timeout {
    const everyMs = this.#leaseMs / SIGNS_IN_A_LEASE;
    let isShowing = false;
    const sign = async (): Promise<void> => {
      if (isShowing || performance.now() - this.#usedAt < everyMs) return;
      isShowing = true;
      // Without an answer the connection ends, and with it the lock.
      await this.#inTurn((client) => this.#send(client, SIGN, this.#leaseMs)).catch(() => {});
      isShowing = false;
    };
    return setInterval(() => void sign(), everyMs).unref();
  }

  #inTurn<Result>(work: (client: Client) => Promise<Result>): Promise<Result> {
    const done = this.#turn.then(async () => {
      try {
        return await work(await this.#connected());
      } finally {
        this.#usedAt = performance.now();
      }
    });
    this.#turn = done.catch(() => undefined);
    return done;
  }

  async #transact(
    client: Client,
    statements: readonly Statement[],
    { check = () => undefined, stalledMs = STALLED_MS }: TransactionOptions,
  ): Promise<readonly QueryResult[]> {
    // The last answer comes after all others, so that only it needs to be waited for with a clock.
    const last = statements.length - 1;
    const begun = client.query('BEGIN');
    const sent = statements.map((statement, index) => this.#send(client, statement, index === last ? stalledMs : 0));
    try {
      // After one has failed the others fail too, and less tellingly.
      const [, ...results] = await Promise.all([begun, ...sent]);
      check(results);
      await this.#send(client, { sql: 'COMMIT', parameters: [] }, stalledMs);
      return results;
    } catch (error) {
      await Promise.allSettled([begun, ...sent]);
      // A connection that can not even do that is of no more use; its end takes the transaction back.
      await this.#send(client, { sql: 'ROLLBACK', parameters: [] }, stalledMs).catch(() => this.#drop(client));
      throw error;
    }
  }

  #send(client: Client, { sql, parameters }: Statement, stalledMs: number): Promise<QueryResult> {
    const values = parameters.map(storable);
    const isPrepared = this.#connections.preparesStatements && values.length > 0;
    const name = isPrepared ? { name: hash('sha256', sql, 'hex').slice(0, NAME_LENGTH) } : {};
    const query: TimedQuery = { ...name, text: sql, values, query_timeout: stalledMs };
    return client.query(query);
  }

  async #connected(): Promise<Client> {
    if (this.#held?.lost.signal.aborted === true) throw this.#lockLost();
    if (this.#client !== null) return this.#client;
    const client = this.#connections.client({ pipeline: true });
    client.on('error', () => this.#forget(client));
    client.once('end', () => this.#forget(client));
    await client.connect();
    await this.#connections.settle(client);
    this.#client = client;
    return client;
  }

  #lockLost(): RatchetError {
    return connectionFailed(this.#connections.place, 'the connection that held the right to project was lost');
  }

  #drop(client: Client | null): void {
    if (client === null) return;
    this.#forget(client);
    void client.end();
  }

  #forget(client: Client): void {
    if (this.#client !== client) return;
    this.#client = null;
    this.#held?.lost.abort();
  }
}

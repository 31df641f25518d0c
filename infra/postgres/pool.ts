/** Connections to one PostgreSQL database, as the configuration wants them. */
import {
  Client,
  type ClientBase,
  type ClientConfig,
  type CustomTypesConfig,
  Pool,
  type PoolConfig,
  type QueryArrayConfig,
} from 'pg';
import { RatchetError } from '../../src/domain/errors.ts';
import { parsedAddress } from './address.ts';
import { connectionFailed, type Place, storeError } from './errors.ts';

export interface PostgresOptions {
  /** Most connections at once, at least 1; 20 by default. */
  readonly poolSize?: number;
  /** Longest wait for a connection, in milliseconds; 30,000 by default. */
  readonly connectionTimeoutMs?: number;
  /** How long an idle connection is kept, in milliseconds; 600,000 by default. */
  readonly idleTimeoutMs?: number;
  /**
   * False behind a pooler that hands each transaction another connection: then nothing is prepared by name and nothing
   * listens, which such connections forget. True by default.
   */
  readonly preparedStatements?: boolean;
  /** How columns are read; as the driver does by default. */
  readonly types?: CustomTypesConfig;
}

/** Older servers lack what the schema needs. */
const OLDEST_SERVER = 14;
/** A statement without an answer for so long met a network that swallows packets: none of ours runs so long. */
const STALLED_MS = 20_000;
const KEEP_ALIVE_MS = 10_000;
const TLS_MODES: readonly string[] = ['disable', 'prefer', 'require', 'verify-ca', 'verify-full'];
/**
 * What each connection asks of the server: the transaction of a process that is frozen ends after 10 s, and the
 * connection of one that no packet reaches after 25 s, so that neither keeps others from what it has locked. Asked when
 * connected, because poolers refuse connections that come with such wishes.
 */
const SESSION = `SELECT ${Object.entries({
  idle_in_transaction_session_timeout: '10s',
  tcp_keepalives_idle: '10',
  tcp_keepalives_interval: '5',
  tcp_keepalives_count: '3',
  tcp_user_timeout: '25s',
})
  .map(([name, value]) => `set_config('${name}', '${value}', false)`)
  .join()}`;

/** A list of values as a row holds them. */
export type Row = readonly unknown[];

export interface Connections {
  readonly place: Place;
  readonly preparesStatements: boolean;
  readonly connectionTimeoutMs: number;
  /** Connections that this side may have at once beside those of {@link query}: those that listen. */
  readonly mayListen: boolean;
  /** Runs one statement on a connection of the pool; fails with the driver's own error. */
  query(statement: Query): Promise<readonly Row[]>;
  /** For libraries that take connections themselves; {@link close} closes it. */
  readonly pool: Pool;
  /** A connection of its own, not yet connected. */
  client(more?: Pick<ClientConfig, 'pipeline' | 'query_timeout'>): Client;
  /** Tells the server how to treat a new connection of {@link client} that holds locks; the pool's are told already. */
  settle(client: ClientBase): Promise<void>;
  /** Waits for statements under way, then closes all connections of the pool. */
  close(): Promise<void>;
}

export interface Query {
  readonly text: string;
  readonly values?: readonly unknown[];
  /** Prepared under this name, where that is allowed. Each text has its own. */
  readonly name?: string;
}

/** Prepares connections to the database of a `postgresql://` URL; nothing is connected yet. Fails with `configuration_invalid`. */
export function connections(url: string, options: PostgresOptions = {}): Connections {
  const { poolSize = 20, connectionTimeoutMs = 30_000, idleTimeoutMs = 600_000, preparedStatements = true } = options;
  const place = placeOf(url);
  const shared: ClientConfig = {
    connectionString: withStandardTls(url),
    connectionTimeoutMillis: connectionTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    fallback_application_name: 'ratchet',
    ...(options.types === undefined ? {} : { types: options.types }),
  };
  const mayListen = preparedStatements && poolSize > 1;
  // What stands behind a pooler that hands connections around belongs to others as well.
  const verify: PoolConfig['verify'] = preparedStatements
    ? (client, done) => client.query(SESSION, (error?: Error | null) => done(error ?? undefined))
    : undefined;
  const pool = new Pool({
    ...shared,
    ...(verify === undefined ? {} : { verify }),
    max: mayListen ? poolSize - 1 : poolSize,
    idleTimeoutMillis: idleTimeoutMs,
    query_timeout: STALLED_MS,
  });
  // The pool has dropped the connection already; who needs one next gets a new one, or its error.
  pool.on('error', () => {});
  // One that is lent is told to whoever has lent it, by the statement under way or the next.
  pool.on('connect', (client) => client.on('error', () => {}));
  const underWay = new Set<Promise<unknown>>();
  return {
    place,
    preparesStatements: preparedStatements,
    connectionTimeoutMs,
    mayListen,
    async query({ text, values = [], name }) {
      const config: QueryArrayConfig = { text, values: [...values], rowMode: 'array' };
      if (preparedStatements && name !== undefined) config.name = name;
      const asked = pool.query<unknown[]>(config);
      underWay.add(asked);
      try {
        return (await asked).rows;
      } finally {
        underWay.delete(asked);
      }
    },
    client: (more = {}) => new Client({ ...shared, ...more }),
    settle: async (client) => void (preparedStatements && (await client.query(SESSION))),
    pool,
    async close() {
      // A pool that ends forgets who still waits for a connection of it.
      await Promise.allSettled(underWay);
      await pool.end();
    },
  };
}

/** Connects once, so that what is wrong is told at start. Fails with `store_unavailable`. */
export async function assertReachable({ place, query }: Pick<Connections, 'place' | 'query'>): Promise<void> {
  let version: unknown;
  try {
    const [row] = await query({ text: "SELECT current_setting('server_version_num')" });
    version = row?.[0];
  } catch (error) {
    throw storeError(error, place);
  }
  const major = majorOf(String(version));
  if (major >= OLDEST_SERVER) return;
  throw connectionFailed(
    place,
    `the server is PostgreSQL ${major}; needed is ${OLDEST_SERVER} or later; upgrade the server`,
  );
}

/** @returns the major release of a number such as `150018`. */
function majorOf(versionNumber: string): number {
  return Math.trunc(Number(versionNumber) / 10_000);
}

/** The modes of TLS mean what they mean to every other client of PostgreSQL, and not what this driver makes of them. */
function withStandardTls(url: string): string {
  const { searchParams } = parsedAddress(url);
  const mode = searchParams.get('sslmode');
  if (mode === null || mode === 'no-verify' || searchParams.has('uselibpqcompat')) return url;
  if (!TLS_MODES.includes(mode)) {
    const words = `sslmode in the address of the database is none of ${TLS_MODES.join(', ')}`;
    throw new RatchetError('configuration_invalid', words, { details: { sslmode: mode } });
  }
  return `${url}&uselibpqcompat=true`;
}

function placeOf(url: string): Place {
  const { hostname, port, pathname, searchParams } = parsedAddress(url);
  const host = searchParams.get('host') ?? (hostname === '' ? 'localhost' : hostname);
  return `${host}:${port === '' ? '5432' : port}${pathname}`;
}

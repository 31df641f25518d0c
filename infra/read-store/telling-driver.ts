/** Makes a driver of Kysely tell errors in our words, so that whoever asks a read model learns that its database is away. */
import type { CompiledQuery, DatabaseConnection, Driver, QueryResult } from 'kysely';

/** @param told makes of the driver's error the one that is thrown */
export function tellingDriver(driver: Driver, told: (error: unknown) => unknown): Driver {
  return {
    init: () => driver.init(),
    destroy: () => driver.destroy(),
    async acquireConnection() {
      try {
        return new TellingConnection(await driver.acquireConnection(), told);
      } catch (error) {
        throw told(error);
      }
    },
    beginTransaction: (connection, settings) => driver.beginTransaction(within(connection), settings),
    commitTransaction: (connection) => driver.commitTransaction(within(connection)),
    rollbackTransaction: (connection) => driver.rollbackTransaction(within(connection)),
    releaseConnection: (connection) => driver.releaseConnection(within(connection)),
  };
}

class TellingConnection implements DatabaseConnection {
  readonly inner: DatabaseConnection;
  readonly #told: (error: unknown) => unknown;

  constructor(inner: DatabaseConnection, told: (error: unknown) => unknown) {
    this.inner = inner;
    this.#told = told;
  }

  async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
    try {
      return await this.inner.executeQuery<Row>(query);
    } catch (error) {
      throw this.#told(error);
    }
  }

  streamQuery<Row>(): AsyncIterableIterator<QueryResult<Row>> {
    throw new Error('streaming is not offered: read in pages');
  }
}

function within(connection: DatabaseConnection): DatabaseConnection {
  return connection instanceof TellingConnection ? connection.inner : connection;
}

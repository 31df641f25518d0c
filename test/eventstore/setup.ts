/** Finds or starts the real server once for all tests that run on it, and says clearly when there is none. */
import type { TestProject } from 'vitest/node';
import { startRealServer } from '../support/eventstoredb-server.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    eventStoreUrl: string;
  }
}

const NONE = `There is no EventStoreDB or KurrentDB here, so nothing was tested against a real server.
Name one with EVENTSTORE_URL=esdb://user:password@host:2113?tls=true, or run where Docker answers.
`;
/** Neither passed nor failed. */
const NO_SERVER = 77;

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await startRealServer();
  if (server === null) {
    process.stderr.write(NONE);
    process.exit(NO_SERVER);
  }
  process.stderr.write(`EventStoreDB of these tests: ${server.said}\n`);
  project.provide('eventStoreUrl', server.url);
  return () => server.close();
}

/** A real EventStoreDB or KurrentDB for the tests that run on one: named by EVENTSTORE_URL, else started where Docker answers. */
import { randomUUID } from 'node:crypto';
import { GenericContainer, Wait } from 'testcontainers';
import { dockerAnswers } from './docker.ts';
import { chooseServer } from './server-choice.ts';

export interface RealServer {
  readonly url: string;
  /** Which one it is, in words. */
  readonly said: string;
  close(): Promise<void>;
}

/** As the documentation of the server names it; another one by EVENTSTORE_IMAGE. */
const IMAGE = 'docker.kurrent.io/kurrent-lts/kurrentdb:lts';
const PORT = 2113;

/** @returns the server, or null where there is none. */
export async function startRealServer(): Promise<RealServer | null> {
  const choice = await chooseServer({ given: process.env['EVENTSTORE_URL'], dockerAnswers });
  if (choice.kind === 'given')
    return { url: choice.url, said: 'the server that EVENTSTORE_URL names', close: async () => {} };
  if (choice.kind === 'neither') return null;
  const image = process.env['EVENTSTORE_IMAGE'] ?? IMAGE;
  const container = await new GenericContainer(image)
    .withCommand(['--insecure', '--mem-db', '--run-projections=None'])
    .withExposedPorts(PORT)
    .withWaitStrategy(Wait.forHttp('/health/live', PORT).forStatusCodeMatching((code) => code >= 200 && code < 300))
    .start();
  return {
    url: `esdb://${container.getHost()}:${container.getMappedPort(PORT)}?tls=false`,
    said: `a container of ${image} (Docker answers)`,
    close: async () => void (await container.stop()),
  };
}

/** @returns the URL of a log that nobody has written to: on the same server, under a prefix of its own. */
export function newLogUrl(url: string): string {
  const joint = url.includes('?') ? '&' : '?';
  return `${url}${joint}streamPrefix=${randomUUID()}.`;
}

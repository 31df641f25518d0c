/** A test app behind its real HTTP interface, in this process. */
import { pino } from 'pino';
import { createHttp } from '../../src/interfaces/http.ts';
import { localOnly } from '../../src/interfaces/identity.ts';
import { addRest, methodsBelow } from '../../src/interfaces/rest.ts';
import { addSessions } from '../../src/interfaces/sessions.ts';
import type { TestApp } from './app.ts';

export interface Served {
  /** Without a slash at the end; the REST prefix is `/api/v1`. */
  readonly url: string;
  close(): Promise<void>;
}

const PREFIX = '/api/v1';

/** Listens on a free port of 127.0.0.1. */
export async function serveTestApp({ app }: TestApp): Promise<Served> {
  const http = createHttp({
    logger: pino({ level: 'silent' }),
    maxRequestBytes: 1_000_000,
    requestTimeoutMs: 30_000,
    keepAliveMs: 5_000,
    authenticate: localOnly,
    newId: () => app.core.execute.runtime.newId(),
    methodsAt: methodsBelow(PREFIX),
    onRefusal: () => undefined,
  });
  addSessions(http, app.core, PREFIX);
  addRest(http, app.core, PREFIX);
  return { url: await http.listen({ host: '127.0.0.1', port: 0 }), close: () => http.close() };
}

/** The world outside as tasks reach it: a server that answers each step, and remembers everything that arrives. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Arrival } from '../history/known.ts';

/** An ordinary answer takes a moment, so that calls are under way when something breaks. */
const ANSWER_MS = 15;
const SLOW_MS = 1_500;

export interface Outside extends AsyncDisposable {
  readonly url: string;
  /** In the order in which they were received. */
  readonly arrivals: readonly Arrival[];
}

/**
 * Answers `/<execution>/<label>` with the label. A label that begins with `slow` takes its time; one that begins with
 * `flaky` is refused with 503 the first time.
 */
export async function startOutside(): Promise<Outside> {
  const arrivals: Arrival[] = [];
  const seen = new Set<string>();
  const server = createServer((request, response) => {
    const path = request.url ?? '/';
    const [, executionId = '', label = ''] = path.split('?')[0]?.split('/') ?? [];
    const key = request.headers['idempotency-key'];
    arrivals.push({
      at: Date.now(),
      method: request.method ?? '',
      url: `${outside.url}${path}`,
      idempotencyKey: typeof key === 'string' ? key : null,
      executionId,
    });
    const refused = label.startsWith('flaky') && !seen.has(path);
    seen.add(path);
    const ms = label.startsWith('slow') ? SLOW_MS : ANSWER_MS;
    setTimeout(() => {
      response.writeHead(refused ? 503 : 200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ label }));
    }, ms);
  });
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const outside = {
    url: `http://127.0.0.1:${port}`,
    arrivals,
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return outside;
}

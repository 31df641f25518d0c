/** A loopback server that keeps what it was sent, so that tests can look at the wire. */
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export interface Captured {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Capture extends AsyncDisposable {
  /** Such as `http://127.0.0.1:41234`. */
  readonly url: string;
  readonly requests: readonly Captured[];
}

/** Starts it on a free port; `answer` gives status and body for a request, by default 200 and what was sent. */
export async function startCapture(
  answer: (request: Captured, count: number) => { status: number; body: string } = (request) => ({
    status: 200,
    body: JSON.stringify(request),
  }),
): Promise<Capture> {
  const requests: Captured[] = [];
  const server = createServer((incoming, response) => {
    const { method = '', url = '', headers } = incoming;
    text(incoming).then(
      (body) => {
        const request = { method, url, headers, body };
        requests.push(request);
        const { status, body: told } = answer(request, requests.length);
        response.writeHead(status, { 'content-type': 'application/json' }).end(told);
      },
      () => response.destroy(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

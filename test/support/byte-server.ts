/** Serves one body with an ETag over HTTP, and notes who asked how, for tests of what is fetched. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';

export interface ByteServer extends AsyncDisposable {
  readonly url: string;
  put(body: Buffer): void;
  /** Answers with this status from now on; 200 serves the body. */
  answer(status: number): void;
  readonly requests: readonly IncomingMessage[];
  /** Statuses that were answered. */
  readonly answered: readonly number[];
}

export async function serveBytes(): Promise<ByteServer> {
  let body: Buffer = Buffer.alloc(0);
  let status = 200;
  const requests: IncomingMessage[] = [];
  const answered: number[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    const etag = `"${createHash('sha256').update(body).digest('hex')}"`;
    const isKnown = status === 200 && request.headers['if-none-match'] === etag;
    answered.push(isKnown ? 304 : status);
    response.writeHead(isKnown ? 304 : status, { etag }).end(isKnown || status !== 200 ? '' : body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    url: `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`,
    put: (next) => void (body = next),
    answer: (next) => void (status = next),
    requests,
    answered,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A loopback server that receives webhooks, checks their signatures, and answers as it is told. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { Reach, ResultTarget } from '../../src/domain/result-target.ts';

const KEY = Buffer.alloc(32, 7);
export const SECRET = `whsec_${KEY.toString('base64')}`;

export interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** As it came. */
  readonly text: string;
  readonly message: { readonly id: string; readonly type: string; readonly data: Readonly<Record<string, unknown>> };
}

export interface Receiver extends AsyncDisposable {
  readonly url: string;
  readonly received: readonly Received[];
  /** Deliveries that came to one path. */
  at(path: string): readonly Received[];
}

/** Answers 204 unless `answer` takes the response; the number tells how often this path was asked. */
export async function startReceiver(
  answer: (response: ServerResponse, path: string, count: number) => void = (response) => void response.end(),
): Promise<Receiver> {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      const path = request.url ?? '';
      received.push({ path, headers: request.headers, text: body, message: JSON.parse(body) });
      response.statusCode = 204;
      answer(response, path, received.filter((one) => one.path === path).length);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    received,
    at: (path) => received.filter((one) => one.path === path),
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Checks a delivery the way the specification tells receivers to, written without our own code. */
export function isSigned({ headers, text: body }: Received, key: Buffer = KEY): boolean {
  const signed = `${String(headers['webhook-id'])}.${String(headers['webhook-timestamp'])}.${body}`;
  const expected = createHmac('sha256', key).update(signed).digest();
  return String(headers['webhook-signature'])
    .split(' ')
    .some((signature) => {
      const given = Buffer.from(signature.replace(/^v1,/, ''), 'base64');
      return signature.startsWith('v1,') && given.length === expected.length && timingSafeEqual(given, expected);
    });
}

/** A target that is tried again soon. */
export function target(
  name: string,
  reach: Partial<Reach> & { kind: Reach['kind'] },
  more: Partial<ResultTarget> = {},
) {
  const patience = { maxAttempts: 5, initialDelayMs: 1, maxDelayMs: 5 };
  const webhook = { secrets: [SECRET], headers: {}, timeoutMs: 5_000, concurrency: 2 };
  return {
    name,
    events: ['completed', 'failed', 'cancelled'],
    tasks: ['*'],
    onRequest: false,
    patience,
    maxValueBytes: 10_000,
    ...more,
    reach: { ...(reach.kind === 'webhook' ? webhook : {}), ...reach } as Reach,
  } satisfies ResultTarget;
}

/** Answers what is not HTTP, has headers without end, or never comes to an end: such requests reach no route. */
import type { FastifyServerOptions } from 'fastify';
import { type ErrorCode, RatchetError } from '../domain/errors.ts';
import { problemOf } from './errors.ts';

type Tell = NonNullable<FastifyServerOptions['clientErrorHandler']>;

const CODES: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  HPE_HEADER_OVERFLOW: ['headers_too_large', 'the headers are larger than the server takes'],
  ERR_HTTP_REQUEST_TIMEOUT: ['request_timeout', 'the request did not come to its end in time'],
};

/** @returns what answers with a problem and closes the connection. */
export function tellBrokenRequest(newId: () => string): Tell {
  return (error, socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy();
      return;
    }
    const [code, message] = CODES[error.code] ?? ['invalid_request', 'this is no HTTP request'];
    const problem = problemOf(new RatchetError(code, message), newId());
    const body = JSON.stringify(problem);
    const head = [
      `HTTP/1.1 ${problem.status} ${problem.title}`,
      'content-type: application/problem+json; charset=utf-8',
      `content-length: ${Buffer.byteLength(body)}`,
      `x-correlation-id: ${problem.instance}`,
      'connection: close',
    ];
    socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
  };
}

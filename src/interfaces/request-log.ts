/** One line of the server's log for each request: what was asked, by whom, how it ended and how long it took. */
import type { FastifyInstance } from 'fastify';
import type { ErrorCode } from '../domain/errors.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Code of the problem that it was answered with. */
    problem: ErrorCode | null;
  }
  interface FastifyContextConfig {
    /** Name of the operation behind a route. */
    operation?: string;
  }
}

const DETAILED: ReadonlySet<string> = new Set(['debug', 'trace']);

/** What is asked for is told at `info`, what is only looked at at `debug`, refusals at `warn`, faults of ours at `error`. */
export function addRequestLog(http: FastifyInstance): void {
  http.decorateRequest('problem', null);
  http.addHook('onResponse', async (request, reply) => {
    const { problem, method } = request;
    const { statusCode: status } = reply;
    const level = status >= 500 ? 'error' : problem !== null ? 'warn' : method === 'GET' ? 'debug' : 'info';
    // Reads are the most of all requests, and seldom told: they must not pay for a line that nobody writes.
    if (level === 'debug' && !DETAILED.has(request.log.level)) return;
    const { url = '(no route)', config } = request.routeOptions;
    const operation = config?.operation ?? `${method} ${url}`;
    const line = {
      operation,
      method,
      url,
      status,
      duration: `${Math.round(reply.elapsedTime)}ms`,
      principal: request.principal?.id ?? null,
      ...(problem === null ? {} : { code: problem }),
    };
    request.log[level](line, problem === null ? `${operation} completed` : `${operation} failed: ${problem}`);
  });
}

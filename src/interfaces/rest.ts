/** Operations as REST routes: path and query parameters and the body are one input; answers tell how far the log is. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Document } from '../domain/document.ts';
import { type Position, START } from '../domain/event.ts';
import { type Counted, tellCounted } from './limit-answers.ts';
import { addOpenApi, openApiPaths } from './openapi-routes.ts';
import type { Core, Operation } from './operation.ts';
import { OPERATIONS } from './operations.ts';
import { timeFor } from './own-time.ts';
import { boundTo, etagOf, hasEtag, isKnown, preconditionOf } from './rest-etags.ts';
import { bodyOf, callerOf, headerOf, record } from './rest-request.ts';
import { stream, wantsStream } from './rest-streams.ts';
import { ROUTES, type Route } from './surfaces.ts';

/** Adds all routes below `prefix`. */
export function addRest(http: FastifyInstance, core: Core, prefix: string): void {
  const seen: Seen = { position: START };
  addOpenApi(http, core.execute.runtime, prefix);
  const byName = new Map(OPERATIONS.map((operation) => [operation.name, operation]));
  for (const route of ROUTES) {
    const operation = byName.get(route.operation);
    if (operation === undefined) throw new Error(`route ${route.path} names no operation`);
    const paths = route.bare === true ? [`${prefix}${route.path}`, route.path] : [`${prefix}${route.path}`];
    for (const url of paths) {
      http.route({
        method: route.method,
        url,
        ...timeFor(route.operation),
        config: { operation: route.operation },
        handler: (request, reply) =>
          wantsStream(request, route.operation)
            ? stream(core, operation, seen.position, request, reply)
            : answer(core, { route, operation, seen }, request, reply),
      });
    }
  }
}

/** @returns what tells the methods of a path below `prefix`, or of one that is also served without it. */
export function methodsBelow(prefix: string): (path: string) => readonly string[] {
  const known = ROUTES.flatMap(({ method, path, bare }) =>
    [...(bare === true ? [''] : []), prefix].map((start) => ({ method, parts: `${start}${path}`.split('/') })),
  );
  const { document, pages } = openApiPaths(prefix);
  known.push(...[document, ...pages].map((path) => ({ method: 'GET' as const, parts: path.split('/') })));
  return (path) => {
    const given = path.split('/');
    const fits = known.filter(
      ({ parts }) =>
        parts.length === given.length && parts.every((part, index) => part.startsWith(':') || part === given[index]),
    );
    return [...new Set(fits.map(({ method }) => method))];
  };
}

/** The highest position in any answer of this listener so far. */
interface Seen {
  position: Position;
}

async function answer(
  core: Core,
  { route, operation, seen }: { route: Route; operation: Operation; seen: Seen },
  request: FastifyRequest,
  reply: FastifyReply,
) {
  const { min_position, ...query } = record(request.query);
  const onCounted = (counted: Counted): void => tellCounted(reply, counted);
  const caller = { ...callerOf(request, min_position), seen: seen.position, onCounted };
  const body = route.method === 'GET' || route.method === 'DELETE' ? query : { ...query, ...bodyOf(request.body) };
  const ifMatch = headerOf(request, 'if-match');
  const input = boundTo(operation.name, ifMatch, { ...body, ...record(request.params) });
  const result = await operation.run(core, input, caller).catch((error: unknown) => {
    throw preconditionOf(ifMatch, error);
  });
  if (result instanceof Document) return sendDocument(result, route.status, reply);
  const position = record(result)['position'];
  if (typeof position === 'string' && operation.kind === 'command') {
    reply.header('x-ratchet-position', position);
    if (position > seen.position) seen.position = position;
  }
  const stillRuns = route.operation === 'execute_task' && record(result)['status'] === 'running';
  if (operation.kind === 'query') return tell(core, operation.name, result, request, reply.code(route.status));
  return reply.code(stillRuns ? 202 : route.status).send(result);
}

/** One thing is told with its entity tag, and not at all to those who have it. */
function tell(
  core: Core,
  operation: string,
  result: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  if (!hasEtag(operation)) return reply.send(result);
  const body = JSON.stringify(result);
  const etag = etagOf(core.execute.runtime, operation, body, record(result)['version']);
  reply.header('etag', etag).header('cache-control', 'private, no-cache');
  const known = headerOf(request, 'if-none-match');
  if (known !== null && isKnown(known, etag)) return reply.code(304).send();
  return reply.type('application/json; charset=utf-8').send(body);
}

/** Nothing in a document may run or load anything, unless the document itself says what. */
const DOCUMENT_POLICY = "default-src 'none'; sandbox; frame-ancestors 'self'";

function sendDocument({ mediaType, body, headers }: Document, status: number, reply: FastifyReply): FastifyReply {
  return reply
    .code(status)
    .headers({ 'content-security-policy': DOCUMENT_POLICY, ...headers })
    .type(`${mediaType}; charset=utf-8`)
    .send(body);
}

/** Operations as REST routes: path and query parameters and the body are one input; answers tell how far the log is. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { eventFilter, eventFilterInput, shownEvent } from '../../queries/event.ts';
import { eventSight } from '../../queries/task-scope.ts';
import { authorize } from '../domain/access.ts';
import { Document } from '../domain/document.ts';
import { RatchetError } from '../domain/errors.ts';
import { type Position, START } from '../domain/event.ts';
import { drained } from './drained.ts';
import { principalOf } from './identity.ts';
import { type Counted, tellCounted } from './limit-answers.ts';
import { type Caller, type Core, type Operation, parse } from './operation.ts';
import { OPERATIONS } from './operations.ts';
import { timeFor } from './own-time.ts';
import { whileStanding } from './standing.ts';
import { ROUTES, type Route } from './surfaces.ts';

/** Adds all routes below `prefix`. */
export function addRest(http: FastifyInstance, core: Core, prefix: string): void {
  const seen: Seen = { position: START };
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
          route.operation === 'list_events' && wantsStream(request)
            ? streamEvents(core, request, reply)
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
  const body = route.method === 'GET' || route.method === 'DELETE' ? query : { ...query, ...object(request.body) };
  const result = await operation.run(core, { ...body, ...record(request.params) }, caller);
  if (result instanceof Document) return sendDocument(result, route.status, reply);
  const position = record(result)['position'];
  if (typeof position === 'string' && operation.kind === 'command') {
    reply.header('x-ratchet-position', position);
    if (position > seen.position) seen.position = position;
  }
  const stillRuns = route.operation === 'execute_task' && record(result)['status'] === 'running';
  return reply.code(stillRuns ? 202 : route.status).send(result);
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

function callerOf(request: FastifyRequest, minPosition: unknown): Omit<Caller, 'seen'> {
  const header = (name: string): string | null => {
    const value = request.headers[name];
    return typeof value === 'string' ? value : null;
  };
  const key = header('idempotency-key');
  if (key !== null && key.length > 256) {
    throw new RatchetError('invalid_request', 'idempotency-key: at most 256 characters', {
      details: { problems: [{ field: 'idempotency-key', message: 'at most 256 characters' }] },
    });
  }
  const wanted = typeof minPosition === 'string' ? minPosition : header('x-min-position');
  return {
    principal: principalOf(request),
    source: { kind: 'rest', sessionId: null, clientInfo: header('user-agent')?.slice(0, 256) ?? null },
    idempotencyKey: key,
    traceparent: header('traceparent')?.slice(0, 256) ?? null,
    minPosition: wanted?.slice(0, 64) ?? START,
  };
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function object(body: unknown): Record<string, unknown> {
  if (body === undefined || body === null) return {};
  if (typeof body === 'object' && !Array.isArray(body)) return { ...body };
  throw new RatchetError(
    'invalid_request',
    `(body): an object is expected, ${Array.isArray(body) ? 'a list' : typeof body} came`,
  );
}

function wantsStream(request: FastifyRequest): boolean {
  return request.headers.accept?.includes('text/event-stream') === true;
}

const streamInput = z.strictObject({
  ...eventFilterInput,
  after: z.string().max(64).optional().describe('Position to go on after; the head when left out.'),
});

const HEARTBEAT_MS = 15_000;

/** Server-sent events: the id of each is its position, so that a client that reconnects misses nothing. */
async function streamEvents(core: Core, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  authorize(principalOf(request), 'read_traces', 'list_events');
  const { after: asked, ...filter } = parse(streamInput, record(request.query));
  const { store } = core.query;
  const isSeen = eventSight(store, principalOf(request).tasks);
  const lastId = request.headers['last-event-id'];
  const after = typeof lastId === 'string' ? lastId : (asked ?? (await store.head()));
  // A position that is none is refused here, while there still is an answer to refuse with.
  await store.readAll(after, {}, 1);
  const gone = new AbortController();
  request.raw.on('close', () => gone.abort());
  const stopWatch = whileStanding(core.access, principalOf(request), () => gone.abort());
  reply.hijack();
  const { raw } = reply;
  for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) raw.setHeader(name, value);
  raw.setHeader('x-correlation-id', request.id);
  raw.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' });
  raw.write(': connected\n\n');
  const heartbeat = setInterval(() => raw.write(': alive\n\n'), HEARTBEAT_MS);
  try {
    for await (const page of store.subscribe(after, eventFilter(filter), gone.signal)) {
      for (const event of page.events) {
        if (!(await isSeen(event))) continue;
        const text = `id: ${event.position}\nevent: ${event.type}\ndata: ${JSON.stringify(shownEvent(event))}\n\n`;
        if (!raw.write(text)) await drained(raw, gone.signal);
      }
    }
  } catch (error) {
    if (!gone.signal.aborted) request.log.error({ err: error }, 'event stream broke off');
  } finally {
    clearInterval(heartbeat);
    stopWatch();
    raw.end();
  }
  return reply;
}

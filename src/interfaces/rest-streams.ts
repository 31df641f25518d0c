/** Sends what happens as server-sent events, for as long as the reader listens, reads, and may. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Position } from '../domain/event.ts';
import { drained } from './drained.ts';
import { LIVE } from './live.ts';
import type { LiveCaller, LiveMessage } from './live-watch.ts';
import type { Core, Operation } from './operation.ts';
import { callerOf, headerOf, record } from './rest-request.ts';
import { whileStanding } from './standing.ts';

const HEARTBEAT_MS = 15_000;
/** A reader that takes nothing for this long is given up. */
const SLOWEST_MS = 60_000;
/** What a client that lost its connection waits before it comes back, milliseconds. */
const RETRY_MS = 1_000;

/** @returns whether a request asks for the live form of an operation that has one. */
export function wantsStream(request: FastifyRequest, operation: string): boolean {
  return LIVE.has(operation) && request.headers.accept?.includes('text/event-stream') === true;
}

/**
 * Answers with a stream; the id of each event is its position, so that a client that comes back with it misses nothing.
 * A thing that has ended and was told to its end is answered with 204, which keeps clients from coming back.
 * Fails as the operation does, before anything is sent.
 */
export async function stream(
  core: Core,
  operation: Operation,
  seen: Position,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { min_position, ...query } = record(request.query);
  const caller: LiveCaller = { ...callerOf(request, min_position), seen, lastId: headerOf(request, 'last-event-id') };
  const open = LIVE.get(operation.name);
  if (open === undefined) throw new Error(`${operation.name} has no live form`);
  const gone = new AbortController();
  request.raw.on('close', () => gone.abort());
  const input = { ...query, ...record(request.params) };
  const messages = await open({ core, operation, caller, signal: gone.signal }, input);
  if (messages === null) return reply.code(204).send();
  const stopWatch = whileStanding(core.access, caller.principal, () => gone.abort());
  reply.hijack();
  const { raw } = reply;
  for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) raw.setHeader(name, value);
  raw.setHeader('x-correlation-id', request.id);
  raw.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' });
  raw.write(`: connected\nretry: ${RETRY_MS}\n\n`);
  const heartbeat = setInterval(() => raw.write(': alive\n\n'), HEARTBEAT_MS);
  try {
    for await (const message of messages) {
      if (gone.signal.aborted) break;
      if (!raw.write(written(message))) await taken(raw, gone);
    }
  } catch (error) {
    if (!gone.signal.aborted) request.log.error({ err: error }, 'event stream broke off');
  } finally {
    clearInterval(heartbeat);
    stopWatch();
    gone.abort();
    raw.end();
  }
  return reply;
}

function written({ id, event, data }: LiveMessage): string {
  return `id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** Waits until the reader has taken what was written; one that does not is given up. */
async function taken(raw: FastifyReply['raw'], gone: AbortController): Promise<void> {
  const timer = setTimeout(() => gone.abort(), SLOWEST_MS);
  await drained(raw, gone.signal);
  clearTimeout(timer);
}

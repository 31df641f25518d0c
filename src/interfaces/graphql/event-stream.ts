/** Results as server-sent events, one connection for each operation: `next` for every result, then `complete`. */
import type { FastifyReply } from 'fastify';
import { drained } from '../drained.ts';
import type { ToldResult } from './http-response.ts';

const HEARTBEAT_MS = 15_000;

export interface EventStream {
  next(result: ToldResult): void;
  /** Resolves when more can be taken; a client that takes nothing for `slowMs` is cut off. */
  ready(): Promise<void>;
  end(): void;
}

/** Takes the connection of `reply` over. `signal` aborts when the client has gone. */
export function openEventStream(reply: FastifyReply, signal: AbortSignal, slowMs: number): EventStream {
  reply.hijack();
  const { raw } = reply;
  for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) raw.setHeader(name, value);
  raw.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
    'x-correlation-id': reply.request.id,
  });
  raw.write(': connected\n\n');
  const heartbeat = setInterval(() => raw.write(': alive\n\n'), HEARTBEAT_MS);
  const stop = (): void => clearInterval(heartbeat);
  signal.addEventListener('abort', stop, { once: true });
  return {
    next: (result) => void raw.write(`event: next\ndata: ${JSON.stringify(result)}\n\n`),
    ready: async () => {
      if (!raw.writableNeedDrain) return;
      const timer = setTimeout(() => raw.destroy(), slowMs);
      await drained(raw, signal);
      clearTimeout(timer);
    },
    end: () => {
      stop();
      if (!raw.destroyed) raw.end('event: complete\ndata: \n\n');
    },
  };
}

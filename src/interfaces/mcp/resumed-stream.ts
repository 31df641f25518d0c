/** Goes on telling a client what a request answers that another node works on, or worked on when it died. */
import type { JsonObject } from '../../domain/event.ts';
import type { McpSessionEvent } from '../../domain/mcp-session.ts';
import type { McpSessionLog } from '../../ports/mcp-session-log.ts';
import type { Place } from './kept-messages.ts';

type Kept = Extract<McpSessionEvent, { type: 'MessageKept' }>['data'];

/** How often it is looked whether the node that works on a request is still there. */
const LOOK_MS = 1_000;

/** @returns null where the log has nothing of this stream: the request was short, and is known to nobody here. */
export async function resumedStream(
  log: McpSessionLog,
  sessionId: string,
  { streamId, sequence }: Place,
  gone: AbortSignal,
): Promise<Response | null> {
  const messages = async (from: number): Promise<readonly Kept[]> =>
    (await log.read(sessionId, streamId, 0)).flatMap((fact) =>
      fact.type === 'MessageKept' && fact.data.sequence >= from ? [fact.data] : [],
    );
  const all = await messages(0);
  const first = all[0];
  if (first === undefined) return null;
  const stop = new AbortController();
  const signal = AbortSignal.any([gone, stop.signal]);
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      const tell = writer(controller);
      void lookOn({ log, sessionId, streamId, first, messages, tell, signal }, sequence + 1)
        .then(() => controller.close())
        .catch((error: unknown) => controller.error(error))
        .finally(() => stop.abort());
    },
    cancel: () => stop.abort(),
  });
  const headers = {
    'content-type': 'text/event-stream',
    'cache-control': 'no-cache, no-transform',
    'x-accel-buffering': 'no',
    'mcp-session-id': sessionId,
  };
  return new Response(body, { headers });
}

function writer(controller: ReadableStreamDefaultController<Uint8Array>): (id: string, message: JsonObject) => void {
  const encoder = new TextEncoder();
  return (id, message) =>
    controller.enqueue(encoder.encode(`event: message\nid: ${id}\ndata: ${JSON.stringify(message)}\n\n`));
}

interface Looking {
  readonly log: McpSessionLog;
  readonly sessionId: string;
  readonly streamId: string;
  readonly first: Kept;
  readonly messages: (from: number) => Promise<readonly Kept[]>;
  readonly tell: (id: string, message: JsonObject) => void;
  readonly signal: AbortSignal;
}

/** Tells what is stored, then what comes, until the request is answered, its node is gone, or the client is. */
async function lookOn({ log, streamId, first, messages, tell, signal }: Looking, from: number): Promise<void> {
  const woken = new Wakening(signal);
  const onFact = (_session: string, fact: McpSessionEvent): void => {
    if (fact.type === 'MessageKept' && fact.data.streamId === streamId) woken.wake();
  };
  await log.follow(['MessageKept'], onFact, signal);
  let next = from;
  while (!signal.aborted) {
    // Asked before the messages are read: what a node stored before it died is told before its death.
    const isAlive = await log.isAlive(first.node);
    for (const { sequence, message } of await messages(next)) {
      if ('jsonrpc' in message) tell(`${streamId}_${sequence}`, message);
      next = sequence + 1;
      if ('result' in message || 'error' in message) return;
    }
    if (!isAlive) return tellLost(first, next, tell);
    await woken.wait(LOOK_MS);
  }
}

/** What the call had started goes on: executions outlive nodes. */
function tellLost({ streamId, requests }: Kept, next: number, tell: Looking['tell']): void {
  const message =
    'the server that worked on this request has gone; what the request had started goes on: list_executions tells its state';
  requests.forEach((id, index) => {
    tell(`${streamId}_${next + index}`, { jsonrpc: '2.0', id, error: { code: -32_603, message } });
  });
}

/** Waits for something to happen, for a time at most. */
class Wakening {
  #waiting = Promise.withResolvers<void>();

  constructor(signal: AbortSignal) {
    signal.addEventListener('abort', () => this.wake(), { once: true });
  }

  wake(): void {
    this.#waiting.resolve();
  }

  async wait(ms: number): Promise<void> {
    const timer = setTimeout(() => this.wake(), ms);
    await this.#waiting.promise;
    clearTimeout(timer);
    this.#waiting = Promise.withResolvers<void>();
  }
}

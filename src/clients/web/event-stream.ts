/** Reads server-sent events from the body of an answer; the browser's own EventSource can send no key. */
import { connectionLost } from './failure.ts';

export interface ServerEvent {
  /** `message` where the stream names none. */
  readonly event: string;
  readonly data: string;
}

/** Ends with the stream, and fails with `connection_lost` when it breaks. */
export async function* eventsOf(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((error: unknown) => {
        throw connectionLost('the connection broke before the answer', error);
      });
      if (done) return;
      rest += decoder.decode(value, { stream: true });
      // A line break may be cut in two: what could be half of one is left for the next piece.
      const whole = rest.endsWith('\r') ? rest.slice(0, -1) : rest;
      const blocks = whole.replace(/\r\n?/g, '\n').split('\n\n');
      rest = (blocks.pop() ?? '') + rest.slice(whole.length);
      for (const block of blocks) {
        const found = eventIn(block);
        if (found !== null) yield found;
      }
    }
  } finally {
    // Whoever reads no further wants nothing more sent.
    await reader.cancel().catch(() => undefined);
  }
}

/** @returns null for what only keeps the connection alive. */
function eventIn(block: string): ServerEvent | null {
  let event = 'message';
  const data: string[] = [];
  for (const line of block.split('\n')) {
    const colon = line.indexOf(':');
    const name = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'event') event = value;
    if (name === 'data') data.push(value);
  }
  return data.length === 0 ? null : { event, data: data.join('\n') };
}

/** Reads server-sent events as a client of the REST interface does. */
export interface Message {
  readonly id: string;
  readonly event: string;
  readonly data: Record<string, unknown>;
}

/** Reads messages as they come, after one with `lastId` where it is given, until the stream ends or nobody wants more. Fails where it is refused. */
export async function* listen(address: string, lastId: string | null = null): AsyncGenerator<Message, void> {
  const leave = new AbortController();
  const headers = { accept: 'text/event-stream', ...(lastId === null ? {} : { 'last-event-id': lastId }) };
  const response = await fetch(address, { headers, signal: leave.signal });
  if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`);
  try {
    let text = '';
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) {
      text += decoder.decode(chunk, { stream: true });
      const blocks = text.split('\n\n');
      text = blocks.pop() ?? '';
      for (const block of blocks) {
        const [, id, event, data] = /^id: (.*)\nevent: (.*)\ndata: (.*)$/.exec(block) ?? [];
        if (id !== undefined && event !== undefined && data !== undefined) yield { id, event, data: JSON.parse(data) };
      }
    }
  } finally {
    leave.abort();
  }
}

const COME_BACK_MS = 100;

/** Comes back after each break with the id of the last message, as browsers do, until `isLast` or nobody wants more. */
export async function* listenOn(address: string, isLast: (message: Message) => boolean): AsyncGenerator<Message, void> {
  let lastId: string | null = null;
  for (;;) {
    try {
      for await (const message of listen(address, lastId)) {
        lastId = message.id;
        yield message;
        if (isLast(message)) return;
      }
    } catch {
      // The connection is lost, or the server can not answer now.
    }
    await new Promise((resolve) => setTimeout(resolve, COME_BACK_MS));
  }
}

/** Streamable HTTP without sessions: each request is a POST of its own, so that a server that starts anew loses nothing. */
import {
  type Asking,
  type Channel,
  CLIENT_INFO,
  messageIn,
  resultOf,
  type Server,
  send,
  tellProgress,
} from './channel.ts';
import { eventsOf } from './event-stream.ts';
import { connectionLost } from './failure.ts';
import { type Fields, fieldsOf, parsedJson, textOf } from './json.ts';

const REVISION = '2026-07-28';
const PREFIX = 'io.modelcontextprotocol';

export class HttpChannel implements Channel {
  readonly #server: Server;
  #last = 0;

  constructor(server: Server) {
    this.#server = server;
  }

  async request(method: string, params: Fields, { signal, onProgress }: Asking): Promise<Fields> {
    const { baseUrl, headers } = this.#server;
    const id = ++this.#last;
    const _meta = {
      [`${PREFIX}/protocolVersion`]: REVISION,
      [`${PREFIX}/clientInfo`]: CLIENT_INFO,
      [`${PREFIX}/clientCapabilities`]: {},
      ...(onProgress === undefined ? {} : { progressToken: id }),
    };
    const name = textOf(params['name']);
    const answer = await send(`${baseUrl}/mcp`, {
      method: 'POST',
      signal,
      headers: {
        ...headers,
        accept: 'application/json, text/event-stream',
        'content-type': 'application/json',
        'mcp-protocol-version': REVISION,
        'mcp-method': method,
        ...(name === null ? {} : { 'mcp-name': name }),
      },
      body: JSON.stringify({ jsonrpc: '2.0', id, method, params: { ...params, _meta } }),
    });
    try {
      const isStream = answer.headers.get('content-type')?.startsWith('text/event-stream') === true;
      return isStream ? await answerIn(answer, id, onProgress) : resultOf(await messageIn(answer));
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    }
  }

  close(): void {
    // Each request ends by its own signal.
  }
}

async function answerIn({ body }: Response, id: number, onProgress: Asking['onProgress']): Promise<Fields> {
  if (body === null) throw connectionLost('the answer is empty');
  for await (const { data } of eventsOf(body)) {
    const message = fieldsOf(parsedJson(data));
    if (message['id'] === id && !('method' in message)) return resultOf(message);
    tellProgress(message, () => onProgress);
  }
  throw connectionLost('the stream ended before the answer');
}

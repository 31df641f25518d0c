/** HTTP+SSE, as older servers speak it: one stream that answers come over, and a path that takes messages. */
import { abortable } from './abortable.ts';
import {
  type Asking,
  bodyOf,
  type Channel,
  CLIENT_INFO,
  refusalIn,
  resultOf,
  type Server,
  send,
  tellProgress,
} from './channel.ts';
import { eventsOf } from './event-stream.ts';
import { connectionLost, RatchetClientError } from './failure.ts';
import { type Fields, fieldsOf, parsedJson } from './json.ts';

const REVISION = '2025-11-25';

interface Waiting {
  readonly resolve: (message: Fields) => void;
  readonly reject: (error: unknown) => void;
  readonly onProgress: Asking['onProgress'];
}

/** One stream, from its opening to its end. */
class Session {
  readonly waiting = new Map<number, Waiting>();
  readonly endpoint = Promise.withResolvers<string>();
  readonly stop = new AbortController();
  ended: unknown = null;
}

export class SseChannel implements Channel {
  readonly #server: Server;
  #session: Promise<Session> | null = null;
  #last = 0;

  constructor(server: Server) {
    this.#server = server;
  }

  async request(method: string, params: Fields, asking: Asking): Promise<Fields> {
    asking.signal.throwIfAborted();
    const session = await abortable(this.#opened(), asking.signal);
    return this.#ask(session, method, params, asking);
  }

  close(): void {
    void this.#session?.then(
      ({ stop }) => stop.abort(),
      () => undefined,
    );
    this.#session = null;
  }

  /** @returns the stream that is open, or a new one. */
  #opened(): Promise<Session> {
    const known = this.#session ?? this.#open();
    this.#session = known;
    const forget = (): void => {
      if (this.#session === known) this.#session = null;
    };
    return known.then(
      (session) => {
        if (session.ended === null) return session;
        forget();
        return this.#opened();
      },
      (error: unknown) => {
        forget();
        throw error;
      },
    );
  }

  async #open(): Promise<Session> {
    const { baseUrl, headers } = this.#server;
    const session = new Session();
    const { signal } = session.stop;
    const answer = await send(`${baseUrl}/sse`, { headers: { ...headers, accept: 'text/event-stream' }, signal });
    if (!answer.ok || answer.body === null) throw refusalIn(answer, await bodyOf(answer));
    void this.#read(session, answer.body);
    await session.endpoint.promise;
    const hello = { protocolVersion: REVISION, capabilities: {}, clientInfo: CLIENT_INFO };
    await this.#ask(session, 'initialize', hello, { signal });
    await this.#post(session, { method: 'notifications/initialized' }, signal);
    return session;
  }

  async #read(session: Session, body: ReadableStream<Uint8Array>): Promise<void> {
    let why: unknown;
    try {
      for await (const { event, data } of eventsOf(body)) {
        if (event === 'endpoint') this.#reach(session, data);
        else take(session, fieldsOf(parsedJson(data)));
      }
    } catch (error) {
      why = error;
    }
    const lost = connectionLost('the stream ended before the answer', why);
    session.ended = lost;
    session.stop.abort(lost);
    session.endpoint.reject(lost);
    // Nobody may be waiting for it any more.
    session.endpoint.promise.catch(() => undefined);
    for (const { reject } of session.waiting.values()) reject(lost);
    session.waiting.clear();
  }

  /** The key goes along with each message, and so to no other server than the one that was named. */
  #reach({ endpoint }: Session, given: string): void {
    const { href, origin } = new URL(given, `${this.#server.baseUrl}/`);
    if (origin === new URL(this.#server.baseUrl).origin) endpoint.resolve(href);
    else endpoint.reject(new RatchetClientError('protocol_error', `the server names a path of ${origin} for messages`));
  }

  async #ask(session: Session, method: string, params: Fields, { signal, onProgress }: Asking): Promise<Fields> {
    const id = ++this.#last;
    const answered = new Promise<Fields>((resolve, reject) => {
      session.waiting.set(id, { resolve, reject, onProgress });
    });
    answered.catch(() => undefined);
    const _meta = onProgress === undefined ? {} : { _meta: { progressToken: id } };
    try {
      await this.#post(session, { id, method, params: { ...params, ..._meta } }, signal);
      return resultOf(await abortable(answered, signal));
    } catch (error) {
      if (signal.aborted && session.ended === null) this.#tellCancelled(session, id);
      throw error;
    } finally {
      session.waiting.delete(id);
    }
  }

  #tellCancelled(session: Session, requestId: number): void {
    const message = { method: 'notifications/cancelled', params: { requestId } };
    void this.#post(session, message, session.stop.signal).catch(() => undefined);
  }

  async #post(session: Session, message: Fields, signal: AbortSignal): Promise<void> {
    const url = await session.endpoint.promise;
    const answer = await send(url, {
      method: 'POST',
      signal,
      headers: { ...this.#server.headers, 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', ...message }),
    });
    const told = await bodyOf(answer);
    if (answer.ok) return;
    // The server knows the stream no more: it has started anew, or has closed it.
    if (answer.status === 404) {
      session.stop.abort();
      throw connectionLost('the server does not know the stream any more');
    }
    throw refusalIn(answer, told);
  }
}

function take({ waiting }: Session, message: Fields): void {
  const { id } = message;
  if (typeof id === 'number' && !('method' in message)) waiting.get(id)?.resolve(message);
  else tellProgress(message, (token) => (typeof token === 'number' ? waiting.get(token)?.onProgress : undefined));
}

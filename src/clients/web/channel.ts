/** A way to the server: carries requests of the protocol there and brings their answers back. */
import { connectionLost, RatchetClientError } from './failure.ts';
import { type Fields, fieldsOf, numberOf, parsedJson, textOf } from './json.ts';

export interface Server {
  /** Without a slash at the end. */
  readonly baseUrl: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface Asking {
  /** Ends the request, and tells the server so. */
  readonly signal: AbortSignal;
  readonly onProgress?: ((percent: number, message: string | null) => void) | undefined;
}

export interface Channel {
  /** Fails with `connection_lost` where no answer came, and as the server says where it refused. */
  request(method: string, params: Fields, asking: Asking): Promise<Fields>;
  close(): void;
}

export const CLIENT_INFO = { name: 'ratchet-web-client', version: '1' } as const;

/** @returns the answer. Fails with the error of the message, if it is one. */
export function resultOf(message: Fields): Fields {
  const { error, result } = message;
  if (error === undefined) return fieldsOf(result);
  const { message: said, data, code } = fieldsOf(error);
  const details: Fields = { ...fieldsOf(data), rpc_code: code };
  throw new RatchetClientError(textOf(details['code']) ?? 'protocol_error', textOf(said) ?? 'refused', { details });
}

/** Hands on the progress that a message tells, if it does. */
export function tellProgress(message: Fields, tell: (token: unknown) => Asking['onProgress']): void {
  if (message['method'] !== 'notifications/progress') return;
  const { progressToken, progress, total, message: said } = fieldsOf(message['params']);
  const done = numberOf(progress);
  if (done === null) return;
  const extent = numberOf(total) ?? 100;
  tell(progressToken)?.(extent === 0 ? 0 : (done / extent) * 100, textOf(said));
}

/** Sends, and fails with `connection_lost` where nothing answers. */
export async function send(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (error) {
    init.signal?.throwIfAborted();
    throw connectionLost(`no answer from ${url}: it is not reachable, or does not let this page call`, error);
  }
}

/** @returns the JSON of an answer. Fails as an HTTP answer that is no message of the protocol says. */
export async function messageIn(answer: Response): Promise<Fields> {
  const body = await bodyOf(answer);
  if (body['jsonrpc'] === '2.0') return body;
  throw refusalIn(answer, body);
}

/** @returns nothing of what is no JSON object. Fails with `connection_lost`. */
export async function bodyOf(answer: Response): Promise<Fields> {
  const text = await answer.text().catch((error: unknown) => {
    throw connectionLost('the connection broke before the answer', error);
  });
  return fieldsOf(parsedJson(text));
}

/** Proxies and stopping servers say these: the answer may be another one soon. */
const PASSING: readonly number[] = [502, 503, 504];

/** @returns what an answer other than 2xx says, which is a problem document where the server itself wrote it. */
export function refusalIn({ status, headers, url }: Response, body: Fields): RatchetClientError {
  const code = textOf(body['code']);
  const said = textOf(body['detail']) ?? textOf(body['title']) ?? `${url} answered with HTTP status ${status}`;
  if (code === null && PASSING.includes(status)) return connectionLost(said);
  const seconds = Number(headers.get('retry-after') ?? Number.NaN);
  return new RatchetClientError(code ?? 'protocol_error', said, {
    retryable: status === 429 || status === 503,
    retryAfterMs: Number.isNaN(seconds) ? null : seconds * 1_000,
    details: { status },
  });
}

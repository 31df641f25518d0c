/** The `http` steps of a journal as an HTTP Archive (HAR 1.2), which browsers and proxies can open. */
import { isObject, type Json, type JsonObject } from './event.ts';
import { JOURNAL_VERSION, type JournalEntry } from './journal.ts';
import { isoTime } from './time.ts';

export interface HarStep {
  readonly entry: JournalEntry;
  /** Logical clock at the call, milliseconds since the epoch. */
  readonly startedAt: number;
}

/** @param steps of any kind, in recorded order; only `http` ones are told, by the time of their call. */
export function harOf(steps: readonly HarStep[]): JsonObject {
  const entries = steps
    .filter(({ entry }) => entry.kind === 'http')
    .sort((a, b) => a.startedAt - b.startedAt)
    .map(harEntry);
  return { log: { version: '1.2', creator: { name: 'ratchet', version: `journal ${JOURNAL_VERSION}` }, entries } };
}

const HTTP = 'HTTP/1.1';

function harEntry({ entry, startedAt }: HarStep): JsonObject {
  const time = entry.clock - startedAt;
  return {
    startedDateTime: isoTime(startedAt),
    time,
    request: harRequest(entry.request),
    response: harResponse(entry.outcome),
    cache: {},
    timings: { send: 0, wait: time, receive: 0 },
    comment: `step ${entry.path}`,
  };
}

function harRequest(request: JsonObject): JsonObject {
  const url = textOf(request['url']);
  const headers = headersOf(request['headers']);
  const body = request['body'];
  const mimeType = headers.find(({ name }) => name.toLowerCase() === 'content-type')?.value ?? '';
  const isText = request['bodyEncoding'] !== 'base64';
  const sent =
    typeof body === 'string'
      ? { postData: { mimeType, text: body, ...(isText ? {} : { comment: 'the text is Base64' }) } }
      : {};
  return {
    method: textOf(request['method'] ?? 'GET'),
    url,
    httpVersion: HTTP,
    cookies: [],
    headers,
    queryString: [...(URL.parse(url)?.searchParams ?? [])].map(([name, value]) => ({ name, value })),
    ...sent,
    headersSize: -1,
    bodySize: typeof body === 'string' ? bytesOf(body, isText) : 0,
  };
}

/** Status 0 is how archives tell that no answer came. */
function harResponse(outcome: JournalEntry['outcome']): JsonObject {
  const answer = outcome.ok && isObject(outcome.value) ? outcome.value : {};
  const headers = headersOf(answer['headers']);
  const body = textOf(answer['body'] ?? '');
  const isText = answer['bodyEncoding'] !== 'base64';
  const find = (wanted: string): string => headers.find(({ name }) => name.toLowerCase() === wanted)?.value ?? '';
  const error = outcome.ok ? {} : { _error: `${outcome.error.name}: ${outcome.error.message}` };
  return {
    status: typeof answer['status'] === 'number' ? answer['status'] : 0,
    statusText: textOf(answer['statusText'] ?? ''),
    httpVersion: HTTP,
    cookies: [],
    headers,
    content: {
      size: bytesOf(body, isText),
      mimeType: find('content-type'),
      text: body,
      ...(isText ? {} : { encoding: 'base64' }),
    },
    redirectURL: find('location'),
    headersSize: -1,
    bodySize: outcome.ok ? bytesOf(body, isText) : -1,
    ...error,
  };
}

function headersOf(value: Json | undefined): readonly { readonly name: string; readonly value: string }[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((pair: Json) =>
    Array.isArray(pair) ? [{ name: textOf(pair[0] ?? ''), value: textOf(pair[1] ?? '') }] : [],
  );
}

function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : value === undefined ? '' : JSON.stringify(value);
}

function bytesOf(text: string, isText: boolean): number {
  if (isText) return new TextEncoder().encode(text).length;
  return Math.floor((text.replace(/=+$/, '').length * 3) / 4);
}

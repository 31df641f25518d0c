/** The value of an `http` step as tests and stubs write it by hand, made into the one that task code is given. */
import type { Json, JsonObject } from './event.ts';

/** What an answer of a server is told by; everything may be left out. */
export interface WrittenResponse {
  readonly ok?: boolean | null | undefined;
  readonly status?: number | null | undefined;
  readonly statusText?: string | null | undefined;
  /** Pairs where a name stands more than once. */
  readonly headers?: Readonly<Record<string, string>> | readonly (readonly [string, string])[] | undefined;
  /** Text is sent as it is, anything else as JSON. */
  readonly body?: Json | undefined;
  /** `base64`: the body is text that stands for bytes. */
  readonly bodyEncoding?: 'utf8' | 'base64' | undefined;
  /** The URL that answered, where redirects led elsewhere. */
  readonly url?: string | undefined;
  readonly redirected?: boolean | undefined;
}

/** @returns the value of a step that asked for `url`; status 200 when none is given, 500 when it is only said to be not ok. */
export function writtenHttpValue(response: WrittenResponse, url: string): JsonObject {
  const status = response.status ?? (response.ok === false ? 500 : 200);
  const body = response.body ?? null;
  const isText = typeof body === 'string';
  const given = response.headers ?? {};
  const pairs = isPairs(given) ? given : Object.entries(given);
  const headers = pairs.map(([name, value]) => [name.toLowerCase(), value]);
  const hasType = headers.some(([name]) => name === 'content-type');
  const type = hasType || isText ? [] : [['content-type', 'application/json']];
  return {
    status,
    statusText: response.statusText ?? '',
    headers: [...headers, ...type],
    body: isText ? body : JSON.stringify(body),
    bodyEncoding: isText ? (response.bodyEncoding ?? 'utf8') : 'utf8',
    url: response.url ?? url,
    redirected: response.redirected ?? false,
  };
}

function isPairs(headers: WrittenResponse['headers']): headers is readonly (readonly [string, string])[] {
  return Array.isArray(headers);
}

/** @returns true for a value that has the form of an `http` step's. */
export function isHttpValue(value: Json): value is JsonObject {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    'status' in value &&
    typeof value.status === 'number' &&
    'headers' in value &&
    Array.isArray(value.headers) &&
    'body' in value
  );
}

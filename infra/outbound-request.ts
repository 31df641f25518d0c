/** Turns what a task asks to send into what may go out: one clean URL, one clean set of headers, and the rules of redirects. */
import { OutboundError, type OutboundRequest } from '../src/ports/outbound.ts';

type Header = readonly [string, string];

/** One exchange with one server; a redirect makes the next. */
export interface Hop {
  readonly method: string;
  readonly url: URL;
  readonly headers: readonly Header[];
  readonly body: Uint8Array | null;
}

/**
 * The connection's own headers are left out as the fetch standard does; they are ours to set.
 * Fails with `refused` for what can not be sent safely: another scheme, a bad URL, method or header.
 */
export function firstHop(request: OutboundRequest): Hop {
  const method = methodOf(request.method);
  const { url, authorization } = withoutCredentials(parseUrl(request.url));
  const headers = request.headers.filter(([name]) => !OURS.has(name.toLowerCase())).map(cleanHeader);
  if (authorization !== null && !has(headers, 'authorization')) headers.push(['authorization', authorization]);
  if (!has(headers, 'accept-encoding')) headers.push(['accept-encoding', 'gzip, deflate, br, zstd']);
  if (!has(headers, 'user-agent')) headers.push(['user-agent', 'ratchet']);
  if (!has(headers, 'accept')) headers.push(['accept', '*/*']);
  return { method, url, headers, body: request.body };
}

/** @returns true for a status that sends the caller elsewhere. */
export function isRedirect(status: number): boolean {
  return status === 301 || status === 302 || status === 303 || status === 307 || status === 308;
}

/**
 * The hop that a redirect asks for (RFC 9110 §15.4, and the fetch standard where that leaves a choice).
 *
 * @param kept the request's headers and body that may not leave its origin
 * Fails with `refused` when it leads from https to http, would carry a secret body to another origin, or leads to what
 * {@link firstHop} refuses.
 */
export function nextHop(
  hop: Hop,
  status: number,
  location: string,
  kept: Pick<OutboundRequest, 'credentialHeaders' | 'bodyHoldsSecrets'>,
): Hop {
  const { url, authorization } = withoutCredentials(parseUrl(location, hop.url));
  if (hop.url.protocol === 'https:' && url.protocol === 'http:') {
    throw new OutboundError('refused', `${hop.url.host} redirects from https to http (${url.host})`);
  }
  if (url.hash === '') url.hash = hop.url.hash;
  const dropsBody =
    (status === 303 && hop.method !== 'HEAD' && hop.method !== 'GET') || (status <= 302 && hop.method === 'POST');
  const dropped = new Set<string>(dropsBody ? BODY_HEADERS : []);
  if (url.origin !== hop.url.origin) {
    if (kept.bodyHoldsSecrets && hop.body !== null && !dropsBody) {
      throw new OutboundError('refused', `${hop.url.host} redirects a body that holds secrets to ${url.host}`);
    }
    for (const name of [...CREDENTIALS, ...kept.credentialHeaders]) dropped.add(name);
  }
  const headers = hop.headers.filter(([name]) => !dropped.has(name.toLowerCase()));
  if (authorization !== null && !has(headers, 'authorization')) headers.push(['authorization', authorization]);
  return { method: dropsBody ? 'GET' : hop.method, url, headers, body: dropsBody ? null : hop.body };
}

const CREDENTIALS = ['authorization', 'cookie', 'proxy-authorization'] as const;
const BODY_HEADERS = ['content-type', 'content-encoding', 'content-language', 'content-location'] as const;

/** Headers of the connection rather than of the message: a task that sets them could reach another host or split a request. */
const OURS: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

function cleanHeader([name, value]: Header): Header {
  if (!TOKEN.test(name)) throw new OutboundError('refused', `${JSON.stringify(name)} is not a valid header name`);
  const trimmed = value.replace(/^[\t\r\n ]+|[\t\r\n ]+$/g, '');
  // The value is not shown: it may be a secret.
  if (!FIELD_VALUE.test(trimmed)) {
    throw new OutboundError('refused', `the header ${name} holds characters that a header may not hold`);
  }
  return [name, trimmed];
}

function methodOf(text: string): string {
  const method = text.toUpperCase();
  if (!TOKEN.test(text) || method === 'CONNECT' || method === 'TRACE' || method === 'TRACK') {
    throw new OutboundError('refused', `the method ${JSON.stringify(text)} may not be used`);
  }
  return method;
}

// Neither message shows the whole URL: it may hold a secret.
function parseUrl(text: string, base?: URL): URL {
  const url = URL.parse(text, base);
  if (url === null)
    throw new OutboundError('refused', base ? `${base.host} redirects to a bad URL` : 'the URL is not valid');
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new OutboundError('refused', `only http and https may be called, not ${url.protocol}`);
  }
  return url;
}

function withoutCredentials(url: URL): { url: URL; authorization: string | null } {
  if (url.username === '' && url.password === '') return { url, authorization: null };
  const pair = `${decoded(url.username)}:${decoded(url.password)}`;
  url.username = '';
  url.password = '';
  return { url, authorization: `Basic ${Buffer.from(pair, 'utf8').toString('base64')}` };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function has(headers: readonly Header[], name: string): boolean {
  return headers.some(([header]) => header.toLowerCase() === name);
}

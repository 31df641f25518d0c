/** An `http` step between its recorded form and the wire: placeholders become secrets going out, secrets placeholders coming back. */
import { RatchetError } from '../domain/errors.ts';
import type { Json, JsonObject } from '../domain/event.ts';
import type { OutboundRequest, OutboundResponse } from '../ports/outbound.ts';
import type { Secrets } from '../ports/secrets.ts';

type Header = readonly [string, string];

/**
 * @returns the request to send for a recorded one, with `added` headers that the journal does not show.
 * Fails with `secret_unavailable`, or `invalid_request` when a secret's letters would lead the URL to another host.
 */
export function httpRequest(
  recorded: JsonObject,
  added: readonly Header[],
  secrets: Secrets,
  limits: { readonly httpTimeoutMs: number; readonly maxBodyBytes: number },
): OutboundRequest {
  const url = String(recorded['url']);
  const host = URL.canParse(url) ? new URL(url).hostname : '';
  const reveal = (text: string): string => secrets.reveal(text, host);
  const credentialHeaders: string[] = [];
  const headers = headerList(recorded['headers']).map(([name, value]): Header => {
    const shown = name.toLowerCase() === 'authorization' ? revealAuthorization(value, reveal) : reveal(value);
    if (shown !== value) credentialHeaders.push(name.toLowerCase());
    return [name, shown];
  });
  const own = new Set(headers.map(([name]) => name.toLowerCase()));
  const timeout = recorded['timeoutMs'];
  const redirect = recorded['redirect'];
  const body = bodyOf(recorded, reveal);
  return {
    method: String(recorded['method'] ?? 'GET'),
    url: revealedUrl(url, reveal),
    headers: [...headers, ...added.filter(([name]) => !own.has(name))],
    body: body.bytes,
    timeoutMs: typeof timeout === 'number' ? Math.min(timeout, limits.httpTimeoutMs) : limits.httpTimeoutMs,
    maxBodyBytes: limits.maxBodyBytes,
    redirect: redirect === 'manual' || redirect === 'error' ? redirect : 'follow',
    credentialHeaders,
    bodyHoldsSecrets: body.holdsSecrets,
  };
}

/** A slash in a password ends the host: the rest of the secret would then be asked of a name server. */
function revealedUrl(recorded: string, reveal: (text: string) => string): string {
  const url = reveal(recorded);
  if (url === recorded || URL.parse(url)?.origin === URL.parse(recorded)?.origin) return url;
  throw new RatchetError('invalid_request', 'a secret changes where the URL leads: write it percent-encoded there');
}

function headerList(value: Json | undefined): readonly Header[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((pair: Json) => (Array.isArray(pair) ? [[String(pair[0]), String(pair[1])] as const] : []));
}

/** Basic credentials hide the placeholder inside Base64. */
function revealAuthorization(value: string, reveal: (text: string) => string): string {
  const [, scheme, encoded] = /^(basic)\s+([A-Za-z0-9+/=]+)$/i.exec(value) ?? [];
  if (scheme === undefined || encoded === undefined) return reveal(value);
  const decoded = Buffer.from(encoded, 'base64').toString('utf8');
  const shown = reveal(decoded);
  return shown === decoded ? value : `${scheme} ${Buffer.from(shown).toString('base64')}`;
}

function bodyOf(
  recorded: JsonObject,
  reveal: (text: string) => string,
): { readonly bytes: Uint8Array | null; readonly holdsSecrets: boolean } {
  const body = recorded['body'];
  if (typeof body !== 'string') return { bytes: null, holdsSecrets: false };
  if (recorded['bodyEncoding'] === 'base64') return { bytes: Buffer.from(body, 'base64'), holdsSecrets: false };
  const shown = reveal(body);
  return { bytes: Buffer.from(shown, 'utf8'), holdsSecrets: shown !== body };
}

/**
 * @param recorded the request as the journal shows it
 * @param sent what {@link httpRequest} made of it
 * @returns the value that the task, the journal and every replay see.
 */
export function httpValue(
  response: OutboundResponse,
  recorded: JsonObject,
  sent: OutboundRequest,
  secrets: Secrets,
): Json {
  const encoded = basicCredentials(recorded, sent);
  const hide = (text: string): string =>
    encoded.reduce((clean, [shown, hidden]) => clean.replaceAll(shown, () => hidden), text);
  const redact = (text: string): string => secrets.redact(hide(text));
  const text = utf8(response.body);
  const url = String(recorded['url']);
  return {
    status: response.status,
    statusText: redact(response.statusText),
    headers: response.headers.map(([name, value]) => [name, redact(value)]),
    body: text === null ? redactedBytes(response.body, hide, secrets).toString('base64') : redact(text),
    bodyEncoding: text === null ? 'base64' : 'utf8',
    // What was asked needs no search for secrets: it is known where they stood.
    url: response.redirected || sent.url === url ? redact(response.url) : url,
    redirected: response.redirected,
  };
}

function redactedBytes(body: Uint8Array, hide: (text: string) => string, secrets: Secrets): Buffer {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const text = bytes.toString('latin1');
  const hidden = hide(text);
  return Buffer.from(secrets.redactBytes(hidden === text ? bytes : Buffer.from(hidden, 'latin1')));
}

/** A secret inside Base64 has no form of its own that could be searched for: what was sent is what a server may echo. */
function basicCredentials(recorded: JsonObject, sent: OutboundRequest): readonly (readonly [string, string])[] {
  const written = headerList(recorded['headers']);
  return sent.headers.flatMap(([name, shown], index) => {
    const hidden = written[index]?.[1] ?? shown;
    if (name.toLowerCase() !== 'authorization' || shown === hidden || !/^basic\s/i.test(shown)) return [];
    return [[shown.replace(/^basic\s+/i, ''), hidden.replace(/^basic\s+/i, '')] as const];
  });
}

function utf8(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

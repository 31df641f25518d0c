import { describe, expect, it } from 'vitest';
import { configuredSecrets } from '../../infra/secrets.ts';
import type { JsonObject } from '../../src/domain/event.ts';
import type { OutboundResponse } from '../../src/ports/outbound.ts';
import { httpRequest, httpValue } from '../../src/reactors/http-step.ts';

const LIMITS = { httpTimeoutMs: 1_000, maxBodyBytes: 1_000_000 };
const VALUE = 'a/b c+d"é\\?#Ω9';
const SHOWN = '{{secret:key}}';
const secrets = configuredSecrets({ key: { value: VALUE, allowedHosts: ['api.example'] } });

const requestOf = (recorded: JsonObject) => httpRequest(recorded, [], secrets, LIMITS);

function valueOf(recorded: JsonObject, response: Partial<OutboundResponse>): Record<string, unknown> {
  const sent = requestOf(recorded);
  const url = URL.parse(sent.url)?.href ?? sent.url;
  const full = { status: 200, statusText: 'OK', headers: [], body: new Uint8Array(), url, redirected: false };
  return httpValue({ ...full, ...response }, recorded, sent, secrets) as Record<string, unknown>;
}

const HOME = { url: 'http://api.example/' };

describe('a request', () => {
  it('tells whether its body holds secrets', () => {
    const post = (more: JsonObject) => requestOf({ ...HOME, method: 'POST', ...more }).bodyHoldsSecrets;
    expect(post({ body: `key=${SHOWN}` })).toBe(true);
    expect(post({ body: 'key=none' })).toBe(false);
    expect(post({})).toBe(false);
  });

  it('is not made when a secret would lead its URL to another host', () => {
    expect(() => requestOf({ url: `http://user:${SHOWN}@api.example/` })).toThrow(
      expect.objectContaining({ code: 'invalid_request', message: expect.not.stringContaining('a/b') as string }),
    );
    expect(requestOf({ url: `http://api.example/${SHOWN}` }).url).toBe(`http://api.example/${VALUE}`);
  });
});

describe('the value of an answer', () => {
  it('tells the URL as it was asked for, whatever a URL makes of the secret in it', () => {
    for (const url of [
      `http://api.example/${SHOWN}/x`,
      `http://api.example/?k=${SHOWN}`,
      `http://api.example/#${SHOWN}`,
    ]) {
      expect(valueOf({ url }, {})['url']).toBe(url);
    }
    expect(valueOf({ url: 'http://api.example' }, {})['url']).toBe('http://api.example/');
  });

  it('tells the URL after a redirect with the placeholder in path, query, fragment and form', () => {
    const form = new URLSearchParams({ k: VALUE }).toString();
    const lower = encodeURIComponent(VALUE).replaceAll(/%../g, (code) => code.toLowerCase());
    for (const target of [
      VALUE,
      `?k=${VALUE}`,
      `#${VALUE}`,
      `?${form}`,
      `?k=${encodeURIComponent(VALUE)}`,
      `?k=${lower}`,
    ]) {
      const { url } = valueOf(HOME, { url: new URL(`http://other.example/${target}`).href, redirected: true });
      expect(url).toBe(`http://other.example/${target.replace(VALUE, SHOWN).replace(/k=(?!\{).*/, `k=${SHOWN}`)}`);
    }
  });

  it.each([
    ['JSON', JSON.stringify({ echo: VALUE }), JSON.stringify({ echo: SHOWN })],
    ['JSON in ASCII', '"a\\/b c+d\\"\\u00e9\\\\?#\\u03a99"', `"${SHOWN}"`],
    ['Base64 for URLs', Buffer.from(VALUE).toString('base64url'), SHOWN],
  ])('shows no secret inside %s', (_, body, expected) => {
    expect(valueOf(HOME, { body: Buffer.from(body) })['body']).toBe(expected);
  });

  it('shows no secret in the text of the status', () => {
    expect(valueOf(HOME, { statusText: `No ${VALUE}` })['statusText']).toBe(`No ${SHOWN}`);
  });

  it('shows no secret in bytes that are no text, and leaves the others as they are', () => {
    const around = [Buffer.from([0xff, 0x00, 0x80]), Buffer.from([0xfe])] as const;
    const expected = Buffer.concat([around[0], Buffer.from(SHOWN), around[1]]).toString('base64');
    const latin = configuredSecrets({ key: { value: 'pässword', allowedHosts: [] } });
    const told = (keeper: typeof secrets, inner: Buffer) =>
      httpValue(
        {
          status: 200,
          statusText: '',
          headers: [],
          body: Buffer.concat([around[0], inner, around[1]]),
          url: HOME.url,
          redirected: false,
        },
        HOME,
        requestOf(HOME),
        keeper,
      );
    expect(told(secrets, Buffer.from(VALUE))).toMatchObject({ bodyEncoding: 'base64', body: expected });
    expect(told(latin, Buffer.from('pässword', 'latin1'))).toMatchObject({ bodyEncoding: 'base64', body: expected });
    expect(told(configuredSecrets({}), Buffer.from(SHOWN))).toMatchObject({ body: expected });
  });

  it('shows no Basic credentials in bytes that are no text', () => {
    const basic = (text: string) => Buffer.from(text).toString('base64');
    const recorded = { ...HOME, headers: [['authorization', `Basic ${basic(`user:${SHOWN}`)}`]] };
    const body = Buffer.concat([Buffer.from([0xff]), Buffer.from(basic(`user:${VALUE}`))]);
    const told = Buffer.from(String(valueOf(recorded, { body })['body']), 'base64').toString('latin1');
    expect(told).toBe(`\u00ff${basic(`user:${SHOWN}`)}`);
  });
});

/** Tokens: who they let in, and every way in which one is refused. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, exportSPKI, generateKeyPair, type JWTPayload, SignJWT, UnsecuredJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type JwtSettings, type OAuth2Settings, openTokens } from '../../infra/tokens.ts';
import { EVERY_TASK } from '../../src/domain/access.ts';
import type { Tokens } from '../../src/ports/tokens.ts';

const SECRET = 'a secret of more than thirty-two characters';
const JWT: JwtSettings = {
  secret: SECRET,
  algorithm: 'HS256',
  expiresInMs: 3_600_000,
  issuer: 'ratchet',
  audience: 'clients',
};
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const now = (): number => Math.floor(Date.now() / 1000);
const GOOD: JWTPayload = { sub: 'ada', iss: 'ratchet', aud: 'clients', scope: 'ratchet:reader', exp: now() + 600 };

const signed = (claims: JWTPayload = GOOD, alg = 'HS256', secret = SECRET): Promise<string> =>
  new SignJWT(claims).setProtectedHeader({ alg }).sign(bytes(secret));

async function permissionsWith(tokens: Tokens, token: string): Promise<readonly string[] | string> {
  const admission = await tokens.admit(token);
  return 'refused' in admission ? admission.refused : [...admission.principal.permissions].sort();
}

describe('own tokens', () => {
  const tokens = openTokens({ jwt: JWT, oauth2: null });
  const refused = async (token: string): Promise<void> => {
    expect(await tokens.admit(token)).toEqual({ refused: expect.any(String) });
  };

  it('that were made here let in, with what they were made for, until they end', async () => {
    const grant = {
      tokenId: 't1',
      subject: 'ada',
      permissions: ['execute_tasks', 'read'] as const,
      tasks: { allowed: ['ci_*'], denied: ['ci_secret'] },
      issuedAt: Date.now(),
      expiresInSeconds: null,
    };
    const { token, expiresAt } = await tokens.issue(grant);
    expect(Math.round((expiresAt - Date.now()) / 60_000)).toBe(60);
    expect(await tokens.admit(token)).toEqual({
      principal: {
        id: 'token:ada',
        kind: 'token',
        name: 'ada',
        permissions: new Set(['execute_tasks', 'read']),
        tasks: grant.tasks,
        limits: { executions: null, logs: null },
        until: expiresAt + 60_000,
      },
    });
  });

  it.each(['HS256', 'HS384', 'HS512'] as const)(
    'are signed with %s where that is set, and with nothing else',
    async (algorithm) => {
      const own = openTokens({ jwt: { ...JWT, algorithm }, oauth2: null });
      for (const alg of ['HS256', 'HS384', 'HS512']) {
        expect('principal' in (await own.admit(await signed(GOOD, alg)))).toBe(alg === algorithm);
      }
    },
  );

  it('may be a minute late, and no more', async () => {
    expect('principal' in (await tokens.admit(await signed({ ...GOOD, exp: now() - 50 })))).toBe(true);
    await refused(await signed({ ...GOOD, exp: now() - 70 }));
    await refused(await signed({ ...GOOD, nbf: now() + 70 }));
  });

  it('of another issuer, for another audience, of nobody, or without an end are refused', async () => {
    await refused(await signed({ ...GOOD, iss: 'other' }));
    await refused(await signed({ ...GOOD, aud: 'others' }));
    await refused(await signed({ ...GOOD, sub: '' }));
    await refused(await signed({ ...GOOD, sub: 'a\nb' }));
    const { sub: _, ...nobody } = GOOD;
    await refused(await signed(nobody));
    const { exp: __, ...endless } = GOOD;
    await refused(await signed(endless));
  });

  it('under another secret, unsigned, cut or changed are refused', async () => {
    await refused(await signed(GOOD, 'HS256', `${SECRET}!`));
    await refused(new UnsecuredJWT(GOOD).encode());
    const [header, , signature] = (await signed()).split('.');
    const stronger = Buffer.from(JSON.stringify({ ...GOOD, scope: 'ratchet:admin' })).toString('base64url');
    await refused(`${header}.${stronger}.${signature}`);
    await refused(`${header}.${stronger}.`);
    for (const text of ['', 'a.b.c', '..', 'x'.repeat(8_000)]) await refused(text);
  });

  it('with task patterns that can not be read are refused', async () => {
    await refused(await signed({ ...GOOD, ratchet_tasks: 'ci_*' }));
    await refused(await signed({ ...GOOD, ratchet_tasks: { allowed: [1], denied: [] } }));
    await refused(await signed({ ...GOOD, ratchet_tasks: { allowed: Array(101).fill('a'), denied: [] } }));
  });

  it('have rights by scopes alone', async () => {
    expect(await permissionsWith(tokens, await signed({ ...GOOD, scope: 'admin write', role: 'admin' }))).toEqual([]);
    expect(await permissionsWith(tokens, await signed({ ...GOOD, scope: 'ratchet:execute_tasks' }))).toEqual([
      'execute_tasks',
      'read',
    ]);
  });

  it('are neither made nor taken where no secret is set', async () => {
    const none = openTokens({ jwt: null, oauth2: null });
    expect(await none.admit(await signed())).toEqual({ refused: expect.stringContaining('HS256') });
    const grant = { tokenId: 't', subject: 'a', permissions: [], tasks: EVERY_TASK, issuedAt: 0, expiresInSeconds: 1 };
    await expect(none.issue(grant)).rejects.toMatchObject({ code: 'unsupported' });
  });
});

describe('tokens of an authorisation server', () => {
  let server: Server;
  let issuer: string;
  let fetches: Record<string, number>;
  let keys: { rsa: CryptoKey; ec: CryptoKey; stranger: CryptoKey; pem: string };
  let answers: Record<string, unknown>;

  beforeAll(async () => {
    const [rsa, ec, stranger] = await Promise.all([
      generateKeyPair('RS256', { extractable: true }),
      generateKeyPair('ES256', { extractable: true }),
      generateKeyPair('RS256'),
    ]);
    const pem = await exportSPKI(rsa.publicKey);
    keys = { rsa: rsa.privateKey, ec: ec.privateKey, stranger: stranger.privateKey, pem };
    const jwks = {
      keys: [
        { ...(await exportJWK(rsa.publicKey)), kid: 'r1', alg: 'RS256' },
        { ...(await exportJWK(ec.publicKey)), kid: 'e1', alg: 'ES256' },
      ],
    };
    fetches = {};
    server = createServer((request, response) => {
      const path = request.url ?? '';
      fetches[path] = (fetches[path] ?? 0) + 1;
      const answer = answers[path];
      response.writeHead(answer === undefined ? 404 : 200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(answer ?? {}));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    answers = {
      '/keys': jwks,
      '/.well-known/openid-configuration': { issuer, jwks_uri: `${issuer}/keys` },
      '/.well-known/oauth-authorization-server/tenant': { issuer: `${issuer}/tenant`, jwks_uri: `${issuer}/keys` },
      '/liar/.well-known/openid-configuration': { issuer: 'http://other.example', jwks_uri: `${issuer}/keys` },
      '/large': { keys: [], fill: 'x'.repeat(300_000) },
    };
  });
  afterAll(() => new Promise<void>((resolve) => void server.close(() => resolve())));

  const opened = (changes: Partial<OAuth2Settings> = {}, jwt: JwtSettings | null = null): Tokens =>
    openTokens({ jwt, oauth2: { issuer, audience: 'ratchet', jwksUri: null, requiredScopes: [], ...changes } });
  const claims = (): JWTPayload => ({ ...GOOD, iss: issuer, aud: 'ratchet', scope: 'openid ratchet:operator' });
  const foreign = (payload: JWTPayload, key: 'rsa' | 'ec' | 'stranger' = 'rsa', header: object = {}): Promise<string> =>
    new SignJWT(payload)
      .setProtectedHeader(
        key === 'ec' ? { alg: 'ES256', kid: 'e1', ...header } : { alg: 'RS256', kid: 'r1', ...header },
      )
      .sign(keys[key]);

  it('let in under its public keys, found through the issuer and kept', async () => {
    const tokens = opened();
    for (const key of ['rsa', 'ec', 'rsa'] as const) {
      const admission = await tokens.admit(await foreign(claims(), key));
      expect(admission).toMatchObject({ principal: { id: 'oauth2:ada', kind: 'token' } });
    }
    expect(fetches['/keys']).toBe(1);
    expect(fetches['/.well-known/openid-configuration']).toBe(1);
    expect(
      await permissionsWith(tokens, await foreign({ ...claims(), scope: undefined, scp: ['ratchet:reader'] })),
    ).toEqual(['read', 'read_logs', 'read_traces']);
  });

  it('let in when only the other place tells its keys, or the configuration does', async () => {
    const tenant = `${issuer}/tenant`;
    const inTenant = await foreign({ ...claims(), iss: tenant });
    expect('principal' in (await opened({ issuer: tenant }).admit(inTenant))).toBe(true);
    expect('principal' in (await opened({ jwksUri: `${issuer}/keys` }).admit(await foreign(claims())))).toBe(true);
  });

  it('need the scopes that are required', async () => {
    const tokens = opened({ requiredScopes: ['openid', 'ratchet'] });
    expect(await permissionsWith(tokens, await foreign(claims()))).toBe('the scope ratchet is missing');
    const full = await foreign({ ...claims(), scope: 'openid ratchet ratchet:reader' });
    expect(await permissionsWith(tokens, full)).toContain('read');
  });

  it('of another issuer, for another audience, too late, or under another key are refused', async () => {
    const tokens = opened();
    for (const token of [
      await foreign({ ...claims(), iss: 'http://other.example' }),
      await foreign({ ...claims(), aud: 'others' }),
      await foreign({ ...claims(), exp: now() - 70 }),
      await foreign(claims(), 'stranger'),
      await foreign(claims(), 'rsa', { kid: 'unknown' }),
      new UnsecuredJWT(claims()).encode(),
    ]) {
      expect(await tokens.admit(token)).toEqual({ refused: expect.any(String) });
    }
  });

  it('signed with the public key as if it were a secret are refused, also beside own tokens', async () => {
    const confused = await new SignJWT(claims()).setProtectedHeader({ alg: 'HS256', kid: 'r1' }).sign(bytes(keys.pem));
    expect(await opened().admit(confused)).toEqual({ refused: expect.any(String) });
    expect(await opened({}, JWT).admit(confused)).toEqual({ refused: expect.any(String) });
  });

  it('do not pass for own ones, nor own ones for them', async () => {
    const both = opened({}, JWT);
    expect(await both.admit(await signed())).toMatchObject({ principal: { id: 'token:ada' } });
    expect(await both.admit(await foreign(claims()))).toMatchObject({ principal: { id: 'oauth2:ada' } });
    expect(await both.admit(await signed(claims()))).toEqual({ refused: expect.any(String) });
    expect(await both.admit(await foreign({ ...GOOD }))).toEqual({ refused: expect.any(String) });
  });

  it('are refused while its keys can not be had, and asked for no more often than that is sensible', async () => {
    const liar = opened({ issuer: `${issuer}/liar` });
    const token = await foreign({ ...claims(), iss: `${issuer}/liar` });
    expect(await liar.admit(token)).toEqual({ refused: expect.any(String) });
    expect(await liar.admit(token)).toEqual({ refused: expect.stringContaining('just now') });
    expect(fetches['/liar/.well-known/openid-configuration']).toBe(1);
    expect(await opened({ jwksUri: `${issuer}/large` }).admit(token)).toEqual({ refused: expect.any(String) });
  });
});

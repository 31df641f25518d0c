/** Tokens as signed JSON (RFC 7519): our own under a shared secret, those of an authorisation server under its public keys. */
import { hash } from 'node:crypto';
import { createRemoteJWKSet, customFetch, decodeProtectedHeader, type JWTVerifyGetKey, jwtVerify, SignJWT } from 'jose';
import type { Principal } from '../src/domain/access.ts';
import { RatchetError } from '../src/domain/errors.ts';
import { scopesIn, scopesOf, TASKS_CLAIM, tokenPrincipal } from '../src/domain/token-claims.ts';
import type { Admission } from '../src/ports/key-directory.ts';
import type { Tokens } from '../src/ports/tokens.ts';

/** Own tokens. */
export interface JwtSettings {
  readonly secret: string;
  readonly algorithm: 'HS256' | 'HS384' | 'HS512';
  readonly expiresInMs: number;
  readonly issuer: string;
  readonly audience: string | null;
}

/** Tokens of an authorisation server. */
export interface OAuth2Settings {
  readonly issuer: string;
  readonly audience: string | null;
  /** Null: found through the issuer. */
  readonly jwksUri: string | null;
  readonly requiredScopes: readonly string[];
}

export interface TokenSettings {
  readonly jwt: JwtSettings | null;
  readonly oauth2: OAuth2Settings | null;
}

const TOLERANCE_SECONDS = 60;
const FETCH_MS = 5_000;
const MAX_DOCUMENT_BYTES = 256 * 1024;
const KEYS_FRESH_MS = 600_000;
/** A token with an unknown key may make the keys be fetched again, but not more often than this. */
const COOLDOWN_MS = 30_000;
/** What an authorisation server may sign with: only algorithms whose verifying key is public. */
const PUBLIC_KEY_ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
];

/** @returns what checks and makes the tokens of these settings; refuses all where nothing is set. */
export function openTokens({ jwt, oauth2 }: TokenSettings): Tokens {
  const own = jwt === null ? null : ownTokens(jwt);
  const foreign = oauth2 === null ? null : foreignTokens(oauth2);
  return {
    admit: async (token) => {
      try {
        const { alg = '' } = decodeProtectedHeader(token);
        const verify = alg.startsWith('HS') ? own : foreign;
        if (verify === null) return { refused: `no section for tokens signed with ${alg.slice(0, 16)}` };
        return await verify(token);
      } catch (error) {
        return { refused: error instanceof Error ? error.message : String(error) };
      }
    },
    proofOf: (principalId) => {
      const rules = principalId.startsWith('token:') ? jwt : oauth2;
      return rules === null ? null : hash('sha256', JSON.stringify(rules), 'hex');
    },
    issue: async ({ tokenId, subject, permissions, tasks, issuedAt, expiresInSeconds }) => {
      if (jwt === null) {
        throw new RatchetError('unsupported', 'tokens can not be made here: auth.jwt.secret is not set');
      }
      const from = Math.floor(issuedAt / 1000);
      const end = from + (expiresInSeconds ?? Math.ceil(jwt.expiresInMs / 1000));
      const claims = { scope: scopesOf(permissions), [TASKS_CLAIM]: tasks };
      const unsigned = new SignJWT(claims)
        .setProtectedHeader({ alg: jwt.algorithm, typ: 'JWT' })
        .setSubject(subject)
        .setJti(tokenId)
        .setIssuer(jwt.issuer)
        .setIssuedAt(from)
        .setExpirationTime(end);
      const addressed = jwt.audience === null ? unsigned : unsigned.setAudience(jwt.audience);
      return { token: await addressed.sign(keyOf(jwt.secret)), expiresAt: end * 1000 };
    },
  };
}

type Verify = (token: string) => Promise<Admission>;

function ownTokens({ secret, algorithm, issuer, audience }: JwtSettings): Verify {
  const key = keyOf(secret);
  const options = {
    algorithms: [algorithm],
    issuer,
    requiredClaims: ['sub', 'exp'],
    clockTolerance: TOLERANCE_SECONDS,
    ...(audience === null ? {} : { audience }),
  };
  return async (token) => {
    const { payload } = await jwtVerify(token, key, options);
    return admitted(tokenPrincipal(payload, 'token'));
  };
}

function foreignTokens({ issuer, audience, jwksUri, requiredScopes }: OAuth2Settings): Verify {
  const keys = remoteKeys(issuer, jwksUri);
  const options = {
    algorithms: PUBLIC_KEY_ALGORITHMS,
    issuer,
    requiredClaims: ['sub', 'exp'],
    clockTolerance: TOLERANCE_SECONDS,
    ...(audience === null ? {} : { audience }),
  };
  return async (token) => {
    const { payload } = await jwtVerify(token, await keys(), options);
    const held = scopesIn(payload);
    const missing = requiredScopes.find((scope) => !held.includes(scope));
    if (missing !== undefined) return { refused: `the scope ${missing} is missing` };
    return admitted(tokenPrincipal(payload, 'oauth2'));
  };
}

function admitted(principal: Principal | null): Admission {
  if (principal === null) return { refused: 'the claims name nobody, or their task patterns can not be read' };
  const { until } = principal;
  return { principal: until === undefined ? principal : { ...principal, until: until + TOLERANCE_SECONDS * 1000 } };
}

function keyOf(secret: string): Uint8Array {
  return new TextEncoder().encode(secret);
}

/** The keys of the authorisation server; where they are is looked up once they are needed, and again after a failure. */
function remoteKeys(issuer: string, jwksUri: string | null): () => Promise<JWTVerifyGetKey> {
  let found: Promise<JWTVerifyGetKey> | null = null;
  let failedAt = Number.NEGATIVE_INFINITY;
  return async () => {
    if (found === null && performance.now() - failedAt < COOLDOWN_MS) {
      throw new Error(`the keys of ${issuer} could not be found just now`);
    }
    found ??= (jwksUri === null ? discovered(issuer) : Promise.resolve(jwksUri)).then((uri) =>
      createRemoteJWKSet(new URL(uri), {
        timeoutDuration: FETCH_MS,
        cooldownDuration: COOLDOWN_MS,
        cacheMaxAge: KEYS_FRESH_MS,
        [customFetch]: (url, options) => boundedFetch(url, options.signal),
      }),
    );
    try {
      return await found;
    } catch (error) {
      found = null;
      failedAt = performance.now();
      throw error;
    }
  };
}

/** OpenID Connect Discovery 1.0 §4, else RFC 8414 §3: metadata that names another issuer is refused, as both demand. */
async function discovered(issuer: string): Promise<string> {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/$/, '');
  const places = [
    `${origin}${path}/.well-known/openid-configuration`,
    `${origin}/.well-known/oauth-authorization-server${path}`,
  ];
  let last: unknown = null;
  for (const place of places) {
    try {
      const response = await boundedFetch(place, AbortSignal.timeout(FETCH_MS));
      if (response.status !== 200) throw new Error(`${place} answered ${response.status}`);
      const metadata: unknown = await response.json();
      return jwksUriIn(metadata, issuer, place);
    } catch (error) {
      last = error;
    }
  }
  throw last;
}

function jwksUriIn(metadata: unknown, issuer: string, place: string): string {
  if (typeof metadata === 'object' && metadata !== null && 'issuer' in metadata && 'jwks_uri' in metadata) {
    const uri = metadata.jwks_uri;
    if (metadata.issuer === issuer && typeof uri === 'string' && URL.canParse(uri)) return uri;
  }
  throw new Error(`${place} does not tell the keys of ${issuer}`);
}

/** Follows no redirect, and reads no more than 256 KiB. */
async function boundedFetch(url: string, signal: AbortSignal): Promise<Response> {
  const response = await fetch(url, { signal, redirect: 'manual', headers: { accept: 'application/json' } });
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > MAX_DOCUMENT_BYTES) throw new Error(`${url} answered more than ${MAX_DOCUMENT_BYTES} bytes`);
    chunks.push(chunk);
  }
  return new Response(response.status === 200 ? Buffer.concat(chunks) : null, { status: response.status });
}

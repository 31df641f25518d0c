/** Asks the server of a task source, with its credentials and nowhere else, and says in our words why no answer came. */
import { RatchetError } from '../../src/domain/errors.ts';
import { type Outbound, OutboundError, type OutboundResponse } from '../../src/ports/outbound.ts';
import type { Credentials } from './address.ts';

/** Milliseconds for one request. */
const REQUEST_MS = 60_000;

export interface RemoteRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Uint8Array | null;
}

export interface Remote {
  /** Fails with `source_unavailable`, `source_refused` (more bytes than are taken) or `address_refused`. */
  send(request: RemoteRequest, signal: AbortSignal): Promise<OutboundResponse>;
  /** The error for an answer that is not what was asked for. */
  answered(status: number, statusText: string): RatchetError;
}

export interface RemoteOptions {
  readonly outbound: Outbound;
  /** As messages name the source. */
  readonly told: string;
  /** Where the credentials belong. */
  readonly url: string;
  /** Value of the `authorization` header; null: none. */
  readonly authorization: string | null;
  readonly maxBytes: number;
}

/** @returns requests to one source. */
export function remoteOf({ outbound, told, url, authorization, maxBytes }: RemoteOptions): Remote {
  const { origin } = new URL(url);
  return {
    send: async (request, signal) => {
      const isHome = new URL(request.url).origin === origin;
      const headers = [...request.headers];
      if (authorization !== null && isHome) headers.push(['authorization', authorization]);
      const limits = { timeoutMs: REQUEST_MS, maxBodyBytes: maxBytes };
      const rules = { redirect: 'follow', credentialHeaders: [], bodyHoldsSecrets: false } as const;
      try {
        return await outbound.send({ ...request, headers, ...limits, ...rules }, signal);
      } catch (error) {
        throw explained(error, told);
      }
    },
    answered: (status, statusText) => {
      const isClosed = status === 401 || status === 403 || (status === 404 && authorization === null);
      const advice = isClosed ? '; if it is not public, set username and token of the source' : '';
      const words = `${status} ${statusText}`.trim();
      return new RatchetError('source_unavailable', `${told} can not be read: its server answers ${words}${advice}`);
    },
  };
}

/** @returns the header for repositories, which want a user beside the token. */
export function basicAuthorization({ username, token }: Credentials): string {
  return `Basic ${Buffer.from(`${username === '' ? 'git' : username}:${token}`).toString('base64')}`;
}

/** @returns the header for archives: a token alone is a bearer's. */
export function archiveAuthorization(credentials: Credentials): string {
  return credentials.username === '' ? `Bearer ${credentials.token}` : basicAuthorization(credentials);
}

function explained(error: unknown, told: string): unknown {
  const say = (code: 'address_refused' | 'source_refused' | 'source_unavailable', reason: string) =>
    new RatchetError(code, `${told} can not be read: ${reason}`, { cause: error });
  if (!(error instanceof OutboundError)) {
    const isLate = error instanceof DOMException && error.name === 'TimeoutError';
    return isLate ? say('source_unavailable', 'it took too long') : error;
  }
  switch (error.failure) {
    case 'refused':
      return say('address_refused', error.message);
    case 'too-large':
      return say('source_refused', error.message);
    case 'network':
    case 'timeout':
      return say('source_unavailable', error.message);
    default:
      return error.failure satisfies never;
  }
}

/** Who is at the other end of a conversation over MCP, and how they came. */
import type { AuthInfo, ServerContext } from '@modelcontextprotocol/server';
import type { Principal } from '../../domain/access.ts';
import { RatchetError } from '../../domain/errors.ts';
import type { WatchedResources } from './watched-resources.ts';

export interface Contact {
  readonly transport: 'stdio' | 'http' | 'sse';
  /** Null where each request stands alone. */
  readonly sessionId: string | null;
  /** What the client watches, where other nodes can go on with the conversation; kept by the server itself where left out. */
  readonly watched?: WatchedResources;
  /** Who calls, found out for each request anew: keys end while sessions last. Fails with `unauthenticated`. */
  readonly principalOf: (context: ServerContext) => Principal;
}

/** Carries the caller, whom the HTTP listener has found out, through the libraries of the protocol. */
export class KnownCaller implements AuthInfo {
  /** The credential itself is of no use behind the door. */
  readonly token = '';
  readonly clientId: string;
  readonly scopes: string[];
  readonly principal: Principal;

  constructor(principal: Principal) {
    this.principal = principal;
    this.clientId = principal.id;
    this.scopes = [...principal.permissions];
  }
}

/** @returns who calls over HTTP. Fails with `unauthenticated` where the listener let a request through without finding out. */
export function principalOverHttp({ http }: ServerContext): Principal {
  const known = http?.authInfo;
  if (known instanceof KnownCaller) return known.principal;
  throw new RatchetError('unauthenticated', 'nobody is known to call');
}

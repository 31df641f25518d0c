/** Tells clients of an authorisation server which one it is and what to ask it for (RFC 9728, RFC 6750), before and after they have been refused. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { PERMISSIONS, type Permission, type Principal } from '../../domain/access.ts';
import { scopesOf } from '../../domain/token-claims.ts';
import { record } from '../rest-request.ts';
import { messagesIn } from './json-rpc.ts';
import type { Toolbox } from './toolbox.ts';

/** What tokens are taken from whom. */
export interface AuthorizationServer {
  readonly issuer: string;
  /** Whom tokens must be for; null: whoever they are for. */
  readonly audience: string | null;
  /** Scopes that every token must hold. */
  readonly requiredScopes: readonly string[];
}

const WELL_KNOWN = '/.well-known/oauth-protected-resource';
const OPEN = { config: { isPublic: true, isUnlimited: true } };

export class ProtectedResource {
  readonly #server: AuthorizationServer;
  readonly #path: string;

  /** @param path of the resource on this listener */
  constructor(server: AuthorizationServer, path: string) {
    this.#server = server;
    this.#path = path;
  }

  /** Adds the metadata, open to all, where clients look for it: below the path of the resource, and without it. */
  addTo(scope: FastifyInstance): void {
    for (const path of [WELL_KNOWN, `${WELL_KNOWN}${this.#path}`]) {
      scope.get(path, OPEN, async (request) => ({
        resource: this.#resource(request),
        resource_name: 'Ratchet',
        authorization_servers: [this.#server.issuer],
        scopes_supported: this.#scopes(PERMISSIONS),
        bearer_methods_supported: ['header'],
      }));
    }
    scope.addHook('onSend', async (request, reply) => {
      if (reply.statusCode !== 401) return;
      const isWrong = request.headers.authorization !== undefined;
      const error = isWrong ? ', error="invalid_token"' : '';
      reply.header(
        'www-authenticate',
        `Bearer realm="ratchet"${error}, ${this.#where(request)}, scope="${this.#scopes(['read']).join(' ')}"`,
      );
    });
  }

  /** @returns the refusal for a call whose token lacks scopes, which names all that it needs at once; null where it lacks none. */
  stepUp(request: FastifyRequest, { kind, permissions }: Principal, toolbox: Toolbox, body: unknown): Response | null {
    if (kind !== 'token') return null;
    const needed = messagesIn(body).flatMap((message): readonly Permission[] => {
      if (!('method' in message) || message.method !== 'tools/call') return [];
      const { name } = record(message.params);
      const tool = typeof name === 'string' ? toolbox.find(name) : null;
      return tool === null ? [] : [tool.permission];
    });
    if (needed.every((permission) => permissions.has(permission))) return null;
    const scope = this.#scopes([...new Set([...permissions, ...needed])]).join(' ');
    const challenge = `Bearer realm="ratchet", error="insufficient_scope", ${this.#where(request)}, scope="${scope}"`;
    const error = {
      code: -32_000,
      message: `Permission denied: the token lacks scopes; all that the call needs: ${scope}`,
    };
    return Response.json(
      { jsonrpc: '2.0', id: null, error },
      { status: 403, headers: { 'www-authenticate': challenge } },
    );
  }

  #scopes(permissions: readonly Permission[]): readonly string[] {
    return [...new Set([...this.#server.requiredScopes, ...scopesOf(permissions).split(' ')])];
  }

  #where(request: FastifyRequest): string {
    return `resource_metadata="${originOf(request)}${WELL_KNOWN}${this.#path}"`;
  }

  /** As tokens name it, where that is an address; else the one that the client has used. */
  #resource(request: FastifyRequest): string {
    const { audience } = this.#server;
    return audience !== null && URL.canParse(audience) ? audience : `${originOf(request)}${this.#path}`;
  }
}

const HOST = /^[\w.:[\]-]{1,255}$/;

/** Header values go back into a header: what is no name of a host does not. */
function originOf({ protocol, host }: FastifyRequest): string {
  return `${protocol}://${HOST.test(host) ? host : 'localhost'}`;
}

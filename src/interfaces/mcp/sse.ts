/** The transport of the oldest clients: one stream that is listened to, and messages beside it; deprecated since 2025. */
import { type JSONRPCMessage, parseJSONRPCMessage, type Server } from '@modelcontextprotocol/server';
import { SSEServerTransport } from '@modelcontextprotocol/server-legacy/sse';
import type { FastifyReply } from 'fastify';
import type { Principal } from '../../domain/access.ts';
import { keptCaller, type SessionEnd } from '../../domain/mcp-session.ts';
import { KnownCaller, principalOverHttp } from './contact.ts';
import { messagesIn, noSession, rpcError, storedMessage } from './json-rpc.ts';
import type { McpMount } from './mount.ts';
import { mcpServer } from './server.ts';
import type { HeldSession, SessionPlaces } from './session-places.ts';

const HANDED = 'handed';
/** Proxies end what says nothing for a minute. */
const HEARTBEAT_MS = 15_000;

interface SseSession extends HeldSession {
  readonly owner: string;
  readonly transport: SSEServerTransport;
  readonly server: Server;
}

interface Stream {
  readonly response: FastifyReply['raw'];
  readonly transport: SSEServerTransport;
  /** Aborts when the client leaves. */
  readonly gone: AbortSignal;
}

export class SseSessions {
  readonly #mount: McpMount;
  readonly #places: SessionPlaces;
  readonly #messagesPath: string;
  readonly #open = new Map<string, SseSession>();
  #isDeprecationSaid = false;

  constructor(mount: McpMount, places: SessionPlaces, messagesPath: string) {
    this.#mount = mount;
    this.#places = places;
    this.#messagesPath = messagesPath;
    places.listen({
      handed: (sessionId, message, principal) => {
        const session = this.#open.get(sessionId);
        if (session !== undefined) void this.#take(session, message, principal);
      },
      closed: (sessionId) => void this.#open.get(sessionId)?.server.close(),
    });
  }

  /** @returns the refusal, where there is no room; else null, and `response` is the stream. */
  async open(principal: Principal, response: FastifyReply['raw']): Promise<Response | null> {
    // Whoever is not listened to from the start may have left unheard.
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    if (response.destroyed) return null;
    const transport = new SSEServerTransport(this.#messagesPath, response);
    const id = transport.sessionId;
    const refused = await this.#places.reserve(principal, id);
    if (refused !== null) return refused;
    this.#sayDeprecated();
    await this.#places.filled(id, () => this.#opened(principal, { response, transport, gone: gone.signal }));
    return null;
  }

  async #opened(principal: Principal, { response, transport, gone }: Stream): Promise<void> {
    const id = transport.sessionId;
    const server = mcpServer(this.#mount, { transport: 'sse', sessionId: id, principalOf: principalOverHttp });
    const ended = Promise.withResolvers<SessionEnd>();
    const end = async (reason: SessionEnd | 'released'): Promise<void> => {
      // The stream is the session: it can not be let go and taken up elsewhere.
      ended.resolve(reason === 'released' ? 'idle' : reason);
      await server.close();
    };
    const session: SseSession = { id, owner: principal.id, transport, server, end };
    const { sessions } = this.#mount;
    const opened = {
      principal: principal.id,
      transport: 'sse' as const,
      node: sessions.node,
      client: null,
      protocolVersion: null,
      initialize: null,
    };
    await sessions.tell(id, [{ type: 'SessionOpened', data: opened }], principal);
    this.#open.set(id, session);
    this.#places.hold(session, gone);
    const heartbeat = setInterval(() => response.write(': alive\n\n'), HEARTBEAT_MS).unref();
    const over = (): void => {
      clearInterval(heartbeat);
      ended.resolve('client');
      void ended.promise.then((reason) => this.#ended(id, reason, principal)).catch(this.#mount.onTrouble);
    };
    server.onclose = over;
    try {
      await server.connect(transport);
    } catch (error) {
      over();
      throw error;
    }
    if (gone.aborted) await server.close();
  }

  /** Takes a message for a session, which may be open on another node. */
  async message(sessionId: string, body: unknown, principal: Principal): Promise<Response> {
    const messages = messagesIn(body);
    if (messages.length === 0) return rpcError(400, 'refused', 'the body is no JSON-RPC message');
    const session = this.#open.get(sessionId);
    const owner = session?.owner ?? (await this.#ownerElsewhere(sessionId));
    if (owner === null) return noSession();
    if (owner !== principal.id) {
      this.#mount.onRefusal({
        principal: principal.id,
        operation: `session ${sessionId}`,
        reason: 'permission_denied',
      });
      return noSession();
    }
    if (session === undefined) {
      const caller = keptCaller(principal);
      const facts = messages.map((message) => {
        return { type: 'MessageHandedOver', data: { message: storedMessage(message), caller } } as const;
      });
      await this.#mount.sessions.tell(sessionId, facts, principal, HANDED);
    } else {
      for (const message of messages) await this.#take(session, message, principal);
    }
    return new Response('Accepted', { status: 202 });
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open.values()].map((session) => session.end('shutdown')));
  }

  async #take({ transport }: SseSession, message: JSONRPCMessage, principal: Principal): Promise<void> {
    try {
      await transport.handleMessage(parseJSONRPCMessage(message), { authInfo: new KnownCaller(principal) });
    } catch (error) {
      this.#mount.onTrouble(error);
    }
  }

  async #ownerElsewhere(sessionId: string): Promise<string | null> {
    const { sessions } = this.#mount;
    const known = await sessions.look(sessionId);
    if (known?.status !== 'open' || known.opened?.transport !== 'sse') return null;
    return (await sessions.isAlive(known.opened.node)) ? known.opened.principal : null;
  }

  async #ended(id: string, reason: SessionEnd, principal: Principal): Promise<void> {
    if (!this.#open.delete(id)) return;
    this.#places.free(id);
    const known = await this.#mount.sessions.look(id);
    if (known?.status === 'open') {
      await this.#mount.sessions.tell(id, [{ type: 'SessionClosed', data: { reason } }], principal);
    }
  }

  #sayDeprecated(): void {
    if (this.#isDeprecationSaid) return;
    this.#isDeprecationSaid = true;
    this.#mount.onNotice(
      'a client uses HTTP+SSE (GET /sse), which the protocol has deprecated: let it use Streamable HTTP at /mcp',
    );
  }
}

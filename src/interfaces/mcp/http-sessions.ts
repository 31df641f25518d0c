/** Sessions of the older era over Streamable HTTP: held in memory, told in the log, and so held by any node that is asked. */
import { isInitializeRequest, type JSONRPCMessage, type Server } from '@modelcontextprotocol/server';
import type { Principal } from '../../domain/access.ts';
import { type JsonObject, objectOf } from '../../domain/event.ts';
import { keptCaller, type McpSession, type SessionEnd } from '../../domain/mcp-session.ts';
import { KnownCaller, principalOverHttp } from './contact.ts';
import { messagesIn, noSession, rpcError, storedMessage } from './json-rpc.ts';
import { KeptMessages, placeOf } from './kept-messages.ts';
import type { McpMount } from './mount.ts';
import { resumedStream } from './resumed-stream.ts';
import { mcpServer } from './server.ts';
import type { HeldSession, SessionPlaces } from './session-places.ts';
import { SessionTransport } from './session-transport.ts';
import { WatchedResources } from './watched-resources.ts';

/** Other nodes' messages for a session stand beside its own facts, so that these stay quick to read. */
const HANDED = 'handed';
/** How soon a client that was cut off should come back, in milliseconds. */
const RETRY_MS = 1_000;

interface Asked {
  readonly request: Request;
  readonly body: unknown;
  readonly principal: Principal;
}

class HttpSession implements HeldSession {
  readonly id: string;
  readonly owner: string;
  readonly transport: SessionTransport;
  readonly kept: KeptMessages;
  readonly watched: WatchedResources;
  readonly server: Server;
  /** Requests are begun one after the other, so that each stream is known to belong to its own. */
  begun: Promise<unknown> = Promise.resolve();
  readonly end: (reason: SessionEnd | 'released') => Promise<void>;

  constructor(parts: Pick<HttpSession, 'id' | 'owner' | 'transport' | 'kept' | 'watched' | 'server' | 'end'>) {
    this.id = parts.id;
    this.owner = parts.owner;
    this.transport = parts.transport;
    this.kept = parts.kept;
    this.watched = parts.watched;
    this.server = parts.server;
    this.end = parts.end;
  }
}

export class HttpSessions {
  readonly #mount: McpMount;
  readonly #places: SessionPlaces;
  readonly #open = new Map<string, HttpSession>();
  /** Sessions that are being taken up: whoever asks meanwhile waits for the same. */
  /** What the client of a session that is being made again says to other nodes meanwhile. */
  readonly #early = new Map<string, { readonly uri: string; readonly isWatched: boolean }[]>();
  readonly #restoring = new Map<string, Promise<HttpSession | Response>>();

  constructor(mount: McpMount, places: SessionPlaces) {
    this.#mount = mount;
    this.#places = places;
    places.listen({
      handed: (sessionId, message, principal) => {
        this.#open.get(sessionId)?.transport.deliver(message, { authInfo: new KnownCaller(principal) });
      },
      watched: (sessionId, uri, isWatched) => {
        this.#early.get(sessionId)?.push({ uri, isWatched });
        this.#open.get(sessionId)?.watched.heard(uri, isWatched);
      },
      closed: (sessionId) => void this.#drop(sessionId),
    });
  }

  /** Answers `initialize` with a new session. */
  async open(asked: Asked): Promise<Response> {
    const id = this.#mount.core.execute.runtime.newId();
    const refused = await this.#places.reserve(asked.principal, id);
    return refused ?? this.#places.filled(id, () => this.#opened(id, asked));
  }

  async #opened(id: string, asked: Asked): Promise<Response> {
    const session = await this.#made(id, asked.principal, []);
    return this.#closedOnFailure(session, async () => {
      const [initialize] = messagesIn(asked.body);
      session.transport.opened(initialize === undefined ? [] : [initialize]);
      const options = { authInfo: new KnownCaller(asked.principal), parsedBody: asked.body };
      const answer = await this.#begin(session, asked.body, () =>
        session.transport.handleRequest(asked.request, options),
      );
      if (session.transport.sessionId === undefined || initialize === undefined || !isInitializeRequest(initialize)) {
        await discard(session);
        this.#places.free(id);
        return answer;
      }
      const { protocolVersion, clientInfo } = initialize.params;
      const opened = {
        principal: asked.principal.id,
        transport: 'http' as const,
        node: this.#mount.sessions.node,
        client: `${clientInfo.name} ${clientInfo.version}`.slice(0, 256),
        protocolVersion,
        initialize: objectOf(storedMessage(initialize)['params']),
      };
      await this.#mount.sessions.tell(id, [{ type: 'SessionOpened', data: opened }], asked.principal);
      this.#open.set(id, session);
      this.#places.hold(session, asked.request.signal);
      return answer;
    });
  }

  /** Answers a request that names a session. */
  async answer(sessionId: string, asked: Asked): Promise<Response> {
    const { request, principal } = asked;
    const session = await this.#find(sessionId, principal);
    if (session instanceof Response) return session;
    if (session.owner !== principal.id) return this.#notYours(sessionId, principal);
    this.#places.hold(session, request.signal);
    if (request.method === 'GET') {
      const resumed = await this.#resumed(session, request);
      if (resumed !== null) return resumed;
    }
    const options = { authInfo: new KnownCaller(principal) };
    if (request.method !== 'POST') return session.transport.handleRequest(request, options);
    const body = await this.#ours(session, asked);
    if (body === null) return new Response(null, { status: 202 });
    return this.#begin(session, body, () => session.transport.handleRequest(request, { ...options, parsedBody: body }));
  }

  /** Lets go of all sessions: other nodes, or this one when it is back, can go on with them. */
  async close(): Promise<void> {
    await Promise.all([...this.#open.values()].map((session) => session.end('released')));
  }

  #begin(session: HttpSession, body: unknown, work: () => Promise<Response>): Promise<Response> {
    const begun = session.begun.then(() => {
      const messages = messagesIn(body);
      session.transport.opened(messages);
      session.kept.begin(messages.flatMap((message) => ('method' in message && 'id' in message ? [message.id] : [])));
      return work();
    });
    session.begun = begun.catch(() => undefined);
    return begun;
  }

  async #find(sessionId: string, principal: Principal): Promise<HttpSession | Response> {
    const here = this.#open.get(sessionId);
    if (here !== undefined) return here;
    const underWay = this.#restoring.get(sessionId);
    if (underWay !== undefined) return underWay;
    const restoring = this.#restored(sessionId, principal).finally(() => this.#restoring.delete(sessionId));
    this.#restoring.set(sessionId, restoring);
    return restoring;
  }

  /** Another node opened it, or this process did in its last life: its first request makes the same session once more. */
  async #restored(sessionId: string, principal: Principal): Promise<HttpSession | Response> {
    const known: McpSession | null = await this.#mount.sessions.look(sessionId);
    if (known?.status !== 'open' || known.opened?.transport !== 'http') return noSession();
    if (known.opened.principal !== principal.id) return this.#notYours(sessionId, principal);
    const { initialize } = known.opened;
    const refused = await this.#places.reserve(principal, sessionId);
    return refused ?? this.#places.filled(sessionId, () => this.#madeAgain(sessionId, principal, initialize));
  }

  async #madeAgain(
    sessionId: string,
    principal: Principal,
    params: JsonObject | null,
  ): Promise<HttpSession | Response> {
    // From now on other nodes are heard; what they did before is in the log.
    this.#early.set(sessionId, []);
    try {
      const known = await this.#mount.sessions.look(sessionId);
      if (known?.status !== 'open') {
        this.#places.free(sessionId);
        return noSession();
      }
      const session = await this.#made(sessionId, principal, known.subscribed);
      return await this.#closedOnFailure(session, () => this.#introduced(session, principal, params));
    } finally {
      this.#early.delete(sessionId);
    }
  }

  async #introduced(session: HttpSession, principal: Principal, params: JsonObject | null): Promise<HttpSession> {
    const initialize = { jsonrpc: '2.0', id: 0, method: 'initialize', params: params ?? {} };
    const authInfo = new KnownCaller(principal);
    const asked = (): Request => {
      const accept = 'application/json, text/event-stream';
      const headers = { accept, 'content-type': 'application/json', 'mcp-session-id': session.id };
      return new Request('http://localhost/mcp', { method: 'POST', headers });
    };
    const answer = await session.transport.handleRequest(asked(), { authInfo, parsedBody: initialize });
    await answer.text();
    const initialized = { jsonrpc: '2.0', method: 'notifications/initialized' };
    await session.transport.handleRequest(asked(), { authInfo, parsedBody: initialized });
    const { sessions } = this.#mount;
    await sessions.tell(session.id, [{ type: 'SessionTakenUp', data: { node: sessions.node } }], principal);
    for (const { uri, isWatched } of this.#early.get(session.id) ?? []) session.watched.heard(uri, isWatched);
    this.#open.set(session.id, session);
    return session;
  }

  async #closedOnFailure<Result>(session: HttpSession, work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (error) {
      await discard(session);
      throw error;
    }
  }

  async #made(id: string, principal: Principal, uris: Iterable<string>): Promise<HttpSession> {
    const mount = this.#mount;
    const kept = new KeptMessages({ log: mount.sessions, sessionId: id, principal, onTrouble: mount.onTrouble });
    const transport = new SessionTransport(mount.sessions.node, {
      sessionIdGenerator: () => id,
      eventStore: kept,
      retryInterval: RETRY_MS,
      onsessionclosed: () => this.#end(id, 'client', principal),
    });
    const remember = (uri: string, isWatched: boolean): Promise<void> => {
      const type = isWatched ? 'ResourceSubscribed' : 'ResourceUnsubscribed';
      return mount.sessions.tell(id, [{ type, data: { uri } }], principal);
    };
    const watched = new WatchedResources({ uris, remember });
    const contact = { transport: 'http', sessionId: id, watched, principalOf: principalOverHttp } as const;
    const server = mcpServer(mount, contact);
    await server.connect(transport);
    const end = (reason: SessionEnd | 'released') => this.#end(id, reason, principal);
    return new HttpSession({ id, owner: principal.id, transport, kept, watched, server, end });
  }

  /** The client's own messages; what is for another node goes there through the log. Null: nothing is left for this one. */
  async #ours(session: HttpSession, { body, principal }: Asked): Promise<unknown> {
    const messages = messagesIn(body);
    const addressed = messages.map((message) => session.transport.addressed(message));
    const foreign = addressed.filter(({ isOurs }) => !isOurs).map(({ message }) => message);
    if (foreign.length > 0) await this.#handOver(session.id, foreign, principal);
    const ours = addressed.filter(({ isOurs }) => isOurs).map(({ message }) => message);
    if (messages.length === 0) return body;
    if (ours.length === 0) return null;
    return Array.isArray(body) ? ours : ours[0];
  }

  async #handOver(sessionId: string, messages: readonly JSONRPCMessage[], principal: Principal): Promise<void> {
    const caller = keptCaller(principal);
    const facts = messages.map((message) => {
      return { type: 'MessageHandedOver', data: { message: storedMessage(message), caller } } as const;
    });
    await this.#mount.sessions.tell(sessionId, facts, principal, HANDED);
  }

  async #resumed(session: HttpSession, request: Request): Promise<Response | null> {
    const lastEventId = request.headers.get('last-event-id');
    if (lastEventId === null) return null;
    const place = placeOf(lastEventId);
    if (place === null) return rpcError(400, 'refused', 'Last-Event-ID is none of this server');
    if (session.kept.holds(place)) {
      // Whoever comes back has lost the connection, also where that has not been noticed here yet.
      if (place.told !== null) session.transport.closeStandaloneSSEStream();
      for (const id of session.kept.requestsOf(place)) session.transport.closeSSEStream(id);
      return null;
    }
    if (place.told !== null) return this.#listensAgain(session, request);
    const resumed = await resumedStream(this.#mount.sessions, session.id, place, request.signal);
    return resumed ?? rpcError(400, 'refused', 'what followed this event is not kept any more; send the request again');
  }

  /** What another node told meanwhile is not known here; whatever the client listens to may have changed, so it is told that all of it did. */
  async #listensAgain(session: HttpSession, request: Request): Promise<Response> {
    const headers = new Headers(request.headers);
    headers.delete('last-event-id');
    const fresh = new Request(request.url, { headers, signal: request.signal });
    const response = await session.transport.handleRequest(fresh);
    const { subscribed } = (await this.#mount.sessions.look(session.id)) ?? { subscribed: new Set<string>() };
    for (const uri of subscribed) {
      await session.transport.send({ jsonrpc: '2.0', method: 'notifications/resources/updated', params: { uri } });
    }
    return response;
  }

  #notYours(sessionId: string, { id }: Principal): Response {
    this.#mount.onRefusal({ principal: id, operation: `session ${sessionId}`, reason: 'permission_denied' });
    return noSession();
  }

  async #end(id: string, reason: SessionEnd | 'released', principal: Principal): Promise<void> {
    if (!(await this.#drop(id))) return;
    const { node } = this.#mount.sessions;
    const fact =
      reason === 'released'
        ? ({ type: 'SessionReleased', data: { node } } as const)
        : ({ type: 'SessionClosed', data: { reason } } as const);
    await this.#mount.sessions.tell(id, [fact], principal);
  }

  async #drop(id: string): Promise<boolean> {
    const session = this.#open.get(id);
    if (session === undefined) return false;
    this.#open.delete(id);
    this.#places.free(id);
    await discard(session);
    return true;
  }
}

async function discard({ kept, server }: HttpSession): Promise<void> {
  kept.close();
  await server.close();
}

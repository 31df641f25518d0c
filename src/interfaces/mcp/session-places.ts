/** Bounds how many sessions are open at once, lets go of those that nobody uses, and hears what other nodes have for them. */
import type { JSONRPCMessage } from '@modelcontextprotocol/server';
import type { Principal } from '../../domain/access.ts';
import { callerKept, type McpSessionEvent, type SessionEnd } from '../../domain/mcp-session.ts';
import { messagesIn, rpcError } from './json-rpc.ts';
import type { McpMount } from './mount.ts';

export interface SessionBounds {
  /** Sessions at once. */
  readonly max: number;
  /** How long a session may be unused before it ends, in milliseconds. */
  readonly idleMs: number;
}

/** A session unused for so long makes room for a new one: it is taken up again when it is asked for. */
const GIVES_WAY_MS = 60_000;
const LOOK_MS = 15_000;
const RETRY_SECONDS = 5;

export interface HeldSession {
  readonly id: string;
  /** `released`: this node lets go of it, and any node can take it up again. */
  end(reason: SessionEnd | 'released'): Promise<void>;
}

interface Listener {
  /** A message of the client that another node was given. */
  handed(sessionId: string, message: JSONRPCMessage, principal: Principal): void;
  /** The client began or ceased to watch a resource, and said so perhaps to another node. */
  watched?(sessionId: string, uri: string, isWatched: boolean): void;
  /** The session was closed, perhaps by another node. */
  closed(sessionId: string): void;
}

interface Place {
  session: HeldSession | null;
  /** Requests and streams that use it now. */
  uses: number;
  usedAt: number;
}

export class SessionPlaces {
  readonly #mount: McpMount;
  readonly #bounds: SessionBounds;
  readonly #places = new Map<string, Place>();
  readonly #listeners: Listener[] = [];
  readonly #stop = new AbortController();
  #following: Promise<void> | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor(mount: McpMount, bounds: SessionBounds) {
    this.#mount = mount;
    this.#bounds = bounds;
  }

  listen(listener: Listener): void {
    this.#listeners.push(listener);
  }

  /** @returns null when there is room, which is then taken until it is given free; else the answer to the client. */
  async reserve({ id: principal }: Principal, sessionId: string): Promise<Response | null> {
    const { max } = this.#bounds;
    const unused = this.#places.size < max ? null : this.#unusedFor(GIVES_WAY_MS)[0];
    if (unused === undefined) {
      this.#mount.onRefusal({ principal, operation: 'mcp session', reason: 'too_many_connections' });
      const said = `as many sessions are open as mcp.max_connections (${max}) allows; close one with DELETE, or come back later`;
      return rpcError(503, 'refused', said, { 'retry-after': String(RETRY_SECONDS) });
    }
    if (unused !== null) this.#places.delete(unused.id);
    this.#places.set(sessionId, { session: null, uses: 1, usedAt: this.#now() });
    return this.filled(sessionId, async () => {
      await unused?.end('released');
      await this.#followed();
      return null;
    });
  }

  /** Does what opens a session for which there is room; where that fails, the room is free again. */
  async filled<Result>(sessionId: string, open: () => Promise<Result>): Promise<Result> {
    try {
      return await open();
    } catch (error) {
      this.free(sessionId);
      throw error;
    }
  }

  /** Notes that a session is used until `signal` aborts. */
  hold(session: HeldSession, signal: AbortSignal): void {
    const known = this.#places.get(session.id);
    const place = known ?? { session, uses: 0, usedAt: 0 };
    if (place.session === null) place.uses -= 1;
    place.session = session;
    place.uses += 1;
    this.#places.set(session.id, place);
    const done = (): void => {
      place.uses -= 1;
      place.usedAt = this.#now();
    };
    if (signal.aborted) done();
    else signal.addEventListener('abort', done, { once: true });
  }

  free(sessionId: string): void {
    this.#places.delete(sessionId);
  }

  close(): void {
    this.#stop.abort();
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  #now(): number {
    return this.#mount.core.execute.runtime.now();
  }

  /** The one that was unused for longest comes first. */
  #unusedFor(ms: number): readonly HeldSession[] {
    const since = this.#now() - ms;
    return [...this.#places.values()]
      .filter(({ uses, usedAt }) => uses === 0 && usedAt <= since)
      .sort((one, other) => one.usedAt - other.usedAt)
      .flatMap(({ session }) => (session === null ? [] : [session]));
  }

  /** Resolves once other nodes are heard; where that fails, the next session tries again. */
  async #followed(): Promise<void> {
    this.#following ??= this.#follow();
    try {
      await this.#following;
    } catch (error) {
      this.#following = null;
      throw error;
    }
  }

  async #follow(): Promise<void> {
    this.#timer ??= setInterval(() => void this.#reap(), Math.min(LOOK_MS, this.#bounds.idleMs)).unref();
    const types = ['MessageHandedOver', 'ResourceSubscribed', 'ResourceUnsubscribed', 'SessionClosed'] as const;
    await this.#mount.sessions.follow(types, (sessionId, fact) => this.#heard(sessionId, fact), this.#stop.signal);
  }

  #heard(sessionId: string, fact: McpSessionEvent): void {
    if (!this.#places.has(sessionId)) return;
    if (fact.type === 'SessionClosed') for (const listener of this.#listeners) listener.closed(sessionId);
    if (fact.type === 'ResourceSubscribed' || fact.type === 'ResourceUnsubscribed') {
      const isWatched = fact.type === 'ResourceSubscribed';
      for (const listener of this.#listeners) listener.watched?.(sessionId, fact.data.uri, isWatched);
    }
    if (fact.type !== 'MessageHandedOver') return;
    const principal = callerKept(fact.data.caller);
    for (const message of messagesIn(fact.data.message)) {
      for (const listener of this.#listeners) listener.handed(sessionId, message, principal);
    }
  }

  /** A session that another node still holds is used there, perhaps: only the last one that lets go closes it. */
  async #reap(): Promise<void> {
    const { sessions, onTrouble } = this.#mount;
    for (const session of this.#unusedFor(this.#bounds.idleMs)) {
      try {
        const known = await sessions.look(session.id);
        const others = [...(known?.nodes ?? [])].filter((node) => node !== sessions.node);
        const alive = await Promise.all(others.map((node) => sessions.isAlive(node)));
        await session.end(alive.includes(true) ? 'released' : 'idle');
      } catch (error) {
        onTrouble(error);
      }
    }
  }
}

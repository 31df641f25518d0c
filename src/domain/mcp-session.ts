/** A session over MCP: who opened it and as what, so that any node can go on with it, whoever answered before. */
import type { CallerLimits, Permission, Principal, TaskPatterns } from './access.ts';
import type { Evolution, Fact, JsonObject } from './event.ts';

export type McpTransport = 'stdio' | 'http' | 'sse';

/** `idle`: nobody used it. `refused`: whoever opened it may not enter any more. */
export type SessionEnd = 'client' | 'idle' | 'shutdown' | 'refused';

/** A caller as found out by another node, in a form that is stored. */
export interface KeptCaller {
  readonly id: string;
  readonly kind: Principal['kind'];
  readonly name: string;
  readonly permissions: readonly Permission[];
  readonly tasks: TaskPatterns;
  readonly limits: CallerLimits;
  /** Milliseconds since the epoch; null: it does not end by itself. */
  readonly until: number | null;
}

export type McpSessionEvent =
  | Fact<
      'SessionOpened',
      {
        readonly principal: string;
        readonly transport: McpTransport;
        /** Node that holds it. */
        readonly node: string;
        /** What the client calls itself; null where it has not said so when the session was opened. */
        readonly client: string | null;
        readonly protocolVersion: string | null;
        /** Parameters of the request `initialize`, which makes the same session on another node; null where there was none. */
        readonly initialize: JsonObject | null;
      }
    >
  /** Another node holds it, too. */
  | Fact<'SessionTakenUp', { readonly node: string }>
  /** A node holds it no longer; it can be taken up again. */
  | Fact<'SessionReleased', { readonly node: string }>
  | Fact<'SessionClosed', { readonly reason: SessionEnd }>
  | Fact<'ResourceSubscribed', { readonly uri: string }>
  | Fact<'ResourceUnsubscribed', { readonly uri: string }>
  /** One message of a request that takes long, so that its client can come back for it wherever it finds somebody. */
  | Fact<
      'MessageKept',
      {
        readonly streamId: string;
        readonly sequence: number;
        readonly message: JsonObject;
        /** Requests of the client that the stream answers; none where that was not known. */
        readonly requests: readonly (string | number)[];
        readonly node: string;
      }
    >
  /** A message of the client that came to a node for which it was not meant. */
  | Fact<'MessageHandedOver', { readonly message: JsonObject; readonly caller: KeptCaller }>;

export const MCP_SESSION_EVENT_TYPES = [
  'SessionOpened',
  'SessionTakenUp',
  'SessionReleased',
  'SessionClosed',
  'ResourceSubscribed',
  'ResourceUnsubscribed',
  'MessageKept',
  'MessageHandedOver',
] as const satisfies readonly McpSessionEvent['type'][];

export type OpenedSession = Extract<McpSessionEvent, { type: 'SessionOpened' }>['data'];

export interface McpSession {
  readonly status: 'none' | 'open' | 'closed';
  readonly opened: OpenedSession | null;
  /** Nodes that hold it. */
  readonly nodes: ReadonlySet<string>;
  /** Resources whose changes the client wants to be told. */
  readonly subscribed: ReadonlySet<string>;
}

export const mcpSession: Evolution<McpSession, McpSessionEvent> = {
  initial: { status: 'none', opened: null, nodes: new Set(), subscribed: new Set() },
  evolve: (state, event) => {
    switch (event.type) {
      case 'SessionOpened':
        return { ...state, status: 'open', opened: event.data, nodes: new Set([event.data.node]) };
      case 'SessionTakenUp':
        return { ...state, nodes: new Set([...state.nodes, event.data.node]) };
      case 'SessionReleased':
        return { ...state, nodes: without(state.nodes, event.data.node) };
      case 'SessionClosed':
        return { ...state, status: 'closed', nodes: new Set(), subscribed: new Set() };
      case 'ResourceSubscribed':
        return { ...state, subscribed: new Set([...state.subscribed, event.data.uri]) };
      case 'ResourceUnsubscribed':
        return { ...state, subscribed: without(state.subscribed, event.data.uri) };
      case 'MessageKept':
      case 'MessageHandedOver':
        return state;
      default:
        return event satisfies never;
    }
  },
};

function without(all: ReadonlySet<string>, one: string): ReadonlySet<string> {
  return new Set([...all].filter((other) => other !== one));
}

/** @returns the caller in the form that is stored. */
export function keptCaller({ id, kind, name, permissions, tasks, limits, until }: Principal): KeptCaller {
  return { id, kind, name, permissions: [...permissions], tasks, limits, until: until ?? null };
}

/** @returns the caller that {@link keptCaller} made this of. */
export function callerKept({ permissions, until, ...same }: KeptCaller): Principal {
  return { ...same, permissions: new Set(permissions), ...(until === null ? {} : { until }) };
}

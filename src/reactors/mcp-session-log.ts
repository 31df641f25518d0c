/** Keeps sessions over MCP in the log of events, and follows there what other nodes do with them. */
import { type Deps, envelopes } from '../../commands/handle.ts';
import { idOf, streamName } from '../domain/event.ts';
import { decode, fold } from '../domain/history.ts';
import { type McpSessionEvent, mcpSession } from '../domain/mcp-session.ts';
import type { EventFilter, EventPage } from '../ports/event-store.ts';
import type { McpSessionLog } from '../ports/mcp-session-log.ts';
import type { Sessions } from '../ports/worker-sessions.ts';
import { keepFollowing } from './keep-following.ts';

/** Stands between a session and a part of it; no id has one. */
const PART = '.';
const SESSION_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export function mcpSessionLog(
  { store, runtime }: Deps,
  nodes: Sessions,
  onTrouble: (error: unknown) => void,
): McpSessionLog {
  const streamOf = (sessionId: string, part?: string): string =>
    streamName('session', part === undefined ? sessionId : `${sessionId}${PART}${part}`);
  return {
    get node() {
      return nodes.own;
    },
    isAlive: async (node) => !(await nodes.isGone(node)),
    look: async (sessionId) => {
      if (!SESSION_ID.test(sessionId)) return null;
      const history = await store.readStream(streamOf(sessionId));
      return history.length === 0 ? null : fold(mcpSession, history);
    },
    tell: async (sessionId, facts, principal, part) => {
      const meta = {
        principal,
        commandId: runtime.newId(),
        correlationId: sessionId,
        causationId: null,
        traceparent: null,
        now: runtime.now(),
      };
      await store.append(streamOf(sessionId, part), 'any', envelopes(runtime, facts, meta));
    },
    read: async (sessionId, part, from) =>
      (await store.readStream(streamOf(sessionId, part), { from })).map((stored) => decode<McpSessionEvent>(stored)),
    head: () => store.head(),
    follow: async (types, onFact, signal) => {
      const onPage = ({ events }: EventPage): void => {
        for (const stored of events) {
          const [sessionId = ''] = idOf(stored.stream).split(PART);
          onFact(sessionId, decode<McpSessionEvent>(stored));
        }
      };
      const filter: EventFilter = { categories: ['session'], types };
      void keepFollowing(store, { from: await store.head(), filter, onPage, onTrouble }, signal);
    },
  };
}

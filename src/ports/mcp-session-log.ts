/** What is asked about sessions over MCP that other nodes may have opened; the log knows them all. */
import type { Principal } from '../domain/access.ts';
import type { Position } from '../domain/event.ts';
import type { McpSession, McpSessionEvent } from '../domain/mcp-session.ts';

export interface McpSessionLog {
  /** This process. */
  readonly node: string;
  /** @returns whether a node still works. */
  isAlive(node: string): Promise<boolean>;
  /** @returns the session as the log has it; null when there is none of this id. Fails with an error of the store. */
  look(sessionId: string): Promise<McpSession | null>;
  /** Stores facts of a session, in its own stream or in a part beside it that is read alone. Fails with an error of the store. */
  tell(sessionId: string, facts: readonly McpSessionEvent[], by: Principal, part?: string): Promise<void>;
  /** @returns the facts of one part, from the one numbered `from` on. */
  read(sessionId: string, part: string, from: number): Promise<readonly McpSessionEvent[]>;
  /** Position of the last event of the log. */
  head(): Promise<Position>;
  /** Tells each fact of these types that is stored after the answer, of all sessions, until `signal` aborts. */
  follow(
    types: readonly McpSessionEvent['type'][],
    onFact: (sessionId: string, fact: McpSessionEvent) => void,
    signal: AbortSignal,
  ): Promise<void>;
}

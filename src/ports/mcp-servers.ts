/** What the core asks of MCP servers on behalf of tasks: to carry out one tool. */
import type { Json, JsonObject } from '../domain/event.ts';

export interface McpToolCall {
  /** Name under which the configuration knows the server. */
  readonly server: string;
  readonly tool: string;
  readonly arguments: JsonObject;
  /** W3C header by which the server's spans join those of the execution. */
  readonly traceparent: string | null;
  /** The same however often this very call is sent; null where nobody will know. */
  readonly idempotencyKey: string | null;
  /** Largest result in bytes. */
  readonly maxBytes: number;
}

/** What a task gets: all that the server told, and twice in the forms that code likes best. */
export type McpToolResult = {
  /** The blocks of text, joined by line ends. */
  readonly text: string;
  /** The structured content; null when there is none. */
  readonly structured: Json;
  readonly content: Json;
};

/** The server carried the call out, and says that it went wrong. */
export class McpToolError extends Error {
  override readonly name = 'McpToolError';
}

export interface McpServers {
  /**
   * Fails with {@link McpToolError}, an `OutboundError` when the server can not be reached or takes too long, `not_found` for a
   * server that is not configured, or the reason of `signal`.
   */
  call(call: McpToolCall, signal: AbortSignal): Promise<McpToolResult>;
  close(): Promise<void>;
}

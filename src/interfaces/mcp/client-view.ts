/** What the client of a request says of itself and of what it can do: in each request of the newer era, once in the older. */
import type { Server, ServerContext } from '@modelcontextprotocol/server';
import { record } from '../rest-request.ts';

export interface ClientView {
  /** Name and version, as the client says; it proves nothing. */
  readonly info: string | null;
  /** Whether it asks its user what a task asks. */
  readonly elicits: boolean;
  /** Whether it takes a handle instead of a result. */
  readonly takesTasks: boolean;
}

export const TASKS_EXTENSION = 'io.modelcontextprotocol/tasks';
const CLIENT_INFO = 'io.modelcontextprotocol/clientInfo';
const CAPABILITIES = 'io.modelcontextprotocol/clientCapabilities';

export function clientOf(server: Server, { mcpReq }: ServerContext): ClientView {
  const envelope = record(mcpReq.envelope);
  const { name, version } = record(envelope[CLIENT_INFO] ?? server.getClientVersion());
  const { elicitation } = record(envelope[CAPABILITIES] ?? server.getClientCapabilities());
  // Only in the request itself: what was said before binds nobody.
  const { extensions } = record(envelope[CAPABILITIES]);
  const shown = typeof version === 'string' ? `${String(name)} ${version}` : String(name);
  return {
    info: typeof name === 'string' ? shown.slice(0, 256) : null,
    elicits: isForm(elicitation),
    takesTasks: record(extensions)[TASKS_EXTENSION] !== undefined,
  };
}

/** A client that says nothing of modes means forms; one that names modes must name that one. */
function isForm(elicitation: unknown): boolean {
  if (typeof elicitation !== 'object' || elicitation === null) return false;
  return Object.keys(elicitation).length === 0 || 'form' in elicitation;
}

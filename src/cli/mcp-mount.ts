/** Joins the tools, their settings and the app to what all conversations of a process share. */
import type { FastifyBaseLogger } from 'fastify';
import type { App, AppSettings } from '../app.ts';
import { INSTRUCTIONS } from '../interfaces/mcp/instructions.ts';
import type { McpMount } from '../interfaces/mcp/mount.ts';
import { ResourceChanges } from '../interfaces/mcp/resource-changes.ts';
import { Toolbox } from '../interfaces/mcp/toolbox.ts';
import { TOOLS } from '../interfaces/mcp/tools.ts';
import type { McpSessionLog } from '../ports/mcp-session-log.ts';
import type { McpSettings } from './mcp-settings.ts';

export function mountOf(
  app: App,
  { logger }: Pick<AppSettings, 'logger'>,
  { tools, limits, callTimeoutMs }: McpSettings,
  version: string,
): McpMount {
  const log = logger.child({ target: 'ratchet_mcp' });
  const onTrouble = (error: unknown): void => log.error({ err: error }, 'error of the MCP server');
  return {
    core: app.core,
    toolbox: new Toolbox(TOOLS, tools),
    settings: tools,
    version,
    instructions: INSTRUCTIONS,
    sessions: logged(app.mcpSessions, log),
    limits,
    callTimeoutMs,
    changes: new ResourceChanges({ store: app.store, directory: app.directory, onTrouble }),
    onRefusal: (refusal) => app.refuse(refusal),
    onCall: (call) => app.called(call),
    onNotice: (text) => log.warn(text),
    onTrouble,
  };
}

/** In the words by which people search the log for connections. */
function logged(sessions: McpSessionLog, log: FastifyBaseLogger): McpSessionLog {
  return {
    ...sessions,
    tell: async (sessionId, facts, by, part) => {
      await sessions.tell(sessionId, facts, by, part);
      for (const fact of facts) {
        if (fact.type === 'SessionOpened') {
          const { client, transport } = fact.data;
          log.info({ sessionId, client, transport, principal: by.id }, 'initialize: a client has connected');
        }
        if (fact.type === 'SessionClosed')
          log.info({ sessionId, reason: fact.data.reason }, 'a client has disconnected');
      }
    },
  };
}

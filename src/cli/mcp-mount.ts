/** Joins the tools, their settings and the app to what all conversations of a process share. */
import type { App, AppSettings } from '../app.ts';
import { INSTRUCTIONS } from '../interfaces/mcp/instructions.ts';
import type { McpMount } from '../interfaces/mcp/mount.ts';
import type { ToolSettings } from '../interfaces/mcp/settings.ts';
import { Toolbox } from '../interfaces/mcp/toolbox.ts';
import { TOOLS } from '../interfaces/mcp/tools.ts';

export interface MountSettings {
  readonly tools: ToolSettings;
  readonly version: string;
}

export function mountOf(app: App, { logger }: AppSettings, { tools, version }: MountSettings): McpMount {
  return {
    core: app.core,
    toolbox: new Toolbox(TOOLS, tools),
    settings: tools,
    version,
    instructions: INSTRUCTIONS,
    onRefusal: (refusal) => app.refuse(refusal),
    onTrouble: (error) => logger.error({ err: error }, 'error of the MCP server'),
  };
}

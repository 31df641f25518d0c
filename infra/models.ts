/** Opens what tasks reach of other minds: the MCP servers and the language model that the operator has configured. */
import type { LanguageModel } from '../src/ports/language-model.ts';
import type { McpServers } from '../src/ports/mcp-servers.ts';
import { type LanguageModelOptions, openLanguageModel } from './language-model.ts';
import { type McpServersOptions, openMcpServers } from './mcp-servers.ts';
import { openOutbound } from './outbound.ts';

export interface ModelsOptions {
  readonly mcp: McpServersOptions;
  readonly llm: LanguageModelOptions;
}

export interface Models {
  readonly mcpServers: McpServers;
  readonly languageModel: LanguageModel;
  close(): Promise<void>;
}

const NONE: ModelsOptions = {
  mcp: { servers: [], connections: 1 },
  llm: { baseUrl: null, apiKey: null, model: null, timeoutMs: 60_000 },
};

/** An address that the operator wrote down may be anywhere: in this network, too. */
const ANYWHERE = ['0.0.0.0/0', '::/0'];

/** @param options none of either where left out */
export function openModels({ mcp, llm }: ModelsOptions = NONE): Models {
  const outbound = openOutbound({ allow: ANYWHERE });
  const mcpServers = openMcpServers(mcp);
  return {
    mcpServers,
    languageModel: openLanguageModel(llm, outbound),
    close: async () => void (await Promise.all([mcpServers.close(), outbound.close()])),
  };
}

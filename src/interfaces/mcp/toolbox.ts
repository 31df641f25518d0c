/** Which tools a caller sees and may call: one decision for the list and for the call. */
import type { Tool as ListedTool } from '@modelcontextprotocol/server';
import { authorize, type Principal } from '../../domain/access.ts';
import { RatchetError } from '../../domain/errors.ts';
import type { ToolSettings } from './settings.ts';
import type { Tool } from './tool.ts';

/** Names that the product's documents write before a tool's own; several clients refuse dots, so these are never listed. */
const PREFIXES = ['ratchet.', 'ratchet_'] as const;

export class Toolbox {
  readonly #tools: readonly Tool[];
  readonly #byName: ReadonlyMap<string, Tool>;
  readonly #settings: ToolSettings;
  /** Lists by the rights that made them: there are few sets of rights, and many who ask. */
  readonly #lists = new Map<string, readonly ListedTool[]>();

  /** @param tools in the order in which they are listed */
  constructor(tools: readonly Tool[], settings: ToolSettings) {
    this.#tools = tools;
    this.#byName = new Map(tools.map((tool) => [tool.listed.name, tool]));
    this.#settings = settings;
  }

  list({ permissions }: Principal): readonly ListedTool[] {
    const key = [...permissions].sort().join(' ');
    const known = this.#lists.get(key);
    if (known !== undefined) return known;
    const list = this.#tools
      .filter((tool) => permissions.has(tool.permission) && this.#switchedOff(tool) === null)
      .map(({ listed }) => listed);
    this.#lists.set(key, list);
    return list;
  }

  /** @returns the tool of this name, or of a name the documents use for it; null when there is none. */
  find(name: string): Tool | null {
    const prefix = PREFIXES.find((start) => name.startsWith(start));
    return (
      this.#byName.get(name) ?? (prefix === undefined ? null : (this.#byName.get(name.slice(prefix.length)) ?? null))
    );
  }

  /** Names of all tools that this caller may call. */
  names(principal: Principal): readonly string[] {
    return this.list(principal).map(({ name }) => name);
  }

  /** Fails with `permission_denied` for a tool that the list leaves out for this caller. */
  assertUsable(tool: Tool, principal: Principal): void {
    authorize(principal, tool.permission, tool.listed.name);
    const switchedOff = this.#switchedOff(tool);
    if (switchedOff === null) return;
    throw new RatchetError('permission_denied', `Permission denied: ${tool.listed.name} ${switchedOff}`, {
      details: { operation: tool.listed.name, principal: principal.id },
    });
  }

  /** Why nobody can use a tool here; null when somebody may. */
  #switchedOff({ toolset, listed }: Tool): string | null {
    if (this.#settings.readOnly && listed.annotations?.readOnlyHint !== true) {
      return 'changes something, and this server only reads (--read-only)';
    }
    if (toolset === 'always' || this.#settings.toolsets[toolset]) return null;
    return `is switched off here (mcp.tools: ${toolset})`;
  }
}

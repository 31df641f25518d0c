/** Fixtures that make the lists change, and so tell whoever listens. */
import type { ServerEvent } from '@modelcontextprotocol/server';
import { ResourceChanges, type ResourceChangesDeps } from '../../../src/interfaces/mcp/resource-changes.ts';
import type { Tool } from '../../../src/interfaces/mcp/tool.ts';
import { said } from './contents.ts';
import { fixture } from './fixture-tool.ts';

/** In the product changes come from the log alone; here tools publish them. */
class PublishedChanges extends ResourceChanges {
  readonly #listeners = new Set<(event: ServerEvent) => void>();

  override subscribe(listener: (event: ServerEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  tell(event: ServerEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}

export function changingTools(deps: ResourceChangesDeps): {
  readonly changes: ResourceChanges;
  readonly tools: readonly Tool[];
} {
  const changes = new PublishedChanges(deps);
  return {
    changes,
    tools: [
      fixture('test_trigger_tool_change', () => {
        changes.tell({ kind: 'tools_list_changed' });
        return said('tools have changed');
      }),
      fixture('test_trigger_prompt_change', () => {
        changes.tell({ kind: 'prompts_list_changed' });
        return said('prompts have changed');
      }),
    ],
  };
}

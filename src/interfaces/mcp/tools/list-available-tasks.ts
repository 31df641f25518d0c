/** Finds tasks by words, so that an agent knows what it can run. */
import { z } from 'zod';
import { isAllowedTask } from '../../../domain/access.ts';
import { nearNames } from '../../../domain/diagnosis/near-names.ts';
import { fitPage } from '../pages.ts';
import { defineReadingTool, type EmptyHints, maxTokens, reachNow, readingOutput } from '../reading-tool.ts';
import type { ToolCall } from '../tool.ts';

const input = z.strictObject({
  filter: z.string().max(256).optional().describe('Part of the name or the description.'),
  category: z.string().max(64).optional(),
  include_schemas: z.boolean().default(false).describe('Also input and output schemas.'),
  limit: z.number().min(1).max(100).default(20),
  cursor: z.string().max(1024).optional(),
  max_tokens: maxTokens,
});

const found = z.object({
  tasks: z.array(
    z.looseObject({
      id: z.string(),
      name: z.string(),
      description: z.string(),
      version: z.number(),
      status: z.string(),
      category: z.string().nullable(),
      tags: z.unknown(),
      dangerous: z.boolean(),
      input_schema: z.unknown().optional(),
      output_schema: z.unknown().optional(),
    }),
  ),
  next_cursor: z.string().nullable(),
});
type Found = z.infer<typeof found>['tasks'][number];

export const listAvailableTasksTool = defineReadingTool({
  name: 'list_available_tasks',
  title: 'List tasks',
  description: 'Lists the tasks that can be run, by name, with what each is for.',
  toolset: 'always',
  permission: 'read',
  input,
  output: z.looseObject({ tasks: z.array(z.unknown()), next_cursor: z.string().nullable(), ...readingOutput }),
  synonyms: { query: 'filter', search: 'filter' },
  run: async (call, { max_tokens, ...asked }) => {
    await reachNow(call);
    const { tasks, next_cursor } = found.parse(await call.ask('list_available_tasks', asked));
    return fitPage(max_tokens, {
      name: 'tasks',
      rows: tasks,
      next: next_cursor,
      isFirst: asked.cursor === undefined,
      keyOf: ({ name, id }) => [name, id],
      tell,
      more: tasks.length === 0 && asked.cursor === undefined ? { hints: hintsFor(call, asked) } : {},
    });
  },
});

function tell({ id, name, description, version, status, category, tags, dangerous, ...more }: Found) {
  const schemas = 'input_schema' in more ? { input_schema: more.input_schema, output_schema: more.output_schema } : {};
  return { name, id, description, version, status, category, tags, dangerous, ...schemas };
}

function hintsFor(
  { core, caller }: ToolCall,
  { filter, category }: Pick<z.infer<typeof input>, 'filter' | 'category'>,
): EmptyHints {
  const known = core.execute.directory
    .all()
    .map(({ name }) => name)
    .filter((name) => isAllowedTask(caller.principal.tasks, name));
  const tool = 'list_available_tasks';
  const near = filter === undefined ? [] : nearTo(filter, known);
  const wider = category === undefined ? [] : [{ tool, arguments: filter === undefined ? {} : { filter } }];
  return {
    summary: `No task matches; ${known.length} can be seen.`,
    possible_causes: [
      ...near.map((name) => `Did you mean '${name}'?`),
      known.length === 0
        ? 'No task was published, or this key may see none.'
        : 'Name and description have other words.',
    ],
    suggested_actions: [
      ...near.map((name) => ({ tool, arguments: { filter: name } })),
      ...wider,
      { tool, arguments: {} },
    ].slice(0, 3),
  };
}

/** Names like the words, or like one of them. */
function nearTo(filter: string, known: readonly string[]): readonly string[] {
  const words = filter.toLowerCase().match(/[\p{L}\p{N}]{3,}/gu) ?? [];
  const holding = known.filter((name) => words.some((word) => name.toLowerCase().includes(word)));
  const parts = known.filter((name) => words.some((word) => nearNames(word, name.split(/[-_. ]/)).length > 0));
  return [...new Set([...nearNames(filter, known), ...holding, ...parts])].slice(0, 3);
}

/** Tells who did what, refusals included. */
import { z } from 'zod';
import { shortened } from '../fit.ts';
import { fitPage } from '../pages.ts';
import { type Detail, defineReadingTool, detail, maxTokens, reachNow, readingOutput } from '../reading-tool.ts';

const entry = z.looseObject({ position: z.string(), details: z.unknown() });
const found = z.object({ entries: z.array(entry), next_cursor: z.string().nullable() });

export const getAuditTrailTool = defineReadingTool({
  name: 'get_audit_trail',
  title: 'Get the audit trail',
  description: 'Tells decisions and refusals, newest first: who did what to which task, execution or key.',
  toolset: 'monitoring',
  permission: 'read_logs',
  input: z.strictObject({
    principal: z.string().max(128).optional().describe('Such as key:ci.'),
    action: z.string().max(64).optional(),
    subject_id: z.string().max(128).optional().describe('Id of a task, execution or key.'),
    since: z.iso.datetime({ offset: true }).optional(),
    limit: z.number().int().min(1).max(100).default(20),
    cursor: z.string().max(1_024).optional(),
    detail,
    max_tokens: maxTokens,
  }),
  output: z.looseObject({ entries: z.array(z.unknown()), next_cursor: z.string().nullable(), ...readingOutput }),
  synonyms: { execution_id: 'subject_id', task_id: 'subject_id' },
  run: async (call, { max_tokens, detail: how, ...asked }) => {
    await reachNow(call);
    const { entries, next_cursor } = found.parse(await call.ask('get_audit_trail', asked));
    const isEmpty = entries.length === 0 && asked.cursor === undefined;
    return fitPage(max_tokens, {
      name: 'entries',
      rows: entries,
      next: next_cursor,
      isFirst: asked.cursor === undefined,
      keyOf: ({ position }) => [position],
      tell: (row) => tell(row, how),
      more: isEmpty ? { hints: HINTS } : {},
    });
  },
});

const DETAIL_TOKENS: Readonly<Record<Detail, number>> = { summary: 100, standard: 400, full: 4_000 };

function tell({ details, ...row }: z.infer<typeof entry>, how: Detail): object {
  return { ...row, details: shortened(DETAIL_TOKENS[how], details) };
}

const HINTS = {
  summary: 'No entry matches.',
  possible_causes: ['principal, action, subject_id or since leave out what there is, or this key may see none of it.'],
  suggested_actions: [{ tool: 'get_audit_trail', arguments: {} }],
};

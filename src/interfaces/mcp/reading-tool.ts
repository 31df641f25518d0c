/** Tools that only look: each answer stays within the tokens that its caller allows, and is as new as the log. */
import { z } from 'zod';
import { type Payload, within } from './fit.ts';
import { defineTool, READS, type Tool, type ToolCall, type ToolDefinition } from './tool.ts';
import type { ReadyCall } from './tool-answer.ts';

/** Standard and highest budget of an answer, in tokens. */
const STANDARD_TOKENS = 4_000;
const MOST_TOKENS = 20_000;
/** With less not even the names of what is left out can be told. */
const LEAST_TOKENS = 500;

export const maxTokens = z
  .number()
  .min(LEAST_TOKENS)
  .max(MOST_TOKENS)
  .default(STANDARD_TOKENS)
  .describe('Most tokens of the answer.');

export const detail = z.enum(['summary', 'standard', 'full']).default('summary');
export type Detail = z.infer<typeof detail>;

/** What every answer of a reading tool can say of itself. */
export const readingOutput = {
  truncated: z.boolean().optional(),
  omitted: z.unknown().optional().describe('{count, reason} of what was left out.'),
  hints: z.unknown().optional().describe('What to do when nothing was found.'),
};

/** What an answer says that has found nothing. */
export interface EmptyHints {
  readonly summary: string;
  readonly possible_causes: readonly string[];
  readonly suggested_actions: readonly ReadyCall[];
}

interface Definition<Input extends { readonly max_tokens: number }, Output extends object>
  extends Omit<ToolDefinition<Input, Output>, 'hints' | 'run'> {
  /** @returns the answer; whatever of it is still too large is cut. */
  readonly run: (call: ToolCall, input: Input) => Promise<Payload>;
}

export function defineReadingTool<Input extends { readonly max_tokens: number }, Output extends object>(
  definition: Definition<Input, Output>,
): Tool {
  return defineTool({
    ...definition,
    hints: READS,
    run: async (call, input) => within(input.max_tokens, await definition.run(call, input)),
  });
}

/** How long an answer waits for the read models to tell what was stored before it was asked for, in milliseconds. */
const FRESH_MS = 1_000;

/** @returns whether everything that is stored by now can be read; an answer is given all the same. */
export async function reachNow({ core }: ToolCall): Promise<boolean> {
  try {
    await core.progress.reach(await core.query.store.head(), FRESH_MS);
    return true;
  } catch {
    return false;
  }
}

/** What the audit trail keeps of each call of a tool, whether it changed something, told something or was refused. */
import type { Fact } from './event.ts';

export type ToolCallEvent = Fact<
  'ToolCalled',
  {
    readonly tool: string;
    readonly principal: string;
    /** Null where each request stands alone. */
    readonly session: string | null;
    /** What the client calls itself. */
    readonly client: string | null;
    /** `ok`, `input_required`, or the code of the error that was answered. */
    readonly outcome: string;
    readonly durationMs: number;
    /** The execution that was begun or asked for; null where the answer names none. */
    readonly executionId: string | null;
  }
>;

export type CalledTool = ToolCallEvent['data'];

export const TOOL_CALL_EVENT_TYPES = ['ToolCalled'] as const satisfies readonly ToolCallEvent['type'][];

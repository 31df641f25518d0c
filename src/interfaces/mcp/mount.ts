/** What all conversations of a process share. */
import type { Server } from '@modelcontextprotocol/server';
import type { CalledTool } from '../../domain/tool-call.ts';
import type { McpSessionLog } from '../../ports/mcp-session-log.ts';
import type { Core } from '../operation.ts';
import type { CallLimits } from './call-limits.ts';
import type { Contact } from './contact.ts';
import type { ResourceChanges } from './resource-changes.ts';
import type { ToolSettings } from './settings.ts';
import type { Toolbox } from './toolbox.ts';

export interface McpMount {
  readonly core: Core;
  readonly toolbox: Toolbox;
  readonly settings: ToolSettings;
  readonly version: string;
  /** What a model reads before it uses the tools; clients cut it at 2,000 characters. */
  readonly instructions: string;
  /** Told about each call that was refused. */
  readonly onRefusal: (refusal: { principal: string; operation: string; reason: string }) => void;
  /** Told about each call of a tool, however it ended. */
  readonly onCall: (call: CalledTool) => void;
  /** Told what whoever runs this should know. */
  readonly onNotice: (text: string) => void;
  readonly sessions: McpSessionLog;
  readonly limits: CallLimits;
  /** Longest time for a call that runs no task code, in milliseconds. */
  readonly callTimeoutMs: number;
  /** Adds to each server what a process offers besides the tools. */
  readonly extend?: (server: Server, contact: Contact) => void;
  /** A task that is no execution, as `tasks/get` tells it; null where there is none of this id. Only tests have any. */
  readonly otherTask?: (taskId: string) => object | null;
  readonly changes: ResourceChanges;
  /** Told what is a defect of ours. */
  readonly onTrouble: (error: unknown) => void;
}

/** What all conversations of a process share. */
import type { Core } from '../operation.ts';
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
  /** Told what is a defect of ours. */
  readonly onTrouble: (error: unknown) => void;
}

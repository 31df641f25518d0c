/** The tools that agents are offered, in the order of the list. */
import type { Tool } from './tool.ts';
import { executeTaskTool } from './tools/execute-task.ts';
import { getExecutionStatusTool } from './tools/get-execution-status.ts';
import { listAvailableTasksTool } from './tools/list-available-tasks.ts';

export const TOOLS: readonly Tool[] = [listAvailableTasksTool, executeTaskTool, getExecutionStatusTool];

/** The tools that agents are offered, in the order of the list. */
import type { Tool } from './tool.ts';
import { executeTaskTool } from './tools/execute-task.ts';
import { getExecutionLogsTool } from './tools/get-execution-logs.ts';
import { getExecutionStatusTool } from './tools/get-execution-status.ts';
import { listAvailableTasksTool } from './tools/list-available-tasks.ts';
import { listExecutionsTool } from './tools/list-executions.ts';

export const TOOLS: readonly Tool[] = [
  listAvailableTasksTool,
  executeTaskTool,
  listExecutionsTool,
  getExecutionStatusTool,
  getExecutionLogsTool,
];

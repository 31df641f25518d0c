/** The tools that agents are offered, in the order of the list. */
import type { Tool } from './tool.ts';
import { analyzeExecutionErrorTool } from './tools/analyze-execution-error.ts';
import { batchExecuteTool } from './tools/batch-execute.ts';
import { cancelExecutionTool } from './tools/cancel-execution.ts';
import { compareExecutionsTool } from './tools/compare-executions.ts';
import { createTaskTool } from './tools/create-task.ts';
import { debugTaskExecutionTool } from './tools/debug-task-execution.ts';
import { deleteTaskTool } from './tools/delete-task.ts';
import { editTaskTool } from './tools/edit-task.ts';
import { executeTaskTool } from './tools/execute-task.ts';
import { getAuditTrailTool } from './tools/get-audit-trail.ts';
import { getExecutionLogsTool } from './tools/get-execution-logs.ts';
import { getExecutionStatusTool } from './tools/get-execution-status.ts';
import { getExecutionTraceTool } from './tools/get-execution-trace.ts';
import { listAvailableTasksTool } from './tools/list-available-tasks.ts';
import { listExecutionsTool } from './tools/list-executions.ts';
import { networkInterfacesTool } from './tools/network-interfaces.ts';
import { replayExecutionTool } from './tools/replay-execution.ts';
import { runTaskTestsTool } from './tools/run-task-tests.ts';
import { validateTaskTool } from './tools/validate-task.ts';

export const TOOLS: readonly Tool[] = [
  listAvailableTasksTool,
  executeTaskTool,
  batchExecuteTool,
  listExecutionsTool,
  getExecutionStatusTool,
  getExecutionLogsTool,
  getExecutionTraceTool,
  analyzeExecutionErrorTool,
  replayExecutionTool,
  compareExecutionsTool,
  cancelExecutionTool,
  createTaskTool,
  editTaskTool,
  deleteTaskTool,
  validateTaskTool,
  runTaskTestsTool,
  debugTaskExecutionTool,
  getAuditTrailTool,
  networkInterfacesTool,
];

/** The Tasks extension: asks for, answers and ends the executions that `execute_task` gave a handle on. */
import {
  MissingRequiredClientCapabilityError,
  ProtocolError,
  ProtocolErrorCode,
  type Server,
  type ServerContext,
} from '@modelcontextprotocol/server';
import { z } from 'zod';
import { isRatchetError } from '../../domain/errors.ts';
import { hasEnded } from './await-execution.ts';
import { TASKS_EXTENSION } from './client-view.ts';
import { formsOf } from './questions.ts';
import { detailedTask, taskHandle } from './task-handle.ts';
import type { ToolCall } from './tool.ts';
import { toolResult } from './tool-answer.ts';
import { answerQuestions, executeTaskOutput, executionAnswer, ownStatus } from './tools/execute-task.ts';

const named = z.looseObject({ taskId: z.string().min(1).max(64) });

/** @param callOf makes of a request the call of whoever sent it */
export function serveTasks(
  server: Server,
  callOf: (context: ServerContext) => ToolCall,
  otherTask: (taskId: string) => object | null,
): void {
  server.setRequestHandler('tasks/get', { params: named }, async ({ taskId }, context) =>
    told(async () => {
      const call = declared(callOf(context));
      const other = otherTask(taskId);
      if (other !== null) return { ...other };
      const status = await ownStatus(call, taskId);
      const result = () => ({
        resultType: 'complete',
        ...toolResult(executeTaskOutput.parse(executionAnswer(status, taskId))),
      });
      const { runtime } = call.core.execute;
      return { ...detailedTask(taskHandle(taskId, status), result, () => formsOf(runtime, status.questions)) };
    }),
  );
  server.setRequestHandler('tasks/update', { params: named }, async ({ taskId }, context) =>
    told(async () => {
      const call = declared(callOf(context));
      // The library takes answers out of the parameters of every request.
      const { inputResponses = {} } = context.mcpReq;
      await answerQuestions(call, taskId, await ownStatus(call, taskId), inputResponses);
      return {};
    }),
  );
  server.setRequestHandler('tasks/cancel', { params: named }, async ({ taskId }, context) =>
    told(async () => {
      const call = declared(callOf(context));
      if (!hasEnded(await ownStatus(call, taskId))) await call.ask('cancel_execution', { execution_id: taskId });
      return {};
    }),
  );
}

/** Fails with -32021 for a client that did not say in this very request that it knows tasks. */
function declared(call: ToolCall): ToolCall {
  if (call.client.takesTasks) return call;
  throw new MissingRequiredClientCapabilityError({ requiredCapabilities: { extensions: { [TASKS_EXTENSION]: {} } } });
}

/** These methods have no result that could carry an error of ours. */
async function told<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (isRatchetError(error, 'execution_not_found')) {
      throw new ProtocolError(ProtocolErrorCode.InvalidParams, 'Unknown task: there is none of this id that is yours');
    }
    if (isRatchetError(error) && error.code !== 'internal') {
      throw new ProtocolError(ProtocolErrorCode.InvalidParams, error.message, { code: error.code, ...error.details });
    }
    throw error;
  }
}

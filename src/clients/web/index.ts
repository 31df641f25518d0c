/** The package `ratchet/client`: what programs and web pages import. */
export type { Answer, ExecutionResult, ExecutionStatus, TaskInfo } from './answers.ts';
export {
  type CallOptions,
  type ClientOptions,
  type ExecuteOptions,
  type LogFilter,
  type Progress,
  RatchetMCPClient,
  type TaskFilter,
} from './client.ts';
export { RatchetClientError } from './failure.ts';

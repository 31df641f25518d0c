/** Operations whose answer takes as long as the task code they wait for; all others are bounded by `server.request_timeout`. */

const OWN_TIME: ReadonlySet<string> = new Set([
  'execute_task',
  'replay_execution',
  'replay_failures',
  'profile_execution',
  'analyze_execution_error',
  'debug_execution',
  'open_debug_session',
  'send_debug_command',
  'edit_task',
  'run_task_tests',
  'validate_task',
  'debug_task_execution',
  'batch_execute',
  'rebuild_projections',
]);

/** Timers of the runtime reach no further; these operations have limits of their own. */
const BOUNDED_ELSEWHERE_MS = 2 ** 31 - 1;

/** @returns whether an operation takes the time that task code takes. */
export function hasOwnTime(operation: string): boolean {
  return OWN_TIME.has(operation);
}

/** @returns the options of a route that give an operation its time. */
export function timeFor(operation: string): { readonly handlerTimeout?: number } {
  return OWN_TIME.has(operation) ? { handlerTimeout: BOUNDED_ELSEWHERE_MS } : {};
}

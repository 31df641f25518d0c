/** What can be asked of the debugger: one-shot runs, and sessions that speak the DevTools protocol. */
import { debugExecution } from './debug-execution.ts';
import type { Operation } from './operation.ts';

export const DEBUG_OPERATIONS: readonly Operation[] = [debugExecution];

/** What can be asked about failures: why one failed, how two executions differ. */
import type { Operation } from './operation.ts';

export const DIAGNOSIS_OPERATIONS: readonly Operation[] = [];

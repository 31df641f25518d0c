/** What can be asked about the time an execution took. */
import type { Operation } from './operation.ts';

export const PROFILE_OPERATIONS: readonly Operation[] = [];

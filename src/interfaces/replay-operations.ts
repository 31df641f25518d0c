/** What can be asked about replays: run again, run with changed code, over past failures. */
import { z } from 'zod';
import { command, type Operation } from './operation.ts';

const executionId = z.strictObject({ execution_id: z.string().min(1).max(64) });

export const REPLAY_OPERATIONS: readonly Operation[] = [
  command({
    name: 'replay_execution',
    permission: 'read_traces',
    description: 'Run an execution again on its journal, without network, and compare output, logs and spans.',
    input: executionId.extend({ attempt: z.int().positive().optional() }),
    run: (core, input, caller) => core.replays.faithful(input.execution_id, input.attempt ?? null, caller.principal),
  }),
];

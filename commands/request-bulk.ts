/** Notes a request for many executions before the first of them is touched. */
import { z } from 'zod';
import { type BulkEvent, type BulkRequest, type BulkState, bulk } from '../src/domain/bulk.ts';
import { streamName } from '../src/domain/event.ts';
import { defineCommand } from './command.ts';

/** The same request again changes nothing; `idempotency_mismatch` for another one under its key. */
export const requestBulk = defineCommand<BulkRequest, BulkState, BulkEvent>({
  name: 'request_bulk',
  permission: 'execute_tasks',
  input: z.strictObject({ bulkId: z.string(), operation: z.enum(['cancel', 'retry']), reason: z.string().nullable() }),
  stream: ({ bulkId }) => streamName('bulk', bulkId),
  evolution: bulk,
  decide: (state, request) => (state.status === 'none' ? [{ type: 'BulkRequested', data: request }] : []),
});

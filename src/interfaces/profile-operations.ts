/** What can be asked about the time an execution took. */
import { readTrace, traceInput } from '../../queries/telemetry.ts';
import { type Operation, query } from './operation.ts';
import { tracePage } from './trace-page.ts';

export const PROFILE_OPERATIONS: readonly Operation[] = [
  query({
    name: 'visualize_execution_trace',
    permission: 'read_traces',
    description: 'A page for people with the spans, critical path, bottlenecks and flamegraph of an execution.',
    input: traceInput,
    read: async (deps, input) => tracePage(await readTrace(deps, input), true),
  }),
];

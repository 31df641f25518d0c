/** What can be asked about the time an execution took. */
import { z } from 'zod';
import { readTrace, traceInput } from '../../queries/telemetry.ts';
import { Document } from '../domain/document.ts';
import { PROFILE_FORMATS, PROFILE_INTERVAL } from '../domain/profile.ts';
import { command, type Operation, query } from './operation.ts';
import { tracePage } from './trace-page.ts';

const MEDIA_TYPES = { folded: 'text/plain', svg: 'image/svg+xml' } as const;

export const PROFILE_OPERATIONS: readonly Operation[] = [
  command({
    name: 'profile_execution',
    permission: 'read_traces',
    description:
      'Replay an execution under a sampling profiler, without network: where its code spent processor time, function by function.',
    input: z.strictObject({
      execution_id: z.string().min(1).max(64),
      attempt: z.coerce.number().int().positive().optional(),
      format: z.enum(PROFILE_FORMATS).default('cpuprofile'),
      interval_us: z.coerce
        .number()
        .int()
        .min(PROFILE_INTERVAL.least)
        .max(PROFILE_INTERVAL.most)
        .default(PROFILE_INTERVAL.standard)
        .describe('Microseconds between samples.'),
    }),
    run: async (core, { execution_id: executionId, attempt, format, interval_us: intervalUs }, caller) => {
      const request = { executionId, attempt: attempt ?? null, format, intervalUs };
      const result = await core.profiling.profile(request, caller.principal);
      const { profile } = result;
      if (typeof profile === 'string' && (format === 'folded' || format === 'svg')) {
        return new Document(MEDIA_TYPES[format], profile, { 'x-ratchet-replay': result.replayId });
      }
      return {
        replay_id: result.replayId,
        execution_id: executionId,
        attempt: result.attempt,
        format,
        samples: result.samples,
        interval_us: result.intervalUs,
        duration_ms: result.durationMs,
        identical: result.identical,
        profile,
      };
    },
  }),
  query({
    name: 'visualize_execution_trace',
    permission: 'read_traces',
    description: 'A page for people with the spans, critical path, bottlenecks and flamegraph of an execution.',
    input: traceInput,
    read: async (deps, input) => tracePage(await readTrace(deps, input), true),
  }),
];

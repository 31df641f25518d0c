/** The one-shot debugger as an operation: a failed run, stopped where it went wrong, with the real values. */
import { z } from 'zod';
import type { Breakpoint } from '../domain/debugging.ts';
import { toldDebug } from '../domain/told-debug.ts';
import { command, type Operation } from './operation.ts';

const MAX_BREAKPOINTS = 50;
const MAX_WATCHES = 20;
const MAX_EXPRESSION = 1_000;
const MAX_HITS = 200;
const MAX_TIMEOUT_MS = 300_000;

const expression = z.string().min(1).max(MAX_EXPRESSION);
const line = z.int().min(1).max(1_000_000);

const breakpoint = z
  .strictObject({
    line: line.optional().describe('In the code as its author wrote it; without code there, the next line with code.'),
    condition: expression.optional().describe('Stops only where it is true.'),
    hit_count: z.int().min(1).default(1).describe('Stops from this time on.'),
    step: z
      .string()
      .regex(/^\d{1,9}(\/\d{1,9}){0,30}$/)
      .optional()
      .describe('Stops in the call that asks for this step, such as 4 or 4/1.'),
  })
  .refine(({ line: at, step }) => at !== undefined || step !== undefined, 'give a line or a step');

/** Breakpoints as callers write them: lines, or what more there is to say. */
export const breakpointsInput: z.ZodType<readonly Breakpoint[]> = z
  .array(z.union([line.transform((at) => ({ line: at })), breakpoint]))
  .max(MAX_BREAKPOINTS)
  .transform((given) =>
    given.map((one) => ({
      line: one.line ?? null,
      condition: 'condition' in one ? (one.condition ?? null) : null,
      hitCount: 'hit_count' in one ? one.hit_count : 1,
      step: 'step' in one ? (one.step ?? null) : null,
    })),
  );

export const debugExecution: Operation = command({
  name: 'debug_execution',
  permission: 'read_traces',
  description:
    'Replay an execution under a debugger, without network and without changing it: stop at lines, steps or exceptions and tell ' +
    'the variables there. Conditions and watches are evaluated without side effects.',
  input: z.strictObject({
    execution_id: z.string().min(1).max(64),
    attempt: z.int().positive().optional().describe('The last that ended when left out.'),
    breakpoints: breakpointsInput.default([]).describe('Lines, or {line, condition, hit_count, step}.'),
    exceptions: z
      .enum(['none', 'all'])
      .default('none')
      .describe(
        'Stop where an exception is thrown, also one that is caught. For a step that is awaited: where it was asked for.',
      ),
    step_mode: z.boolean().default(false).describe('Stop at every line from the first one of main on.'),
    capture_variables: z.boolean().default(true),
    watches: z.array(expression).max(MAX_WATCHES).default([]).describe('Expressions to evaluate at each stop.'),
    max_hits: z.int().min(1).max(MAX_HITS).default(20).describe('Stops that are told; those beyond are counted.'),
    keep: z.enum(['first', 'last']).default('first').describe('Which stops are told when there are more.'),
    timeout_ms: z.int().min(100).max(MAX_TIMEOUT_MS).default(30_000),
  }),
  run: async (core, input, caller) => {
    const { execution_id: executionId, attempt, breakpoints, exceptions, watches, keep } = input;
    const request = {
      executionId,
      attempt: attempt ?? null,
      breakpoints,
      exceptions,
      stepMode: input.step_mode,
      captureVariables: input.capture_variables,
      watches,
      maxHits: input.max_hits,
      keep,
      timeoutMs: input.timeout_ms,
    };
    return toldDebug(await core.debugging.once(request, caller.principal));
  },
});

/** What can be asked about replays: run again, run with changed code, over past failures. */
import { z } from 'zod';
import { executionRow } from '../../queries/execution.ts';
import { getReplay, listReplays } from '../../queries/replay.ts';
import { authorize } from '../domain/access.ts';
import { RatchetError } from '../domain/errors.ts';
import type { Json } from '../domain/event.ts';
import { writtenHttpValue } from '../domain/http-value.ts';
import { MAX_FAILURES, type PatchedRequest, type Stub } from '../domain/replay.ts';
import { toldFailures, toldPatched } from '../domain/told-replay.ts';
import { type Caller, type Core, command, type Operation, query } from './operation.ts';

const json: z.ZodType<Json> = z.json();
const text = (max: number) => z.string().min(1).max(max);

/** Code larger than this is refused, as for a task. */
const MAX_CODE = 5 * 1024 * 1024;
const MAX_STUBS = 100;

const KINDS = ['http', 'task', 'file', 'mcp', 'llm', 'ask', 'hmac'] as const;

const headers = z.union([z.record(z.string(), z.string()), z.array(z.tuple([z.string(), z.string()])).max(1_000)]);

const stub = z
  .strictObject({
    match: z
      .strictObject({
        path: text(256).optional(),
        kind: z.enum(KINDS).optional(),
        method: text(32).optional(),
        url: text(8_192).optional().describe('Stands in the URL.'),
        name: text(1_024).optional().describe('Stands in the name of the step.'),
      })
      .refine((match) => Object.keys(match).length > 0, 'name at least one thing that a call must have'),
    response: z
      .strictObject({
        status: z.int().min(100).max(599).default(200),
        statusText: z.string().max(256).optional(),
        headers: headers.optional(),
        body: json.optional().describe('Text as it is, anything else as JSON.'),
        bodyEncoding: z.enum(['utf8', 'base64']).optional(),
      })
      .optional()
      .describe('What a server answers.'),
    value: json.optional().describe('What any other step gives.'),
    error: z
      .strictObject({
        name: text(200).default('Error'),
        message: z.string().max(16_384).default(''),
        data: z.record(z.string(), json).default({}),
      })
      .optional()
      .describe('What the step throws.'),
    times: z.int().positive().optional().describe('Calls it answers; any number when left out.'),
  })
  .superRefine(({ response, value, error }, context) => {
    if ([response, value, error].filter((outcome) => outcome !== undefined).length === 1) return;
    context.addIssue({ code: 'custom', message: 'give one of response, value and error' });
  })
  .transform(({ match, response, value, error, times }): Stub => {
    const ok = response === undefined ? (value ?? null) : writtenHttpValue(response, '');
    return {
      match,
      times: times ?? null,
      outcome:
        error === undefined ? { ok: true, value: ok } : { ok: false, error: { ...error, stack: null, cause: null } },
    };
  });

/** Stubs as callers write them. */
export const stubsInput: z.ZodType<readonly Stub[]> = z.array(stub).max(MAX_STUBS);

const patch = {
  code: text(MAX_CODE).optional().describe('Runs instead of the recorded code.'),
  version: z.int().positive().optional().describe('Published version that runs instead of the recorded one.'),
  stubs: stubsInput.optional().describe('Outcomes for calls that the record does not answer; the first that fits.'),
  allow_live: z
    .boolean()
    .default(false)
    .describe('Lets http, file and hmac steps out that nothing else answers; with code it needs manage_tasks.'),
  changed: z.enum(['block', 'reuse']).default('block').describe('What a call with changed arguments gets.'),
};

const replayInput = z.strictObject({
  execution_id: text(64),
  attempt: z.int().positive().optional().describe('The last that ended when left out.'),
  mode: z.enum(['faithful', 'patched']).optional().describe('Patched when anything stands in for what was recorded.'),
  ...patch,
  input: json.optional().describe('Replaces the recorded input.'),
  save_test: text(128).optional().describe('Name of a test to make of this case; needs manage_tasks.'),
});
type ReplayInput = z.infer<typeof replayInput>;

const failuresInput = z.strictObject({
  task_id: text(256).describe('Name or id of the task.'),
  fingerprint: text(64).optional().describe('Of the failures to try.'),
  execution_id: text(64).optional().describe('One of the failures to try, instead of their fingerprint.'),
  limit: z.int().min(1).max(MAX_FAILURES).default(20),
  ...patch,
});

type Patch = Pick<ReplayInput, keyof typeof patch>;

function patchOf(input: Patch): Pick<PatchedRequest, 'code' | 'version' | 'stubs' | 'allowLive' | 'changed'> {
  if (input.code !== undefined && input.version !== undefined)
    throw refused('version', 'give code or version, not both');
  return {
    code: input.code ?? null,
    version: input.version ?? null,
    stubs: input.stubs ?? [],
    allowLive: input.allow_live,
    changed: input.changed,
  };
}

function refused(field: string, message: string): RatchetError {
  return new RatchetError('invalid_request', `${field}: ${message}`, { details: { problems: [{ field, message }] } });
}

/** What goes out for a replay goes out as it would for an execution: of code that the caller may not publish, nothing does. */
function authorizeLive({ allow_live, code }: Patch, { principal }: Caller, operation: string): void {
  if (!allow_live) return;
  authorize(principal, 'execute_tasks', operation);
  if (code !== undefined) authorize(principal, 'manage_tasks', operation);
}

async function replay(core: Core, input: ReplayInput, caller: Caller): Promise<unknown> {
  const { execution_id: executionId, save_test: saveTest } = input;
  const given = ['code', 'version', 'input', 'stubs', 'save_test'].filter((field) => Object.hasOwn(input, field));
  if (input.allow_live) given.push('allow_live');
  if (input.changed === 'reuse') given.push('changed');
  const mode = input.mode ?? (given.length > 0 ? 'patched' : 'faithful');
  const attempt = input.attempt ?? null;
  if (mode === 'faithful') {
    const [field] = given;
    if (field !== undefined) throw refused(field, 'is for a patched replay only');
    return core.replays.faithful(executionId, attempt, caller.principal);
  }
  authorizeLive(input, caller, 'replay_execution');
  // The test holds the seed of the task's randomness, which readers of events do not see.
  if (saveTest !== undefined) authorize(caller.principal, 'manage_tasks', 'replay_execution');
  const request = { ...patchOf(input), executionId, attempt, input: input.input, saveTest: saveTest ?? null };
  return toldPatched(await core.replays.patched(request, caller.principal));
}

/** How long failures that were just recorded are waited for. */
const REACH_MS = 10_000;

async function overFailures(core: Core, input: z.infer<typeof failuresInput>, caller: Caller): Promise<unknown> {
  authorizeLive(input, caller, 'replay_failures');
  const task = core.execute.directory.find(input.task_id);
  if (task === undefined) {
    throw new RatchetError('task_not_found', `there is no task ${input.task_id}`, { details: { task: input.task_id } });
  }
  const { taskId } = task;
  const fingerprint = await fingerprintOf(core, input, taskId);
  const request = { ...patchOf(input), taskId, fingerprint, limit: input.limit };
  return toldFailures(await core.replays.overFailures(request, caller.principal));
}

async function fingerprintOf(core: Core, input: z.infer<typeof failuresInput>, taskId: string): Promise<string> {
  const { fingerprint, execution_id: executionId } = input;
  if ((fingerprint === undefined) === (executionId === undefined)) {
    throw refused('fingerprint', 'give either fingerprint or execution_id');
  }
  if (executionId === undefined) {
    await core.progress.reach(await core.query.store.head(), REACH_MS);
    return fingerprint ?? '';
  }
  const failures = await failuresOf(core, executionId);
  if (failures.taskId !== taskId) throw refused('execution_id', `is not an execution of ${input.task_id}`);
  return failures.fingerprint;
}

/** @returns what failures like this execution's are found by. Fails with `execution_not_found` or `not_failed`. */
export async function failuresOf(core: Core, executionId: string): Promise<{ taskId: string; fingerprint: string }> {
  await core.progress.reach(await core.query.store.head(), REACH_MS);
  const row = await executionRow(core.query, executionId);
  if (row.fingerprint !== null) return { taskId: row.task_id, fingerprint: row.fingerprint };
  const details = { executionId, status: row.status };
  throw new RatchetError('not_failed', `execution ${executionId} has not failed`, { details });
}

export const REPLAY_OPERATIONS: readonly Operation[] = [
  command({
    name: 'replay_execution',
    permission: 'read_traces',
    description:
      'Run an execution again on its journal, without network. Faithful: the recorded code, compared with the record. ' +
      'Patched: other code or input, with a verdict on the recorded failure and an account of each step.',
    input: replayInput,
    run: replay,
  }),
  command({
    name: 'replay_failures',
    permission: 'read_traces',
    description:
      'Try code on past failures of a task that have the same cause, newest first, and tell a verdict of each.',
    input: failuresInput,
    run: overFailures,
  }),
  query(listReplays),
  query(getReplay),
];

/** Analyses that depend on more than one execution, on how it was ended, or on records that only a crash leaves behind. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { envelopes } from '../../../commands/handle.ts';
import { LOCAL_ADMIN } from '../../../src/domain/access.ts';
import { type Analysis, MAX_ANALYSIS_BYTES } from '../../../src/domain/diagnosis/analysis.ts';
import { RatchetError } from '../../../src/domain/errors.ts';
import { streamName } from '../../../src/domain/event.ts';
import type { AttemptEnd, ExecutionEvent, Failure } from '../../../src/domain/execution.ts';
import type { TaskErrorData } from '../../../src/domain/journal.ts';
import { TASK_GLOBALS } from '../../../src/domain/task-globals.ts';
import { plainError } from '../../../src/reactors/perform-steps.ts';
import { CALLER, openTestApp, type TestApp } from '../../support/app.ts';
import { request, start, stepEnd } from '../../support/facts.ts';
import { META } from '../../support/given.ts';
import { type HttpApi, startHttpApi } from '../../support/http-api.ts';
import { eventually } from '../../support/server.ts';

let app: TestApp;
let api: HttpApi;

beforeAll(async () => {
  api = await startHttpApi();
  app = await openTestApp({
    workers: 4,
    warmWorkers: 2,
    secrets: { token: { value: 'swordfish/41+x=', allowedHosts: ['127.0.0.1'] } },
  });
  // The debugger is asked in a test of its own; here its absence must not matter.
  vi.spyOn(app.app.core.debugging, 'once').mockRejectedValue(new RatchetError('unsupported', 'no debugger here'));
});

afterAll(async () => {
  await app[Symbol.asyncDispose]();
  await api.close();
});

async function analyze(execution_id: unknown, more: object = {}): Promise<Analysis> {
  return (await app.call('analyze_execution_error', { execution_id, ...more })) as unknown as Analysis;
}

async function ran(name: string, input: unknown = {}, more: object = {}): Promise<string> {
  return String((await app.run(name, input, more))['execution_id']);
}

async function cancelled(execution_id: string): Promise<Analysis> {
  await eventually('it is cancelled', async () => {
    const { status } = await app.call('get_execution_status', { execution_id });
    return status === 'cancelled' ? true : undefined;
  });
  return analyze(execution_id);
}

describe('an analysis of what has not failed', () => {
  test('is refused, each with its own code', async () => {
    await app.task('fine', 'function main() { return 1; }');
    await expect(analyze(await ran('fine'))).rejects.toMatchObject({ code: 'not_failed' });
    await expect(analyze('nobody')).rejects.toMatchObject({ code: 'execution_not_found' });
    const waiting = await app.call('create_execution', { task_id: 'fine', input: {}, delay_ms: 600_000 });
    await expect(analyze(waiting['execution_id'])).rejects.toMatchObject({ code: 'execution_running' });
  });

  test('needs the permission to read traces', async () => {
    const principal = { ...LOCAL_ADMIN, id: 'key:reader', permissions: new Set(['read' as const]) };
    const asked = app.call('analyze_execution_error', { execution_id: 'any' }, { ...CALLER, principal });
    await expect(asked).rejects.toMatchObject({ code: 'permission_denied' });
  });
});

test('every name that is offered instead of an unknown one exists in a task', async () => {
  await app.task('names', 'function main(names) { return names.filter((name) => !(name in globalThis)); }');
  expect(await app.run('names', TASK_GLOBALS)).toMatchObject({ output: [] });
});

describe('a cancelled execution', () => {
  test('says who cancelled it while it ran, when and why', async () => {
    await app.task('waits', 'async function main({ url }) { return (await fetch(url + "/never")).status; }');
    const calls = api.calls('/never');
    const asked = await app.call('create_execution', { task_id: 'waits', input: { url: api.url } });
    await eventually('it calls', () => (api.calls('/never') > calls ? true : undefined));
    const execution_id = String(asked['execution_id']);
    const principal = { ...CALLER.principal, id: 'key:ops' };
    await app.call('cancel_execution', { execution_id, reason: 'not needed' }, { principal });
    const analysis = await cancelled(execution_id);
    const events = await app.app.store.readStream(streamName('execution', execution_id));
    const request = events.find(({ type }) => type === 'ExecutionCancelRequested');
    expect(analysis).toMatchObject({
      kind: 'cancelled',
      status: 'cancelled',
      error_type: 'CancelledError',
      cancelled: { by: 'key:ops', at: request?.occurredAt, reason: 'not needed' },
      summary: `key:ops cancelled it at ${request?.occurredAt}, while it ran: not needed`,
    });
    expect(analysis.evidence.flatMap(({ events: proof }) => proof)).toContain(request?.position);
  });

  test('says that it had not begun', async () => {
    const asked = await app.call('create_execution', { task_id: 'fine', input: {}, delay_ms: 600_000 });
    const execution_id = String(asked['execution_id']);
    await app.call('cancel_execution', { execution_id });
    expect((await cancelled(execution_id)).summary).toMatch(/^local:admin cancelled it at \S+, before it had begun/);
  });
});

describe('of several executions', () => {
  test('the first difference from the last success is the input, then the code, then a step', async () => {
    const code =
      'async function main({ url, path }) {\n  const body = await (await fetch(url + path)).json();\n  return body.items.length;\n}';
    await app.task('differs', code);
    const good = await ran('differs', { url: api.url, path: '/json' });
    const byInput = await analyze(await ran('differs', { url: api.url, path: '/echo' }));
    expect(byInput.context?.first_difference).toMatchObject({
      execution_id: good,
      what: 'input',
      sentence: 'its input differs at /path: "/json" in the last success, "/echo" here',
      same_code: true,
    });
    expect(byInput.next_calls).toContainEqual(
      expect.objectContaining({
        operation: 'compare_executions',
        input: { execution_id: good, other_id: byInput.execution_id },
      }),
    );
    await app.call('edit_task', { task_id: 'differs', code: code.replace('items', 'rows') });
    const byCode = await analyze(await ran('differs', { url: api.url, path: '/json' }));
    expect(byCode.context?.first_difference).toMatchObject({
      what: 'code',
      same_code: false,
      version: 2,
      version_of_success: 1,
    });
    await app.task(
      'flaky',
      'function main({ url }) {\n  fetch(url + "/json");\n  return fetch(url + "/flaky/once?fails=1&status=500").body;\n}',
    );
    const failed = await ran('flaky', { url: api.url });
    await ran('flaky', { url: api.url });
    expect((await analyze(failed)).context?.first_difference).toBeNull();
    await app.task(
      'turns',
      'function main({ url }) {\n  const { calls } = fetch(url + "/flaky/turns?fails=0").body;\n  if (calls > 1) fetch(url + "/status/404");\n  return calls;\n}',
    );
    await ran('turns', { url: api.url });
    expect((await analyze(await ran('turns', { url: api.url }))).context?.first_difference).toMatchObject({
      what: 'step',
      step: { path: '2', data_only: false },
    });
  });

  test('a failure that comes again and again is counted, and a host that fails each time is down', async () => {
    await app.task('calls', 'function main({ url }) {\n  return fetch(url + "/drop").body;\n}');
    const first = await analyze(await ran('calls', { url: api.url }));
    expect(first).toMatchObject({ kind: 'network_failed', context: { history: { count: 1, versions: [1] } } });
    await ran('calls', { url: api.url });
    const third = await analyze(await ran('calls', { url: api.url }));
    expect(third.kind).toBe('dependency_down');
    expect(third.fingerprint).toBe(first.fingerprint);
    expect(third.context?.history).toMatchObject({
      count: 3,
      first_seen: first.context?.history?.first_seen,
      recent: { executions: 3, with_this_failure: 3, completed: 0 },
    });
    const { failures } = (await app.call('list_failures', { task_id: 'calls' })) as { failures: unknown[] };
    expect(failures).toEqual([
      {
        fingerprint: third.fingerprint,
        count: 3,
        tasks: 1,
        first_seen: third.context?.history?.first_seen,
        last_seen: third.context?.history?.last_seen,
        sample: expect.objectContaining({
          execution_id: third.execution_id,
          task_name: 'calls',
          error_type: 'NetworkError',
        }),
      },
    ]);
    const { executions } = (await app.call('list_executions', { fingerprint: third.fingerprint })) as {
      executions: { execution_id: string; fingerprint: string }[];
    };
    expect(executions).toHaveLength(3);
    expect(executions[0]).toMatchObject({ execution_id: third.execution_id, fingerprint: third.fingerprint });
    expect(await app.call('list_failures', { task_id: 'nobody' })).toEqual({ failures: [] });
    expect(await app.call('list_failures', { since: '2100-01-01T00:00:00Z' })).toEqual({ failures: [] });
  });

  test('an attempt that was retried can be analysed, also when the next one completed', async () => {
    await app.task(
      'again',
      'function main({ url }) {\n  return fetch(url + "/flaky/again?fails=1&status=503").body;\n}',
    );
    const id = await ran('again', { url: api.url }, { retry: { max_attempts: 2, initial_ms: 1 } });
    await expect(analyze(id)).rejects.toMatchObject({ code: 'not_failed' });
    await expect(analyze(id, { attempt: 2 })).rejects.toMatchObject({ code: 'not_failed' });
    await expect(analyze(id, { attempt: 3 })).rejects.toMatchObject({ code: 'not_found' });
    const analysis = await analyze(id, { attempt: '1' });
    expect(analysis).toMatchObject({ attempt: 1, attempts: 2, kind: 'service_unavailable' });
    expect(analysis.next_calls.find(({ operation }) => operation === 'replay_execution')?.input).toEqual({
      execution_id: id,
      attempt: 1,
    });
  });
});

describe('what an analysis shows', () => {
  test('holds placeholders where the task used secrets', async () => {
    await app.task(
      'sends',
      'function main({ url }) {\n  const token = secret("token");\n  return fetch(url + "/status/401", { headers: { authorization: "Bearer " + token } }).body;\n}',
    );
    const text = JSON.stringify(await analyze(await ran('sends', { url: api.url })));
    expect(text).toContain('{{secret:token}}');
    expect(text).not.toContain('swordfish');
  });

  test('stays below 64 KiB however large everything is', async () => {
    const code = `function main({ url, text }) {
  const large = [text, text]; // ${'c'.repeat(5_000)}
  for (let n = 0; n < 40; n += 1) fetch(url + "/echo", { method: "POST", body: text, headers: { ["x-" + n + "-" + "y".repeat(400)]: "z".repeat(2_000) } });
  throw Object.assign(new DataError(text, { cause: new Error(text, { cause: new Error(text) }) }), { text });
}`;
    await app.task('large', code);
    const analysis = await analyze(await ran('large', { url: api.url, text: 'äöü"'.repeat(20_000) }));
    expect(analysis.kind).toBe('data_not_usable');
    expect(new TextEncoder().encode(JSON.stringify(analysis)).length).toBeLessThanOrEqual(MAX_ANALYSIS_BYTES);
  });

  test('of code from a compiler is what its author wrote, where the code carries its map', async () => {
    // One segment a line: line 3 of what runs is line 2 of what was written.
    const map = {
      version: 3,
      sources: ['order.ts'],
      sourcesContent: ['const id = (order: Order): string =>\n  order.customer!.id;'],
      names: [],
      mappings: ';;AACA;',
    };
    const code = `function main(order) {\n\n  return order.customer.id;\n}\n//# sourceMappingURL=data:application/json;base64,${btoa(JSON.stringify(map))}`;
    await app.task('compiled', code);
    const { context } = await analyze(await ran('compiled', {}));
    expect(context?.failing_line).toMatchObject({ file: 'order.ts', line: 2 });
    expect(context?.failing_line?.lines.find(({ failing }) => failing)?.text).toBe('  order.customer!.id;');
  });
});

describe('records that only a crash leaves behind', () => {
  const end = (error: TaskErrorData, code: string): ExecutionEvent => {
    const data: AttemptEnd & Failure = { attempt: 1, turn: 0, clock: META.now, durationMs: 5, code, error };
    return { type: 'ExecutionFailed', data };
  };

  /** Stores what a worker would have stored. */
  async function recorded(executionId: string, task: string, ...facts: readonly ExecutionEvent[]): Promise<string> {
    const { id, version, content_hash } = await app.call('get_task', { task_id: task });
    const asked = request({
      executionId,
      task: { id: String(id), name: task, version: Number(version), contentHash: String(content_hash) },
    });
    const all: ExecutionEvent[] = [
      { type: 'ExecutionRequested', data: asked },
      { type: 'ExecutionStarted', data: start({ worker: 'gone' }) },
      ...facts,
    ];
    const meta = { ...META, commandId: executionId, correlationId: executionId };
    await app.app.store.append(
      streamName('execution', executionId),
      'no-stream',
      envelopes(app.app.core.execute.runtime, all, meta),
    );
    return executionId;
  }

  test.each([
    [
      'replay_mismatch',
      plainError('SandboxError', 'the journal expects http 1, the code does: nothing'),
      'replay_mismatch',
    ],
    ['sandbox_crashed', plainError('SandboxError', 'the process ended by SIGSEGV'), 'sandbox_crashed'],
    ['syntax_error', plainError('SandboxError', 'fine/main.js:1:5: Unexpected token'), 'syntax_error'],
    ['sandbox_protocol', plainError('SandboxError', 'a message out of turn'), 'sandbox_crashed'],
  ] as const)('%s', async (code, error, kind) => {
    const analysis = await analyze(await recorded(`made-${code}`, 'fine', end(error, code)));
    expect(analysis).toMatchObject({ kind, code, context: { variables: null, failing_line: null } });
    expect(analysis.suggestions.length).toBeGreaterThan(0);
  });

  test('a call whose outcome nobody knows', async () => {
    const error = plainError(
      'ServiceUnavailableError',
      'it is unknown whether POST https://example.com took effect before a crash',
      { code: 'unknown_outcome' },
    );
    const step: ExecutionEvent = {
      type: 'StepCompleted',
      data: stepEnd({
        name: 'POST https://example.com',
        request: { value: { method: 'POST', url: 'https://example.com/' } },
        outcome: { ok: false, error },
      }),
    };
    const analysis = await analyze(await recorded('made-unknown', 'fine', step, end(error, 'task_failed')));
    expect(analysis).toMatchObject({
      kind: 'unknown_outcome',
      retry: { helps: 'maybe' },
      context: { failing_step: { path: '1', relation: 'raised' } },
    });
    expect(analysis.suggestions[0]).toBe(
      'Ask the server whether step 1 (POST https://example.com) took effect, before it is sent again.',
    );
  });
});

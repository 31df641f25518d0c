/** What is told about executions: log lines, spans, progress, status, audit trail, events; and what is never told. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { START } from '../../src/domain/event.ts';
import { openTestApp, type TestApp } from '../support/app.ts';
import { type HttpApi, startHttpApi } from '../support/http-api.ts';
import { replayed } from '../support/replayed.ts';

let app: TestApp;
let api: HttpApi;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ratchet-telemetry-'));
  api = await startHttpApi();
  app = await openTestApp({
    eventStoreUrl: `sqlite:${join(folder, 'events.db')}`,
    sources: [{ name: 'samples', root: 'sample/js-tasks', watch: false }],
  });
});
afterAll(async () => {
  await app[Symbol.asyncDispose]();
  await api.close();
  await rm(folder, { recursive: true, force: true });
});

interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly context: unknown;
  readonly timestamp: string;
  readonly span_id: string;
}
interface Logs {
  readonly logs: readonly LogLine[];
  readonly summary: string;
  readonly next_cursor: string | null;
}

async function logsOf(executionId: unknown, more: object = {}): Promise<Logs> {
  return (await app.call('get_execution_logs', { execution_id: executionId, ...more })) as unknown as Logs;
}
const messages = ({ logs }: Logs): string[] => logs.map((line) => line.message);

interface Span {
  readonly span_id: string;
  readonly parent_span_id: string | null;
  readonly name: string;
  readonly kind: string;
  readonly status: string;
  readonly duration_ms: number;
  readonly attributes: Record<string, unknown>;
  readonly children: readonly Span[];
}
async function spansOf(executionId: unknown, more: object = {}): Promise<readonly Span[]> {
  const told = await app.call('get_execution_trace', { execution_id: executionId, ...more });
  return (told['trace'] as { spans: readonly Span[] }).spans;
}
/** Names alone, as a tree. */
type Names = readonly [string, ...Names[]];
const names = (span: Span): Names => [`${span.kind} ${span.name}`, ...span.children.map(names)];

describe('log lines', () => {
  const code = `function main() {
    console.debug('small talk', { n: 0 });
    console.log('hello', 1, [2], { deep: { three: 3 } });
    console.info('50% done');
    console.warn('careful', { why: 'hot' });
    console.error(new DataError('broken'));
    return null;
  }`;
  let executionId: unknown;
  beforeAll(async () => {
    await app.task('talks', code);
    const result = await app.run('talks');
    executionId = result['execution_id'];
    await replayed(app, executionId);
  });

  test('come in order with level, fields and time', async () => {
    const { logs, summary } = await logsOf(executionId);
    expect(logs.map((line) => line.level)).toEqual(['debug', 'info', 'info', 'warn', 'error']);
    expect(logs[1]).toMatchObject({ message: 'hello 1 [2] {deep: {three: 3}}', context: null });
    expect(logs[3]).toMatchObject({ message: 'careful', context: { why: 'hot' } });
    expect(logs[4]?.message).toContain('DataError: broken');
    expect(summary).toContain('5 log lines (1 debug, 2 info, 1 warn, 1 error)');
    for (const line of logs) expect(new Date(line.timestamp).toISOString()).toBe(line.timestamp);
  });

  test('are filtered by least level and by words', async () => {
    expect((await logsOf(executionId, { level: 'warn' })).logs.map((line) => line.level)).toEqual(['warn', 'error']);
    expect(messages(await logsOf(executionId, { search: 'hello' }))).toHaveLength(1);
    expect(messages(await logsOf(executionId, { search: '50%' }))).toEqual(['50% done']);
    expect(messages(await logsOf(executionId, { search: 'absent' }))).toEqual([]);
  });

  test('come in pages that neither lose nor repeat a line', async () => {
    await app.task('counts', 'function main() { for (let i = 0; i < 25; i++) console.log("line " + i); }');
    const { execution_id } = await app.run('counts');
    const seen: string[] = [];
    let cursor: string | null | undefined;
    let pages = 0;
    while (cursor !== null) {
      const page: Logs = await logsOf(execution_id, { limit: 10, ...(cursor === undefined ? {} : { cursor }) });
      seen.push(...messages(page));
      cursor = page.next_cursor;
      pages += 1;
    }
    expect(pages).toBe(3);
    expect(seen).toEqual(Array.from({ length: 25 }, (_, index) => `line ${index}`));
    await expect(logsOf(execution_id, { cursor: 'nonsense' })).rejects.toMatchObject({ code: 'invalid_cursor' });
  });

  test('leave out debug lines when no trace is wanted, and still replay the same', async () => {
    const { execution_id } = await app.run('talks', {}, { trace: false });
    expect((await logsOf(execution_id)).logs.map((line) => line.level)).toEqual(['info', 'info', 'warn', 'error']);
    await replayed(app, execution_id);
  });
});

describe('spans', () => {
  test('stand below the step or span they were made in', async () => {
    await app.task(
      'traced',
      `async function main(url) {
        await fetch(url + '/json');
        await step('outer', async () => {
          await sleep(2);
          await step('inner', async () => { await fetch(url + '/text'); console.log('deep'); });
        });
        await span('own', async () => { await sleep(1); await Promise.all([fetch(url + '/slow?ms=30'), fetch(url + '/json')]); });
        await span('bad', async () => { throw new DataError('no'); }).catch(() => undefined);
      }`,
    );
    const { execution_id } = await app.run('traced', api.url);
    const [root, ...others] = await spansOf(execution_id);
    if (root === undefined) throw new Error('there is no span');
    expect(others).toEqual([]);
    expect(names(root)).toEqual([
      'execution traced',
      [`step GET ${api.url}/json`],
      ['step outer', ['step sleep 2 ms'], ['step inner', [`step GET ${api.url}/text`]]],
      ['span own', ['step sleep 1 ms'], [`step GET ${api.url}/json`], [`step GET ${api.url}/slow`]],
      ['span bad'],
    ]);
    expect(root.children.at(-1)).toMatchObject({ status: 'error' });
    expect(root.children[0]).toMatchObject({
      status: 'ok',
      parent_span_id: root.span_id,
      attributes: { 'http.request.method': 'GET', 'http.response.status_code': 200 },
    });
    const inner = root.children[1]?.children[1];
    expect((await logsOf(execution_id)).logs[0]).toMatchObject({ message: 'deep', span_id: inner?.span_id });
    const [without] = await spansOf(execution_id, { include_http_calls: false });
    expect(JSON.stringify(without)).not.toContain('http.request.method');
    await replayed(app, execution_id);
  });

  test('of each attempt are told apart', async () => {
    await app.task('again', 'function main(url) { fetch(url + "/flaky/spans?fails=1"); }');
    const { execution_id } = await app.run('again', api.url, { retry: { max_attempts: 2, initial_ms: 1 } });
    const [first] = await spansOf(execution_id, { attempt: 1 });
    const [second] = await spansOf(execution_id, { attempt: 2 });
    expect([first?.status, second?.status]).toEqual(['error', 'ok']);
    expect(first?.span_id).not.toBe(second?.span_id);
    expect((await spansOf(execution_id)).map((span) => span.span_id)).toEqual([first?.span_id, second?.span_id]);
  });
});

test('progress is seen while the task runs, and stays at its last value', async () => {
  const input = { items: 20, batch_size: 1, delay_ms: 20 };
  const { execution_id } = await app.call('create_execution', { task_id: 'streaming-example', input });
  const percents: number[] = [];
  await vi.waitFor(
    async () => {
      const told = await app.call('get_execution_status', { execution_id });
      const progress = told['progress'] as { percent: number; step: string; message: string } | null;
      if (progress !== null && told['status'] === 'running') percents.push(progress.percent);
      expect(told['status']).toBe('completed');
    },
    { timeout: 10_000, interval: 5 },
  );
  const between = percents.filter((percent) => percent > 0 && percent < 100);
  expect(new Set(between).size).toBeGreaterThan(2);
  expect(percents).toEqual(percents.toSorted((a, b) => a - b));
  expect(await app.call('get_execution_status', { execution_id })).toMatchObject({
    progress: { percent: 100, step: 'batch 20', message: '20 of 20 items' },
  });
  await replayed(app, execution_id);
});

describe('the status of an execution', () => {
  test('tells what was asked, how it went and where to look', async () => {
    const more = { metadata: { order: 7 }, priority: 3 };
    const { execution_id } = await app.run('http-get', { url: `${api.url}/json` }, more);
    expect(await app.call('get_execution_status', { execution_id })).toMatchObject({
      execution_id,
      task_name: 'http-get',
      task_version: 1,
      status: 'completed',
      attempt: 1,
      mode: 'fresh',
      source: 'rest',
      client_info: 'test',
      principal: 'local:admin',
      priority: 3,
      input: { url: `${api.url}/json` },
      output: { status: 200 },
      metadata: { order: 7 },
      error: null,
      steps: 1,
      log_lines: 1,
      parent_id: null,
      waiting_for: null,
      duration_ms: expect.any(Number),
      started_at: expect.stringMatching(/^\d{4}-.*Z$/),
      finished_at: expect.stringMatching(/^\d{4}-.*Z$/),
      trace_url: `/traces/${execution_id}`,
      logs_url: `/logs/${execution_id}`,
    });
  });

  test('explains a failure', async () => {
    const { execution_id } = await app.run('flaky', { fail: 'rate_limit' });
    expect(await app.call('get_execution_status', { execution_id })).toMatchObject({
      status: 'failed',
      output: null,
      error: {
        code: 'task_failed',
        error_type: 'RateLimitError',
        message: 'Too many requests',
        recoverable: true,
        stack: expect.stringContaining('flaky/task.js'),
        suggestions: [expect.any(String)],
      },
    });
  });

  test('tells that it waits, for what and until when; and of a retry, what it repeats', async () => {
    await app.task('later', 'function main() {}');
    const { execution_id } = await app.call('create_execution', { task_id: 'later', input: {}, delay_ms: 60_000 });
    const waiting = await app.call('get_execution_status', { execution_id });
    expect(waiting).toMatchObject({ status: 'pending', attempt: 0, wait_until: expect.any(String), finished_at: null });
    await app.call('cancel_execution', { execution_id });
    const again = await app.call('retry_execution', { execution_id, reason: 'once more' });
    const told = await app.call('get_execution_status', { execution_id: again['execution_id'] });
    expect(told).toMatchObject({ original_execution: execution_id, retry_reason: 'once more' });
  });

  test('of an unknown execution is an error', async () => {
    await expect(app.call('get_execution_status', { execution_id: 'nobody' })).rejects.toMatchObject({
      code: 'execution_not_found',
    });
  });
});

test('the audit trail tells who did what to which, newest first', async () => {
  await app.task('audited', 'function main() { return 1; }');
  await app.call('disable_task', { task_id: 'audited', reason: 'pause' });
  await app.call('enable_task', { task_id: 'audited' });
  const { execution_id } = await app.run('audited', { password: 'never in the trail' });
  const { entries } = (await app.call('get_audit_trail', { subject_id: execution_id })) as unknown as Audit;
  expect(entries.map(({ action }) => action)).toEqual(['ExecutionCompleted', 'ExecutionRequested']);
  expect(entries.at(-1)).toMatchObject({
    principal: 'local:admin',
    subject: 'execution',
    details: { task: 'audited', version: 1, source: 'rest', clientInfo: 'test' },
  });
  expect(entries[0]?.principal).toMatch(/^worker:/);
  const disabled = (await app.call('get_audit_trail', { action: 'TaskDisabled' })) as unknown as Audit;
  expect(disabled.entries[0]).toMatchObject({
    principal: 'local:admin',
    subject: 'task',
    details: { reason: 'pause' },
  });
  expect(JSON.stringify(await app.call('get_audit_trail', {}))).not.toContain('never in the trail');
});

interface Audit {
  readonly entries: readonly { readonly action: string; readonly principal: string; readonly details: object }[];
}

describe('events', () => {
  interface Page {
    readonly events: readonly { type: string; stream: string; position: string; data: Record<string, unknown> }[];
    readonly position: string;
    readonly at_head: boolean;
  }
  const page = async (input: object) => (await app.call('list_events', input)) as unknown as Page;

  test('are told in their order, in pages, filtered by category and type', async () => {
    const { execution_id } = await app.run('talks');
    const seen: Page['events'][number][] = [];
    for (let after = START, isAtHead = false; !isAtHead; ) {
      const next = await page({ after, limit: 7, category: 'execution,telemetry' });
      seen.push(...next.events);
      after = next.position;
      isAtHead = next.at_head;
    }
    const positions = seen.map((event) => event.position);
    expect(positions).toEqual([...new Set(positions)].toSorted());
    const own = seen.filter((event) => event.stream.endsWith(String(execution_id))).map((event) => event.type);
    expect(own.toSorted()).toEqual(
      [
        'ExecutionCompleted',
        'ExecutionRequested',
        'ExecutionStarted',
        ...Array.from({ length: 5 }, () => 'LogLineWritten'),
        'SpanRecorded',
      ].toSorted(),
    );
    const completed = await page({ type: 'ExecutionCompleted', limit: 1_000 });
    expect(new Set(completed.events.map((event) => event.type))).toEqual(new Set(['ExecutionCompleted']));
  });

  test('never show the seed of randomness', async () => {
    await app.task('random', 'function main() { return Math.random(); }');
    const { execution_id } = await app.run('random');
    const stored = await app.app.store.readStream(`execution-${String(execution_id)}`);
    const seed = stored.map((event) => JSON.parse(event.payload).seed).find((value) => value !== undefined);
    expect(seed).toMatch(/^[0-9a-f]{64}$/);
    const answers = await Promise.all([
      app.call('list_events', { limit: 1_000, type: 'ExecutionStarted' }),
      app.call('list_execution_events', { execution_id }),
      app.call('get_execution_status', { execution_id }),
      app.call('list_steps', { execution_id }),
      app.call('get_execution_trace', { execution_id }),
      app.call('replay_execution', { execution_id }),
      app.call('get_audit_trail', {}),
    ]);
    expect(JSON.stringify(answers)).not.toContain(seed);
    expect(JSON.stringify(answers[1])).toContain('"seed":"***"');
  });
});

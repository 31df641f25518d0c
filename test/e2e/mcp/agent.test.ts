import { createServer, type Server } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openTestApp, type TestApp } from '../../support/app.ts';
import { type HttpApi, startHttpApi } from '../../support/http-api.ts';
import { type Era, type McpServed, serveMcp } from '../../support/mcp.ts';
import { ScriptedAgent, type Told } from '../../support/scripted-agent.ts';

/** Answers tell models what they need, and leave room for the rest of the conversation. */
const BUDGETS = { csv: 2_500, weather: 3_000, failure: 4_000, batch: 3_000, fix: 8_000, orchestration: 2_500 } as const;
const SLOW_MS = 2_300;
const SALES = 'region,amount\nNorth,100\nSouth,250\nWest,75';

const BUGGY = `export default async function main({ items, discount }) {
  console.info('adding up ' + items.length + ' items');
  const rates = await step('rates', () => ({ vat: 0.2 }));
  const net = items.reduce((sum, item) => sum + item.price, 0);
  if (!discount) console.error('no discount came');
  const off = net * discount.percent / 100;
  return { total: (net - off) * (1 + rates.vat) };
}`;
const GRADUAL = `export default async function main({ file }) {
  reportProgress({ progress: 0.4, message: 'reading ' + file });
  await sleep(1500);
  return { file, rows: 3 };
}`;

let app: TestApp;
let served: McpServed;
let api: HttpApi;
/** The weather service: geocoding as ever, and a forecast that takes its time. */
let slowApi: Server;
let slowUrl = '';
const counted: string[] = [];

beforeAll(async () => {
  api = await startHttpApi();
  slowApi = createServer((request, response) => {
    const isSlow = request.url?.startsWith('/v1/forecast') === true;
    setTimeout(
      () =>
        void fetch(`${api.url}${request.url ?? ''}`).then(async (answer) => {
          response.writeHead(answer.status, { 'content-type': 'application/json' }).end(await answer.text());
        }),
      isSlow ? SLOW_MS : 0,
    );
  });
  await new Promise<void>((resolve) => slowApi.listen(0, '127.0.0.1', resolve));
  const address = slowApi.address();
  slowUrl = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  app = await openTestApp({ sources: [{ name: 'samples', root: 'sample/js-tasks', watch: false }] });
  served = await serveMcp(app);
});

afterAll(async () => {
  process.stdout.write(`tokens of all answers: ${counted.join(', ')}\n`);
  await served[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
  await api.close();
  await new Promise((resolve) => slowApi.close(resolve));
});

describe.each<Era>(['modern', 'legacy'])('an agent of the %s era that knows only the list of tools', (era) => {
  let agent: ScriptedAgent;
  let workflow: keyof typeof BUDGETS;

  const begin = async (name: keyof typeof BUDGETS): Promise<ScriptedAgent> => {
    workflow = name;
    agent = await ScriptedAgent.meet(await served.client(era));
    return agent;
  };

  afterEach(() => {
    counted.push(`${era} ${workflow} ${agent.tokens}`);
    expect(agent.tokens).toBeLessThanOrEqual(BUDGETS[workflow]);
  });

  it('processes the CSV data of its user: finds the task, runs it, reads its logs (B53)', async () => {
    const { use } = bound(await begin('csv'));
    const { tasks } = await use('list_available_tasks', { filter: 'csv', include_schemas: true });
    const parser: Told = tasks.find(({ name }: Told) => name === 'csv-parser');
    expect(parser.input_schema.properties).toHaveProperty('csv');
    const run = await use('execute_task', { task_id: parser.id, input: { csv: SALES } });
    expect(run).toMatchObject({ status: 'completed', output: { row_count: 3, columns: ['region', 'amount'] } });
    const { logs } = await use('get_execution_logs', { execution_id: run.execution_id });
    expect(logs).toMatchObject([{ level: 'info', message: 'Parsed 3 rows of 2 columns' }]);
  });

  it('tests the weather API: the slow call stands out in the trace (B54, B57)', async () => {
    const { use } = bound(await begin('weather'));
    const { tasks } = await use('list_available_tasks', { filter: 'weather' });
    const input = { city: 'Berlin', units: 'metric', base_url: slowUrl };
    const run = await use('execute_task', { task_id: tasks[0].name, input });
    expect(run).toMatchObject({ status: 'completed', output: { city: 'Berlin', units: 'metric' } });
    const { logs } = await use('get_execution_logs', { execution_id: run.execution_id });
    expect(logs[0].message).toContain('Found Berlin');
    const { trace, insights } = await use('get_execution_trace', {
      execution_id: run.execution_id,
      include_http_calls: true,
    });
    const [slowest] = trace.bottlenecks;
    expect(slowest.message).toContain('/v1/forecast');
    expect(slowest.duration_ms).toBeGreaterThanOrEqual(SLOW_MS - 50);
    expect(JSON.stringify(insights)).toContain('/v1/forecast');
  });

  it('explains a failure by an id that is wrong at first: logs, trace, analysis (B55)', async () => {
    await app.run('flaky', { fail: 'timeout', base_url: api.url });
    const { use, refusal, follow } = bound(await begin('failure'));
    const unknown = await refusal('get_execution_logs', { execution_id: 'abc-123' });
    expect(unknown).toMatchObject({ code: 'execution_not_found', what: expect.stringContaining('abc-123') });
    const { executions } = await follow(unknown.fix_call);
    const failed: Told = executions.find(({ status }: Told) => status === 'failed');
    const { execution_id } = failed;
    expect((await use('get_execution_logs', { execution_id })).summary).toContain('TimeoutError');
    const { trace } = await use('get_execution_trace', { execution_id });
    expect(JSON.stringify(trace.spans)).toContain('/never');
    const analysis = await use('analyze_execution_error', { execution_id, include_suggestions: true });
    expect(analysis).toMatchObject({ error_type: 'TimeoutError', recoverable: true });
    expect(analysis.suggestions.length).toBeGreaterThan(0);
  });

  it('runs three data sets in one batch, follows each, and sums them up (B56)', async () => {
    const { use, until } = bound(await begin('batch'));
    const { tasks } = await use('list_available_tasks', { filter: 'csv-parser' });
    const items = ['a\n1', 'a\n1\n2', 'a\n1\n2\n3'].map((csv) => ({ task_id: tasks[0].name, input: { csv } }));
    const batch = await use('batch_execute', { tasks: items, max_parallel: 3 });
    expect(batch).toMatchObject({ status: 'running', total: 3 });
    const ends: Told[] = [];
    for (const { execution_id } of batch.items) {
      const call = { tool: batch.poll.tool, arguments: { execution_id } };
      ends.push(await until(call, ({ status }) => status === 'completed'));
    }
    expect(ends.map(({ output }) => output.row_count)).toEqual([1, 2, 3]);
    const whole = await until(batch.poll, ({ status }) => status === 'completed');
    expect(whole.counts).toMatchObject({ completed: 3 });
  });

  it('repairs a task: diagnosis, proof on the record, edit, tests, and a retry that names what it retries (C15, C17–C19)', async () => {
    const name = `order-total-${era}`;
    const tests = [
      {
        name: 'half',
        input: { items: [{ price: 10 }], discount: { percent: 50 } },
        expected_output: { total: 6 },
      },
    ];
    await app.task(name, BUGGY, { test_cases: tests });
    const since = new Date().toISOString();
    const input = { items: [{ price: 10 }] };
    const { use, until, read } = bound(await begin('fix'));

    const run = await use('execute_task', { task_id: name, input });
    expect(run.status).toBe('failed');
    const analysis = await use('analyze_execution_error', { execution_id: run.execution_id });
    expect(analysis).toMatchObject({ error_type: 'TypeError', recoverable: false });
    expect(analysis.suggestions[0]).toContain('/discount');
    const { logs } = await use('get_execution_logs', { execution_id: run.execution_id, level: 'error' });
    expect(logs).toMatchObject([{ message: 'no discount came' }]);
    const { trace } = await use('get_execution_trace', { execution_id: run.execution_id });
    expect(trace.spans[0].status).toBe('error');

    // The failing line is what the analysis tells; the code around it is a resource.
    const { lines } = analysis.context.failing_line;
    const { text }: Told = lines.find(({ failing }: Told) => failing);
    const repaired = text.replace('discount.percent', '(discount?.percent ?? 0)');
    const { code } = await read('task', { name, version: analysis.task.version });
    const proof = await use('replay_execution', {
      execution_id: run.execution_id,
      code: code.replace(text, repaired),
    });
    expect(proof).toMatchObject({ mode: 'patched', verdict: 'succeeds', output: { total: 12 } });

    const edited = await use('edit_task', {
      task_id: name,
      base_version: analysis.task.version,
      patch: [{ find: text, replace: repaired }],
    });
    expect(edited).toMatchObject({ version: 2, previous_version: 1 });
    expect(await use('run_task_tests', { task_id: name })).toMatchObject({ passed: 1, failed: 0 });

    const failedRuns = await until(
      { tool: 'list_executions', arguments: { since, status: 'failed', task_id: name } },
      ({ executions }) => executions.length === 1,
    );
    const [failed] = failedRuns.executions;
    expect(failed).toMatchObject({ execution_id: run.execution_id, task_id: expect.any(String), input });
    const metadata = { retry_reason: 'discount may be missing', original_execution: failed.execution_id };
    const again = await use('execute_task', { task_id: failed.task_id, input: failed.input, metadata });
    expect(again).toMatchObject({ status: 'completed', output: { total: 12 } });
    const status = await use('get_execution_status', { execution_id: again.execution_id, detail: 'standard' });
    expect(status).toMatchObject({ status: 'completed', metadata });
  });

  it('goes on with other things while a task runs, and sees how far it is (C16)', async () => {
    const name = `gradual-${era}`;
    await app.task(name, GRADUAL);
    const { use, until } = bound(await begin('orchestration'));
    const run = await use('execute_task', { task_id: name, input: { file: 'q3.csv' }, wait_seconds: 0 });
    expect(run).toMatchObject({ status: 'running', execution_id: expect.any(String) });
    const half = await until(run.poll, ({ progress }) => progress !== null);
    expect(half.progress.percent).toBe(40);
    const done = await until(run.poll, ({ status }) => status === 'completed');
    const next = await use('execute_task', { task_id: 'csv-parser', input: { csv: 'a\n1\n2\n3' } });
    expect(next.output.row_count).toBe(done.output.rows);
  });
});

/** The agent's abilities by themselves. */
function bound(agent: ScriptedAgent) {
  return {
    use: agent.use.bind(agent),
    refusal: agent.refusal.bind(agent),
    follow: agent.follow.bind(agent),
    until: agent.until.bind(agent),
    read: agent.read.bind(agent),
  };
}

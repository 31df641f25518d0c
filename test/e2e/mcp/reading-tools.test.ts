import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestApp, type TestApp } from '../../support/app.ts';
import { type Era, type McpServed, serveMcp } from '../../support/mcp.ts';
import { Agent, type Told } from '../../support/mcp-agent.ts';

const PRICER = `export default async function main({ price }) {
  const total = await step('total', () => price.amount * 2);
  console.log('total', { total });
  return { total };
}`;
const SPANS = `export default async function main({ spans }) {
  for (let i = 0; i < spans; i += 1) await span('part ' + i, async () => (await step('work ' + i, () => i)));
  await span('the bad part', async () => { throw new Error('bad part'); }).catch(() => null);
  return spans;
}`;

let app: TestApp;
let served: McpServed;
const ids: Record<string, string> = {};

async function ran(name: string, task: string, input: unknown): Promise<void> {
  const { execution_id } = await app.run(task, input);
  ids[name] = String(execution_id);
}

beforeAll(async () => {
  app = await openTestApp();
  await app.task(
    'importer',
    'export default ({ lines }) => { for (let i = 0; i < lines; i += 1) console.log(`row ${i}`); };',
    {
      description: 'Imports customers',
      category: 'data',
    },
  );
  await app.task('pricer', PRICER);
  await app.task('fresh-pricer', PRICER);
  await app.task('spans', SPANS);
  await app.task('weather-api', 'export default () => ({ blob: "x".repeat(5_000_000) });', { description: 'Weather' });
  await app.task('silent', 'export default () => 1;');
  await app.task('sleeper', 'export default async function main() { await sleep(3_600_000); }');
  await ran('import', 'importer', { lines: 2_000 });
  await ran('good', 'pricer', { price: { amount: 21 } });
  await ran('bad', 'pricer', {});
  await ran('spans', 'spans', { spans: 300 });
  await ran('huge', 'weather-api', {});
  await ran('silent', 'silent', {});
  served = await serveMcp(app);
}, 60_000);

afterAll(async () => {
  await served[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
});

describe.each<Era>(['legacy', 'modern'])('an agent of the %s era', (era) => {
  let agent: Agent;
  beforeAll(async () => {
    agent = new Agent(await served.client(era));
  });

  describe('finding executions', () => {
    it('finds the last failed run of a task in one call', async () => {
      const { executions, next_cursor } = await agent.ask('list_executions', {
        task_id: 'pricer',
        status: 'failed',
        limit: 1,
      });
      expect(executions).toMatchObject([
        {
          execution_id: ids['bad'],
          task_name: 'pricer',
          status: 'failed',
          input: {},
          error: { error_type: 'TypeError', provenance: 'task' },
        },
      ]);
      expect(next_cursor).toBeNull();
    });

    it('pages through all of them, newest first, each once', async () => {
      const seen: string[] = [];
      let cursor: string | null = null;
      do {
        const page: Told = await agent.ask(
          'list_executions',
          { limit: 2, max_tokens: 700, ...(cursor === null ? {} : { cursor }) },
          700,
        );
        seen.push(...page['executions'].map(({ execution_id }: Told) => execution_id));
        cursor = page['next_cursor'];
      } while (cursor !== null);
      expect(seen.slice(-6)).toEqual(['silent', 'huge', 'spans', 'bad', 'good', 'import'].map((name) => ids[name]));
      expect(new Set(seen).size).toBe(seen.length);
    });

    it('takes a time to begin at', async () => {
      const { executions, hints } = await agent.ask('list_executions', { since: '2999-01-01' });
      expect(executions).toEqual([]);
      expect(hints.suggested_actions[0].tool).toBe('list_executions');
      expect(await agent.refused('list_executions', { since: 'yesterday' })).toMatchObject({ code: 'invalid_request' });
    });
  });

  describe('naming what is meant', () => {
    it.each([
      ['its id', () => ids['bad']],
      ['a trace address', () => `http://host:8080/traces/${ids['bad']}/visualize`],
      ['a log path', () => `/logs/${ids['bad']}`],
      ['an address of REST', () => `/api/v1/executions/${ids['bad']}?x=1`],
      ['a resource', () => `execution://${ids['bad']}`],
    ])('names an execution by %s', async (_what, reference) => {
      expect(await agent.ask('get_execution_status', { execution_id: reference() })).toMatchObject({
        execution_id: ids['bad'],
        status: 'failed',
        error: { error_type: 'TypeError', provenance: 'task' },
      });
    });

    it('names the latest one, the last failed and the last good one of a task', async () => {
      const of = async (execution_id: string) =>
        (await agent.ask('get_execution_status', { execution_id, task_id: 'pricer' }))['execution_id'];
      expect([await of('latest'), await of('last_failed'), await of('last_success')]).toEqual([
        ids['bad'],
        ids['bad'],
        ids['good'],
      ]);
      const { execution_id } = await app.run('silent');
      expect(await agent.ask('get_execution_status', { execution_id: 'latest' })).toMatchObject({ execution_id });
    });

    it('is told the nearest name of a task, and the call to make instead', async () => {
      const error = await agent.refused('list_executions', { task_id: 'wether-api', limit: 3 });
      expect(error).toMatchObject({
        code: 'task_not_found',
        what: "Unknown task 'wether-api'. Did you mean 'weather-api'?",
        fix_call: { tool: 'list_executions', arguments: { task_id: 'weather-api', limit: 3 } },
        retryable: false,
      });
      await agent.ask(error['fix_call'].tool, error['fix_call'].arguments);
      expect(await agent.refused('execute_task', { task_id: 'importr', input: {} })).toMatchObject({
        fix_call: { tool: 'execute_task', arguments: { task_id: 'importer', input: {} } },
      });
    });

    it('is told how to find an execution that is not there', async () => {
      const error = await agent.refused('get_execution_trace', { execution_id: 'nothing' });
      expect(error).toMatchObject({
        code: 'execution_not_found',
        fix_call: { tool: 'list_executions', arguments: { limit: 5 } },
      });
      expect(
        await agent.refused('get_execution_status', { execution_id: 'last_failed', task_id: 'silent' }),
      ).toMatchObject({
        code: 'execution_not_found',
        fix_call: { tool: 'list_executions', arguments: { task_id: 'silent', limit: 5 } },
      });
    });
  });

  describe('finding tasks', () => {
    it('gets schemas only when asked, by category', async () => {
      const { tasks, total } = await agent.ask('list_available_tasks', { category: 'data' });
      expect(tasks).toMatchObject([{ name: 'importer', category: 'data' }]);
      expect(tasks[0]).not.toHaveProperty('input_schema');
      expect(total).toBe(1);
      const full = await agent.ask('list_available_tasks', { filter: 'Imports', include_schemas: true });
      expect(full['tasks'][0]).toHaveProperty('input_schema');
    });

    it('is told the nearest names when nothing matches', async () => {
      const { tasks, hints } = await agent.ask('list_available_tasks', { filter: 'wether api' });
      expect(tasks).toEqual([]);
      expect(hints.possible_causes[0]).toBe("Did you mean 'weather-api'?");
      const { tool, arguments: args } = hints.suggested_actions[0];
      expect((await agent.ask(tool, args))['tasks']).toMatchObject([{ name: 'weather-api' }]);
    });
  });

  it('gets an output of five million characters cut in its middle, with its length', async () => {
    const { output, truncated, omitted } = await agent.ask('get_execution_status', { execution_id: ids['huge'] });
    expect(output.blob).toMatch(/^x+… \[\d+ of 5000000 characters left out\] …x+$/);
    expect(truncated).toBe(true);
    expect(omitted).toMatchObject({ count: 1, fields: ['output'] });
  });

  it('gets the failed span of hundreds, with its ancestors, and what was found out about the whole', async () => {
    const answer = await agent.ask('get_execution_trace', { execution_id: ids['spans'], max_tokens: 1_500 }, 1_500);
    expect(JSON.stringify(answer['trace'].spans)).toContain('the bad part');
    expect(answer).toMatchObject({
      execution_id: ids['spans'],
      truncated: true,
      visualization_url: `/traces/${ids['spans']}/visualize`,
      insights: expect.any(Array),
      trace: {
        critical_path: expect.any(Array),
        bottlenecks: expect.any(Array),
        spans: [{ children_omitted: expect.any(Number) }],
      },
    });
    expect(answer['total']).toBeGreaterThan(600);
    const flames = await agent.ask('get_execution_trace', { execution_id: ids['good'], format: 'flamegraph' });
    expect(flames['flamegraph']).toMatchObject({
      name: 'pricer',
      value: expect.any(Number),
      children: expect.any(Array),
    });
  });

  it('learns why an execution failed, and every call it is told leads on', async () => {
    const answer = await agent.ask('analyze_execution_error', { execution_id: 'last_failed', task_id: 'pricer' });
    expect(answer).toMatchObject({
      execution_id: ids['bad'],
      error_type: 'TypeError',
      recoverable: false,
      provenance: 'task',
      context: { failing_line: expect.any(Object), first_difference: expect.any(Object) },
    });
    expect(answer['suggestions'].length).toBeGreaterThan(0);
    const tools = answer['next_calls'].map(({ tool }: Told) => tool);
    expect(tools).toEqual(expect.arrayContaining(['debug_task_execution', 'replay_execution', 'compare_executions']));
    for (const { tool, arguments: args } of answer['next_calls']) await agent.ask(tool, args);
    const short = await agent.ask('analyze_execution_error', {
      execution_id: ids['bad'],
      include_context: false,
      include_suggestions: false,
    });
    expect(short).toMatchObject({ suggestions: [], next_calls: [] });
    expect(short['context']).toBeUndefined();
    expect(await agent.refused('analyze_execution_error', { execution_id: ids['good'] })).toMatchObject({
      code: 'not_failed',
      fix_call: { tool: 'get_execution_status', arguments: { execution_id: ids['good'] } },
    });
  });

  it('compares with the last success by itself', async () => {
    expect(await agent.ask('compare_executions', { execution_id: ids['bad'] }, 1_500)).toMatchObject({
      a: { execution_id: ids['good'] },
      b: { execution_id: ids['bad'] },
      first_difference: { what: 'input' },
    });
    expect(await agent.refused('compare_executions', { execution_id: ids['good'] })).toMatchObject({
      code: 'execution_not_found',
    });
  });

  it('sees a failure again, and that a fix works', async () => {
    expect(await agent.ask('replay_execution', { execution_id: ids['bad'] })).toMatchObject({
      verdict: 'identical',
      mode: 'faithful',
    });
    const code = PRICER.replace('price.amount', '(price?.amount ?? 0)');
    expect(await agent.ask('replay_execution', { execution_id: ids['bad'], code })).toMatchObject({
      verdict: 'succeeds',
      mode: 'patched',
      output: { total: 0 },
    });
  });

  it('stops on a line with the real values, also of a task that it runs first', async () => {
    const there = await agent.ask('debug_task_execution', {
      execution_id: ids['good'],
      breakpoints: [3],
      watches: ['total'],
    });
    expect(there).toMatchObject({
      execution_id: ids['good'],
      hits: [{ line: 3, watches: [{ value: { value: 42 } }] }],
    });
    const fresh = await agent.ask('debug_task_execution', { task_id: 'fresh-pricer', input: {} });
    expect(fresh).toMatchObject({
      hits: [{ reason: expect.stringContaining('exception') }],
      error: { provenance: 'task' },
    });
    expect(await agent.refused('debug_task_execution', { task_id: 'pricer' })).toMatchObject({
      code: 'invalid_request',
    });
  });

  it('ends what still runs', async () => {
    const { execution_id } = await app.call('create_execution', { task_id: 'sleeper', input: {} });
    const answer = await agent.ask('cancel_execution', {
      execution_id: 'latest',
      task_id: 'sleeper',
      reason: 'enough',
    });
    expect(answer).toMatchObject({ execution_id, changed: true });
    const { trace, hints } = await agent.ask('get_execution_trace', { execution_id, attempt: 99 });
    expect(trace.spans).toEqual([]);
    expect(hints.suggested_actions[0]).toEqual({ tool: 'get_execution_status', arguments: { execution_id } });
  });

  it('reads who did what', async () => {
    const { entries, next_cursor } = await agent.ask('get_audit_trail', { subject_id: ids['bad'], limit: 1 });
    expect(entries).toMatchObject([{ subject: 'execution', subject_id: ids['bad'] }]);
    expect(next_cursor === null || typeof next_cursor === 'string').toBe(true);
    const nobody = await agent.ask('get_audit_trail', { principal: 'key:nobody' });
    expect(nobody['hints'].suggested_actions).toEqual([{ tool: 'get_audit_trail', arguments: {} }]);
  });

  it('may ask for the least and for the most', async () => {
    for (const name of [
      'get_execution_logs',
      'get_execution_trace',
      'get_execution_status',
      'analyze_execution_error',
    ] as const) {
      const execution_id = name === 'analyze_execution_error' ? ids['bad'] : ids['import'];
      await agent.ask(
        name,
        { execution_id, max_tokens: 500, ...(name === 'analyze_execution_error' ? {} : { detail: 'full' }) },
        500,
      );
    }
    const most = await agent.ask(
      'get_execution_logs',
      { execution_id: ids['import'], max_tokens: 20_000, limit: 1_000, format: 'text' },
      20_000,
    );
    expect(most['text'].length).toBeGreaterThan(10_000);
    expect(
      await agent.refused('get_execution_logs', { execution_id: ids['import'], max_tokens: 20_001 }),
    ).toMatchObject({
      code: 'invalid_request',
    });
  });
});

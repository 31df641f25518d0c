import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestApp, type TestApp } from '../../support/app.ts';
import { type Era, type McpServed, serveMcp } from '../../support/mcp.ts';
import { Agent, type Told } from '../../support/mcp-agent.ts';

const IMPORTER = `export default function main({ lines, at }) {
  for (let i = 0; i < lines; i += 1) {
    if (i === at) {
      try { null.name; } catch (error) { console.error(error); }
    } else {
      console.log('imported row ' + i + ' of customer ' + (i * 7919) % 100003, { row: i, ok: true });
    }
  }
  return { lines };
}`;
const REPEATER = `export default function main() {
  for (let i = 0; i < 412; i += 1) console.warn('still waiting');
  console.debug('done');
  return 1;
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
  await app.task('importer', IMPORTER);
  await app.task('repeater', REPEATER);
  await app.task('silent', 'export default () => 1;');
  await ran('import', 'importer', { lines: 10_000, at: 5_000 });
  await ran('repeat', 'repeater', {});
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

  it('gets the one error among ten thousand lines, what is around it and both ends, within the budget', async () => {
    const answer = await agent.ask('get_execution_logs', { execution_id: ids['import'] });
    const { logs, total, truncated, omitted, summary, next_cursor, provenance } = answer;
    expect(total).toBe(10_000);
    expect(truncated).toBe(true);
    expect(omitted.count + logs.length).toBe(10_000);
    expect(summary).toMatch(/^10000 log lines \(9999 info, 1 error\), \d+ told; importer completed/);
    expect(provenance).toBe('task');
    const error = logs.find(({ level }: Told) => level === 'error');
    expect(error).toMatchObject({
      message: expect.stringContaining('TypeError'),
      error_info: { type: 'TypeError', message: expect.stringContaining('null'), suggestions: [expect.any(String)] },
    });
    expect(error.error_info.stack_trace).toContain('main');
    const rows = logs.map(({ context }: Told) => context?.row);
    expect(rows).toEqual(expect.arrayContaining([0, 4_998, 4_999, 5_001, 5_002, 9_999]));
    expect(logs[1].skipped ?? logs.find(({ skipped }: Told) => skipped > 0).skipped).toBeGreaterThan(0);
    expect(next_cursor).toEqual(expect.any(String));
  });

  it('goes to a line by its seq, and reads on line by line', async () => {
    const { logs } = await agent.ask('get_execution_logs', { execution_id: ids['import'], level: 'error' });
    const near = await agent.ask('get_execution_logs', { execution_id: ids['import'], around: logs[0].seq, limit: 5 });
    expect(near['logs'].map(({ context }: Told) => context?.row ?? 'error')).toEqual([
      4_998,
      4_999,
      'error',
      5_001,
      5_002,
    ]);
    const start = await agent.ask('get_execution_logs', { execution_id: ids['import'], limit: 7 });
    const rows: unknown[] = [];
    let cursor = start['next_cursor'];
    for (let page = 0; page < 3; page += 1) {
      const read = await agent.ask('get_execution_logs', { execution_id: ids['import'], limit: 7, cursor });
      rows.push(...read['logs'].map(({ context }: Told) => context.row));
      cursor = read['next_cursor'];
    }
    expect(rows).toEqual(Array.from({ length: 21 }, (_, at) => at));
  });

  it('reads all lines through cursors, each once, however small the budget', async () => {
    const { logs: all } = await agent.ask('get_execution_logs', { execution_id: ids['repeat'] });
    expect(all).toMatchObject([
      { level: 'warn', message: 'still waiting', repeated: '×412' },
      { level: 'debug', message: 'done' },
    ]);
    const args = { execution_id: ids['import'], search: 'customer 7', max_tokens: 600 };
    const { total, next_cursor } = await agent.ask('get_execution_logs', args, 600);
    const seen = new Set<string>();
    let told = 0;
    for (let cursor = next_cursor, pages = 0; cursor !== null && pages < 400; pages += 1) {
      const page = await agent.ask('get_execution_logs', { ...args, max_tokens: 20_000, limit: 300, cursor }, 20_000);
      for (const { seq } of page['logs']) seen.add(seq);
      told += page['logs'].length;
      cursor = page['next_cursor'];
    }
    expect(seen.size).toBe(total);
    expect(told).toBe(total);
  });

  it('finds by level and text, as JSON or as text', async () => {
    const found = await agent.ask('get_execution_logs', {
      execution_id: ids['repeat'],
      level: 'warn',
      search: 'waiting',
      format: 'text',
    });
    expect(found['text']).toMatch(/^1:\d+ 20\S+Z WARN still waiting ×412$/);
    expect(found['logs']).toBeUndefined();
  });

  it('is told what to do when there is nothing', async () => {
    const { logs, hints } = await agent.ask('get_execution_logs', { execution_id: ids['silent'], level: 'error' });
    expect(logs).toEqual([]);
    expect(hints.suggested_actions[0]).toEqual({
      tool: 'get_execution_logs',
      arguments: { execution_id: ids['silent'] },
    });
    const { tool, arguments: args } = hints.suggested_actions[0];
    await agent.ask(tool, args);
  });
});

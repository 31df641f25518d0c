import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { openTestApp, type TestApp } from '../../support/app.ts';
import { type Era, type McpServed, serveMcp } from '../../support/mcp.ts';

let app: TestApp;
let served: McpServed;

beforeAll(async () => {
  app = await openTestApp();
  await app.task('double', 'function main({ n }) { return { n: n * 2 }; }');
  await app.task('fail', 'function main() { throw new Error("no"); }');
  served = await serveMcp(app);
});

afterAll(async () => {
  await served[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
});

describe.each<Era>(['legacy', 'modern'])('a client of the %s era', (era) => {
  it('gets the id of each execution at once, and later what became of them', async () => {
    const client = await served.client(era);
    const requests = [
      { id: 'a', task_id: 'double', input: { n: 1 } },
      { id: 'b', task_id: 'double', input: { n: { $from: 'a', path: '/n' } } },
      { id: 'c', task_id: 'fail', input: {} },
    ];
    const asked = await client.callTool({ name: 'ratchet.batch_execute', arguments: { requests } });
    expect(asked.structuredContent).toMatchObject({
      status: 'running',
      total: 3,
      items: [
        { id: 'a', execution_id: expect.any(String), task_name: 'double' },
        { id: 'b', execution_id: expect.any(String), task_name: 'double' },
        { id: 'c', execution_id: expect.any(String), task_name: 'fail' },
      ],
      poll: { tool: 'get_execution_status' },
    });
    const { batch_id, items } = asked.structuredContent as { batch_id: string; items: { execution_id: string }[] };
    const status = async (id: string) => {
      const told = await client.callTool({ name: 'get_execution_status', arguments: { execution_id: id } });
      return told.structuredContent as Record<string, unknown>;
    };
    await vi.waitUntil(async () => (await status(batch_id))['status'] === 'failed', 15_000);
    expect(await status(batch_id)).toMatchObject({
      counts: { completed: 2, failed: 1 },
      items: [{ status: 'completed' }, { status: 'completed' }, { status: 'failed' }],
      truncated: false,
    });
    expect(await status(items[1]?.execution_id ?? '')).toMatchObject({ status: 'completed', output: { n: 4 } });
  });

  it('is refused a cycle, named by its items', async () => {
    const client = await served.client(era);
    const tasks = [
      { id: 'a', task_id: 'double', input: { n: 1 }, depends_on: ['b'] },
      { id: 'b', task_id: 'double', input: { n: 1 }, depends_on: ['a'] },
    ];
    const refused = await client.callTool({ name: 'batch_execute', arguments: { tasks } });
    expect(refused.isError).toBe(true);
    expect(JSON.stringify(refused.structuredContent)).toMatch(/a → b → a|b → a → b/);
  });
});

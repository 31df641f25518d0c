import { expect, it, vi } from 'vitest';
import { openEventStore } from '../../infra/event-store/open.ts';
import { systemRuntime } from '../../infra/runtime.ts';
import type { CalledTool } from '../../src/domain/tool-call.ts';
import type { EventStore } from '../../src/ports/event-store.ts';
import { ToolCallAudit } from '../../src/reactors/audit-tool-calls.ts';

const CALL: CalledTool = {
  tool: 'list_available_tasks',
  principal: 'key:ada',
  session: null,
  client: 'test 1',
  outcome: 'ok',
  durationMs: 1,
  executionId: null,
};

async function audited(): Promise<{
  readonly audit: ToolCallAudit;
  readonly store: EventStore;
  readonly appends: () => number;
}> {
  const store = await openEventStore('memory:');
  const append = vi.spyOn(store, 'append');
  const audit = new ToolCallAudit({ store, runtime: systemRuntime() }, (error) => {
    throw error;
  });
  return { audit, store, appends: () => append.mock.calls.length };
}

it('calls are written together by themselves, each under the name of its caller', async () => {
  const { audit, store, appends } = await audited();
  for (let n = 0; n < 20; n += 1) audit.note({ ...CALL, principal: `key:${n}` });
  await expect.poll(async () => (await store.readStream('access-tool-calls')).length).toBe(20);
  expect(appends()).toBe(1);
  const stored = await store.readStream('access-tool-calls');
  expect(new Set(stored.map(({ principal }) => principal)).size).toBe(20);
  expect(stored.every(({ type }) => type === 'ToolCalled')).toBe(true);
});

it('a flood of calls waits for nothing, and what is left is written at the end', async () => {
  const { audit, store, appends } = await audited();
  for (let n = 0; n < 1_203; n += 1) audit.note(CALL);
  await audit.flush();
  expect(await store.readStream('access-tool-calls')).toHaveLength(1_203);
  expect(appends()).toBe(3);
});

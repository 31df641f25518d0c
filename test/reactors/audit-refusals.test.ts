import { describe, expect, it } from 'vitest';
import { memoryEventStore } from '../../infra/event-store/memory.ts';
import { systemRuntime } from '../../infra/runtime.ts';
import { RefusalAudit } from '../../src/reactors/audit-refusals.ts';

const refusal = { principal: 'address:10.0.0.1', operation: 'GET /api/v1/tasks', reason: 'unauthenticated' };

function opened() {
  const store = memoryEventStore();
  const audit = new RefusalAudit({ store, runtime: systemRuntime() }, (error) => expect.unreachable(String(error)));
  const counts = async () =>
    (await store.readStream('access-refusals')).map(({ payload }) => JSON.parse(payload).count);
  return { audit, counts };
}

describe('the audit of refusals', () => {
  it('writes the first at once and counts its repetitions in one event', async () => {
    const { audit, counts } = opened();
    for (let index = 0; index < 500; index += 1) audit.note(refusal);
    expect(await counts()).toEqual([1]);
    await audit.flush();
    expect(await counts()).toEqual([1, 499]);
  });
  it('keeps callers, operations and reasons apart', async () => {
    const { audit, counts } = opened();
    audit.note(refusal);
    audit.note({ ...refusal, principal: 'address:10.0.0.2' });
    audit.note({ ...refusal, operation: 'POST /api/v1/tasks' });
    await audit.flush();
    expect(await counts()).toEqual([1, 1, 1]);
  });
  it('stays bounded when every caller is another one', async () => {
    const { audit, counts } = opened();
    for (let index = 0; index < 3_000; index += 1) audit.note({ ...refusal, principal: `address:${index}` });
    await audit.flush();
    const all = await counts();
    expect(all.length).toBe(1_001);
    expect(all.reduce((sum, count) => sum + count, 0)).toBe(3_000);
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BatchEvent } from '../../src/domain/batch.ts';
import { streamName } from '../../src/domain/event.ts';
import { decode } from '../../src/domain/history.ts';
import { openTestApp, type TestApp } from '../support/app.ts';
import { eventually } from '../support/server.ts';

async function factsOf({ app }: TestApp, batchId: unknown): Promise<readonly BatchEvent[]> {
  const events = await app.store.readStream(streamName('batch', String(batchId)));
  return events.map((stored) => decode<BatchEvent>(stored));
}

/** The batch as `get_batch` tells it, once it has ended. */
async function ended(test: TestApp, batchId: unknown) {
  await eventually('the batch has ended', async () =>
    (await factsOf(test, batchId)).some(({ type }) => type === 'BatchEnded') ? true : undefined,
  );
  return test.call('get_batch', { batch_id: batchId, limit: 1_000 }, { minPosition: await test.app.store.head() });
}

describe('a batch', () => {
  let test: TestApp;
  beforeAll(async () => {
    test = await openTestApp();
    await test.task('add', 'function main({ a, b }) { return { sum: a + b }; }', {
      input_schema: {
        type: 'object',
        required: ['a', 'b'],
        properties: { a: { type: 'number' }, b: { type: 'number' } },
      },
    });
    await test.task('echo', 'function main(input) { return input; }');
    await test.task('fails', 'function main() { throw new Error("no"); }');
    await test.task('sleeps', 'async function main() { await sleep(60000); }');
  });
  afterAll(() => test[Symbol.asyncDispose]());

  it('passes outputs on through a diamond, and is told whole', async () => {
    const sum = (from: string) => ({ $from: from, path: '/sum' });
    const asked = await test.call('batch_execute', {
      tasks: [
        { id: 'end', task_id: 'add', input: { a: sum('left'), b: sum('right') } },
        { id: 'left', task_id: 'add', input: { a: sum('top'), b: 10 } },
        { id: 'right', task_id: 'add', input: { a: sum('top'), b: 100 } },
        { id: 'top', task_id: 'add', input: { a: 1, b: 2 } },
      ],
    });
    const told = await ended(test, asked['batch_id']);
    expect(told).toMatchObject({ status: 'completed', progress_percent: 100, total: 4 });
    const [end] = told['items'] as { execution_id: string }[];
    const execution = await test.call('get_execution_status', { execution_id: end?.execution_id });
    expect(execution).toMatchObject({
      status: 'completed',
      output: { sum: 116 },
      source: 'batch',
      principal: 'local:admin',
      metadata: { batch_id: asked['batch_id'], batch_item: 'end' },
    });
  });
});

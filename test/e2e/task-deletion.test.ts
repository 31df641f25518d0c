import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type GraphqlServer, startGraphql } from '../support/graphql.ts';
import { type Answer, eventually } from '../support/server.ts';

const WEBHOOK = { name: 'orders', provider: 'generic', secret: 's', task: 'hooked', source: null };

let served: GraphqlServer;
const rest = (method: string, path: string, body?: unknown): Promise<Answer> => served.rest(method, path, body);
const post = (path: string, body: unknown = {}) => rest('POST', path, body);
const create = (name: string, code: string) => served.task(name, code);

beforeAll(async () => {
  served = await startGraphql({}, { webhooks: [WEBHOOK] });
});
afterAll(() => served[Symbol.asyncDispose]());

describe('deleting', () => {
  it('is refused while something uses the task, naming it, and done by force', async () => {
    await create('used', 'function main() { return ask("what?"); }');
    await post('/schedules', { name: 'nightly', task_id: 'used', cron: '@daily', input: {} });
    const { body: asked } = await post('/executions', { task_id: 'used', input: {} });
    const refused = await rest('DELETE', '/tasks/used');
    expect(refused).toMatchObject({
      status: 409,
      body: {
        code: 'task_in_use',
        details: { executions: [asked['execution_id']], schedules: ['nightly'], webhooks: [], batches: [] },
      },
    });
    await create('hooked', 'function main() {}');
    expect((await rest('DELETE', '/tasks/hooked')).body).toMatchObject({
      code: 'task_in_use',
      details: { webhooks: ['orders'] },
    });
    const items = [
      { id: 'a', task_id: 'used', input: {} },
      { id: 'b', task_id: 'hooked', input: {}, depends_on: ['a'] },
    ];
    const { body: batch } = await post('/batches', { tasks: items });
    expect((await rest('DELETE', '/tasks/hooked')).body).toMatchObject({ details: { batches: [batch['batch_id']] } });
    expect(await rest('DELETE', '/tasks/used?force=true')).toMatchObject({ status: 200, body: { status: 'deleted' } });
  });

  it('can be taken back, over REST and GraphQL, with all versions and as a fact of its own', async () => {
    await create('back', 'function main() { return 1; }');
    await rest('PATCH', '/tasks/back', { code: 'function main() { return 2; }' });
    expect((await rest('DELETE', '/tasks/back')).body).toMatchObject({ status: 'deleted' });
    expect((await post('/tasks/execute', { task_id: 'back', input: {} })).status).toBe(404);
    expect(await post('/tasks/back/restore')).toMatchObject({
      status: 200,
      body: { status: 'enabled', version: 2, changed: true },
    });
    expect((await post('/tasks/execute', { task_id: 'back', input: {} })).body).toMatchObject({ output: 2 });
    expect((await post('/tasks/back/restore')).body).toMatchObject({ changed: false });
    await rest('DELETE', '/tasks/back');
    const told = await served.data(
      'mutation($t: ID!) { restoreTask(input: { taskId: $t }) { status version task { status } } }',
      {
        t: 'back',
      },
    );
    expect(told).toMatchObject({ restoreTask: { version: 2, task: { status: expect.stringMatching(/enabled/i) } } });
    expect((await post('/tasks/nothing/restore')).status).toBe(404);
    await eventually('the audit trail tells it', async () => {
      const { body } = await rest('GET', '/audit?limit=20');
      return JSON.stringify(body).includes('"TaskRestored"') ? true : undefined;
    });
  });
});

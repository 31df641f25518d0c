import { describe, expect, it } from 'vitest';
import { call, openHome, startServerProcess } from '../support/server.ts';

describe('a machine that has nothing yet', () => {
  it('tasks below ./tasks are found by a server that was told nothing', async () => {
    using home = openHome();
    home.file('tasks/deep/hello/metadata.json', '{"name": "hello"}');
    home.file('tasks/deep/hello/main.js', 'function main({ name }) { return `Hello ${name}`; }');
    await using server = await startServerProcess(home);
    const answer = await call(server.url, 'POST', '/api/v1/tasks/execute', {
      task_id: 'hello',
      input: { name: 'Ada' },
    });
    expect(answer.body).toMatchObject({ status: 'completed', output: 'Hello Ada' });
  });
});

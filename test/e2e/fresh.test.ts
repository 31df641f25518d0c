import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { call, openHome, ratchet, startServerProcess } from '../support/server.ts';

describe('a machine that has nothing yet', () => {
  it('each command makes the database that it needs, without a server and without a configuration', async () => {
    using home = openHome();
    const finished = await ratchet(home, ['projections', 'status']);
    expect(finished).toMatchObject({ code: 0 });
    expect(existsSync(join(home.folder, 'data/ratchet.db'))).toBe(true);
  });

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

  it('a server reads its configuration at the start, and a changed one at the next', async () => {
    using home = openHome();
    for (const prefix of ['/one', '/two']) {
      await using server = await startServerProcess(home, { more: `rest:\n  prefix: ${prefix}\n` });
      expect((await call(server.url, 'GET', `${prefix}/tasks`)).status).toBe(200);
      expect((await call(server.url, 'GET', `${prefix === '/one' ? '/two' : '/one'}/tasks`)).status).toBe(404);
      await server.stop();
    }
  });
});

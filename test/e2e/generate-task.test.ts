import { describe, expect, it } from 'vitest';
import { openHome, ratchet } from '../support/server.ts';

describe('ratchet generate task', () => {
  it.each(['promise', 'blocking'])(
    'makes a task in %s style that is valid, passes its test and runs',
    async (style) => {
      using home = openHome();
      const made = await ratchet(home, ['generate', 'task', 'hello', '--style', style]);
      expect([made.code, made.json()]).toMatchObject([0, { task: 'hello', folder: 'tasks/hello' }]);
      const path = ['--from-fs', 'tasks/hello'];
      expect((await ratchet(home, ['validate', ...path])).json()).toMatchObject({ valid: true });
      expect((await ratchet(home, ['test', ...path])).json()).toMatchObject({ passed: 1, failed: 0 });
      const run = await ratchet(home, ['run-once', ...path, '--input-json', '{"name":"Ada"}']);
      expect(run.json()).toMatchObject({ status: 'completed', output: { greeting: 'Hello, Ada!' } });
    },
  );

  it('overwrites nothing, and takes no name that could leave the folder', async () => {
    using home = openHome();
    home.file('tasks/hello/main.js', 'mine');
    const there = await ratchet(home, ['generate', 'task', 'hello']);
    expect([there.code, there.stderr]).toEqual([2, expect.stringContaining('there is something at tasks/hello')]);
    const outside = await ratchet(home, ['generate', 'task', '../outside']);
    expect([outside.code, outside.stderr]).toEqual([2, expect.stringContaining('a task is named by')]);
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  call,
  eventually,
  type Home,
  openHome,
  ratchet,
  type ServerProcess,
  startServerProcess,
} from '../support/server.ts';

let home: Home;
let server: ServerProcess;
beforeAll(async () => {
  home = openHome();
  server = await startServerProcess(home);
  await call(server.url, 'POST', '/api/v1/tasks', { name: 'greet', code: 'function main({ name }) { return name; }' });
});
afterAll(async () => {
  await server.stop();
  home[Symbol.dispose]();
});

const schedule = (...args: string[]) => ratchet(home, ['schedule', ...args, '--config', `${home.folder}/config.yaml`]);

describe('ratchet schedule', () => {
  it('makes, lists, shows, switches, fires and deletes, beside a server that carries it out', async () => {
    const made = await schedule(
      'create',
      'greet',
      '--cron',
      '0 3 * * *',
      '--timezone',
      'Europe/Berlin',
      '--name',
      'nightly',
      '--input-json',
      '{"name":"Ada"}',
    );
    expect(made.code, made.stderr).toBe(0);
    const { id } = made.json() as { id: string };
    expect((await schedule('list')).json()).toMatchObject({
      schedules: [{ id, name: 'nightly', task_name: 'greet', timezone: 'Europe/Berlin', status: 'enabled' }],
    });
    expect((await schedule('show', id)).json()).toMatchObject({ cron: '0 3 * * *', input: { name: 'Ada' } });
    expect((await schedule('disable', id, '--reason', 'not now')).json()).toMatchObject({ status: 'disabled' });
    const { execution_id } = (await schedule('trigger', id)).json() as { execution_id: string };
    await eventually('the server has executed it', async () => {
      const { body } = await call(server.url, 'GET', `/api/v1/executions/${execution_id}`);
      return body['output'] === 'Ada' ? true : undefined;
    });
    expect((await schedule('enable', id)).json()).toMatchObject({ status: 'enabled' });
    expect((await schedule('delete', id)).json()).toMatchObject({ status: 'deleted' });
  }, 90_000);

  it('says what is wrong', async () => {
    const wrong = await Promise.all([
      schedule('create', 'greet', '--cron', 'now and then'),
      schedule('create', 'nothing', '--cron', '@daily'),
      schedule('show', 'none'),
      schedule('create', 'greet'),
    ]);
    expect(wrong.map(({ code }) => code)).toEqual([2, 2, 2, 2]);
    expect(wrong.map(({ stderr }) => stderr.split('\n')[0])).toEqual([
      expect.stringContaining('now and then'),
      expect.stringContaining('there is no task nothing'),
      expect.stringContaining('there is no schedule none'),
      expect.stringContaining('--cron'),
    ]);
  });
});

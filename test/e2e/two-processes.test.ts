import { describe, expect, it } from 'vitest';
import { countCalls } from '../support/crash-load.ts';
import {
  call,
  eventually,
  type Home,
  openHome,
  ratchet,
  type ServerProcess,
  startServerProcess,
} from '../support/server.ts';

const ECHO = { name: 'echo', code: 'function main(input) { return input; }' };

async function two(home: Home): Promise<AsyncDisposable & { first: ServerProcess; second: ServerProcess }> {
  const first = await startServerProcess(home, { more: WORKERS });
  const second = await startServerProcess(home, { more: WORKERS });
  return {
    first,
    second,
    [Symbol.asyncDispose]: async () => {
      await Promise.all([first.kill(), second.kill()]);
    },
  };
}

const WORKERS = 'workers:\n  count: 2\n';

async function status(url: string, executionId: string, position = ''): Promise<Record<string, unknown>> {
  const { body } = await call(url, 'GET', `/api/v1/executions/${executionId}?min_position=${position}`);
  return body;
}

describe('two servers on one file', () => {
  it('both answer; each runs and shows what was made through the other', async () => {
    using home = openHome();
    await using servers = await two(home);
    const { first, second } = servers;
    await call(first.url, 'POST', '/api/v1/tasks', ECHO);
    const known = await eventually('the second server knows the task', async () => {
      const answer = await call(second.url, 'POST', '/api/v1/tasks/execute', { task_id: 'echo', input: { by: 2 } });
      return answer.status === 404 ? undefined : answer;
    });
    expect(known.body).toMatchObject({ status: 'completed', output: { by: 2 } });
    const { execution_id, position } = known.body;
    expect(await status(first.url, String(execution_id), String(position))).toMatchObject({ status: 'completed' });

    const own = await call(first.url, 'POST', '/api/v1/tasks/execute', { task_id: 'echo', input: { by: 1 } });
    const seen = await call(second.url, 'GET', `/api/v1/executions?min_position=${String(own.body['position'])}`);
    expect(seen.body['executions']).toMatchObject([{ input: { by: 1 } }, { input: { by: 2 } }]);
    const ids = await Promise.all(
      [first, second].map(async ({ url }) => {
        const { body } = await call(
          url,
          'POST',
          '/api/v1/executions',
          { task_id: 'echo', input: 1 },
          { 'idempotency-key': 'k' },
        );
        return body['execution_id'];
      }),
    );
    expect(ids[0]).toBe(ids[1]);
  });

  it('project in one place: the other has that one rebuild, and takes over when it is killed', async () => {
    using home = openHome();
    await using servers = await two(home);
    const { first, second } = servers;
    await call(first.url, 'POST', '/api/v1/tasks', ECHO);
    for (const { url } of [first, second]) {
      expect((await call(url, 'POST', '/api/v1/projections/rebuild')).status).toBe(200);
    }
    const rebuilt = await ratchet(home, ['projections', 'rebuild', 'tasks', '--config', 'config.yaml', '--json']);
    expect([rebuilt.code, rebuilt.json()]).toEqual([0, { rebuilt: ['tasks'] }]);

    await first.kill();
    const after = await eventually('the read models go on', async () => {
      const run = await call(second.url, 'POST', '/api/v1/tasks/execute', { task_id: 'echo', input: {} });
      const read = await status(second.url, String(run.body['execution_id']), String(run.body['position']));
      return read['status'] === 'completed' ? read : undefined;
    });
    expect(after['output']).toEqual({});
    expect((await call(second.url, 'POST', '/api/v1/projections/rebuild')).status).toBe(200);
  });

  it('resume what a killed server was running, without repeating a stored call', async () => {
    using home = openHome();
    await using counter = await countCalls();
    await using servers = await two(home);
    const { first, second } = servers;
    // Waits under its own timer long enough to be killed; the timer goes on by the logical clock after the resume.
    const code = `async function main({ base }) {
      await fetch(base + '/before');
      await new Promise((resolve) => setTimeout(resolve, 1500));
      await fetch(base + '/after');
      return 'done';
    }`;
    await call(first.url, 'POST', '/api/v1/tasks', { name: 'waits', code });
    const { body } = await call(first.url, 'POST', '/api/v1/executions', {
      task_id: 'waits',
      input: { base: counter.url },
    });
    const id = String(body['execution_id']);
    await eventually('the first call is stored', async () => {
      const events = await call(second.url, 'GET', `/api/v1/executions/${id}/events`);
      const types = (events.body['events'] as readonly { type: string }[] | undefined)?.map(({ type }) => type);
      return types?.includes('StepCompleted') ? true : undefined;
    });
    const before = await status(second.url, id);
    await first.kill();
    const ended = await eventually('it has ended', async () => {
      const now = await status(second.url, id);
      return now['status'] === 'completed' ? now : undefined;
    });
    expect(ended).toMatchObject({ output: 'done', attempt: 2, mode: 'resume' });
    expect(ended['worker']).not.toBe(before['worker']);
    expect([...counter.calls].map(([path, times]) => [path, times.length])).toEqual([
      ['/before', 1],
      ['/after', 1],
    ]);
  });

  it('cancel at either what runs at the other', async () => {
    using home = openHome();
    await using servers = await two(home);
    const { first, second } = servers;
    await call(first.url, 'POST', '/api/v1/tasks', { name: 'endless', code: 'function main() { for (;;); }' });
    const { body } = await call(first.url, 'POST', '/api/v1/executions', { task_id: 'endless', input: {} });
    const id = String(body['execution_id']);
    await eventually('it runs', async () =>
      (await status(second.url, id))['status'] === 'running' ? true : undefined,
    );
    const cancelled = await call(second.url, 'POST', `/api/v1/executions/${id}/cancel`, { reason: 'enough' });
    expect(cancelled.status).toBe(202);
    await eventually('it is cancelled', async () =>
      (await status(first.url, id))['status'] === 'cancelled' ? true : undefined,
    );
  });
});

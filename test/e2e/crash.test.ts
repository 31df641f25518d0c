import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { countCalls, surviveCrashes } from '../support/crash-load.ts';
import { call, eventually, openHome, startServerProcess } from '../support/server.ts';

describe('a server that is killed', () => {
  it('completes every acknowledged execution exactly once and calls nothing again that it has stored', {
    timeout: 90_000,
  }, async () => {
    using home = openHome();
    await surviveCrashes(home, { clients: 10, executions: 24, callsEvery: 3, kills: 3 });
  });

  it.runIf(process.platform === 'linux')('takes the processes of its tasks with it', async () => {
    using home = openHome();
    await using server = await startServerProcess(home);
    await call(server.url, 'POST', '/api/v1/tasks', { name: 'endless', code: 'function main() { for (;;); }' });
    await call(server.url, 'POST', '/api/v1/executions', { task_id: 'endless', input: {} });
    await eventually('a busy process', () => taskProcesses(server.pid).find(({ busy }) => busy));
    const processes = taskProcesses(server.pid).map(({ pid }) => pid);
    await server.kill();
    await eventually('all are gone', () => (processes.some(isAlive) ? undefined : true));
  });
});

describe.runIf(process.platform === 'linux')('a task process that is killed', { timeout: 120_000 }, () => {
  const LOOPS = `async function main({ base, loops }, context) {
    const first = await (await fetch(base + '/once')).json();
    if (loops === 'always') for (;;);
    if (loops === 'at first' && context.attempt === 1) for (;;);
    return { first, attempt: context.attempt };
  }`;

  it('has its execution resumed, with what was done and what was under way not done again', async () => {
    using home = openHome();
    await using api = await startSlowApi();
    await using server = await startServerProcess(home, { more: 'workers:\n  count: 1\n' });
    const code = `async function main({ url }) {
      const first = await (await fetch(url + '/first', { method: 'POST' })).json();
      const second = await (await fetch(url + '/slow')).json();
      return [first, second];
    }`;
    await call(server.url, 'POST', '/api/v1/tasks', { name: 'two', code });
    const { body } = await call(server.url, 'POST', '/api/v1/executions', { task_id: 'two', input: { url: api.url } });
    await eventually('the second call is under way', () => (api.calls('/slow') === 1 ? true : undefined));
    for (const { pid } of taskProcesses(server.pid)) process.kill(pid, 'SIGKILL');
    api.answer();
    const ended = await end(server.url, String(body['execution_id']));
    expect(ended).toMatchObject({ status: 'completed', attempt: 2, mode: 'resume', output: ['/first', '/slow'] });
    expect([api.calls('/first'), api.calls('/slow')]).toEqual([1, 1]);
  });

  it('again and again has its execution fail with sandbox_crashed, and the next one runs in a new process', async () => {
    using home = openHome();
    await using counter = await countCalls();
    await using server = await startServerProcess(home, { more: 'workers:\n  count: 1\n' });
    await call(server.url, 'POST', '/api/v1/tasks', { name: 'loops', code: LOOPS });
    const input = { base: counter.url, loops: 'always' };
    const { body } = await call(server.url, 'POST', '/api/v1/executions', { task_id: 'loops', input });
    for (let times = 0; times < 3; times += 1) await killBusy(server.pid);
    const ended = await end(server.url, String(body['execution_id']));
    expect(ended).toMatchObject({ status: 'failed', attempt: 3, error: { code: 'sandbox_crashed' } });
    expect(counter.calls.get('/once')).toHaveLength(1);

    const next = { task_id: 'loops', input: { ...input, loops: 'never' } };
    const after = await call(server.url, 'POST', '/api/v1/tasks/execute', next);
    expect(after.body).toMatchObject({ status: 'completed', output: { first: { path: '/once' } } });
  });

  it('again and again has its execution retried when the policy says so', async () => {
    using home = openHome();
    await using counter = await countCalls();
    await using server = await startServerProcess(home, { more: 'workers:\n  count: 1\n' });
    await call(server.url, 'POST', '/api/v1/tasks', { name: 'loops', code: LOOPS });
    const retry = { max_attempts: 2, initial_ms: 10 };
    const input = { base: counter.url, loops: 'at first' };
    const { body } = await call(server.url, 'POST', '/api/v1/executions', { task_id: 'loops', input, retry });
    for (let times = 0; times < 3; times += 1) await killBusy(server.pid);
    const ended = await end(server.url, String(body['execution_id']));
    expect(ended).toMatchObject({ status: 'completed', attempt: 4, output: { attempt: 4 } });
  });
});

interface SlowApi extends AsyncDisposable {
  readonly url: string;
  calls(path: string): number;
  /** Lets all calls of `/slow` have their answer. */
  answer(): void;
}

async function startSlowApi(): Promise<SlowApi> {
  const calls: string[] = [];
  const free = Promise.withResolvers<void>();
  const server = createServer((request, response) => {
    calls.push(request.url ?? '');
    const answered = request.url === '/slow' ? free.promise : Promise.resolve();
    void answered.then(() => response.end(JSON.stringify(request.url)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    calls: (path) => calls.filter((made) => made === path).length,
    answer: () => free.resolve(),
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function end(url: string, executionId: string): Promise<Record<string, unknown>> {
  return eventually(`${executionId} has ended`, async () => {
    const { body } = await call(url, 'GET', `/api/v1/executions/${executionId}`);
    return ['completed', 'failed', 'cancelled'].includes(String(body['status'])) ? body : undefined;
  });
}

async function killBusy(server: number): Promise<void> {
  const busy = await eventually('a busy task process', () => taskProcesses(server).find((task) => task.busy));
  process.kill(busy.pid, 'SIGKILL');
  // Until the system has let go of it, it would be found busy again.
  await eventually('it is gone', () => (isAlive(busy.pid) ? undefined : true));
}

interface TaskProcess {
  readonly pid: number;
  /** Used much processor time and goes on doing so: a task in a loop, not a process that waits for one. */
  readonly busy: boolean;
}

/** Processes below `ancestor` that run tasks, and not what wraps them. */
function taskProcesses(ancestor: number): readonly TaskProcess[] {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => statOf(Number(name)));
  const parents = new Map(all.map(({ pid, parent }) => [pid, parent]));
  const isBelow = (pid: number): boolean => {
    const parent = parents.get(pid);
    return parent !== undefined && (parent === ancestor || isBelow(parent));
  };
  return all
    .filter(
      ({ pid, program }) => isBelow(pid) && program.includes('sandbox') && !all.some(({ parent }) => parent === pid),
    )
    .map(({ pid, state, ticks }) => ({ pid, busy: state === 'R' && ticks > BUSY_TICKS }));
}

/** Hundredths of a second; starting takes a good part of this. */
const BUSY_TICKS = 60;

function statOf(pid: number) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const program = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    return [
      { pid, program, state: fields[0], parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) },
    ];
  } catch {
    return [];
  }
}

function isAlive(pid: number): boolean {
  return statOf(pid).some(({ state }) => state !== 'Z');
}

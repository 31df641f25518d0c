/** Servers as nodes of one database, and what is asked of them by tests about who runs what. */
import { expect } from 'vitest';
import {
  call,
  eventually,
  type Home,
  openHome,
  type ServerOptions,
  type ServerProcess,
  startServerProcess,
} from './server.ts';

export const ECHO = { name: 'echo', code: 'function main(input) { return input; }' };
/** Waits under its own timer long enough to be left by its node; the timer goes on by the logical clock after a resume. */
export const WAITS = {
  name: 'waits',
  code: `async function main({ base, ms }) {
    await fetch(base + '/before');
    await new Promise((resolve) => setTimeout(resolve, ms));
    await fetch(base + '/after');
    return 'done';
  }`,
};
export interface Cluster extends AsyncDisposable {
  start(options?: ServerOptions): Promise<ServerProcess>;
}

/** Nodes that share nothing but the database. */
export function openCluster(database: string): Cluster {
  const homes: Home[] = [];
  const nodes: ServerProcess[] = [];
  return {
    start: async (options = {}) => {
      const home = openHome();
      homes.push(home);
      const node = await startServerProcess(home, { database, ...options });
      nodes.push(node);
      return node;
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(nodes.map((node) => node.kill()));
      for (const home of homes) home[Symbol.dispose]();
    },
  };
}

export async function read(node: ServerProcess, executionId: string): Promise<Record<string, unknown>> {
  return (await call(node.url, 'GET', `/api/v1/executions/${executionId}`)).body;
}

export async function typesOf(node: ServerProcess, executionId: string): Promise<readonly string[]> {
  const { body } = await call(node.url, 'GET', `/api/v1/executions/${executionId}/events`);
  return ((body['events'] ?? []) as readonly { type: string }[]).map(({ type }) => type);
}

export async function ask(node: ServerProcess, task_id: string, input: unknown): Promise<string> {
  const asked = await eventually('the node knows the task', async () => {
    const answer = await call(node.url, 'POST', '/api/v1/executions', { task_id, input });
    return answer.status === 404 ? undefined : answer;
  });
  expect(asked.status, JSON.stringify(asked.body)).toBeLessThan(300);
  return String(asked.body['execution_id']);
}

/** Starts `waits` and answers when its first call is stored. */
export async function waitingAt(node: ServerProcess, base: string, ms: number): Promise<string> {
  const id = await ask(node, 'waits', { base, ms });
  await eventually('the first call is stored', async () =>
    (await typesOf(node, id)).includes('StepCompleted') ? true : undefined,
  );
  return id;
}

export async function ended(node: ServerProcess, id: string): Promise<Record<string, unknown>> {
  return await eventually('it has ended', async () => {
    const now = await read(node, id);
    return now['status'] === 'completed' ? now : undefined;
  });
}

/** How often each address of {@link WAITS} is called when nothing is done twice. */
export const ONCE_EACH = [
  ['/before', 1],
  ['/after', 1],
];

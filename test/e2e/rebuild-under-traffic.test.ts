/** Read models on PostgreSQL while two nodes write and read them: rebuilt, and left by the node that projected, nobody reads less than before. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type PostgresServer, startPostgres } from '../support/postgres.ts';
import {
  type Answer,
  call,
  eventually,
  type Home,
  openHome,
  ratchet,
  type ServerProcess,
  startServerProcess,
} from '../support/server.ts';

const ECHO = { name: 'echo', code: 'function main(input) { return input; }' };
const WORKERS = 'workers:\n  count: 2\n';

let postgres: PostgresServer;
let database: string;

beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres.close());
beforeEach(async () => {
  database = await postgres.newDatabase();
});

interface TwoNodes extends AsyncDisposable {
  readonly home: Home;
  /** Projects, because it was there first. */
  readonly leader: ServerProcess;
  readonly follower: ServerProcess;
}

async function twoNodes(): Promise<TwoNodes> {
  const homes = [openHome(), openHome()] as const;
  const leader = await startServerProcess(homes[0], { database, more: WORKERS });
  const follower = await startServerProcess(homes[1], { database, more: WORKERS });
  expect((await call(leader.url, 'POST', '/api/v1/tasks', ECHO)).status).toBe(201);
  await eventually('both nodes know the task', async () => {
    const { status } = await call(follower.url, 'POST', '/api/v1/tasks/execute', { task_id: 'echo', input: 0 });
    return status === 200 ? true : undefined;
  });
  return {
    home: homes[1],
    leader,
    follower,
    [Symbol.asyncDispose]: async () => {
      await Promise.all([leader.kill(), follower.kill()]);
      for (const home of homes) home[Symbol.dispose]();
    },
  };
}

/** An execution that has ended, and where in the log. */
interface Ended {
  readonly id: string;
  readonly position: string;
}

interface Traffic {
  readonly ended: readonly Ended[];
  readonly reads: () => number;
  /** Ends it; fails with the first answer that was less than one before it. */
  stop(): Promise<void>;
}

/** Executions at each node all the time, and reads of what has ended, whichever node tells first. */
function startTraffic(nodes: readonly ServerProcess[]): Traffic {
  const ended: Ended[] = [];
  const tags = new Map<string, string>();
  let reads = 0;
  let isOver = false;

  async function write({ url }: ServerProcess): Promise<void> {
    while (!isOver) {
      const { status, body } = await call(url, 'POST', '/api/v1/tasks/execute', { task_id: 'echo', input: 1 });
      expect([status, body['status']]).toEqual([200, 'completed']);
      ended.push({ id: String(body['execution_id']), position: String(body['position']) });
    }
  }

  /** One that waits for what was answered, and then the other without: it must know as much already. */
  async function read(one: ServerProcess, other: ServerProcess): Promise<void> {
    let newest = '';
    while (!isOver) {
      // Now the newest, now one of those before it.
      const chosen = ended.at(-1 - (reads % Math.min(ended.length || 1, 9)));
      if (chosen === undefined) {
        await new Promise((resolve) => setTimeout(resolve, 10));
        continue;
      }
      const at = await call(one.url, 'GET', `/api/v1/executions/${chosen.id}?min_position=${chosen.position}`);
      const plain = await call(other.url, 'GET', `/api/v1/executions/${chosen.id}`);
      for (const answer of [at, plain]) expectWhole(chosen, answer);
      for (const { url } of [one, other]) {
        const list = await call(url, 'GET', '/api/v1/executions?limit=1&status=completed');
        const rows = list.body['executions'];
        const first: unknown = Array.isArray(rows) ? rows[0]?.created_at : undefined;
        expect(String(first) >= newest, `${String(first)} after ${newest}`).toBe(true);
        newest = String(first);
      }
      reads += 4;
    }
  }

  function expectWhole({ id }: Ended, { status, headers, body }: Answer): void {
    expect([status, body['status'], body['output']]).toEqual([200, 'completed', 1]);
    const tag = headers.get('etag') ?? '';
    expect(tag).toBe(tags.get(id) ?? tag);
    tags.set(id, tag);
  }

  const [one, other] = nodes;
  if (one === undefined || other === undefined) throw new Error('traffic needs two nodes');
  const loops = [write(one), write(other), read(one, other), read(other, one)].map(async (loop) => {
    try {
      await loop;
    } finally {
      isOver = true;
    }
  });
  const over = Promise.all(loops);
  over.catch(() => undefined);
  return {
    ended,
    reads: () => reads,
    stop: async () => {
      isOver = true;
      await over;
    },
  };
}

const oids = () =>
  postgres.run(database, "SELECT 'executions'::regclass::oid AS executions, 'tasks'::regclass::oid AS tasks");

/** Everything that was answered is in the read models. */
async function expectComplete(node: ServerProcess, ended: readonly Ended[]): Promise<void> {
  const position =
    ended
      .map((one) => one.position)
      .sort()
      .at(-1) ?? '';
  const { status } = await call(node.url, 'GET', `/api/v1/executions?limit=1&min_position=${position}`);
  expect(status).toBe(200);
  const found =
    "SELECT count(*)::integer AS count FROM executions WHERE status = 'completed' AND execution_id = ANY($1)";
  expect(await postgres.run(database, found, [ended.map(({ id }) => id)])).toEqual([{ count: ended.length }]);
}

describe('under traffic at two nodes', { timeout: 120_000 }, () => {
  it('read models are rebuilt, whoever is asked, and no read is older than one before it', async () => {
    await using nodes = await twoNodes();
    const { leader, follower, home } = nodes;
    const traffic = startTraffic([leader, follower]);
    await eventually('there is traffic', () => (traffic.reads() > 40 ? true : undefined));
    const before = await oids();
    const asked = await call(follower.url, 'POST', '/api/v1/projections/rebuild');
    expect(asked.status, JSON.stringify(asked.body)).toBe(200);
    const afterFirst = await oids();
    expect(afterFirst[0]?.['executions']).not.toBe(before[0]?.['executions']);
    expect((await call(leader.url, 'POST', '/api/v1/projections/rebuild', { names: ['executions'] })).status).toBe(200);
    const afterSecond = await oids();
    expect(afterSecond[0]?.['executions']).not.toBe(afterFirst[0]?.['executions']);
    expect(afterSecond[0]?.['tasks']).toBe(afterFirst[0]?.['tasks']);
    const told = await ratchet(home, ['projections', 'rebuild', '--config', 'config.yaml', '--json']);
    expect([told.code, told.stderr]).toEqual([0, expect.any(String)]);
    expect((await oids())[0]?.['tasks']).not.toBe(afterSecond[0]?.['tasks']);
    const during = traffic.reads();
    await eventually('it goes on', () => (traffic.reads() > during + 20 ? true : undefined));
    await traffic.stop();
    await expectComplete(follower, traffic.ended);
  });

  it('the other node projects when the one that does is frozen, which follows when it wakes up', async () => {
    await using nodes = await twoNodes();
    const { leader, follower } = nodes;
    const ended: Ended[] = [];
    const runAndRead = async (at: ServerProcess, readAt: ServerProcess): Promise<void> => {
      const { body } = await call(at.url, 'POST', '/api/v1/tasks/execute', { task_id: 'echo', input: 1 });
      const one = { id: String(body['execution_id']), position: String(body['position']) };
      ended.push(one);
      await eventually('it is read', async () => {
        const path = `/api/v1/executions/${one.id}?min_position=${one.position}`;
        const read = await call(readAt.url, 'GET', path);
        return read.status === 200 && read.body['status'] === 'completed' ? true : undefined;
      });
    };
    await runAndRead(follower, follower);
    process.kill(leader.pid, 'SIGSTOP');
    try {
      await runAndRead(follower, follower);
    } finally {
      process.kill(leader.pid, 'SIGCONT');
    }
    await runAndRead(leader, leader);
    await runAndRead(follower, leader);
    const rebuilt = await call(leader.url, 'POST', '/api/v1/projections/rebuild', { names: ['executions'] });
    expect(rebuilt.status, JSON.stringify(rebuilt.body)).toBe(200);
    await expectComplete(leader, ended);
  });
});

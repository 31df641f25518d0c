/** A process of its own that makes load over HTTP, and plays the API that tasks call, with one clock for both. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Connection, requestText } from './connections.ts';
import type { ClosedLoad, FromLoad, OpenLoad, ToLoad } from './load.ts';
import { closedLoop } from './measure.ts';

/** The last stretch before a send is waited for without sleeping, because timers are late by up to a millisecond. */
const AWAKE_MS = 1.5;

/** When each path was called, by the clock of this process. */
const arrivals = new Map<string, number>();
const api = createServer((request, response) => {
  arrivals.set(request.url ?? '', performance.now());
  response.setHeader('content-type', 'application/json').end('{"ok":true}');
});
api.keepAliveTimeout = 60_000;

function tell(message: FromLoad): void {
  process.send?.(message);
}

async function openAll(url: string, count: number): Promise<Connection[]> {
  return Promise.all(Array.from({ length: count }, () => Connection.open(url)));
}

async function closed({ url, method, path, body, connections, ms }: ClosedLoad): Promise<number> {
  const all = await openAll(url, connections);
  const request = requestText(url, method, path, body);
  const free = [...all];
  try {
    return await closedLoop(connections, ms, async () => {
      const connection = free.pop();
      if (connection === undefined) throw new Error('no connection is free');
      const answer = await connection.send(request);
      if (answer.status !== 200) throw new Error(`${path} answered ${answer.status}: ${answer.body}`);
      free.push(connection);
    });
  } finally {
    for (const connection of all) connection.close();
  }
}

/** Sends at a steady pace, whatever the answers do; both times count from when a request should have left. */
async function open({ url, method, path, task, connections, perSecond, ms }: OpenLoad) {
  const free = await openAll(url, connections);
  const count = Math.floor((perSecond * ms) / 1000);
  const { port } = api.address() as AddressInfo;
  const begin = performance.now() + 20;
  const starts: number[] = [];
  const ends: number[] = [];
  arrivals.clear();
  const one = async (index: number, due: number): Promise<void> => {
    const key = `/${index}`;
    const body =
      task === null ? null : JSON.stringify({ task_id: task, input: { url: `http://127.0.0.1:${port}${key}` } });
    const connection = free.pop() ?? (await Connection.open(url));
    const answer = await connection.send(requestText(url, method, path, body));
    ends.push(performance.now() - due);
    free.push(connection);
    if (answer.status !== 200 || (task !== null && !answer.body.includes('"completed"'))) {
      throw new Error(`${path} answered ${answer.status}: ${answer.body}`);
    }
    const arrived = arrivals.get(key);
    if (arrived !== undefined) starts.push(arrived - due);
  };
  const sent: Promise<void>[] = [];
  for (let index = 0; index < count; index += 1) {
    const due = begin + (index * 1000) / perSecond;
    await until(due);
    sent.push(one(index, due));
  }
  await Promise.all(sent);
  for (const connection of free) connection.close();
  const sorted = (values: number[]): number[] => values.sort((a, b) => a - b);
  return { starts: sorted(starts), ends: sorted(ends) };
}

async function until(time: number): Promise<void> {
  for (;;) {
    const left = time - performance.now();
    if (left <= 0) return;
    await new Promise<void>((resolve) => {
      if (left > AWAKE_MS + 1) setTimeout(resolve, left - AWAKE_MS);
      else setImmediate(resolve);
    });
  }
}

process.on('message', (message: ToLoad) => {
  const answer =
    message.kind === 'closed'
      ? closed(message).then((rate) => ({ kind: 'closed' as const, rate }))
      : open(message).then((times) => ({ kind: 'open' as const, ...times }));
  answer.then(tell, (error: unknown) => tell({ kind: 'failed', message: String(error) }));
});
process.on('disconnect', () => process.exit());
await new Promise<void>((resolve) => api.listen(0, '127.0.0.1', resolve));
tell({ kind: 'ready', url: `http://127.0.0.1:${(api.address() as AddressInfo).port}` });

/** Live subscriptions: what many idle ones cost in memory, and how late events come to those that listen. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { pino } from 'pino';
import { loadConfig } from '../../config/load.ts';
import { startServer } from '../../src/cli/serve.ts';
import { appSettings, serveSettings } from '../../src/cli/settings.ts';
import type { NewEvent } from '../../src/domain/event.ts';
import { environment, type Home, openHome, startServerProcess } from '../support/server.ts';
import type { Benchmark, BenchSettings, Outcome } from './benchmark.ts';
import { percentile, spread } from './measure.ts';
import { memoryOf } from './processor-time.ts';

export type ToClients =
  | { readonly kind: 'open'; readonly url: string; readonly query: string; readonly count: number }
  | { readonly kind: 'delays' | 'close' };

export type FromClients =
  | { readonly kind: 'opened' | 'closed' }
  | { readonly kind: 'delays'; readonly delays: readonly number[] };

/** The issue asks for 10,000 idle ones, and for 1,000 events a second to 200; set these in the environment to see. */
const sizeOf = (name: string, standard: number): number => Number(process.env[name] ?? standard);
const IDLE = sizeOf('LIVE_IDLE', 1_000);
const SUBSCRIBERS = sizeOf('LIVE_SUBSCRIBERS', 50);
const EVENTS_PER_SECOND = sizeOf('LIVE_EVENTS', 200);

const CONNECTIONS = 'limits:\n  max_concurrent_connections: 50000\n';

interface Clients extends AsyncDisposable {
  ask(message: ToClients): Promise<FromClients>;
}

function startClients(): Clients {
  const child = fork(new URL('./live-clients.ts', import.meta.url));
  return {
    ask: async (message) => {
      child.send(message);
      const [answer] = (await once(child, 'message')) as [FromClients];
      return answer;
    },
    [Symbol.asyncDispose]: async () => {
      child.kill();
      await once(child, 'exit');
    },
  };
}

/** Megabytes that idle subscriptions add to a server, one socket each. */
async function memoryOfIdle(home: Home): Promise<{ readonly before: number; readonly after: number }> {
  await using server = await startServerProcess(home, { more: CONNECTIONS });
  await using clients = startClients();
  await clients.ask({ kind: 'open', url: server.url, query: 'subscription { taskChanged { type } }', count: 1 });
  const before = memoryOf(server.pid);
  await clients.ask({ kind: 'open', url: server.url, query: 'subscription { taskChanged { type } }', count: IDLE });
  const after = memoryOf(server.pid);
  await clients.ask({ kind: 'close' });
  return { before, after };
}

function eventAt(count: number): NewEvent {
  return {
    eventId: crypto.randomUUID(),
    type: 'BenchTicked',
    schemaVersion: 1,
    payload: JSON.stringify({ sentAt: performance.timeOrigin + performance.now(), count, more: 'x'.repeat(200) }),
    occurredAt: new Date().toISOString(),
    principal: 'bench',
    commandId: 'bench',
    correlationId: 'bench',
    causationId: null,
    traceparent: null,
  };
}

const TICK_MS = 5;

/** Appends events at a steady pace to a server in this process; answers the delays of all subscribers, ascending. */
async function delays(home: Home, seconds: number, rounds: number): Promise<readonly (readonly number[])[]> {
  const file = home.file(
    'live.yaml',
    `database:\n  url: "sqlite:live.db"\nserver:\n  host: 127.0.0.1\n  port: 0\n${CONNECTIONS}`,
  );
  const { config } = loadConfig({ file, env: environment(home), cwd: home.folder });
  const settings = appSettings(config, pino({ level: 'silent' }), 1);
  const server = await startServer(settings, { ...serveSettings(config, 'bench'), port: 0 });
  await using clients = startClients();
  const query = 'subscription { events(types: ["BenchTicked"]) { position data } }';
  await clients.ask({ kind: 'open', url: server.url, query, count: SUBSCRIBERS });
  const found: (readonly number[])[] = [];
  for (let round = 0; round <= rounds; round += 1) {
    await tick(server.app.store.append.bind(server.app.store), seconds);
    const answer = await clients.ask({ kind: 'delays' });
    // The first round warms up.
    if (answer.kind === 'delays' && round > 0) found.push(answer.delays);
  }
  await clients.ask({ kind: 'close' });
  await server.close();
  return found;
}

async function tick(
  append: (stream: string, expected: 'any', events: readonly NewEvent[]) => Promise<unknown>,
  seconds: number,
): Promise<void> {
  const start = performance.now();
  let sent = 0;
  while (performance.now() - start < seconds * 1000) {
    const due = Math.floor(((performance.now() - start) / 1000) * EVENTS_PER_SECOND);
    for (; sent < due; sent += 1) void append(`telemetry-bench-${sent % 16}`, 'any', [eventAt(sent)]);
    await new Promise((resolve) => setTimeout(resolve, TICK_MS));
  }
  await new Promise((resolve) => setTimeout(resolve, 1_000));
}

async function run({ seconds, rounds }: BenchSettings): Promise<Outcome> {
  using home = openHome();
  const { before, after } = await memoryOfIdle(home);
  const found = await delays(home, seconds, rounds);
  const expected = SUBSCRIBERS * EVENTS_PER_SECOND * seconds;
  const line = (share: number) => spread(found.map((round) => percentile(round, share)));
  return {
    lines: [
      {
        name: `server with ${IDLE} idle subscriptions`,
        unit: 'MB',
        value: spread([after]),
        baseline: { name: 'with one', value: spread([before]) },
        limits: [{ of: 'value', floor: 400, goal: 300 }],
      },
      { name: 'event to subscriber p50', unit: 'ms', value: line(0.5), baseline: null, limits: [] },
      {
        name: 'event to subscriber p99',
        unit: 'ms',
        value: line(0.99),
        baseline: null,
        limits: [{ of: 'value', floor: 50, goal: 10 }],
      },
    ],
    notes: [
      `${EVENTS_PER_SECOND} events/s to ${SUBSCRIBERS} subscribers, each on a socket of its own in another process on the same processors`,
      `messages in a round: ${found.map((round) => round.length).join(', ')} of ${expected}; from before the append to the arrival, one clock`,
    ],
  };
}

export const graphqlLive: Benchmark = { name: 'graphql-live', title: 'live GraphQL subscriptions', run };

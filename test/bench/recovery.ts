/** What recording costs an execution, and how long 1,000 interrupted ones take to go on after a restart. */
import { openOutbound } from '../../infra/outbound.ts';
import { systemRuntime } from '../../infra/runtime.ts';
import { openSandbox } from '../../infra/sandbox/pool.ts';
import { configuredSecrets } from '../../infra/secrets.ts';
import { type StoredEvent, streamName } from '../../src/domain/event.ts';
import type { Sandbox } from '../../src/ports/sandbox.ts';
import { runAttempt } from '../../src/reactors/attempt.ts';
import { httpRequest, httpValue } from '../../src/reactors/http-step.ts';
import { TEST_SETTINGS } from '../support/app.ts';
import { eventually, type Home, openHome } from '../support/server.ts';
import type { Benchmark, BenchSettings, Outcome } from './benchmark.ts';
import { startLoad } from './load.ts';
import { closedLoop, interleaved, spread } from './measure.ts';
import { type CommandPort, openCommandPort } from './product.ts';

const IN_FLIGHT = 8;
const INTERRUPTED = 1_000;
const CODE = `async function main({ url }) {
  for (let n = 0; n < 10; n += 1) { console.log('asking', { n }); await fetch(url); }
  return null;
}`;

const runtime = systemRuntime();
const NO_SECRETS = configuredSecrets({});

async function run({ seconds, rounds }: BenchSettings): Promise<Outcome> {
  await using load = await startLoad();
  const overhead = await recordingOverhead(seconds, rounds, load.url);
  const resumed: number[] = [];
  for (let round = 0; round < Math.min(rounds, 3); round += 1) {
    using home = openHome();
    resumed.push(await resumeAll(home, load.url));
  }
  return {
    lines: [
      {
        name: '10 HTTP steps and log lines, recorded',
        unit: '/s',
        value: overhead.recorded,
        baseline: { name: 'same task, same sandbox, nothing recorded', value: overhead.bare },
        limits: [],
      },
      {
        name: `${INTERRUPTED} interrupted executions all ended after a restart`,
        unit: 'ms',
        value: spread(resumed),
        baseline: null,
        limits: [],
      },
    ],
    notes: [
      `${IN_FLIGHT} in flight; unrecorded: no claim, no journal, no logs, no read models`,
      'interrupted: copies of one real execution of 10 steps whose journal breaks off after 5, left by a worker that is gone; from opening the database to the last end',
    ],
  };
}

async function recordingOverhead(seconds: number, rounds: number, url: string) {
  using home = openHome();
  await using port = await openCommandPort(home);
  await port.task('ten', CODE);
  const sandbox = await openSandbox({ size: IN_FLIGHT, warm: IN_FLIGHT });
  const outbound = openOutbound({ allow: ['127.0.0.0/8'] });
  try {
    return await interleaved(rounds, {
      recorded: () => closedLoop(IN_FLIGHT, seconds * 1_000, () => port.execute('ten', { url })),
      bare: () => closedLoop(IN_FLIGHT, seconds * 1_000, () => unrecorded(sandbox, outbound, url)),
    });
  } finally {
    await Promise.all([sandbox.close(), outbound.close()]);
  }
}

/** The same driver and sandbox, with calls that go out and are written down nowhere. */
async function unrecorded(sandbox: Sandbox, outbound: ReturnType<typeof openOutbound>, url: string): Promise<void> {
  const session = await sandbox.open({ ...TEST_SETTINGS.limits, memoryMb: 128 });
  try {
    await runAttempt({
      session,
      start: {
        code: sandbox.prepare(CODE, 'ten/main.js'),
        input: JSON.stringify({ url }),
        context: { executionId: 'e', taskId: 't', taskVersion: '1', jobId: 'e', attempt: 1 },
        clock: runtime.now(),
        seed: runtime.randomHex(32),
        style: 'auto',
      },
      journal: [],
      runtime,
      recorder: { stepCompleted: async () => undefined, telemetry: () => undefined },
      // biome-ignore lint/suspicious/noThenProperty: a plan is data, not a promise
      then: {
        kind: 'live',
        world: {
          asked: async () => undefined,
          perform: async (call, signal) => {
            const request = httpRequest(call.request, [], NO_SECRETS, TEST_SETTINGS.stepLimits);
            const response = await outbound.send(request, signal);
            return { ok: true, value: httpValue(response, call.request, request, NO_SECRETS) };
          },
        },
      },
      cancel: new AbortController().signal,
      abort: new AbortController().signal,
      onIdle: () => undefined,
    });
  } finally {
    session.release();
  }
}

async function resumeAll(home: Home, url: string): Promise<number> {
  {
    await using port = await openCommandPort(home);
    await port.task('ten', CODE);
    const events = await interruptedTemplate(port, url);
    await Promise.all(Array.from({ length: INTERRUPTED }, () => copy(port, events)));
    await port.settled();
  }
  const began = performance.now();
  await using port = await openCommandPort(home);
  await eventually(
    'all have ended',
    async () => {
      const { executions } = await port.app.health();
      return executions.pending + executions.running === 0 ? true : undefined;
    },
    300_000,
  );
  return performance.now() - began;
}

/** The events of one execution up to its fifth outcome, as a worker leaves them that dies then. */
async function interruptedTemplate({ app, execute }: CommandPort, url: string): Promise<readonly StoredEvent[]> {
  const id = await execute('ten', { url });
  const events = await app.store.readStream(streamName('execution', id));
  const outcomes = events.filter(({ type }) => type === 'StepCompleted');
  const last = outcomes[4];
  if (last === undefined) throw new Error('the execution has fewer than five outcomes');
  return events.filter(({ version }) => version <= last.version);
}

async function copy({ app }: CommandPort, template: readonly StoredEvent[]): Promise<void> {
  const old = template[0]?.stream.slice('execution-'.length) ?? '';
  const id = runtime.newId();
  const gone = '00000000-0000-7000-8000-000000000000';
  const renamed = (text: string): string => text.replaceAll(old, id);
  const events = template.map(({ stream: _s, version: _v, position: _p, recordedAt: _r, ...event }) => {
    const payload = renamed(event.payload).replace(/"worker":"[^"]+"/, `"worker":"${gone}"`);
    return { ...event, eventId: runtime.newId(), commandId: renamed(event.commandId), payload };
  });
  await app.store.append(streamName('execution', id), 'no-stream', events);
}

export const recovery: Benchmark = {
  name: 'recovery',
  title: 'What recording costs, and how soon interrupted executions go on',
  run,
};

/** What ran runs again the same from its events alone; and where the record and the code differ, the replay says so. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openSandbox } from '../../infra/sandbox/pool.ts';
import { type StoredEvent, streamName } from '../../src/domain/event.ts';
import type { EventStore } from '../../src/ports/event-store.ts';
import type { Sandbox } from '../../src/ports/sandbox.ts';
import { recordedRun } from '../../src/reactors/recorded-run.ts';
import { replayFaithfully } from '../../src/reactors/replay.ts';
import { openTestApp, TEST_SETTINGS, type TestApp } from '../support/app.ts';
import { startHttpApi } from '../support/http-api.ts';
import { program } from '../support/programs.ts';
import { replayed } from '../support/replayed.ts';

/** Fewer for a quick look, more for a long one. */
const PROGRAMS = Number(process.env['PROGRAMS'] ?? 520);
const SEED = Number(process.env['PROGRAMS_SEED'] ?? Date.now() % 2 ** 31);

let app: TestApp;
beforeAll(async () => {
  app = await openTestApp({ workers: 4, warmWorkers: 4 });
  await app.task('echo', 'function main(input) { return input; }');
});
afterAll(() => app[Symbol.asyncDispose]());

/** Calls `work` for each item, `width` at a time. */
async function forEachAtOnce<Item>(items: readonly Item[], width: number, work: (item: Item) => Promise<void>) {
  const rest = items.values();
  await Promise.all(
    Array.from({ length: width }, async () => {
      for (const item of rest) await work(item);
    }),
  );
}

let tasks = 0;
interface Ran {
  readonly index: number;
  readonly code: string;
  readonly result: Record<string, unknown>;
}

async function live(index: number, code: string, url: string): Promise<Ran> {
  tasks += 1;
  const name = `program-${tasks}`;
  await app.task(name, code);
  return { index, code, result: await app.run(name, { url }) };
}

/** @returns why the replay is not as the run was; null when it is. */
async function difference({ result }: Ran): Promise<string | null> {
  if (result['status'] !== 'completed' && result['status'] !== 'failed') return `it is ${String(result['status'])}`;
  try {
    const again = await replayed(app, result['execution_id']);
    const error = result['error'] as { error_type: string; message: string } | null;
    const was = { output: result['output'], error: error && { name: error.error_type, message: error.message } };
    expect({ output: again['output'], error: again['error'] }).toEqual(was);
    return null;
  } catch (thrown) {
    return String(thrown instanceof Error ? thrown.message : thrown);
  }
}

async function liveAll(codes: readonly string[]): Promise<readonly Ran[]> {
  const api = await startHttpApi();
  const ran: Ran[] = [];
  await forEachAtOnce([...codes.entries()], 24, async ([index, code]) => {
    ran.push(await live(index, code, api.url));
  });
  await api.close();
  return ran;
}

test(`generated programs replay with the same logs, spans, and output or error`, async () => {
  const codes = fc.sample(program, { seed: SEED, numRuns: PROGRAMS });
  const ran = await liveAll(codes);
  const wrong: { index: number; told: string }[] = [];
  await forEachAtOnce(ran, 4, async (one) => {
    const reason = await difference(one);
    if (reason !== null) wrong.push({ index: one.index, told: `${one.code}\n\n${reason}` });
  });
  expect(ran).toHaveLength(PROGRAMS);
  const failed = ran.filter(({ result }) => result['status'] === 'failed').length;
  expect(failed).toBeGreaterThan(PROGRAMS / 20);
  expect(ran.length - failed).toBeGreaterThan(PROGRAMS / 3);
  const [first] = wrong;
  if (first === undefined) return;
  const holds = fc.asyncProperty(program, async (code) => {
    for (const one of await liveAll([code, code, code])) expect(await difference(one)).toBeNull();
  });
  await fc.assert(holds, { seed: SEED, path: String(first.index), numRuns: 1, interruptAfterTimeLimit: 30_000 });
  throw new Error(`${wrong.length} of ${PROGRAMS} differ (PROGRAMS_SEED=${SEED}), the first:\n${first.told}`);
}, 120_000);

describe('a replay that does not fit', () => {
  let sandbox: Sandbox;
  beforeAll(async () => {
    sandbox = await openSandbox({ size: 1 });
  });
  afterAll(() => sandbox.close());

  const CODE = `async function main({ url }) {
    const first = await fetch(url + '/json').then((answer) => answer.status);
    console.log('between', { first });
    const second = await fetch(url + '/text', { method: 'POST', body: 'x' }).then((answer) => answer.status);
    return [first, second];
  }`;
  let executionId: string;
  beforeAll(async () => {
    const [one] = await liveAll([CODE]);
    expect(one?.result['output']).toEqual([200, 200]);
    executionId = String(one?.result['execution_id']);
    await replayed(app, executionId);
  });

  /** Replays what `tamper` makes of the stored events, which stay as they are. */
  function replayOf(tamper: (event: StoredEvent, index: number) => readonly StoredEvent[], id = executionId) {
    const { core, store, directory } = app.app;
    const tampered: EventStore = {
      append: (...append) => store.append(...append),
      readAt: (position) => store.readAt(position),
      readAll: (...range) => store.readAll(...range),
      subscribe: (...range) => store.subscribe(...range),
      head: () => store.head(),
      close: () => store.close(),
      readStream: async (stream, options) => (await store.readStream(stream, options)).flatMap(tamper),
    };
    const { blobs, runtime } = core.execute;
    const deps = { store: tampered, blobs, runtime, sandbox, directory, limits: TEST_SETTINGS.limits };
    return recordedRun(deps, id, null).then((run) => replayFaithfully(deps, run));
  }

  /** Changes the data of the events that `matches` picks. */
  const changing =
    (matches: (event: StoredEvent, data: Record<string, unknown>) => boolean, changes: Record<string, unknown>) =>
    (event: StoredEvent): readonly StoredEvent[] => {
      const data = JSON.parse(event.payload);
      return [matches(event, data) ? { ...event, payload: JSON.stringify({ ...data, ...changes }) } : event];
    };
  const isStep = (path: string) => (event: StoredEvent, data: Record<string, unknown>) =>
    event.type === 'StepCompleted' && data['path'] === path;

  test('finds no difference in what was not touched', async () => {
    expect(await replayOf((event) => [event])).toMatchObject({ identical: true, steps: 2 });
  });

  test('tells a step with other arguments, and what they are', async () => {
    const request = { value: { method: 'POST', body: 'y' } };
    await expect(replayOf(changing(isStep('2'), { argsHash: '00', request }))).rejects.toMatchObject({
      code: 'replay_mismatch',
      details: {
        expected: expect.stringMatching(/^step 2 http POST .* with {"body":"y","method":"POST"}$/),
        actual: expect.stringMatching(/^step 2 http POST .* with {"body":"x",.*"method":"POST",/),
        line: 4,
        lineText: expect.stringMatching(/^const second = await fetch\(url \+ '\/text'/),
      },
    });
  });

  test.each([
    'function main({ url }) {\n  const get = () =>\n    fetch(url + "/json").status;\n  return get();\n}',
    '(function (input) {\n\n  return fetch(input.url + "/json").status; })',
    '"use strict";\n\nexport default async ({ url }) => (await fetch(url + "/json")).status;',
    'module.exports = { main };\nfunction main({ url }) {\n  return step("get", () => fetch(url + "/json").status); }',
  ])('tells the line of the call in every form of code: %#', async (code) => {
    const [one] = await liveAll([code]);
    const told: unknown = await replayOf(
      changing((event, { kind }) => event.type === 'StepCompleted' && kind === 'http', { argsHash: '00' }),
      String(one?.result['execution_id']),
    ).catch((error: unknown) => error);
    const lineText = expect.stringContaining('"/json"');
    expect(told).toMatchObject({ code: 'replay_mismatch', details: { line: 3, lineText } });
  });

  test('tells a step of another kind', async () => {
    await expect(replayOf(changing(isStep('1'), { kind: 'file', name: 'a.txt' }))).rejects.toMatchObject({
      code: 'replay_mismatch',
      details: { expected: 'step 1 file a.txt', actual: expect.stringContaining('step 1 http GET'), line: 2 },
    });
  });

  test('tells a step that is missing from the journal', async () => {
    const without = (event: StoredEvent) => (isStep('2')(event, JSON.parse(event.payload)) ? [] : [event]);
    await expect(replayOf(without)).rejects.toMatchObject({
      code: 'replay_mismatch',
      details: {
        expected: 'the end of the run at turn 3',
        actual: expect.stringMatching(/^waiting for step 2 http POST/),
        line: 4,
      },
    });
  });

  test('tells a step that the code never asks for', async () => {
    const extra = (event: StoredEvent): readonly StoredEvent[] => {
      const data = JSON.parse(event.payload);
      if (!isStep('2')(event, data)) return [event];
      const added = { ...data, path: '3', name: 'GET https://nowhere.example/', turn: data.turn + 1 };
      return [event, { ...event, payload: JSON.stringify(added) }];
    };
    await expect(replayOf(extra)).rejects.toMatchObject({
      code: 'replay_mismatch',
      details: { expected: 'step 3 http GET https://nowhere.example/', actual: expect.any(String) },
    });
  });

  test('names the line, the span, and the output that differ', async () => {
    const log = changing((event) => event.type === 'LogLineWritten', { message: 'changed' });
    expect(await replayOf(log)).toMatchObject({
      identical: false,
      differences: [{ what: 'log', expected: { message: 'changed' }, actual: { message: 'between' } }],
    });
    const span = changing((event, data) => event.type === 'SpanRecorded' && data['kind'] === 'execution', {
      ok: false,
    });
    expect(await replayOf(span)).toMatchObject({ identical: false, differences: [{ what: 'span' }] });
    const output = changing((event) => event.type === 'ExecutionCompleted', { output: { value: [200, 500] } });
    expect(await replayOf(output)).toMatchObject({
      identical: false,
      differences: [{ what: 'output', expected: [200, 500], actual: [200, 200] }],
    });
    const lost = (event: StoredEvent) => (event.type === 'LogLineWritten' ? [] : [event]);
    expect(await replayOf(lost)).toMatchObject({ identical: false });
  });

  test('tells another order of what happened', async () => {
    const later = changing((event) => event.type === 'ExecutionCompleted', { turn: 9 });
    await expect(replayOf(later)).rejects.toMatchObject({ code: 'replay_mismatch' });
  });
});

test('a replay runs the version that ran, not the one that is current', async () => {
  await app.task('edited', 'function main() { console.log("one"); return 1; }');
  const first = await app.run('edited');
  await app.call('edit_task', { task_id: 'edited', code: 'function main() { console.log("two"); return 2; }' });
  expect((await app.run('edited'))['output']).toBe(2);
  expect(await replayed(app, first['execution_id'])).toMatchObject({ output: 1 });
  await app.call('delete_task', { task_id: 'edited' });
  expect(await replayed(app, first['execution_id'])).toMatchObject({ output: 1 });
});

test('a replay changes nothing in the store of what it replays', async () => {
  await app.task('told', 'async function main() { console.log(1); await sleep(1); return Date.now(); }');
  const { execution_id } = await app.run('told');
  const stored = () =>
    Promise.all(
      (['execution', 'telemetry'] as const).map((category) =>
        app.app.store.readStream(streamName(category, String(execution_id))),
      ),
    );
  const before = await stored();
  await replayed(app, execution_id);
  await replayed(app, execution_id);
  expect(await stored()).toEqual(before);
});

test('an execution that has not ended, was never there, or was ended from outside can not be replayed', async () => {
  await app.task('sleeps', 'function main() { sleep(60000); }');
  const { execution_id } = await app.call('create_execution', { task_id: 'sleeps', input: {} });
  await expect(app.call('replay_execution', { execution_id })).rejects.toMatchObject({ code: 'execution_running' });
  await app.call('cancel_execution', { execution_id });
  await expect(app.call('replay_execution', { execution_id: 'nowhere' })).rejects.toMatchObject({
    code: 'execution_not_found',
  });
  await app.task('endless', 'function main() { for (;;); }');
  const killed = await app.run('endless', {}, { timeout: 0.2 });
  const again = app.call('replay_execution', { execution_id: killed['execution_id'] });
  await expect(again).rejects.toMatchObject({ code: 'not_replayable' });
});

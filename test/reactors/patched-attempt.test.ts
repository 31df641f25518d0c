/** The same code on the same input comes to the recorded end by logical time alone; other code is answered by what fits. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { openSandbox } from '../../infra/sandbox/pool.ts';
import type { Sandbox } from '../../src/ports/sandbox.ts';
import { openTestApp, type TestApp } from '../support/app.ts';
import { type HttpApi, startHttpApi } from '../support/http-api.ts';
import { program } from '../support/programs.ts';
import { countRequests } from '../support/replayed.ts';
import { runSavedTest } from '../support/saved-test.ts';
import { eventually } from '../support/server.ts';

const PROGRAMS = Number(process.env['PROGRAMS'] ?? 100);
const SEED = Number(process.env['PROGRAMS_SEED'] ?? Date.now() % 2 ** 31);

let app: TestApp;
let api: HttpApi;
let sandbox: Sandbox;
beforeAll(async () => {
  app = await openTestApp({ workers: 4, warmWorkers: 4 });
  api = await startHttpApi();
  sandbox = await openSandbox({ size: 4, warm: 2 });
  await app.task('echo', 'function main(input) { return input; }');
});
afterAll(async () => {
  await app[Symbol.asyncDispose]();
  await api.close();
  await sandbox.close();
});

interface Told {
  readonly verdict: string;
  readonly summary: string;
  readonly counts: Readonly<Record<string, number>>;
  readonly steps: readonly {
    change: string;
    path: string;
    kind: string;
    name: string;
    answered_by: string;
    outcome: { ok: boolean; value?: unknown } | null;
    recorded: { path: string; request: Record<string, unknown> } | null;
  }[];
  readonly result: string;
  readonly output: unknown;
  readonly error: { name: string; message: string } | null;
  readonly output_diff: readonly unknown[];
  readonly unused_stubs: readonly number[];
  readonly test: unknown;
}

/** Replays patched, and expects that nothing goes out. */
async function patched(executionId: unknown, patch: object = {}): Promise<Told> {
  const { value, requests } = await countRequests(() => replayOf(executionId, patch));
  expect(requests).toBe(0);
  return value;
}

async function replayOf(executionId: unknown, patch: object): Promise<Told> {
  const told: unknown = await app.call('replay_execution', { execution_id: executionId, mode: 'patched', ...patch });
  return told as Told;
}

let tasks = 0;
async function ran(code: string, input: object = {}) {
  tasks += 1;
  const name = `patched-${tasks}`;
  await app.task(name, code);
  return app.run(name, { url: api.url, ...input });
}

/** Calls `work` for each item, `width` at a time. */
async function forEachAtOnce<Item>(items: readonly Item[], width: number, work: (item: Item) => Promise<void>) {
  const rest = items.values();
  await Promise.all(
    Array.from({ length: width }, async () => {
      for (const item of rest) await work(item);
    }),
  );
}

/** @returns why the patched replay with the recorded code is not as the run was; null when it is. */
async function difference(code: string, result: Record<string, unknown>): Promise<string | null> {
  const told = await replayOf(result['execution_id'], { save_test: 'generated' });
  const error = result['error'] as { error_type: string; message: string } | null;
  try {
    expect({
      output: told.output,
      error: told.error && { name: told.error.name, message: told.error.message },
    }).toEqual({
      output: result['output'],
      error: error && { name: error.error_type, message: error.message },
    });
    expect(told.verdict).toBe(result['status'] === 'failed' ? 'fails_same' : 'succeeds');
    expect(told.output_diff).toEqual([]);
    expect(told.steps.filter(({ change }) => change !== 'reused')).toEqual([]);
    const { passed, reason, output } = await runSavedTest(sandbox, code, told.test);
    expect({ passed, reason, output }).toEqual({ passed: true, reason: null, output: result['output'] });
    return null;
  } catch (thrown) {
    return `${String(thrown)}\n${JSON.stringify(told, null, 1).slice(0, 6_000)}`;
  }
}

test('generated programs, patched with their own code, reuse every step, come to the recorded end, and make a test that passes', async () => {
  const codes = fc.sample(program, { seed: SEED, numRuns: PROGRAMS });
  const all: { code: string; result: Record<string, unknown> }[] = [];
  await forEachAtOnce(codes, 16, async (code) => void all.push({ code, result: await ran(code) }));
  const { requests } = await countRequests(() =>
    forEachAtOnce(all, 4, async ({ code, result }) => {
      const reason = await difference(code, result);
      if (reason !== null) throw new Error(`PROGRAMS_SEED=${SEED}\n${code}\n\n${reason}`);
    }),
  );
  expect(requests).toBe(0);
  const failed = all.filter(({ result }) => result['status'] === 'failed').length;
  expect(failed).toBeGreaterThan(0);
  expect(failed).toBeLessThan(PROGRAMS);
}, 120_000);

/** The code of a failing task, and the fix of it. */
const failing = (rest: string): string =>
  `async function main({ url }) { const a = await fetch(url + '/json').then((r) => r.json()); ${rest} }`;

const changes = ({ steps }: Told): readonly string[] => steps.map(({ change, path }) => `${change} ${path}`);

describe('a fix', () => {
  it('that needs no other call succeeds on the recorded answers', async () => {
    const { execution_id } = await ran(failing('return a.nothing.length;'));
    const told = await patched(execution_id, { code: failing('return a.items.length;') });
    expect(told).toMatchObject({ verdict: 'succeeds', result: 'returned', output: 3, error: null });
    expect(told.steps).toMatchObject([{ change: 'reused', path: '1', answered_by: 'journal', outcome: { ok: true } }]);
    expect(told.summary).toMatch(/^It succeeds where the recorded run failed with TypeError: .*; steps: 1 reused\.$/);
  });

  it('that does not help fails as before, wherever the line has moved', async () => {
    const { execution_id } = await ran(failing('return a.nothing.length;'));
    const told = await patched(execution_id, {
      code: failing('\n\n  console.log("moved");\n  return a.nothing.length;'),
    });
    expect(told).toMatchObject({ verdict: 'fails_same', result: 'threw', error: { name: 'TypeError' } });
  });

  it('that breaks something else fails otherwise', async () => {
    const { execution_id } = await ran(failing('return a.nothing.length;'));
    const told = await patched(execution_id, { code: failing('throw new DataError("other");') });
    expect(told).toMatchObject({ verdict: 'fails_otherwise', error: { name: 'DataError', message: 'other' } });
  });

  it('whose output breaks the schema fails', async () => {
    await app.task('typed', failing('return a.nothing.length;'), { output_schema: { type: 'number' } });
    const { execution_id } = await app.run('typed', { url: api.url });
    const told = await patched(execution_id, { code: failing('return "three";') });
    expect(told).toMatchObject({ verdict: 'fails_otherwise', result: 'returned', error: { name: 'ValidationError' } });
  });

  it('of an endless loop ends where the record was ended from outside', async () => {
    await app.task('endless', failing('for (;;);'));
    const { execution_id } = await app.run('endless', { url: api.url }, { timeout: 0.5 });
    const told = await patched(execution_id, { code: failing('return a.message;') });
    expect(told).toMatchObject({ verdict: 'succeeds', output: 'hello' });
    const again = await patched(execution_id, { code: failing('for (;;) ;') });
    expect(again).toMatchObject({ verdict: 'fails_same', result: 'killed', error: { name: 'TimeoutError' } });
  });

  it('that awaits what never settles is told as stalled', async () => {
    const { execution_id } = await ran(failing('return a.nothing.length;'));
    const told = await patched(execution_id, { code: failing('await new Promise(() => {});') });
    expect(told).toMatchObject({ verdict: 'fails_otherwise', result: 'stalled' });
  });
});

describe('a call that the record does not hold', () => {
  it('is blocked, and the verdict is open', async () => {
    const { execution_id } = await ran(failing('return a.nothing.length;'));
    const told = await patched(execution_id, { code: failing('return (await fetch(url + "/text")).status;') });
    expect(told).toMatchObject({ verdict: 'undecided', result: 'blocked', output: null, error: null });
    expect(told.summary).toContain(
      `GET ${api.url}/text (step 2) is not answered by the record: stub it, or allow live`,
    );
    expect(told.steps).toMatchObject([
      { change: 'reused', path: '1' },
      { change: 'new', path: '2', answered_by: 'blocked', recorded: null, outcome: null },
    ]);
  });

  it('stays open where a timer ends the wait for it', async () => {
    const { execution_id } = await ran(failing('return a.nothing.length;'));
    const code = failing(
      `return Promise.race([fetch(url + '/text'), new Promise((_, no) => setTimeout(() => no(new TimeoutError('late')), 50))]);`,
    );
    const told = await patched(execution_id, { code });
    expect(told).toMatchObject({ verdict: 'undecided', result: 'threw', error: { message: 'late' } });
  });

  /** With `other` in the place of the answer that a call is denied, nobody can tell what the code would have done. */
  it.each([
    [
      'fails as before',
      `const v = await Promise.race([other('good'), sleep(1000).then(() => null)]); return v.length;`,
    ],
    ['returns', `return Promise.race([other().then(() => { throw new Error('bad'); }), sleep(1000).then(() => 7)]);`],
    ['returns after a timer', `void other(); await new Promise((go) => setTimeout(go, 1)); return 1;`],
    ['returns after an answer', `void other(); await fetch(url + '/stubbed'); return 1;`],
    ['throws after a sleep', `void other(); await sleep(0); throw new DataError('x');`],
    ['breaks the schema after a timer', `return Promise.race([other(7), sleep(5).then(() => 'text')]);`],
    ['loops without end after a timer', `void other(); await sleep(1); for (;;);`],
  ])('leaves the verdict open where the code %s after something else came first', async (_, rest) => {
    tasks += 1;
    await app.task(`open-${tasks}`, failing('return null.length;'), {
      output_schema: { type: 'number' },
    });
    const { execution_id } = await app.run(`open-${tasks}`, { url: api.url }, { timeout: 1 });
    const other = `const other = (value) => fetch(url + '/text').then(() => value);`;
    const stubs = [{ match: { url: '/stubbed' }, value: 1 }];
    const told = await patched(execution_id, { code: failing(other + rest), stubs, save_test: 'open' });
    expect(told).toMatchObject({ verdict: 'undecided', test: null });
    expect(told.summary).toContain(`GET ${api.url}/text (step 2) is not answered by the record`);
  });

  it('leaves the verdict open where the deadline came while another call was out', async () => {
    await app.task('too-late', failing(`await fetch(url + '/never');`));
    const late = await app.run('too-late', { url: api.url }, { timeout: 0.5 });
    const code = failing(`return Promise.race([runTask('echo', 1), fetch(url + '/never?2')]);`);
    expect(await replayOf(late['execution_id'], { code, allow_live: true })).toMatchObject({
      verdict: 'undecided',
      result: 'killed',
    });
  });

  it.each([
    ['returns', `return 5;`, 'succeeds', { expected_output: 5 }],
    ['fails as before', `return a.nothing.length;`, 'fails_same', {}],
    ['fails otherwise', `throw new DataError('x');`, 'fails_otherwise', { expected_error: 'DataError: x' }],
  ])('decides nothing where the code %s in the turn that makes it', async (_, rest, verdict, test) => {
    const { execution_id } = await ran(failing('return a.nothing.length;'));
    const code = failing(`void fetch(url + '/text'); ${rest}`);
    const told = await patched(execution_id, { code, save_test: 'last' });
    expect(told).toMatchObject({ verdict, test });
    expect(told.steps[1]).toMatchObject({ change: 'new', answered_by: 'blocked', outcome: null });
    expect(told.summary).toContain(`; GET ${api.url}/text (step 2) is not sent, and nothing waits for it`);
    expect(await runSavedTest(sandbox, code, told.test)).toMatchObject({ passed: true });
  });

  it('does not keep a timer that looks for its answer going for ever', async () => {
    const { execution_id } = await ran(failing('return a.nothing.length;'));
    const code = failing('setInterval(() => {}, 10); return (await fetch(url + "/text")).status;');
    expect(await patched(execution_id, { code })).toMatchObject({ verdict: 'undecided', result: 'blocked' });
  });

  it('is answered by a stub that fits, the first one first, as often as it may', async () => {
    const { execution_id } = await ran(failing('return a.nothing.length;'));
    const code = failing(
      `const all = []; for (let i = 0; i < 3; i++) all.push(await fetch(url + '/text?' + i).then((r) => r.text()));
       try { await runTask('echo', 1); } catch (error) { all.push(error.name); } return all;`,
    );
    const stubs = [
      { match: { url: '/text', method: 'get' }, response: { body: 'once' }, times: 1 },
      { match: { url: '/text' }, value: { then: 'json' } },
      { match: { kind: 'task', name: 'echo' }, error: { name: 'DataError', message: 'no' } },
      { match: { url: '/nowhere' }, value: 1 },
    ];
    const told = await patched(execution_id, { code, stubs });
    expect(told).toMatchObject({
      verdict: 'succeeds',
      output: ['once', '{"then":"json"}', '{"then":"json"}', 'DataError'],
      unused_stubs: [3],
      counts: { reused: 1, new: 4, changed: 0, missing: 0 },
    });
    expect(told.summary).toContain('Stub 3 (counted from 0) fits no call');
  });

  it('goes out only when that is allowed, and only for kinds that may', async () => {
    const { execution_id } = await ran(failing('return a.nothing.length;'));
    const code = failing('return fetch(url + "/echo", { method: "POST", body: "x" }).then((r) => r.json());');
    const { value, requests } = await countRequests(() => replayOf(execution_id, { code, allow_live: true }));
    expect(requests).toBe(1);
    expect(value).toMatchObject({ verdict: 'succeeds', output: { method: 'POST', body: 'x' } });
    expect(value.steps).toMatchObject([{ answered_by: 'journal' }, { change: 'new', answered_by: 'live' }]);
    const asks = await patched(execution_id, { code: failing('return runTask("echo", 1);'), allow_live: true });
    expect(asks).toMatchObject({ verdict: 'undecided' });
    expect(asks.summary).toContain('echo (step 2) is not answered by the record: stub it;');
  });

  it('goes out under a key that no recorded call has used', async () => {
    const send = (body: string): string =>
      `async function main({ url }) { return fetch(url + '/echo', { method: 'POST', body: '${body}' }).then((r) => r.json()); }`;
    const first = await ran(send('x'));
    const keyOf = (output: unknown) => (output as { headers: Record<string, string> }).headers['idempotency-key'];
    const told = await replayOf(first['execution_id'], { code: send('y'), allow_live: true });
    expect(keyOf(first['output'])).toMatch(/^[0-9a-f-]{36}$/);
    expect(keyOf(told.output)).toMatch(/^[0-9a-f-]{36}$/);
    expect(keyOf(told.output)).not.toBe(keyOf(first['output']));
  });
});

describe('a changed call', () => {
  const asking = (query: string): string =>
    `async function main({ url }) { return fetch(url + '/echo?q=${query}').then((r) => r.json()).then((r) => r.query); }`;

  it('is blocked, and stands beside what was recorded', async () => {
    const { execution_id } = await ran(asking('one'));
    const told = await patched(execution_id, { code: asking('two') });
    expect(told).toMatchObject({ verdict: 'undecided', counts: { changed: 1, reused: 0, new: 0, missing: 0 } });
    expect(told.steps[0]?.recorded?.request['url']).toContain('q=one');
  });

  it('gets the recorded outcome when that is asked for', async () => {
    const { execution_id } = await ran(asking('one'));
    const told = await patched(execution_id, { code: asking('two'), changed: 'reuse' });
    expect(told).toMatchObject({ verdict: 'succeeds', output: { q: 'one' }, output_diff: [] });
    expect(told.steps).toMatchObject([{ change: 'changed', answered_by: 'journal' }]);
  });

  it('to another place gets no outcome of this one', async () => {
    const { execution_id } = await ran(asking('one'));
    const code = `async function main({ url }) { return fetch(url + '/text').then((r) => r.text()); }`;
    expect(await patched(execution_id, { code, changed: 'reuse' })).toMatchObject({ verdict: 'undecided' });
  });

  it('is answered by a stub before anything else', async () => {
    const { execution_id } = await ran(asking('one'));
    const stubs = [{ match: { path: '1' }, response: { body: { query: { q: 'stub' } } } }];
    const told = await patched(execution_id, { code: asking('two'), changed: 'reuse', stubs });
    expect(told).toMatchObject({
      output: { q: 'stub' },
      output_diff: [{ path: '/q', expected: 'one', actual: 'stub' }],
    });
    expect(told.summary).toContain('an output that differs from the recorded one in one place');
  });
});

describe('calls that have moved', () => {
  it('keep their outcomes in order when one is put in before them', async () => {
    const polls = `const all = []; for (let i = 0; i < 3; i++) all.push(await fetch(url + '/flaky/moved?fails=2').then((r) => r.status));`;
    const { execution_id, output } = await ran(`async function main({ url }) { ${polls} return all; }`);
    expect(output).toEqual([503, 503, 200]);
    const code = `async function main({ url }) { await fetch(url + '/text'); ${polls} return all; }`;
    const told = await patched(execution_id, { code, stubs: [{ match: { url: '/text' }, value: '' }] });
    expect(told).toMatchObject({ verdict: 'succeeds', output: [503, 503, 200], output_diff: [] });
    expect(changes(told)).toEqual(['new 1', 'reused 2', 'reused 3', 'reused 4']);
  });

  it('and those left out are missing', async () => {
    const both = `async function main({ url }) { await fetch(url + '/text'); return fetch(url + '/json').then((r) => r.json()); }`;
    const { execution_id } = await ran(both);
    const told = await patched(execution_id, { code: both.replace(`await fetch(url + '/text');`, '') });
    expect(told).toMatchObject({ verdict: 'succeeds', output_diff: [], counts: { reused: 1, missing: 1 } });
    expect(told.steps[1]).toMatchObject({ change: 'missing', name: `GET ${api.url}/text`, answered_by: 'nobody' });
  });

  it('into a step are found by what they ask for, and the step is new', async () => {
    const { execution_id } = await ran(failing('return a.items;'));
    const code = `async function main({ url }) { return step('load', async () => fetch(url + '/json').then((r) => r.json()).then((a) => a.items)); }`;
    const told = await patched(execution_id, { code });
    expect(changes(told)).toEqual(['reused 1/1', 'new 1']);
    expect(told).toMatchObject({ verdict: 'succeeds', output_diff: [] });
  });
});

describe('steps with a name', () => {
  const named = (value: string): string => `async function main() { return step('sum', () => ${value}); }`;
  it('are reused where they give the same, and changed where not', async () => {
    const { execution_id } = await ran(named('1 + 2'));
    expect(changes(await patched(execution_id, { code: named('3') }))).toEqual(['reused 1']);
    const told = await patched(execution_id, { code: named('4') });
    expect(told.steps).toMatchObject([{ change: 'changed', answered_by: 'code', outcome: { value: 4 } }]);
    expect(changes(await patched(execution_id, { code: 'async function main() { return 3; }' }))).toEqual([
      'missing 1',
    ]);
  });

  describe('and of one name, of which a later one is done first,', () => {
    const both = (first: string): string => `async function main({ url }) {
      return Promise.all([step('c', async () => ${first}), step('c', () => 'second')]);
    }`;
    const recorded = both(`(await fetch(url + '/slow?ms=20'), 'first')`);

    it('are each known by their place', async () => {
      const { execution_id } = await ran(recorded);
      const told = await patched(execution_id);
      expect(changes(told)).toEqual(['reused 1/1', 'reused 2', 'reused 1']);
      expect(told.steps.slice(1)).toMatchObject([{ recorded: { path: '2' } }, { recorded: { path: '1' } }]);
    });

    it('are known when the earlier one is not done at all', async () => {
      const { execution_id } = await ran(recorded);
      const told = await patched(execution_id, { code: both(`fetch(url + '/text')`) });
      expect(changes(told)).toEqual(['changed 1/1', 'reused 2', 'missing 1']);
    });

    it('are known when one was put in before them', async () => {
      const { execution_id } = await ran(recorded);
      const told = await patched(execution_id, {
        code: recorded.replace('return', `await step('c', () => 'zero'); return`),
      });
      expect(changes(told)).toEqual(['reused 2/1', 'new 1', 'reused 3', 'reused 2']);
    });
  });
});

/** Answered in the other order than called. */
const FIVE_AND_ONE = 'await Promise.all([sleep(5), sleep(1)]);';

describe('races', () => {
  const race = (ms: number): string => `async function main({ url }) {
    const late = new Promise((resolve) => setTimeout(() => resolve('timer'), ${ms}));
    return Promise.race([fetch(url + '/slow?ms=60').then(() => 'answer'), late]);
  }`;
  it('are won by logical time: a shorter timer wins where the recorded one lost', async () => {
    const { execution_id, output } = await ran(race(5_000));
    expect(output).toBe('answer');
    expect(await patched(execution_id, { code: race(10) })).toMatchObject({ output: 'timer' });
    expect(await patched(execution_id, { code: race(9_000) })).toMatchObject({ output: 'answer', output_diff: [] });
  });

  it('in which the recorded loser was never answered know that call still', async () => {
    const { execution_id, output } = await ran(
      `${race(10).replace('return Promise.race', 'throw await Promise.race')}`.replace('ms=60', 'ms=300'),
    );
    expect(output).toBeNull();
    const told = await patched(execution_id, { code: race(10).replace('ms=60', 'ms=300') });
    expect(told).toMatchObject({ verdict: 'succeeds', output: 'timer', counts: { reused: 1, new: 0 } });
    // How long it had no answer is recorded; whether it has one after ten seconds is not.
    const waits = await patched(execution_id, { code: race(10_000).replace('ms=60', 'ms=300') });
    expect(waits).toMatchObject({ verdict: 'undecided', output: 'timer', counts: { reused: 0, new: 1 } });
    expect(waits.summary).toContain('(step 1) is not answered by the record');
  });

  it.each([
    ['the only answer', ''],
    ['the last answer, after others that came in another order than that of their calls,', FIVE_AND_ONE],
  ])('lost by less than a millisecond are lost in the saved test too: to %s', async (_, before) => {
    const { execution_id } = await ran(`async function main() { ${before} return sleep(0); }`);
    const code = `async function main({ url }) {
      ${before}
      return Promise.race([fetch(url + '/text').then(() => 'lost'), sleep(0).then(() => 'won')]);
    }`;
    const stubs = [{ match: { url: '/text' }, value: '' }];
    const told = await patched(execution_id, { code, stubs, save_test: 'lost' });
    expect(told).toMatchObject({ verdict: 'succeeds', output: 'won' });
    expect(await runSavedTest(sandbox, code, told.test)).toMatchObject({ passed: true, output: 'won' });
  });

  it('with a call that hung until the deadline are decided for as long as it is known to hang', async () => {
    const hangs = failing(`return (await fetch(url + '/never')).status;`);
    await app.task('hangs', hangs);
    const { execution_id, error } = await app.run('hangs', { url: api.url }, { timeout: 1 });
    expect(error).toMatchObject({ error_type: 'TimeoutError' });
    const within = (ms: number): string =>
      failing(`return Promise.race([fetch(url + '/never').then(() => 'answer'), sleep(${ms}).then(() => 'late')]);`);
    const soon = await patched(execution_id, { code: within(300), save_test: 'soon' });
    expect(soon).toMatchObject({ verdict: 'succeeds', output: 'late', counts: { reused: 2, new: 1 } });
    expect(await runSavedTest(sandbox, within(300), soon.test)).toMatchObject({ passed: true, output: 'late' });
    expect(await patched(execution_id, { code: within(5_000) })).toMatchObject({ verdict: 'undecided', test: null });
    expect(await patched(execution_id)).toMatchObject({ verdict: 'undecided', result: 'blocked' });
  });

  it('with a call that was open when an endless loop began are open after that', async () => {
    const loops = (ms: number): string =>
      `async function main({ url }) { const other = fetch(url + '/never'); await sleep(20); const t = Date.now();
       await Promise.race([other, sleep(${ms})]); if (${ms} === 0) for (;;); return Date.now() - t; }`;
    await app.task('loops-late', loops(0));
    const { execution_id } = await app.run('loops-late', { url: api.url }, { timeout: 0.5 });
    expect(await patched(execution_id)).toMatchObject({ verdict: 'fails_same', result: 'killed' });
    expect(await patched(execution_id, { code: loops(100) })).toMatchObject({ verdict: 'undecided' });
  });
});

describe('other input', () => {
  it('runs the recorded code, and shows which calls it changes', async () => {
    const code = `async function main({ url, q }) { return fetch(url + '/echo?q=' + q).then((r) => r.json()).then((r) => r.query); }`;
    const { execution_id } = await ran(code, { q: 1 });
    const same = await patched(execution_id, { input: { url: api.url, q: 1 } });
    expect(same).toMatchObject({ verdict: 'succeeds', output_diff: [] });
    expect(await patched(execution_id, { input: { url: api.url, q: 2 } })).toMatchObject({ counts: { changed: 1 } });
  });
});

describe('an execution that was cancelled', () => {
  it('is followed as far as its record goes', async () => {
    const code = `async function main({ url }) { const a = await fetch(url + '/json').then((r) => r.json()); await fetch(url + '/never'); return a.message; }`;
    const before = api.calls('/never');
    tasks += 1;
    await app.task(`patched-${tasks}`, code);
    const { execution_id } = await app.call('create_execution', {
      task_id: `patched-${tasks}`,
      input: { url: api.url },
    });
    await eventually('it calls what never answers', async () => (api.calls('/never') > before ? true : undefined));
    await app.call('cancel_execution', { execution_id });
    await eventually('it is cancelled', async () => {
      const { status } = await app.call('get_execution_status', { execution_id });
      return status === 'cancelled' ? true : undefined;
    });
    const same = await patched(execution_id);
    expect(same).toMatchObject({ verdict: 'undecided', result: 'blocked' });
    const told = await patched(execution_id, { code: code.replace(`await fetch(url + '/never');`, '') });
    expect(told).toMatchObject({ verdict: 'succeeds', output: 'hello', counts: { reused: 1, missing: 0 } });
    expect(told.summary).toContain('where the recorded run was cancelled');
  });
});

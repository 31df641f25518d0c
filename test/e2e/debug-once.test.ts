/** The one-shot debugger on real executions: it stops where it is told to, shows what is there, and changes nothing. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { debugChildEntry } from '../../infra/sandbox/isolation.ts';
import { streamName } from '../../src/domain/event.ts';
import { decode } from '../../src/domain/history.ts';
import type { ReplayEvent } from '../../src/domain/replay.ts';
import { openTestApp, type TestApp } from '../support/app.ts';
import { type HttpApi, startHttpApi } from '../support/http-api.ts';
import { countRequests, replayed } from '../support/replayed.ts';
import { eventually } from '../support/server.ts';

let app: TestApp;
let api: HttpApi;
beforeAll(async () => {
  [app, api] = await Promise.all([
    openTestApp({ secrets: { TOKEN: { value: 'do-not-show', allowedHosts: ['127.0.0.1'] } }, debugSessions: 2 }),
    startHttpApi(),
  ]);
});
afterAll(async () => {
  await app[Symbol.asyncDispose]();
  await api.close();
});

interface Value {
  readonly type: string;
  readonly value: unknown;
  readonly preview: string;
  readonly truncated: boolean;
}
interface Variable extends Value {
  readonly name: string;
}
interface ToldHit {
  readonly reason: string;
  readonly line: number;
  readonly column: number;
  readonly code: string;
  readonly step: string | null;
  readonly steps_done: number;
  readonly exception: Value | null;
  readonly frames: readonly {
    readonly function: string;
    readonly file: string;
    readonly line: number;
    readonly scopes: readonly { readonly type: string; readonly variables: readonly Variable[] }[];
  }[];
  readonly watches: readonly {
    readonly expression: string;
    readonly value: Value | null;
    readonly error: string | null;
  }[];
}
interface Told {
  readonly replay_id: string;
  readonly result: string;
  readonly output: unknown;
  readonly error: { readonly name: string; readonly message: string } | null;
  readonly stops: number;
  readonly hits: readonly ToldHit[];
  readonly breakpoints: readonly {
    readonly line: number | null;
    readonly moved: boolean;
    readonly condition_error: string | null;
  }[];
}

let tasks = 0;
/** Runs a new task and answers its execution. */
async function ran(code: string, input: unknown = {}, more: object = {}): Promise<string> {
  tasks += 1;
  await app.task(`debugged-${tasks}`, code);
  const { execution_id: executionId } = await app.run(`debugged-${tasks}`, input, more);
  return String(executionId);
}

async function failed(executionId: string): Promise<void> {
  await eventually('it has failed', async () => {
    const { status } = await app.call('get_execution_status', { execution_id: executionId });
    return status === 'failed' || undefined;
  });
}

async function debug(executionId: string, request: object): Promise<Told> {
  const { value, requests } = await countRequests(() =>
    app.call('debug_execution', { execution_id: executionId, ...request }),
  );
  expect(requests).toBe(0);
  return value as unknown as Told;
}

const lines = ({ hits }: Told): number[] => hits.map(({ line }) => line);

/** Values of the innermost frame by name, the inner scopes over the outer ones. */
function variables(hit: ToldHit | undefined): Record<string, unknown> {
  const scopes = hit?.frames[0]?.scopes ?? [];
  return Object.fromEntries(
    scopes.flatMap((scope) => scope.variables.map(({ name, value }) => [name, value])).reverse(),
  );
}

describe('a failing line', () => {
  test.each(['', 'async '])('is shown with its real values (%smain)', async (style) => {
    const wait = style === '' ? '' : 'await ';
    const code = `const PLACES = ['Berlin'];
${style}function main(input) {
  const answer = ${wait}fetch(input.url + '/v1/search?name=' + PLACES[0]);
  const body = ${style === '' ? 'answer.body' : 'await answer.json()'};
  for (const place of body.results) {
    const found = { name: place.name };
    const size = found.size.height;
  }
}`;
    const executionId = await ran(code, { url: api.url });
    const told = await debug(executionId, { exceptions: 'all', watches: ['place.name.length', 'found.size'] });
    expect(told).toMatchObject({ result: 'threw', stops: 1, error: { name: 'TypeError' } });
    const [hit] = told.hits;
    expect(hit).toMatchObject({
      reason: 'exception',
      line: 7,
      code: '    const size = found.size.height;',
      steps_done: 1,
      exception: { type: 'error', value: { name: 'TypeError', message: expect.stringContaining('height') } },
      watches: [
        { expression: 'place.name.length', value: { type: 'number', value: 6 }, error: null },
        { expression: 'found.size', value: { type: 'undefined', value: null }, error: null },
      ],
    });
    expect(variables(hit)).toMatchObject({
      found: { name: 'Berlin' },
      place: { name: 'Berlin' },
      input: { url: api.url },
      PLACES: ['Berlin'],
    });
    expect(hit?.frames.map(({ function: name, file }) => [name, file])).toEqual([
      ['main', `debugged-${tasks}/main.js`],
    ]);
    await replayed(app, executionId);
  });

  test('of a step that fails is where it was asked for, in both styles, caught or not', async () => {
    const blocking = `function main(input) {
  const wanted = 'missing';
  try { fetch(input.url + '/status/404'); } catch {}
  sleep(-1);
}`;
    const told = await debug(await ran(blocking, { url: api.url }), { exceptions: 'all' });
    expect(
      told.hits.map(({ line, exception }) => [line, (exception?.value as { name: string } | undefined)?.name]),
    ).toEqual([
      [3, 'HttpError'],
      [4, 'TypeError'],
    ]);
    expect(variables(told.hits[0])['wanted']).toBe('missing');

    const awaiting = `async function load(name) {
  const text = await readFile(name);
  return text;
}
async function main() {
  try { await load('a.txt'); } catch {}
  await load('/none/b.txt');
}`;
    const awaited = await debug(await ran(awaiting), { exceptions: 'all' });
    expect(awaited.hits.map(({ line, step, reason }) => [line, step, reason])).toEqual([
      [2, '1', 'exception'],
      [2, '2', 'exception'],
    ]);
    expect(awaited.hits.map((hit) => variables(hit)['name'])).toEqual(['a.txt', '/none/b.txt']);
    expect(awaited.hits[0]?.exception?.preview).toContain(': a.txt');
    expect(awaited.result).toBe('threw');
  });

  test('is told once when the sandbox passes the exception on, and again when the task throws it again', async () => {
    const code = `function main() {
  step('outer', () => {
    try { throw new Error('boom'); }
    catch (error) {
      throw error;
    }
  });
}`;
    expect(lines(await debug(await ran(code), { exceptions: 'all' }))).toEqual([3, 5]);
  });
});

describe('breakpoints', () => {
  const loop = `function main() {
  let sum = 0;
  for (let i = 1; i <= 5; i++) {

    // adds
    sum += i;
  }
  return sum;
}
// the end`;

  test('stop at lines, move on where there is no code, and lie nowhere behind the last', async () => {
    const told = await debug(await ran(loop), { breakpoints: [4, { line: 8 }, 10, 11], max_hits: 3 });
    expect(told).toMatchObject({ result: 'returned', output: 15, stops: 6 });
    expect(lines(told)).toEqual([6, 6, 6]);
    expect(told.breakpoints.map(({ line, moved }) => [line, moved])).toEqual([
      [6, true],
      [8, false],
      [null, false],
      [null, false],
    ]);
  });

  test('stop by condition and by count; a condition that throws or has side effects is told', async () => {
    const executionId = await ran(loop);
    const told = await debug(executionId, {
      breakpoints: [
        { line: 6, condition: 'i % 2 === 1', hit_count: 2 },
        { line: 8, condition: 'nothing.here' },
        { line: 8, condition: 'sum = 100' },
      ],
    });
    expect(told.hits.map((hit) => variables(hit)['i'])).toEqual([3, 5]);
    expect(told.output).toBe(15);
    expect(told.breakpoints.map(({ condition_error: error }) => error)).toEqual([
      null,
      'ReferenceError: nothing is not defined',
      'it has side effects, so it was not carried out',
    ]);
    const last = await debug(executionId, {
      breakpoints: [6],
      max_hits: 2,
      keep: 'last',
      capture_variables: false,
      watches: ['i'],
    });
    expect(last.hits.map(({ watches }) => watches[0]?.value?.value)).toEqual([4, 5]);
    expect(last.hits[0]?.frames[0]?.scopes).toEqual([]);
  });

  test.each(['', 'async '])('stop in the call that asks for a step (%smain)', async (style) => {
    const wait = style === '' ? '' : 'await ';
    const code = `${style}function main(input) {
  ${wait}sleep(1);
  const made = ${wait}step('made', ${style}() => {
    const inside = 7;
    ${wait}sleep(2);
    return inside;
  });
  return made;
}`;
    const told = await debug(await ran(code), { breakpoints: [{ step: '2/1' }, { step: '1' }] });
    expect(told).toMatchObject({ result: 'returned', output: 7 });
    expect(told.hits.map(({ reason, step, line, steps_done: done }) => [reason, step, line, done])).toEqual([
      ['step', '1', 2, 0],
      ['step', '2/1', 5, 1],
    ]);
    expect(variables(told.hits[1])).toMatchObject({ inside: 7 });
  });

  test('stop at the first statement of the file, and in the last round of a loop by a condition that the engine tries', async () => {
    const code = `const first = 1; const last = 4999;
function main() {
  let sum = 0;
  for (let i = 0; i < 5000; i++) {
    sum += i;
  }
  return sum + first;
}`;
    const told = await debug(await ran(code), {
      breakpoints: [1, { line: 5, condition: 'i === last' }, { line: 7, condition: 'last.far.away' }],
      exceptions: 'all',
    });
    expect(lines(told)).toEqual([1, 5]);
    expect(variables(told.hits[1])).toMatchObject({ i: 4999 });
    expect(told.breakpoints[2]?.condition_error).toMatch(/^TypeError/);
  });

  test('change nothing by their conditions, whatever is there in later rounds', async () => {
    const code = `function main() {
  let reads = 0;
  const plain = { value: 1 };
  const getter = { get value() { reads++; return 1; } };
  const speaking = { valueOf() { reads++; return 5; } };
  for (let i = 0; i < 6; i++) {
    const at = i < 3 ? plain : getter;
    const n = i < 3 ? i : speaking;
    i += 0;
  }
  return reads;
}`;
    const told = await debug(await ran(code), {
      breakpoints: [
        { line: 9, condition: 'at.value === 2' },
        { line: 10, condition: 'i > 4' },
      ],
    });
    expect(told.output).toBe(0);
    const compared = await debug(await ran(code), { breakpoints: [{ line: 9, condition: 'n >= 2' }] });
    expect(compared.output).toBe(0);
    expect(compared.hits.map((hit) => variables(hit)['i'])).toEqual([2]);
    expect(compared.breakpoints[0]?.condition_error).toMatch(/side effects/);
  });

  test.each([
    ['(input) => {\n  return 1;\n}', [2]],
    ['const main = () => [1, 2].map((x) => x + 1);', [1]],
    ['const one = 1;\nmodule.exports = () => one;', [2]],
  ])('stop inside main only, in step mode: %s', async (code, expected) => {
    expect(lines(await debug(await ran(code), { step_mode: true }))).toEqual(expected);
  });

  test('a debugger statement is one too', async () => {
    expect(lines(await debug(await ran('function main() {\n  debugger;\n}'), {}))).toEqual([2]);
  });

  test('every line of main and of what it calls, in step mode, over each await and in order', async () => {
    const code = `const BEFORE = 1;
async function half(n) {
  await sleep(1);
  return n / 2;
}
async function main() {
  const a = await half(4);
  const [b, c] = await Promise.all([half(6),
    half(8)]);
  return a + b + c + BEFORE;
}`;
    const told = await debug(await ran(code), { step_mode: true, breakpoints: [9] });
    expect(told.output).toBe(10);
    expect(told.hits.map(({ line, reason }) => [line, reason])).toEqual([
      [7, 'line'],
      [3, 'line'],
      [4, 'line'],
      [8, 'line'],
      [3, 'line'],
      [9, 'breakpoint'],
      [3, 'line'],
      [4, 'line'],
      [4, 'line'],
      [10, 'line'],
    ]);
    expect(variables(told.hits[9])).toMatchObject({ a: 2, b: 3, c: 4 });
  });
});

describe('code that was compiled', () => {
  test('has the lines of its source, both ways', async () => {
    // Source: 1 type Input…, 2 empty, 3 main, 4 const, 5 return. Mappings: line 1 → 3, line 2 → 4, line 3 → 5, line 4 → 6.
    const source =
      'type Input = { n: number };\n\nexport function main(input: Input) {\n  const twice: number = input.n * 2;\n  return twice;\n}';
    const map = {
      version: 3,
      sources: ['src/main.ts'],
      sourcesContent: [source],
      names: [],
      mappings: 'AAEA;EACE;EACA;AACF',
    };
    const data = Buffer.from(JSON.stringify(map)).toString('base64');
    const compiled = `export function main(input) {\n  const twice = input.n * 2;\n  return twice;\n}\n//# sourceMappingURL=data:application/json;base64,${data}`;
    const told = await debug(await ran(compiled, { n: 4 }), { breakpoints: [1, 5] });
    expect(told.breakpoints.map(({ line, moved }) => [line, moved])).toEqual([
      [4, true],
      [5, false],
    ]);
    expect(told.hits.map(({ line, code }) => [line, code])).toEqual([
      [4, '  const twice: number = input.n * 2;'],
      [5, '  return twice;'],
    ]);
    expect(told.hits[1]?.frames[0]).toMatchObject({ file: 'src/main.ts', line: 5 });
    expect(variables(told.hits[1])).toMatchObject({ twice: 8 });
  });

  test('is found also when it calls itself by another name', async () => {
    const told = await debug(await ran('function main() {\n  return 1;\n}\n//# sourceURL=elsewhere.js'), {
      breakpoints: [2],
    });
    expect(told.hits[0]).toMatchObject({ line: 2, frames: [{ file: `debugged-${tasks}/main.js` }] });
  });
});

describe('what is looked at', () => {
  test('is cut to size, runs no getter, and holds no secret', async () => {
    const code = `function main(input) {
  const token = secret('TOKEN');
  fetch(input.url + '/echo', { headers: { authorization: 'Bearer ' + token } });
  let touched = 0;
  const all = { long: 'x'.repeat(5000), many: Array.from({ length: 5000 }, (_, n) => n), deep: { a: { b: { c: { d: 1 } } } },
    get bad() { touched++; return 1; }, map: new Map([['k', { v: 1 }]]), set: new Set([1]), when: new Date(5), no: undefined,
    nan: NaN, big: 10n, error: new RangeError('far'), done: Promise.resolve(4), run() {}, wide: {} };
  for (let n = 0; n < 3000; n++) all.wide['key' + n] = n;
  all.self = all;
  return touched;
}`;
    const told = await debug(await ran(code, { url: api.url }), { breakpoints: [10], watches: ['all.bad', 'token'] });
    expect(told.output).toBe(0);
    const [hit] = told.hits;
    const seen = variables(hit)['all'] as Record<string, unknown>;
    expect(seen['long']).toMatch(/^x{2000}…$/);
    expect(seen['many']).toEqual(Array.from({ length: 50 }, (_, n) => n));
    expect(seen['deep']).toEqual({ a: { b: 'Object' } });
    expect(seen).toMatchObject({
      bad: '(getter)',
      map: [['k', { v: 1 }]],
      set: [1],
      when: '1970-01-01T00:00:00.005Z',
      no: null,
      nan: null,
      big: null,
      error: { name: 'RangeError', message: 'far' },
      done: { state: 'fulfilled', value: 4 },
      run: null,
      wide: 'Object',
    });
    expect(hit?.watches[0]?.error).toMatch(/side effects/);
    expect(hit?.watches[1]?.value?.value).toBe('{{secret:TOKEN}}');
    expect(JSON.stringify(told)).not.toMatch(/do-not-show|ratchet:|node:|infra/);
  });

  test('is read without calling anything that the task made or replaced', async () => {
    const code = `function main() {
  let calls = 0;
  const call = () => { for (;;) calls++; };
  const when = new Date(5);
  when.toISOString = call;
  Date.prototype.toISOString = call;
  class Odd extends Error { get message() { return call(); } }
  class Named extends Error { get name() { return call(); } }
  const odd = Object.assign(new Odd(), { status: 7 });
  const listed = [odd];
  const big = 1n << 60000000n;
  const named = new Named('m');
  const many = Array.from({ length: 2000 }, (_, n) => n);
  Object.defineProperty(many, 1, { get: call });
  for (const name of ['getOwnPropertyNames', 'getOwnPropertyDescriptor', 'defineProperty', 'setPrototypeOf']) Object[name] = call;
  for (const type of [Object, Array]) Object.prototype.__defineGetter__.call(type.prototype, 'get', call);
  Array.prototype.__defineSetter__('0', call);
  const last = { text: 'seen' };
  debugger;
  return calls;
}`;
    const told = await debug(await ran(code), { exceptions: 'all', timeout_ms: 4_000 });
    expect(told).toMatchObject({ result: 'returned', output: 0 });
    const [hit] = told.hits;
    expect(variables(hit)).toMatchObject({
      when: '1970-01-01T00:00:00.005Z',
      odd: { status: 7 },
      listed: [{ status: 7 }],
      named: { message: 'm' },
      many: [0, '(getter)', 2, ...Array.from({ length: 47 }, (_, n) => n + 3)],
      last: { text: 'seen' },
    });
    const big = hit?.frames[0]?.scopes[0]?.variables.find(({ name }) => name === 'big');
    expect(big?.preview.length).toBeLessThan(300);
  });

  test('is told as far as it could be read when the engine does not come back from a value', async () => {
    const code = `function main() {
  const first = 1;
  const found = { first: 2 };
  const endless = () => { for (;;); };
  const behind = Object.create(new Proxy({}, { ownKeys: endless }), { own: { value: 1 } });
  return behind.own + first;
}`;
    const executionId = await ran(code);
    const began = performance.now();
    const told = await debug(executionId, { breakpoints: [3, 6], watches: ['first'], timeout_ms: 20_000 });
    expect(performance.now() - began).toBeLessThan(10_000);
    expect(told).toMatchObject({
      result: 'timeout',
      error: { name: 'execution_timeout', message: expect.stringContaining('behind could not be read') },
    });
    expect(lines(told)).toEqual([3, 6]);
    expect(variables(told.hits[0])).toMatchObject({ first: 1 });
    expect(variables(told.hits[1])).toMatchObject({ first: 1, found: { first: 2 }, behind: null });
    expect(told.hits[1]?.watches[0]?.value?.value).toBe(1);
  });

  test('is told as far as it could be read when the process has no room for more, which is not the fault of the task', async () => {
    const code = `function main() {
  const first = 1;
  const huge = Promise.resolve('x'.repeat(400000000));
  try { null.x; } catch {}
  return huge === undefined ? 0 : first;
}`;
    const told = await debug(await ran(code), { breakpoints: [3], exceptions: 'all' });
    expect(told).toMatchObject({ result: 'debugger_out_of_memory', output: null, stops: 2 });
    expect(told.error?.message).toContain('not the task');
    expect(lines(told)).toEqual([3, 4]);
    expect(variables(told.hits[1])).toMatchObject({ first: 1, huge: null });
  });

  test('may be many long texts: each is cut before it is told', async () => {
    const names = Array.from({ length: 400 }, (_, n) => `v${n}`);
    const code = `function main() {
  const text = 'x'.repeat(1000000);
  ${names.map((name) => `const ${name} = text + '${name}';`).join(' ')}
  const held = { ${names.join(', ')} };
  const listed = [${names.join(', ')}];
  const mapped = new Map(listed.map((one, n) => [n, one]));
  let unset = 1;
  if (text === '') return held, mapped;
  debugger;
  const late = 1;
}`;
    const told = await debug(await ran(code), {});
    expect(told.result).toBe('returned');
    const seen = variables(told.hits[0]);
    expect(seen['text']).toMatch(/^x{2000}…$/);
    expect(told.hits[0]?.frames[0]?.scopes[0]?.variables).toHaveLength(200);
  });

  test('is left alone by watches that throw, change things, wait, ask the world, or never end', async () => {
    const code = `async function main(input) {
  const list = [1];
  await sleep(1);
  list.push(Date.now(), Math.random());
  return list;
}`;
    const executionId = await ran(code);
    const { output } = await app.call('replay_execution', { execution_id: executionId });
    const watches = [
      'null.x',
      'list.push(2)',
      'list = 1',
      'globalThis.x = 1',
      'while (true) {}',
      'fetch("http://127.0.0.1/")',
    ];
    watches.push(
      'sleep(1)',
      'Date.now()',
      'Math.random()',
      '(async () => { await 1; list.push(9) })()',
      'list.map((n) => n + 1)',
      'a b',
    );
    const told = await debug(executionId, { breakpoints: [3, 4], watches });
    expect(told.output).toEqual(output);
    expect(told.hits).toHaveLength(2);
    for (const hit of told.hits) {
      const errors = hit.watches.map(({ error }) => error);
      expect(errors[0]).toMatch(/^TypeError: Cannot read/);
      expect(errors[4]).toBe('it did not end within 500 ms');
      expect(errors[10]).toBeNull();
      expect(hit.watches[10]?.value?.value).toEqual([2]);
      expect(errors[11]).toMatch(/^SyntaxError/);
      for (const index of [1, 2, 3, 5, 6, 7, 8, 9]) expect(errors[index]).toMatch(/side effects|constant/);
    }
    await replayed(app, executionId);
  });
});

describe('how it ends', () => {
  test('a loop without end by the timeout, with what was seen before', async () => {
    const code = 'function main() {\n  const start = 1;\n  sleep(1);\n  for (;;);\n}';
    const executionId = await ran(code, {}, { timeout: 0.3 });
    await failed(executionId);
    const told = await debug(executionId, { breakpoints: [3], timeout_ms: 1_000 });
    expect(told).toMatchObject({ result: 'timeout', output: null, error: null });
    expect(variables(told.hits[0])).toEqual({ start: 1 });
  });

  test('an attempt that was ended from outside, at the end of its record', async () => {
    const executionId = await ran('function main() {\n  sleep(1);\n  sleep(4000);\n}', {}, { timeout: 0.3 });
    await failed(executionId);
    const told = await debug(executionId, { breakpoints: [2, 3] });
    expect(told).toMatchObject({ result: 'end_of_record', output: null, error: null });
    expect(lines(told)).toEqual([2, 3]);
  });

  test('what can not be replayed is refused', async () => {
    await expect(debug('01a1fe42-0000-7000-8000-000000000000', {})).rejects.toMatchObject({
      code: 'execution_not_found',
    });
    await app.task('long', 'function main() { sleep(60000) }');
    const { execution_id: executionId } = await app.call('create_execution', { task_id: 'long', input: {} });
    await expect(debug(String(executionId), {})).rejects.toMatchObject({ code: 'execution_running' });
    await app.call('cancel_execution', { execution_id: executionId });
    for (const request of [
      { breakpoints: [0] },
      { breakpoints: [{}] },
      { watches: ['x'.repeat(1_001)] },
      { max_hits: 201 },
    ]) {
      await expect(debug(String(executionId), request)).rejects.toMatchObject({ code: 'invalid_request' });
    }
  });

  test('with counts alone in its record, and nothing left running', async () => {
    const executionId = await ran('function main() {\n  const secretive = 42;\n  return 1;\n}');
    const told = await debug(executionId, { breakpoints: [3] });
    const events = await app.app.store.readStream(streamName('replay', told.replay_id));
    expect(events.map(({ type }) => type)).toEqual(['ReplayStarted', 'ReplayEnded']);
    const text = JSON.stringify(events.map((event) => decode<ReplayEvent>(event).data));
    expect(text).toContain('"mode":"debug"');
    expect(text).not.toContain('secretive');
    const kept = await app.call('get_replay', { replay_id: told.replay_id });
    expect(JSON.stringify(kept)).toContain('"hits":1');
    expect(JSON.stringify(kept)).not.toContain('secretive');
    await eventually('only the warm process is left', () => debugProcesses() <= 1 || undefined);
  });
});

/** Debugged processes of this test's own process. */
function debugProcesses(): number {
  if (process.platform !== 'linux') return 0;
  const below = (pid: string): string[] => {
    try {
      const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
      return children.flatMap((child) => [child, ...below(child)]);
    } catch {
      return [];
    }
  };
  const isDebugged = (pid: string): boolean => {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      return words.includes(debugChildEntry()) && words[0] === process.execPath;
    } catch {
      return false;
    }
  };
  return below(String(process.pid)).filter(isDebugged).length;
}

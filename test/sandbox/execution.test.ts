/** Turns, steps, styles and scopes as a task sees them. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openSandbox } from '../../infra/sandbox/pool.ts';
import type { Sandbox } from '../../src/ports/sandbox.ts';
import { CLOCK, http, LIMITS, logsOf, run, taskStart, value } from '../support/sandbox-run.ts';

let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = await openSandbox({ size: 2 });
});
afterAll(() => sandbox.close());

describe('entry forms', () => {
  test.each([
    ['function expression', '(function(input){ return input.n + 1 })'],
    [
      'function expression with comments and semicolon',
      '// a\n(function(input, context){ return input.n + 1 });\n/* b */',
    ],
    ['function declaration', 'function main(input, context) { return input.n + 1 }'],
    ['function declaration, then its name', 'function main(input) { return input.n + 1 }\nmain;'],
    ['const arrow', 'const main = (input) => input.n + 1;'],
    ['async function', 'async function main(input) { return input.n + 1 }'],
    ['module.exports object', 'function f(input) { return input.n + 1 }\nmodule.exports = { main: f };'],
    ['module.exports function', 'module.exports = (input) => input.n + 1;'],
    ['exports.main', 'exports.main = (input) => input.n + 1;'],
    ['export default function', 'export default function (input) { return input.n + 1 }'],
    ['export default named function', 'export default function go(input) { return input.n + 1 }'],
    ['export default arrow', 'export default async (input) => input.n + 1;'],
    ['export default over two lines', 'export\n  default (input) => input.n + 1;'],
    ['export default of a name', 'const go = (input) => input.n + 1;\nexport default go;'],
    ['export function main', 'export function main(input) { return input.n + 1 }'],
    ['export const main', 'export const main = async (input) => input.n + 1;'],
    ['export list', 'function go(input) { return input.n + 1 }\nexport { go as main };'],
  ])('%s is accepted', async (_name, code) => {
    const done = await run(sandbox, code, { input: { n: 41 } });
    expect(done.error).toBeUndefined();
    expect(done.output).toBe(42);
  });

  test('a file whose value is no function fails with the accepted forms', async () => {
    const done = await run(sandbox, 'exports.other = 1; 5');
    expect(done.error).toMatchObject({ name: 'EntryPointError', data: { code: 'invalid_entry_point' } });
    expect(done.error?.message).toContain('module.exports');
  });
});

describe('blocking style', () => {
  test('fetch stands still and returns the parsed answer', async () => {
    const done = await run(
      sandbox,
      `function main() {
        const before = Date.now();
        const r = fetch('https://a.example/x?q=1', { method: 'post', headers: { 'X-A': 'b' }, timeout: 900 }, { z: 1 });
        return { ok: r.ok, status: r.status, type: r.headers['content-type'], n: r.body.n, took: Date.now() - before };
      }`,
    );
    expect(done.output).toEqual({ ok: true, status: 200, type: 'application/json', n: 1, took: 5 });
    expect(done.turns[0]?.status).toEqual({ kind: 'waiting', nextTimer: null, blockedOn: '1' });
    expect(done.calls[0]).toEqual({
      path: '1',
      kind: 'http',
      name: 'POST https://a.example/x',
      request: {
        method: 'POST',
        url: 'https://a.example/x?q=1',
        headers: [
          ['x-a', 'b'],
          ['content-type', 'application/json'],
        ],
        body: '{"z":1}',
        bodyEncoding: 'utf8',
        timeoutMs: 900,
        redirect: 'follow',
      },
      span: '',
    });
  });

  test.each([
    [401, 'AuthenticationError'],
    [403, 'AuthorizationError'],
    [404, 'HttpError'],
    [429, 'RateLimitError'],
    [503, 'ServiceUnavailableError'],
  ])('status %i throws %s', async (status, name) => {
    const code = `function main() { try { fetch('https://a.example/') } catch (e) {
      return [e instanceof ${name}, e instanceof Error, e.name, e.status, e.retryAfter ?? null] } }`;
    const done = await run(sandbox, code, { answer: () => http({}, status, [['Retry-After', '7']]) });
    expect(done.output).toEqual([true, true, name, status, 7]);
  });

  test('a failed outcome becomes the error class of its name', async () => {
    const code = `function main() { try { fetch('https://a.example/') } catch (e) {
      return [e instanceof NetworkError, e.message, e.host, e.cause.message] } }`;
    const cause = { name: 'Error', message: 'reset', stack: null, data: {}, cause: null };
    const done = await run(sandbox, code, {
      answer: () => ({
        ok: false,
        error: { name: 'NetworkError', message: 'gone', stack: null, data: { host: 'a' }, cause },
      }),
    });
    expect(done.output).toEqual([true, 'gone', 'a', 'reset']);
  });

  test('a cancellation ends the blocking call with CancelledError, and later steps as well', async () => {
    const session = await sandbox.open(LIMITS);
    const code = `function main() {
      const seen = [];
      for (const n of [1, 2]) try { fetch('https://a.example/') } catch (e) { seen.push(e instanceof CancelledError, e.message) }
      return seen;
    }`;
    await session.start(taskStart(sandbox, code), () => {});
    const turn = await session.deliver({ type: 'cancel', clock: CLOCK + 9, reason: 'enough' });
    session.release();
    expect(turn).toMatchObject({
      turn: 2,
      clock: CLOCK + 9,
      status: { kind: 'returned', output: '[true,"enough",true,"enough"]' },
    });
  });

  test('a promise returned by a plain main is awaited', async () => {
    expect((await run(sandbox, 'function main() { return Promise.resolve(3).then((n) => n + 1) }')).output).toBe(4);
  });
});

describe('promise style', () => {
  test('fetch gives a standard Response', async () => {
    const code = `async function main() {
      const r = await fetch(new URL('https://a.example/p'), { method: 'PUT', body: new URLSearchParams({ a: 'b c' }) });
      const copy = r.clone();
      const bytes = await copy.bytes();
      return [r instanceof Response, r.ok, r.status, r.statusText, r.headers.get('Content-Type'), r.url, r.redirected,
        (await r.json()).n, new TextDecoder().decode(bytes), r.bodyUsed];
    }`;
    const done = await run(sandbox, code);
    expect(done.output).toEqual([
      true,
      true,
      200,
      'OK',
      'application/json',
      'https://a.example/',
      false,
      1,
      '{"n":1}',
      true,
    ]);
    expect(done.calls[0]?.request).toMatchObject({
      method: 'PUT',
      body: 'a=b+c',
      headers: [['content-type', 'application/x-www-form-urlencoded;charset=UTF-8']],
    });
  });

  test('concurrent steps are asked for in one turn and may finish in any order', async () => {
    const session = await sandbox.open(LIMITS);
    const code = `async function main() {
      const order = [];
      await Promise.all(['a', 'b', 'c'].map(async (n) => { await fetch('https://a.example/' + n); order.push(n); }));
      return order;
    }`;
    const first = await session.start(taskStart(sandbox, code), () => {});
    expect(first.calls.map((call) => call.path)).toEqual(['1', '2', '3']);
    await session.deliver({ type: 'outcome', path: '3', clock: CLOCK + 1, outcome: http({}) });
    await session.deliver({ type: 'outcome', path: '1', clock: CLOCK + 2, outcome: http({}) });
    const last = await session.deliver({ type: 'outcome', path: '2', clock: CLOCK + 3, outcome: http({}) });
    session.release();
    expect(last.status).toEqual({ kind: 'returned', output: '["c","a","b"]' });
  });

  test('a non-OK answer resolves; a failed outcome rejects', async () => {
    const code = `async function main() {
      const r = await fetch('https://a.example/');
      let name; try { await fetch('https://b.example/') } catch (e) { name = e.constructor.name }
      return [r.ok, r.status, name];
    }`;
    const error = { name: 'TimeoutError', message: 'late', stack: null, data: {}, cause: null };
    const done = await run(sandbox, code, { answer: (_call, n) => (n === 0 ? http({}, 500) : { ok: false, error }) });
    expect(done.output).toEqual([false, 500, 'TimeoutError']);
  });

  test('AbortSignal.timeout aborts on the logical clock', async () => {
    const session = await sandbox.open(LIMITS);
    const code = `async function main() {
      try { await fetch('https://a.example/', { signal: AbortSignal.timeout(40) }) } catch (e) { return [e.name, Date.now() - context.attempt] }
    }`;
    const first = await session.start(taskStart(sandbox, code), () => {});
    expect(first.status).toMatchObject({ nextTimer: CLOCK + 40 });
    const last = await session.deliver({ type: 'timer', clock: CLOCK + 40 });
    session.release();
    expect(last.status).toEqual({ kind: 'returned', output: JSON.stringify(['TimeoutError', CLOCK + 39]) });
  });

  test('a cancellation rejects what is pending', async () => {
    const session = await sandbox.open(LIMITS);
    const code = `async function main() { try { await sleep(1e6) } catch (e) { console.warn('cleanup'); throw e } }`;
    const logs: unknown[] = [];
    await session.start(taskStart(sandbox, code), (records) => logs.push(...records));
    const turn = await session.deliver({ type: 'cancel', clock: CLOCK, reason: 'stop' });
    session.release();
    expect(turn.status).toMatchObject({ kind: 'threw', error: { name: 'CancelledError', message: 'stop' } });
    expect(logs).toHaveLength(1);
  });
});

describe('steps', () => {
  test('every kind has its request', async () => {
    const code = `async function main() {
      return [await sleep(70), await runTask('other', { a: 1 }), await readFile('a.txt', { encoding: 'base64' }),
        await hmac('KEY', 'data'), secret('API_KEY'), await ask('sure?'), await mcp.call('s', 't', { q: 1 }), await llm.complete({ p: 1 })];
    }`;
    const done = await run(sandbox, code, { answer: (call) => value(call.kind) });
    expect(done.calls.map(({ kind, request }) => [kind, request])).toEqual([
      ['sleep', { ms: 70 }],
      ['task', { task: 'other', input: { a: 1 } }],
      ['file', { path: 'a.txt', encoding: 'base64' }],
      ['hmac', { secret: 'KEY', data: 'data', algorithm: 'sha256', encoding: 'hex' }],
      ['ask', { question: 'sure?', schema: true }],
      ['mcp', { server: 's', tool: 't', arguments: { q: 1 } }],
      ['llm', { request: { p: 1 } }],
    ]);
    expect(done.output).toEqual(['sleep', 'task', 'file', 'hmac', '{{secret:API_KEY}}', 'ask', 'mcp', 'llm']);
  });

  test('step() and span() number and name what happens inside them, also after an await and side by side', async () => {
    const code = `async function main() {
      const inner = (n) => step('work ' + n, async () => {
        console.log('before ' + n);
        await fetch('https://a.example/' + n);
        await span('deep', async () => { await fetch('https://b.example/' + n); console.log('deep ' + n); });
        return n;
      });
      const both = await Promise.all([inner('x'), inner('y')]);
      await fetch('https://c.example/');
      console.log('outside');
      return both;
    }`;
    const done = await run(sandbox, code);
    expect(done.output).toEqual(['x', 'y']);
    expect(done.calls.map((call) => [call.path, call.span])).toEqual([
      ['1/1', 'step:1'],
      ['2/1', 'step:2'],
      ['1/2', 'span:1'],
      ['2/2', 'span:2'],
      ['3', ''],
    ]);
    const customs = done.turns.flatMap((turn) => turn.customs);
    expect(customs.map((custom) => [custom.path, custom.name, custom.outcome, custom.startedAt])).toEqual([
      ['1', 'work x', { ok: true, value: 'x' }, CLOCK],
      ['2', 'work y', { ok: true, value: 'y' }, CLOCK],
    ]);
    expect(done.telemetry.flatMap((r) => (r.kind === 'log' ? [[r.message, r.span]] : []))).toEqual([
      ['before x', 'step:1'],
      ['before y', 'step:2'],
      ['deep x', 'span:1'],
      ['deep y', 'span:2'],
      ['outside', ''],
    ]);
    expect(done.telemetry.filter((r) => r.kind === 'span')).toMatchObject([
      { ref: 'span:1', parent: 'step:1', name: 'deep', ok: true },
      { ref: 'span:2', parent: 'step:2', name: 'deep', ok: true },
    ]);
  });

  test('a step that throws is recorded with its error and throws on', async () => {
    const code = `function main() { try { step('s', () => { throw new DataError('no') }) } catch (e) { return e.name } }`;
    const done = await run(sandbox, code);
    expect(done.output).toBe('DataError');
    expect(done.turns[0]?.customs[0]?.outcome).toMatchObject({
      ok: false,
      error: { name: 'DataError', message: 'no' },
    });
  });
});

describe('telemetry', () => {
  test('console writes readable text, and fields beside a message', async () => {
    const code = `function main() {
      console.log('plain'); console.warn('with', { a: [1, 'x'] }, new Map([[1, 2]]), null, undefined, 5n);
      console.error('fields', { a: 1 }); console.debug({ self: 1 }); console.trace('t');
      const loop = {}; loop.loop = loop; console.log(loop);
    }`;
    const done = await run(sandbox, code);
    expect(done.telemetry.map((r) => r.kind === 'log' && [r.level, r.message, r.fields])).toEqual([
      ['info', 'plain', null],
      ['warn', 'with {a: [1, "x"]} Map(1) {1 => 2} null undefined 5n', null],
      ['error', 'fields', { a: 1 }],
      ['debug', '{self: 1}', null],
      ['trace', 't', null],
      ['info', '{loop: [circular]}', null],
    ]);
    expect(done.output).toBeNull();
  });

  test('progress is told in both forms and under all names', async () => {
    const code = `function main() {
      reportProgress(0.25, 'a'); global.reportProgress({ progress: 2, step: 's', message: 'm', data: { x: 1 } });
      globalThis.reportProgress({ progress: 0.5 });
    }`;
    const done = await run(sandbox, code);
    expect(done.telemetry).toEqual([
      { kind: 'progress', progress: 0.25, step: null, message: 'a', data: null, clock: CLOCK },
      { kind: 'progress', progress: 1, step: 's', message: 'm', data: { x: 1 }, clock: CLOCK },
      { kind: 'progress', progress: 0.5, step: null, message: null, data: null, clock: CLOCK },
    ]);
  });

  test('log lines of a long turn arrive before the turn ends', async () => {
    const session = await sandbox.open({ ...LIMITS, maxLogLines: 1e6, maxLogBytes: 1e9 });
    const arrived = new Promise<void>((resolve) => {
      const code = `function main() { for (;;) console.log('tick'.repeat(50)) }`;
      session.start(taskStart(sandbox, code), () => resolve()).catch(() => {});
    });
    await arrived;
    session.kill(new Error('seen enough'));
  });
});

describe('errors', () => {
  test('a thrown error keeps class, data, causes, and frames of the own file only', async () => {
    const code = `class Mine extends Error {}
function deeper() { throw Object.assign(new Mine('outer', { cause: new TypeError('inner') }), { code: 7, bad: () => 1 }) }
function main() { deeper() }`;
    const { error } = await run(sandbox, code);
    expect(error).toMatchObject({
      name: 'Mine',
      message: 'outer',
      data: { code: 7 },
      cause: { name: 'TypeError', message: 'inner' },
    });
    expect(error?.stack).toBe('Error: outer\n    at deeper (demo/main.js:2:41)\n    at main (demo/main.js:3:19)');
  });

  test('columns of rewritten modules are true', async () => {
    const { error } = await run(sandbox, 'export const main = () => { undefined.x }');
    expect(error?.stack).toContain('demo/main.js:1:39');
  });

  test('an output that JSON cannot carry fails with a clear message', async () => {
    const { error } = await run(sandbox, 'function main() { return { a: 1n } }');
    expect(error).toMatchObject({ name: 'TypeError' });
    expect(error?.message).toContain('the result of main must be a value that JSON can carry');
  });

  test('require says what to use instead', async () => {
    const { error } = await run(sandbox, `function main() { require('fs') }`);
    expect(error).toMatchObject({ name: 'ReferenceError' });
    expect(error?.message).toContain('readFile');
  });

  test('an error in a timer fails the task', async () => {
    const code = `async function main() { setTimeout(() => { throw new RangeError('late') }, 5); await new Promise(() => {}) }`;
    expect((await run(sandbox, code)).error).toMatchObject({ name: 'RangeError', message: 'late' });
  });
});

test('input, context and web globals are there', async () => {
  const code = `function main(input, ctx) {
    const copy = structuredClone({ d: new Date(5), m: new Map([[1, { a: 1 }]]) });
    const url = new URL('../b?x=1', 'https://u@h.example:81/a/c'); url.searchParams.append('y', 'ä'); url.hash = 'z';
    return [input.a, ctx === context, ctx.jobId, copy.d.getTime(), copy.m.get(1).a, url.href, atob(btoa('hi')),
      [...new TextEncoder().encode('ä')], typeof WebAssembly, typeof SharedArrayBuffer, typeof process, typeof WeakRef];
  }`;
  const done = await run(sandbox, code, { input: { a: 'in' } });
  expect(done.output).toEqual([
    'in',
    true,
    'j1',
    5,
    1,
    'https://u@h.example:81/b?x=1&y=%C3%A4#z',
    'hi',
    [195, 164],
    'undefined',
    'undefined',
    'undefined',
    'undefined',
  ]);
});

test('task code that overwrites built-ins fools only itself', async () => {
  const code = `async function main() {
    const broken = () => { throw new Error('tampered') };
    for (const name of ['push', 'map', 'slice', 'join', 'shift']) Array.prototype[name] = broken;
    for (const name of ['slice', 'charCodeAt', 'toLowerCase']) String.prototype[name] = broken;
    JSON.parse = JSON.stringify = Promise.prototype.then = Object.keys = Object.defineProperty = Reflect.apply = broken;
    Function.prototype.call = Function.prototype.apply = Function.prototype.bind = broken;
    Object.prototype.toJSON = () => 'tampered';
    Array.prototype[Symbol.iterator] = broken;
    delete Object.prototype.toJSON;
    const nap = await sleep(5);
    const r = await fetch('https://a.example/', { method: 'POST', body: 'x' });
    await step('s', async () => { await sleep(1); });
    console.log('still', 1);
    return { nap, status: r.status, json: await r.json() };
  }`;
  const done = await run(sandbox, code, { answer: (call) => (call.kind === 'http' ? http({ n: 2 }) : value(null)) });
  expect(done.error).toBeUndefined();
  expect(done.output).toEqual({ nap: null, status: 200, json: { n: 2 } });
  expect(logsOf(done)).toEqual(['still 1']);
});

/** Every way out that was ever tried: each is held, told by its code, and leaves a pool that works. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { childEntry, startCommand, startWays } from '../../infra/sandbox/isolation.ts';
import { openSandbox } from '../../infra/sandbox/pool.ts';
import { FrameReader } from '../../infra/sandbox/protocol.ts';
import { ProcessSession } from '../../infra/sandbox/session.ts';
import { TaskProcess } from '../../infra/sandbox/task-process.ts';
import { RatchetError } from '../../src/domain/errors.ts';
import type { Sandbox } from '../../src/ports/sandbox.ts';
import { LIMITS, run, taskStart } from '../support/sandbox-run.ts';

let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = await openSandbox({ size: 2, warm: 1, warmMemoryMb: 64 });
});
afterAll(() => sandbox.close());

const SMALL = { memoryMb: 64 };
const way = startWays(process.getuid?.() === 0).find((known) => known.level === 'namespaces') ?? {
  level: 'process' as const,
  wrapper: [],
};

afterEach(async () => {
  expect((await run(sandbox, '(function () { return 1 })', { limits: SMALL })).output).toBe(1);
});

/** Walks from `seed` over prototypes, constructors and properties and says whether a foreign realm or a way out shows. */
const WALK = `
const foreign = (seed) => {
  const seen = new Set(), open = [seed], found = [];
  while (open.length && seen.size < 20000) {
    const value = open.pop();
    if ((typeof value !== 'object' && typeof value !== 'function') || value === null || seen.has(value)) continue;
    seen.add(value);
    let keys = []; try { keys = Reflect.ownKeys(value) } catch {}
    try { open.push(Object.getPrototypeOf(value)) } catch {}
    for (const key of keys) { try { const d = Object.getOwnPropertyDescriptor(value, key); open.push(d.value, d.get, d.set) } catch {} }
    if (typeof value === 'function' && !(value instanceof Object)) found.push(String(value.name || 'function'));
    if (typeof value === 'function') for (const code of ['return process', 'return this']) {
      try { const out = value === Function || value.name === 'Function' ? value(code)() : undefined; if (out && out.process) found.push('process') } catch {}
    }
  }
  return found;
};`;

describe('inside the context', () => {
  test.each([
    ['the global object', 'globalThis'],
    ['the input and the context', '[input, context]'],
    ['the error of an unknown URL', '(() => { try { new URL("no url") } catch (e) { return e } })()'],
    ['the error of a wrong request', '(() => { try { sleep(-1) } catch (e) { return e } })()'],
    [
      'every global, used',
      '[console, fetch, setTimeout, URL, Headers, Response, Request, crypto, AbortController, TextEncoder, TextDecoder, performance, Intl, Temporal, structuredClone, step, span, mcp, llm]',
    ],
    ['a promise of a step', '(async () => { style => sleep })()'],
    ['the answer of a step', 'fetch("https://a.example/")'],
  ])('nothing of the process is reachable from %s', async (_name, seed) => {
    const done = await run(sandbox, `${WALK}\nfunction main() { return foreign(${seed}) }`, { limits: SMALL });
    expect(done.error).toBeUndefined();
    expect(done.output).toEqual([]);
  });

  test.each([
    ['this.constructor.constructor', 'this.constructor.constructor("return process")()'],
    ['Function', 'Function("return process")()'],
    ['eval', 'eval("1+1")'],
    ['indirect eval', '(0, eval)("1")'],
    ['async Function', '(async () => {}).constructor("return 1")()'],
    ['generator Function', '(function* () {}).constructor("yield 1")()'],
    ['an Error class', 'new HttpError("x").constructor.constructor("return process")()'],
    ['fetch', 'fetch.constructor("return process")()'],
    ['a string timer', 'setTimeout("1", 1)'],
    ['WebAssembly', 'new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]))'],
    ['SharedArrayBuffer', 'new SharedArrayBuffer(8)'],
    ['Atomics.wait', 'Atomics.wait(new Int32Array(8), 0, 0, 1)'],
    ['require', 'require("fs")'],
    ['process', 'process.exit()'],
    ['WeakRef', 'new WeakRef({})'],
    ['arguments.callee.caller', '(function () { "use strict"; return arguments.callee.caller })()'],
  ])('%s throws', async (_name, expression) => {
    const done = await run(sandbox, `function main() { return String(${expression}) }`, { limits: SMALL });
    expect(done.output).toBeUndefined();
    expect(done.error?.name).toMatch(/^(EvalError|TypeError|ReferenceError)$/);
  });

  test('a stack formatter set by a task is never called, and no path of the process shows', async () => {
    const code = `function main() {
      let sites = 'none';
      try { Error.prepareStackTrace = (_, s) => { sites = s; return s } } catch {}
      try { Object.defineProperty(Error, 'prepareStackTrace', { value: (_, s) => { sites = s; return s } }) } catch {}
      const formatter = { prepareStackTrace: (_, s) => { sites = s; return s } };
      try { globalThis.Error = formatter } catch {}
      try { Object.defineProperty(globalThis, 'Error', { value: formatter }) } catch {}
      try { delete globalThis.Error; globalThis.Error = formatter } catch {}
      Error.stackTraceLimit = 100;
      const stacks = [new Error('a').stack]; Promise.reject(new Error('b')).catch((e) => stacks.push(e.stack));
      const o = {}; Error.captureStackTrace(o); stacks.push(o.stack);
      try { new URL('::') } catch (e) { stacks.push(e.stack) }
      return { sites, stacks };
    }`;
    const { output } = await run(sandbox, code, { limits: SMALL });
    expect(output).toMatchObject({ sites: 'none' });
    const stacks = JSON.stringify(output);
    expect(stacks).not.toMatch(/infra|sandbox|node:|file:|ratchet:/);
    expect(stacks).toContain('demo/main.js');
  });

  test('errors thrown by the engine near the limit of the stack lead nowhere', async () => {
    const code = `${WALK}
    const caught = new Set();
    const tries = [
      () => { const e = new Error('x'); return e.stack }, () => Date.now(), () => Math.random(), () => console.log('x'),
      () => new URL('https://a/'), () => crypto.randomUUID(), () => setTimeout(() => {}, 1), () => structuredClone({}),
    ];
    function deep(n) { try { tries[n % tries.length]() } catch (e) { caught.add(e) } try { deep(n + 1) } catch (e) { caught.add(e) } }
    function main() {
      for (let n = 0; n < tries.length; n++) deep(n);
      const harm = [];
      for (const e of caught) {
        if (e instanceof Error || (typeof e !== 'object' && typeof e !== 'function')) continue;
        const C = e.constructor, F = C.constructor, O = Object.getPrototypeOf(Object.getPrototypeOf(Object.getPrototypeOf(e))).constructor;
        try { harm.push('code ' + F('return process')()) } catch {}
        const E = Object.getPrototypeOf(C);
        for (const target of [C, C.prototype, E, E.prototype, F, F.prototype, O, O.prototype, O.keys({}).constructor.prototype]) {
          try { if (Reflect.defineProperty(target, 'polluted', { value: 1 })) harm.push('changed ' + String(target)) } catch {}
        }
        let called = false;
        try { E.prepareStackTrace = () => { called = true } } catch {}
        try { new E('x').stack } catch {}
        if (called) harm.push('formatter');
        try { for (const f of foreign(e)) if (f === 'process') harm.push('process') } catch {}
      }
      return harm;
    }`;
    const done = await run(sandbox, code, { limits: { ...SMALL, maxLogLines: 1e6, maxLogBytes: 1e9 } });
    expect(done.error).toBeUndefined();
    expect(done.output).toEqual([]);
  });

  test('an object with hostile traps, given to every global, throws its own errors only', async () => {
    const code = `function main() {
      const evil = new Proxy(function () {}, { get() { throw 'own' }, ownKeys() { throw 'own' }, getPrototypeOf() { throw 'own' }, apply() { throw 'own' } });
      const seen = [];
      const tries = [() => console.log(evil, [evil], new Error(evil)), () => fetch(evil, evil, evil), () => sleep(evil), () => runTask('a', evil),
        () => step(evil, evil), () => step('s', evil), () => span('s', evil), () => reportProgress(evil), () => hmac('A', 'b', evil), () => secret(evil),
        () => structuredClone(evil), () => new Headers(evil), () => new URL(evil), () => setTimeout(evil, evil), () => new Response(evil), () => new Date(evil)];
      for (const attempt of tries) try { attempt() } catch (e) { if (e !== 'own' && !(e instanceof Error)) seen.push(String(e)) }
      return seen;
    }`;
    const done = await run(sandbox, code, { limits: SMALL });
    expect(done.output).toEqual([]);
  });

  test('a thrown hostile object is described without running away', async () => {
    const code = `function main() { throw new Proxy({}, { get() { throw 1 }, ownKeys() { throw 2 }, getPrototypeOf() { throw 3 } }) }`;
    expect((await run(sandbox, code, { limits: SMALL })).error).toMatchObject({ stack: null });
  });
});

describe('too much', () => {
  test('an endless loop is ended by its caller', async () => {
    for (const body of [
      'for (;;);',
      'const f = () => Promise.resolve().then(f); await f();',
      '/^(a+)+$/.test("a".repeat(40) + "b")',
    ]) {
      const session = await sandbox.open({ ...LIMITS, ...SMALL });
      const turn = session.start(taskStart(sandbox, `async function main() { ${body} }`), () => {});
      setTimeout(() => session.kill(new RatchetError('execution_timeout', 'too slow')), 20);
      await expect(turn).rejects.toMatchObject({ code: 'execution_timeout' });
    }
  });

  test.each([
    ['the heap', 'const a = []; for (;;) a.push(new Array(1e5).fill({}))'],
    [
      'strings',
      'let s = "x"; const a = []; for (;;) { s += s.slice(0, 1e6) + "y"; a.push(s + Math.random()); a.push([...s]) }',
    ],
  ])('filling %s ends with memory_limit_exceeded', async (_name, body) => {
    const running = run(sandbox, `function main() { ${body} }`, { limits: SMALL });
    await expect(running).rejects.toMatchObject({ code: 'memory_limit_exceeded' });
  });

  test('memory outside the heap is limited too', async () => {
    const code = `function main() { const a = []; for (let n = 0; n < 1536; n++) a.push(new Uint8Array(1048576).fill(1)); return a.length }`;
    const ending = await run(sandbox, code, { limits: SMALL }).then(
      (done) => done.error?.name,
      (error: unknown) => (error instanceof RatchetError ? error.code : error),
    );
    expect(['RangeError', 'memory_limit_exceeded']).toContain(ending);
  });

  test('endless logging ends with log_limit_exceeded, by lines or by bytes', async () => {
    const code = 'function main() { for (;;) console.log("x".repeat(1000)) }';
    await expect(run(sandbox, code, { limits: SMALL })).rejects.toMatchObject({ code: 'log_limit_exceeded' });
    const bytes = run(sandbox, code, { limits: { ...SMALL, maxLogLines: 1e9 } });
    await expect(bytes).rejects.toMatchObject({ code: 'log_limit_exceeded' });
  });

  test('endless steps end with step_limit_exceeded', async () => {
    const code = 'async function main() { for (let n = 0; n < 5000; n++) sleep(1); await sleep(1) }';
    await expect(run(sandbox, code, { limits: SMALL })).rejects.toMatchObject({ code: 'step_limit_exceeded' });
    const blocking = run(sandbox, 'function main() { for (;;) sleep(1) }', { limits: { ...SMALL, maxSteps: 50 } });
    await expect(blocking).rejects.toMatchObject({ code: 'step_limit_exceeded' });
  });

  test('an output of 200 MB ends with output_too_large', async () => {
    const code = 'function main() { return "x".repeat(2e8) }';
    const running = run(sandbox, code, { limits: { memoryMb: 1024 } });
    await expect(running).rejects.toMatchObject({ code: 'output_too_large' });
  });

  test('requests that are too large throw inside the task', async () => {
    const code = 'function main() { try { runTask("a", "x".repeat(5e7)) } catch (e) { return e.name } }';
    expect((await run(sandbox, code, { limits: { memoryMb: 1024 } })).output).toBe('RangeError');
  });

  test('rejections that nobody handles do no harm', async () => {
    const code =
      'async function main() { for (let n = 0; n < 1000; n++) Promise.reject(new Error("x" + n)); return 1 }';
    for (let n = 0; n < 3; n++) expect((await run(sandbox, code, { limits: SMALL })).output).toBe(1);
  });
});

describe('from an escaped process', () => {
  test('nothing outside is reachable', async () => {
    const entry = fileURLToPath(new URL('../support/sandbox-escaped.ts', import.meta.url));
    const [program, parts] = startCommand({ way, heapMb: 64, dataKb: null, entry });
    const child = spawn(program, parts, {
      cwd: '/',
      env: { TZ: 'UTC', LC_ALL: 'C' },
      detached: true,
      stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
    });
    const frames = new FrameReader(() => 1e6);
    const report = await new Promise<string>((resolve, reject) => {
      child.stdio[3]?.on('data', (chunk: Buffer) => {
        const [message] = frames.push(chunk);
        if (message !== undefined) resolve(message);
      });
      child.once('exit', (code, signal) => reject(new Error(`it ended with ${code} ${signal}`)));
    });
    expect(JSON.parse(report)).toMatchObject({ succeeded: [], tried: 25 });
  });

  test.each([
    ['no JSON', { text: 'rubbish', length: 7 }],
    ['a length beyond all bounds', { text: 'x', length: 0xffff_fff0 }],
    ['an unknown type', { json: { type: 'command' } }],
    ['a second ready', { json: { type: 'ready' } }],
    ['a turn without its parts', { json: { type: 'turn', turn: { turn: 1 } } }],
    [
      'a turn out of order',
      {
        json: {
          type: 'turn',
          turn: { turn: 7, clock: 1e15, calls: [], customs: [], status: { kind: 'returned', output: '1' } },
        },
      },
    ],
    [
      'a clock that goes back',
      {
        json: {
          type: 'turn',
          turn: { turn: 1, clock: 1, calls: [], customs: [], status: { kind: 'returned', output: '1' } },
        },
      },
    ],
    [
      'a forged path',
      {
        json: {
          type: 'turn',
          turn: {
            turn: 1,
            clock: 1e15,
            calls: [{ path: '../1', kind: 'http', name: 'n', request: {}, span: '' }],
            customs: [],
            status: { kind: 'waiting', nextTimer: null, blockedOn: null },
          },
        },
      },
    ],
    [
      'an unknown kind of step',
      {
        json: {
          type: 'turn',
          turn: {
            turn: 1,
            clock: 1e15,
            calls: [{ path: '1', kind: 'exec', name: 'n', request: {}, span: '' }],
            customs: [],
            status: { kind: 'waiting', nextTimer: null, blockedOn: null },
          },
        },
      },
    ],
    ['telemetry of a wrong shape', { json: { type: 'telemetry', records: [{ kind: 'log', level: 'fatal' }] } }],
  ])('%s ends it with sandbox_protocol', async (_name, forged) => {
    const entry = fileURLToPath(new URL('../support/sandbox-forger.ts', import.meta.url));
    const process = new TaskProcess({ way, heapMb: 64, dataKb: null, entry, parts: [JSON.stringify(forged)] });
    await process.ready(5000);
    const session = new ProcessSession(process, LIMITS, () => {});
    const turn = session.start(taskStart(sandbox, 'function main() {}'), () => {});
    await expect(turn).rejects.toMatchObject({ code: 'sandbox_protocol' });
    expect(process.alive).toBe(false);
    await process.exited;
  });

  test('a process that ends by itself is told as sandbox_crashed', async () => {
    const entry = fileURLToPath(new URL('../support/sandbox-forger.ts', import.meta.url));
    const process = new TaskProcess({ way, heapMb: 64, dataKb: null, entry, parts: ['null'] });
    await process.ready(5000);
    const session = new ProcessSession(process, LIMITS, () => {});
    const turn = session.start(taskStart(sandbox, 'function main() {}'), () => {});
    await expect(turn).rejects.toMatchObject({ code: 'sandbox_crashed' });
  });
});

test.runIf(process.platform === 'linux')(
  'the processes die with the server, even when it is killed in the middle',
  async () => {
    const script = `
    import { openSandbox } from ${JSON.stringify(new URL('../../infra/sandbox/pool.ts', import.meta.url).href)};
    const sandbox = await openSandbox({ size: 1 });
    const session = await sandbox.open({ memoryMb: 128, maxOutputBytes: 1e6, maxLogLines: 10, maxLogBytes: 1e6, maxSteps: 10 });
    const code = sandbox.prepare('function main() { console.log("x"); sleep(1); for (;;); }', 'a.js');
    const context = { executionId: 'e', taskId: 't', taskVersion: 'v', jobId: 'j', attempt: 1 };
    await session.start({ code, input: '{}', context, clock: 0, seed: '00'.repeat(32), style: 'auto' }, () => {});
    session.deliver({ type: 'outcome', path: '1', clock: 1, outcome: { ok: true, value: null } }).catch(() => {});
    const { readFileSync } = await import('node:fs');
    const below = (pid) => readFileSync('/proc/' + pid + '/task/' + pid + '/children', 'utf8').trim().split(' ').filter(Boolean).flatMap((c) => [c, ...below(c)]);
    setTimeout(() => console.log(below(process.pid).join()), 50);
  `;
    const server = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const below = await new Promise<string>((resolve) =>
      server.stdout.once('data', (data) => resolve(String(data).trim())),
    );
    expect(below).not.toBe('');
    server.kill('SIGKILL');
    const alive = (pid: string): boolean => {
      try {
        return process.kill(Number(pid), 0);
      } catch {
        return false;
      }
    };
    await expect.poll(() => below.split(',').filter(alive), { timeout: 5000 }).toEqual([]);
    expect(childEntry()).toContain('child.ts');
  },
);

/** Processes under a debugger: they run tasks as any other, stop where they are told to, open no port, and let nothing out. */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openDebugSandbox } from '../../infra/sandbox/debug-pool.ts';
import { debugChildEntry, startCommand, startWays } from '../../infra/sandbox/isolation.ts';
import { prepareCode } from '../../infra/sandbox/prepare.ts';
import { FrameReader } from '../../infra/sandbox/protocol.ts';
import type { JsonObject } from '../../src/domain/event.ts';
import type { DebuggedSession, DebugSandbox } from '../../src/ports/debug-sandbox.ts';
import { PAUSE_SCRIPT } from '../../src/ports/debug-sandbox.ts';
import type { Sandbox } from '../../src/ports/sandbox.ts';
import { http, LIMITS, run, taskStart } from '../support/sandbox-run.ts';
import { eventually } from '../support/server.ts';

let debugSandbox: DebugSandbox;
beforeAll(() => {
  debugSandbox = openDebugSandbox({ size: 2, prepare: prepareCode });
});
afterAll(() => debugSandbox.close());

/** As the tests of plain processes know a sandbox. */
const asSandbox = (of: DebugSandbox): Sandbox => ({
  isolation: 'process',
  idle: () => 0,
  open: (limits, signal) => of.open(limits, signal),
  prepare: (code, file) => of.prepare(code, file),
  close: () => of.close(),
});

interface Stop {
  readonly reason: string;
  readonly urls: readonly string[];
  readonly lines: readonly number[];
  readonly topFrame: string;
}

/** Answers each stop by what `act` does, and then goes on. */
async function watched(session: DebuggedSession, act: (stop: Stop) => Promise<unknown>): Promise<void> {
  const urls = new Map<unknown, string>();
  session.inspector.listen((method, params) => {
    if (method === 'Debugger.scriptParsed') urls.set(params['scriptId'], String(params['url']));
    if (method !== 'Debugger.paused') return;
    const frames = params['callFrames'] as {
      callFrameId: string;
      location: { scriptId: string; lineNumber: number };
    }[];
    const stop: Stop = {
      reason: String(params['reason']),
      urls: frames.map(({ location }) => urls.get(location.scriptId) ?? ''),
      lines: frames.map(({ location }) => location.lineNumber + 1),
      topFrame: frames[0]?.callFrameId ?? '',
    };
    // The last resume may be overtaken by the end of the task and of its session.
    void act(stop).then(() => session.inspector.send('Debugger.resume').catch(() => undefined));
  });
  await session.inspector.send('Debugger.enable');
}

const valueOf = async (session: DebuggedSession, callFrameId: string, expression: string): Promise<unknown> => {
  const { result } = await session.inspector.send('Debugger.evaluateOnCallFrame', { callFrameId, expression });
  return (result as JsonObject)['value'];
};

const below = (pid: number | string): string[] => {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
  return children.flatMap((child) => [child, ...below(child)]);
};
const debugProcesses = (): string[] =>
  below(process.pid).filter((pid) => {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return words.includes(debugChildEntry()) && words[0] === process.execPath;
  });

describe('the pool', () => {
  test('starts nothing before the first session, keeps one warm after it, and ends that one when it is idle', async () => {
    const before = debugProcesses();
    const own = (): string[] => debugProcesses().filter((pid) => !before.includes(pid));
    const pool = openDebugSandbox({ size: 2, prepare: prepareCode, idleMs: 50 });
    expect(own()).toEqual([]);
    const session = await pool.open(LIMITS);
    const [first] = own();
    expect(own()).toHaveLength(1);
    session.release();
    await eventually('another is started', () => own().some((pid) => pid !== first) || undefined);
    await eventually('it is ended', () => own().length === 0 || undefined);
    await pool.close();
    await expect(pool.open(LIMITS)).rejects.toMatchObject({ code: 'shutting_down' });
  });

  test('a session beyond the places waits for one, or fails when its signal aborts', async () => {
    const pool = openDebugSandbox({ size: 1, prepare: prepareCode });
    const session = await pool.open(LIMITS);
    const abort = new AbortController();
    const impatient = pool.open(LIMITS, abort.signal);
    const patient = pool.open(LIMITS);
    abort.abort(new Error('no longer'));
    session.release();
    await expect(impatient).rejects.toThrow('no longer');
    const next = await patient;
    expect((await next.start(taskStart(asSandbox(pool), 'function main() { return 1 }'), () => {})).status).toEqual({
      kind: 'returned',
      output: '1',
    });
    const closed = expect(pool.open(LIMITS)).rejects.toMatchObject({ code: 'shutting_down' });
    await pool.close();
    await closed;
    next.release();
  });

  test('closing ends a process that stands at a breakpoint', async () => {
    const pool = openDebugSandbox({ size: 1, prepare: prepareCode });
    const session = await pool.open(LIMITS);
    const paused = Promise.withResolvers<void>();
    session.inspector.listen((method) => {
      if (method === 'Debugger.paused') paused.resolve();
    });
    await session.inspector.send('Debugger.enable');
    const turn = session.start(taskStart(asSandbox(pool), 'function main() { debugger }'), () => {});
    turn.catch(() => undefined);
    await paused.promise;
    await pool.close();
    await expect(turn).rejects.toMatchObject({ code: 'shutting_down' });
  });
});

describe('a task under the debugger', () => {
  test('runs as in a plain process, in both styles', async () => {
    const code = (style: string) => `${style} function main(input) {
      const first = ${style && 'await '}fetch('https://a.example/'), data = first.json ? ${style && 'await '}first.json() : first.body;
      const made = ${style && 'await '}step('made', () => input.n + data.n); console.log('told', made);
      ${style && 'await '}sleep(5); return { made, at: Date.now(), random: Math.random() };
    }`;
    const { openSandbox } = await import('../../infra/sandbox/pool.ts');
    const plain = await openSandbox({ size: 1 });
    try {
      for (const style of ['', 'async']) {
        const options = { input: { n: 2 }, answer: () => http({ n: 40 }) };
        const expected = await run(plain, code(style), options);
        expect(expected.output).toMatchObject({ made: 42 });
        expect(await run(asSandbox(debugSandbox), code(style), options)).toEqual(expected);
      }
    } finally {
      await plain.close();
    }
  });

  test('stops at a line, also while the main thread waits for the server when the breakpoint is set', async () => {
    const session = await debugSandbox.open(LIMITS);
    const seen: unknown[] = [];
    await watched(session, async ({ urls, lines, topFrame }) => {
      seen.push([urls[0], lines[0], await valueOf(session, topFrame, 'sum')]);
    });
    const code = 'function main() {\n let sum = 40;\n sleep(1);\n sum += 2;\n return sum;\n}';
    const first = await session.start(taskStart(asSandbox(debugSandbox), code), () => {});
    expect(first.status).toMatchObject({ blockedOn: '1' });
    for (const lineNumber of [3, 4])
      await session.inspector.send('Debugger.setBreakpointByUrl', { url: 'demo/main.js', lineNumber });
    const outcome = { ok: true as const, value: null };
    const last = await session.deliver({ type: 'outcome', path: '1', clock: first.clock + 1, outcome });
    expect(last.status).toEqual({ kind: 'returned', output: '42' });
    expect(seen).toEqual([
      ['demo/main.js', 4, 40],
      ['demo/main.js', 5, 42],
    ]);
    session.release();
  });

  test.each(['', 'async '])('stops before main, and inside the call that asks for a step (%smain)', async (style) => {
    const session = await debugSandbox.open(LIMITS);
    const seen: unknown[] = [];
    await watched(session, async ({ urls, lines, topFrame }) => {
      const own = urls.findIndex((url) => url === 'demo/main.js');
      seen.push([urls[0], await valueOf(session, topFrame, 'place'), lines[own]]);
    });
    const code = `${style}function main() {\n fetch('https://a.example/');\n step('outer', () => {\n  sleep(1);\n });\n}`;
    session.pauseAtMain();
    session.pauseAtSteps(['2/1', '2']);
    let turn = await session.start(taskStart(asSandbox(debugSandbox), code), () => {});
    if (style === '')
      turn = await session.deliver({ type: 'outcome', path: '1', clock: turn.clock, outcome: http({}) });
    expect(seen).toEqual([
      [PAUSE_SCRIPT, 'main', undefined],
      [PAUSE_SCRIPT, '2', 3],
      [PAUSE_SCRIPT, '2/1', 4],
    ]);
    session.release();
  });

  test('what the engine refuses is told in its words, and what comes after the end by its reason', async () => {
    const session = await debugSandbox.open(LIMITS);
    await expect(session.inspector.send('Debugger.nonsense')).rejects.toMatchObject({
      code: 'debug_method_refused',
      message: expect.stringContaining("'Debugger.nonsense' wasn't found"),
    });
    const waiting = expect(session.inspector.send('Debugger.enable')).rejects.toThrow('enough');
    session.kill(new Error('enough'));
    await waiting;
    await expect(session.inspector.send('Debugger.enable')).rejects.toThrow('enough');
    await expect(session.start(taskStart(asSandbox(debugSandbox), 'function main() {}'), () => {})).rejects.toThrow(
      'enough',
    );
  });

  test('the heap is limited, and its end is told to the inspector as well', async () => {
    const session = await debugSandbox.open({ ...LIMITS, memoryMb: 64 });
    await watched(session, () => Promise.resolve());
    const code = 'function main() { const a = []; for (;;) a.push(new Array(1e5).fill({})) }';
    await expect(session.start(taskStart(asSandbox(debugSandbox), code), () => {})).rejects.toMatchObject({
      code: 'memory_limit_exceeded',
    });
    await expect(session.inspector.send('Debugger.enable')).rejects.toMatchObject({ code: 'memory_limit_exceeded' });
  });
});

describe.runIf(process.platform === 'linux')('what is open', () => {
  test('no port, also after SIGUSR1', async () => {
    const session = await debugSandbox.open(LIMITS);
    await watched(session, () => Promise.resolve());
    const pids = debugProcesses();
    expect(pids.length).toBeGreaterThan(0);
    for (const pid of pids) process.kill(Number(pid), 'SIGUSR1');
    await session.start(taskStart(asSandbox(debugSandbox), 'function main() { return 1 }'), () => {});
    // Those of sessions before may be on their way out.
    const alive = pids.filter((pid) => existsSync(`/proc/${pid}/net/tcp`));
    expect(alive.length).toBeGreaterThan(0);
    for (const pid of alive) {
      // In its own network namespace these list its sockets alone; without one, those of the process are found by their inodes.
      const sockets = ['tcp', 'tcp6', 'udp', 'udp6'].flatMap((kind) =>
        readFileSync(`/proc/${pid}/net/${kind}`, 'utf8').trim().split('\n').slice(1),
      );
      const inodes = sockets.map((line) => line.trim().split(/\s+/)[9]);
      const open = readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
        try {
          return [readlinkSync(`/proc/${pid}/fd/${fd}`)];
        } catch {
          return [];
        }
      });
      expect(open.filter((target) => inodes.some((inode) => target === `socket:[${inode}]`))).toEqual([]);
    }
    session.release();
  });
});

describe('what a task can not reach', () => {
  test('code, modules and the process, with the debugger attached', async () => {
    const session = await debugSandbox.open({ ...LIMITS, memoryMb: 64 });
    await watched(session, () => Promise.resolve());
    await session.inspector.send('Runtime.enable');
    session.pauseAtMain();
    const tries = [
      'this.constructor.constructor("return process")()',
      'eval("1+1")',
      'fetch.constructor("return process")()',
      'console.constructor.constructor("return process")()',
      'require("inspector")',
      'process.getBuiltinModule("worker_threads")',
      'new SharedArrayBuffer(8)',
      'inspector.url()',
      'pause("main")',
    ];
    const functions = tries.map((code) => `() => ${code}`).join();
    const code = `function main() { return [${functions}].map((one) => { try { return one() } catch (e) { return e.name } }) }`;
    const { status } = await session.start(taskStart(asSandbox(debugSandbox), code), () => {});
    const names: string[] = status.kind === 'returned' ? JSON.parse(status.output) : [];
    expect(names).toHaveLength(tries.length);
    expect(['EvalError', 'TypeError', 'ReferenceError']).toEqual(expect.arrayContaining(names));
    session.release();
  });

  test('an escaped process could start a thread and attach an inspector, and nothing that leads outside', async () => {
    const way = startWays(process.getuid?.() === 0).find((known) => known.level === 'namespaces');
    const entry = fileURLToPath(new URL('../support/sandbox-escaped.ts', import.meta.url));
    const command = { way: way ?? { level: 'process' as const, wrapper: [] }, heapMb: 64, dataKb: null, entry };
    const [program, parts] = startCommand({ ...command, debugged: true });
    const child = spawn(program, parts, {
      cwd: '/',
      env: { TZ: 'UTC', LC_ALL: 'C' },
      detached: true,
      stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
    });
    const frames = new FrameReader(() => 1e6);
    const report = await new Promise<string>((resolve, reject) => {
      child.stdio[3]?.on('data', (chunk: Buffer) => {
        const [message] = frames.push(chunk);
        if (message !== undefined) resolve(message);
      });
      child.once('exit', (code, signal) => reject(new Error(`it ended with ${code} ${signal}`)));
    });
    const { succeeded, tried } = JSON.parse(report);
    expect(tried).toBe(25);
    expect(['start a thread', 'open the inspector', 'attach the inspector']).toEqual(expect.arrayContaining(succeeded));
  });
});

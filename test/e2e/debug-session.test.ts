/** A failed run is opened, stopped on a line with its real data, stepped in every direction; nothing goes out meanwhile. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LOCAL_ADMIN, type Principal } from '../../src/domain/access.ts';
import type { Breakpoint, DebugSessionView } from '../../src/domain/debugging.ts';
import type { JsonObject } from '../../src/domain/event.ts';
import { openTestApp, type TestApp } from '../support/app.ts';
import { type HttpApi, startHttpApi } from '../support/http-api.ts';
import { eventually } from '../support/server.ts';

const CODE = `function main({ url, wanted }) {
  const totals = { sum: 0, seen: [] };
  for (const n of [1, 2, 3]) {
    const answer = fetch(url + '/json?n=' + n);
    totals.sum += n;
    totals.seen.push(answer.status);
  }
  const price = priceOf({ item: null });
  return { price, wanted };
}

function priceOf(order) {
  const { item } = order;
  return item.price * 2;
}`;

let app: TestApp;
let api: HttpApi;
let executionId: string;
const debugging = () => app.app.core.debugging;

beforeAll(async () => {
  app = await openTestApp();
  api = await startHttpApi();
  await app.task('orders', CODE);
  const failed = await app.run('orders', { url: api.url, wanted: 'tea' });
  expect(failed).toMatchObject({ status: 'failed', error: { error_type: 'TypeError' } });
  executionId = String(failed['execution_id']);
});
afterAll(async () => {
  await app[Symbol.asyncDispose]();
  await api.close();
});

const at = (line: number | null, more: Partial<Breakpoint> = {}): Breakpoint => ({
  line,
  condition: null,
  hitCount: 1,
  step: null,
  ...more,
});

async function opened(breakpoints: readonly Breakpoint[] = [], by: Principal = LOCAL_ADMIN) {
  const { sessionId } = await debugging().open({ executionId, attempt: null, breakpoints }, by);
  const send = (method: string, params: JsonObject = {}) => debugging().command(sessionId, method, params, by);
  const view = () => debugging().settled(sessionId, 10_000, by);
  return {
    sessionId,
    send,
    view,
    go: async (method: string, params: JsonObject = {}) => {
      await send(method, params);
      return view();
    },
    close: () => debugging().close(sessionId, by),
    [Symbol.asyncDispose]: () =>
      debugging()
        .close(sessionId, by)
        .catch(() => undefined),
  };
}

const principal = (name: string): Principal => ({ ...LOCAL_ADMIN, id: `key:${name}`, name });

interface Frame {
  readonly callFrameId: string;
  readonly functionName: string;
  readonly location: { readonly scriptId: string; readonly lineNumber: number };
  readonly scopeChain: readonly { readonly type: string; readonly object: { readonly objectId: string } }[];
}

const framesOf = (view: DebugSessionView): readonly Frame[] => (view.paused?.['callFrames'] ?? []) as never;
const lineOf = (view: DebugSessionView): number | undefined => {
  const line = framesOf(view)[0]?.location.lineNumber;
  return line === undefined ? undefined : line + 1;
};

async function valueOf(session: Awaited<ReturnType<typeof opened>>, view: DebugSessionView, expression: string) {
  const callFrameId = framesOf(view)[0]?.callFrameId ?? '';
  const { result } = await session.send('Debugger.evaluateOnCallFrame', {
    callFrameId,
    expression,
    returnByValue: true,
  });
  return (result as JsonObject)['value'];
}

describe('a debug session', () => {
  it('stands before the first line, steps over, into and out, and runs to the same end without a call going out', async () => {
    const before = api.calls();
    await using session = await opened();
    let view = await session.view();
    expect([view.state, lineOf(view), view.stepsDone]).toEqual(['paused', 2, []]);
    view = await session.go('Debugger.stepOver');
    view = await session.go('Debugger.stepOver');
    expect([3, 4]).toContain(lineOf(view));
    await session.send('Debugger.setBreakpointByUrl', { lineNumber: 7 });
    view = await session.go('Debugger.resume');
    expect([lineOf(view), view.stepsDone]).toEqual([8, ['1', '2', '3']]);
    expect(await valueOf(session, view, 'totals')).toEqual({ sum: 6, seen: [200, 200, 200] });
    view = await session.go('Debugger.stepInto');
    expect(framesOf(view).map(({ functionName }) => functionName)).toEqual(['priceOf', 'main']);
    view = await session.go('Debugger.stepOver');
    expect(lineOf(view)).toBe(14);
    expect(await valueOf(session, view, 'order')).toEqual({ item: null });
    view = await session.go('Debugger.resume');
    expect(view.end).toMatchObject({ result: 'threw', message: expect.stringContaining('TypeError') });
    expect(api.calls()).toBe(before);
    await session.close();
  });

  it('stops at a breakpoint with a condition, from its n-th time on, and in the call of a step', async () => {
    await using conditional = await opened([at(5, { condition: 'n === 2' })]);
    let view = await conditional.view();
    expect(await valueOf(conditional, view, 'n')).toBe(2);
    await conditional.close();
    await using counted = await opened([at(5, { hitCount: 3 })]);
    expect(await valueOf(counted, await counted.view(), 'n')).toBe(3);
    await counted.close();
    await using stepped = await opened([at(null, { step: '2' })]);
    view = await stepped.view();
    expect([lineOf(view), view.stepsDone]).toEqual([4, ['1']]);
    await stepped.close();
  });

  it('tries conditions without side effects, and stops where one can not be tried', async () => {
    await using changing = await opened([at(5, { condition: 'totals.sum = 99' })]);
    const view = await changing.view();
    expect(JSON.stringify(view.paused?.['data'])).toContain('side-effect');
    expect(await valueOf(changing, view, 'totals.sum')).toBe(0);
    await using calling = await opened([at(5, { condition: '[2, 3].includes(n)' })]);
    expect(await valueOf(calling, await calling.view(), 'n')).toBe(2);
  });

  it('takes several breakpoints on a line as one, moves one without code and says so, and one that is removed stays away', async () => {
    await using session = await opened([
      at(5, { condition: 'n === 3' }),
      at(5, { condition: 'n === 2' }),
      at(11),
      at(99),
    ]);
    let view = await session.view();
    expect([lineOf(view), await valueOf(session, view, 'n')]).toEqual([5, 2]);
    expect(view.breakpoints).toEqual([
      { asked: 5, line: 5 },
      { asked: 11, line: expect.toSatisfy((line: number) => line > 11) },
      { asked: 99, line: null },
    ]);
    const [stop] = (view.paused?.['hitBreakpoints'] ?? []) as readonly string[];
    await session.send('Debugger.setBreakpointByUrl', { lineNumber: 7 });
    const { scriptId } = framesOf(view)[0]?.location ?? { scriptId: '' };
    await session.send('Debugger.setBreakpoint', { location: { scriptId, lineNumber: 5 } });
    await session.send('Debugger.removeBreakpoint', { breakpointId: stop ?? '' });
    view = await session.go('Ratchet.restart');
    expect(lineOf(view)).toBe(2);
    view = await session.go('Debugger.resume');
    expect(lineOf(view)).toBe(6);
    await session.go('Ratchet.restart');
    expect((await session.view()).end).toBeNull();
  });

  it('restarts one at a time however they come, and leaves no process behind', async () => {
    await using session = await opened([at(8)]);
    await session.view();
    await Promise.all([1, 2, 3].map(() => session.send('Ratchet.restart')));
    expect(lineOf(await session.view())).toBe(2);
    await session.close();
    const others = await Promise.all([
      opened([], principal('a')),
      opened([], principal('b')),
      opened([], principal('c')),
    ]);
    expect(others.map(({ sessionId }) => sessionId)).toHaveLength(3);
    await Promise.all(others.map((other) => other.close()));
  });

  it('keeps a hundred breakpoints at most, with conditions of a thousand characters', async () => {
    await using session = await opened();
    await session.view();
    const lay = (lineNumber: number, condition = '') =>
      session.send('Debugger.setBreakpointByUrl', { lineNumber, columnNumber: lineNumber, condition });
    for (let line = 0; line < 100; line += 1) await lay(line);
    await expect(lay(101)).rejects.toMatchObject({ code: 'debug_method_refused' });
    await expect(lay(1, 'x'.repeat(1_001))).rejects.toMatchObject({ code: 'debug_method_refused' });
  });

  it('knows objects that it told of, and none whose id is guessed', async () => {
    await using session = await opened([at(14)]);
    const view = await session.view();
    const own = framesOf(view)[0]?.scopeChain[0]?.object.objectId ?? '';
    const isolate = own.slice(0, own.indexOf('.'));
    for (const objectId of [`${isolate}.1.1`, `${isolate}.1.43`, `${own}0`]) {
      const read = session.send('Runtime.getProperties', { objectId, ownProperties: true });
      await expect(read).rejects.toMatchObject({ code: 'debug_method_refused' });
    }
    expect(await session.send('Runtime.getProperties', { objectId: own })).toHaveProperty('result');
  });

  it('steps back to the step before, with the values of then', async () => {
    await using session = await opened([at(8)]);
    let view = await session.view();
    expect(lineOf(view)).toBe(8);
    view = await session.go('Ratchet.stepBack');
    expect([lineOf(view), view.stepsDone]).toEqual([4, ['1', '2']]);
    expect(await valueOf(session, view, 'totals.sum')).toBe(3);
    view = await session.go('Ratchet.stepBack');
    expect([view.stepsDone, await valueOf(session, view, 'n')]).toEqual([['1'], 2]);
    view = await session.go('Debugger.resume');
    expect(lineOf(view)).toBe(8);
    await session.close();
  });

  it('stops where an exception is thrown, also inside what the sandbox offers', async () => {
    await using session = await opened();
    await session.send('Debugger.setPauseOnExceptions', { state: 'all' });
    const view = await session.go('Debugger.resume');
    expect([view.paused?.['reason'], lineOf(view)]).toEqual(['exception', 14]);
    await session.close();
  });

  it('tells a front end that comes later what it must know, and then what happens', async () => {
    await using session = await opened([at(8)]);
    await session.view();
    const heard: string[] = [];
    const stop = debugging().listen(
      session.sessionId,
      (message) => 'method' in message && heard.push(message.method),
      LOCAL_ADMIN,
    );
    expect(heard).toEqual(['Runtime.executionContextCreated', 'Debugger.scriptParsed', 'Debugger.paused']);
    await session.go('Debugger.resume');
    await eventually('the end is told', () => (heard.includes('Ratchet.ended') ? true : undefined));
    expect(heard).toContain('Debugger.resumed');
    stop();
    await session.close();
    expect(heard).not.toContain('Inspector.detached');
  });

  it('shows frames and scopes of the task only, and reads properties of what it shows', async () => {
    await using session = await opened([at(14)]);
    const view = await session.view();
    const [frame] = framesOf(view);
    expect(frame?.scopeChain.map(({ type }) => type)).not.toContain('global');
    const objectId = frame?.scopeChain.find(({ type }) => type === 'local')?.object.objectId ?? '';
    const { result } = await session.send('Runtime.getProperties', { objectId, ownProperties: true });
    expect((result as { name: string }[]).map(({ name }) => name)).toEqual(expect.arrayContaining(['order', 'item']));
    expect(JSON.stringify(view)).not.toMatch(/prelude|node:internal|file:/);
    await session.close();
  });
});

it.each([
  ['the value of the file', '(function (input) {\n  return input.n;\n})'],
  ['an arrow', 'const main = (input) => {\n  return input.n;\n};'],
  ['a property of exports', 'module.exports = { main(input) {\n  return input.n;\n} };'],
  ['all of exports', 'module.exports = async (input) => {\n  return input.n;\n};'],
  ['a default export', 'export default async function (input) {\n  return input.n;\n}'],
])('a session stands before the first line of main when that is %s', async (name, code) => {
  const task = name.replaceAll(' ', '-');
  await app.task(task, code);
  const { execution_id } = await app.run(task, { n: 7 });
  const request = { executionId: String(execution_id), attempt: null, breakpoints: [] };
  const { sessionId } = await debugging().open(request, LOCAL_ADMIN);
  const view = await debugging().settled(sessionId, 10_000, LOCAL_ADMIN);
  await debugging().close(sessionId, LOCAL_ADMIN);
  expect(lineOf(view)).toBe(2);
});

describe('an expression', () => {
  it('that throws, has side effects, or never ends is told, and changes nothing', async () => {
    await using session = await opened([at(8)]);
    const view = await session.view();
    const callFrameId = framesOf(view)[0]?.callFrameId ?? '';
    const evaluate = (expression: string) => session.send('Debugger.evaluateOnCallFrame', { callFrameId, expression });
    expect(JSON.stringify(await evaluate('nowhere.to.go'))).toContain('nowhere is not defined');
    expect(JSON.stringify(await evaluate('totals.sum = 99'))).toContain('side-effect');
    const endless = await evaluate('(() => { for (;;); })()').then(JSON.stringify, String);
    expect(endless).toMatch(/terminated|timed out|did not come back/i);
    expect(await valueOf(session, view, 'totals.sum')).toBe(6);
    expect((await session.go('Debugger.resume')).end).toMatchObject({
      result: 'threw',
      message: expect.stringContaining('TypeError'),
    });
    await session.close();
  });

  it('has no way to the process that runs it', async () => {
    await using session = await opened([at(8)]);
    const view = await session.view();
    for (const expression of ['typeof process', 'typeof globalThis.process', 'typeof Buffer']) {
      expect(await valueOf(session, view, expression)).toBe('undefined');
    }
    const callFrameId = framesOf(view)[0]?.callFrameId ?? '';
    for (const expression of ['require("node:fs")', '[].constructor.constructor("return process")()', 'import("fs")']) {
      const told = await session.send('Debugger.evaluateOnCallFrame', {
        callFrameId,
        expression,
        throwOnSideEffect: false,
      });
      expect(JSON.stringify(told)).toMatch(/"className":"(?:ReferenceError|EvalError|Promise)"|not available/);
    }
    const { result } = await session.send('Runtime.evaluate', { expression: 'typeof process' });
    expect(result).toMatchObject({ value: 'undefined' });
    await session.close();
  });
});

describe('what is refused', () => {
  it.each([
    ['Runtime.compileScript', {}],
    ['Debugger.setScriptSource', { scriptId: '1', scriptSource: '' }],
    ['Debugger.setVariableValue', {}],
    ['HeapProfiler.takeHeapSnapshot', {}],
    ['NodeWorker.enable', {}],
    ['Target.attachToTarget', {}],
    ['Debugger.getScriptSource', { scriptId: '1' }],
    ['Debugger.setBreakpointByUrl', { lineNumber: -1 }],
    ['Debugger.evaluateOnCallFrame', { callFrameId: 'x', expression: '1' }],
    ['Debugger.evaluateOnCallFrame', { expression: 'x'.repeat(20_000) }],
    ['Ratchet.pauseAtStep', { path: '../1' }],
    ['constructor', {}],
  ])('the method %s', async (method, params) => {
    await using session = await opened();
    await session.view();
    await expect(session.send(method, params)).rejects.toMatchObject({ code: 'debug_method_refused' });
    await session.close();
  });

  it('going on while it is not paused', async () => {
    await using session = await opened();
    await session.go('Debugger.resume');
    await expect(session.send('Debugger.stepOver')).rejects.toMatchObject({ code: 'debug_not_paused' });
    await session.close();
  });

  it('an execution that is unknown or runs, a session that is unknown or somebody else’s, and more sessions than may be', async () => {
    const open = (id: string) => debugging().open({ executionId: id, attempt: null, breakpoints: [] }, LOCAL_ADMIN);
    await expect(open('nowhere')).rejects.toMatchObject({ code: 'execution_not_found' });
    await expect(debugging().close('nowhere', LOCAL_ADMIN)).rejects.toMatchObject({ code: 'debug_session_not_found' });
    const other: Principal = { ...LOCAL_ADMIN, id: 'key:other', permissions: new Set(['read_traces']) };
    await using first = await opened([], other);
    await using second = await opened([], other);
    await expect(opened([], other)).rejects.toMatchObject({ code: 'debug_session_limit' });
    const foreign: Principal = { ...other, id: 'key:third' };
    expect(debugging().sessions(foreign)).toEqual([]);
    await expect(debugging().close(first.sessionId, foreign)).rejects.toMatchObject({
      code: 'debug_session_not_found',
    });
    await Promise.all([first.close(), second.close()]);
    expect(debugging().sessions(LOCAL_ADMIN)).toEqual([]);
  });
});

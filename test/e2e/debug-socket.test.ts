/** A front end attaches over WebSocket and speaks the DevTools protocol with a recorded run. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import {
  type Answer,
  call,
  eventually,
  type Home,
  openHome,
  type ServerProcess,
  startServerProcess,
} from '../support/server.ts';

const CODE = 'function main(input) {\n  const doubled = input.n * 2;\n  return { doubled };\n}';

let home: Home;
let server: ServerProcess;
let executionId: string;
beforeAll(async () => {
  home = openHome();
  server = await startServerProcess(home);
  await post('/tasks', { name: 'double', code: CODE });
  const { body } = await post('/tasks/execute', { task_id: 'double', input: { n: 21 } });
  executionId = String(body['execution_id']);
});
afterAll(async () => {
  await server.stop();
  home[Symbol.dispose]();
});

const post = (path: string, body: object): Promise<Answer> => call(server.url, 'POST', `/api/v1${path}`, body);

async function openSession(): Promise<string> {
  const { status, body } = await post('/debug/sessions', { execution_id: executionId });
  expect([status, body['state']]).toEqual([201, 'paused']);
  return String(body['websocket']);
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly code: number; readonly message: string };
}

interface Frame {
  readonly callFrameId: string;
  readonly location: { readonly lineNumber: number };
}

const framesOf = ({ params }: Message) => (params?.['callFrames'] ?? []) as readonly Frame[];

async function attach(path: string, headers: Record<string, string> = {}) {
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}${path}`, { headers });
  const heard: Message[] = [];
  socket.on('message', (data: Buffer) => heard.push(JSON.parse(data.toString())));
  const closed = new Promise<number>((resolve) => socket.on('close', resolve));
  await new Promise<void>((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
  });
  let id = 0;
  return {
    socket,
    heard,
    closed,
    send: async (method: string, params: object = {}) => {
      id += 1;
      const asked = id;
      socket.send(JSON.stringify({ id: asked, method, params }));
      return eventually(`an answer to ${method}`, () => heard.find((message) => message.id === asked));
    },
    event: (method: string) => eventually(method, () => heard.findLast((message) => message.method === method)),
  };
}

it('enables, sees script and stop, reads a variable, steps, resumes to the end', async () => {
  const path = await openSession();
  const front = await attach(path);
  expect(await front.send('Runtime.enable')).toMatchObject({ result: {} });
  expect(await front.send('Network.enable')).toMatchObject({ error: { code: -32601 } });
  await front.send('Debugger.enable');
  const script = await front.event('Debugger.scriptParsed');
  expect(script.params).toMatchObject({ url: 'double/main.js' });
  const { result: source } = await front.send('Debugger.getScriptSource', { scriptId: script.params?.['scriptId'] });
  expect(source?.['scriptSource']).toContain('const doubled');
  const paused = await front.event('Debugger.paused');
  expect(framesOf(paused)[0]?.location.lineNumber).toBe(1);
  await front.send('Debugger.stepOver');
  const second = await eventually('the next stop', () =>
    front.heard.filter(({ method }) => method === 'Debugger.paused').at(1),
  );
  const [there] = framesOf(second);
  const evaluated = await front.send('Debugger.evaluateOnCallFrame', {
    callFrameId: there?.callFrameId,
    expression: 'doubled',
  });
  expect(evaluated.result).toMatchObject({ result: { type: 'number', value: 42 } });
  await front.send('Debugger.resume');
  expect((await front.event('Ratchet.ended')).params).toEqual({ result: 'returned', message: null });
  await call(server.url, 'DELETE', path.replace('/socket', ''));
  await front.event('Inspector.detached');
  front.socket.close();
});

it('is told what is wrong with a message, and goes on', async () => {
  const path = await openSession();
  const front = await attach(path);
  front.socket.send('rubbish');
  await eventually('an error', () => front.heard.find(({ error }) => error?.code === -32700));
  expect(await front.send('Runtime.compileScript', { expression: '1' })).toMatchObject({ error: { code: -32601 } });
  expect(await front.send('Debugger.evaluateOnCallFrame', { callFrameId: 'x', expression: '1' })).toMatchObject({
    error: { message: expect.stringContaining('debug_method_refused') },
  });
  front.socket.send(Buffer.from([1, 2, 3]), { binary: true });
  expect(await front.closed).toBe(1003);
  await call(server.url, 'DELETE', path.replace('/socket', ''));
});

it('is cut off when a message is too large', async () => {
  const path = await openSession();
  const front = await attach(path);
  front.socket.send(JSON.stringify({ id: 1, method: 'Runtime.enable', params: { text: 'x'.repeat(2 * 1024 * 1024) } }));
  expect(await front.closed).toBe(1009);
  await call(server.url, 'DELETE', path.replace('/socket', ''));
});

it('from a page of another origin, or to a session that is not there, is refused before the upgrade', async () => {
  const path = await openSession();
  await expect(attach(path, { origin: 'https://evil.example' })).rejects.toThrow(/403/);
  await expect(attach('/api/v1/debug/sessions/nowhere/socket')).rejects.toThrow(/404/);
  const plain = await call(server.url, 'GET', path);
  expect([plain.status, plain.body['code']]).toEqual([400, 'invalid_request']);
  await call(server.url, 'DELETE', path.replace('/socket', ''));
});

it('a server that is asked to stop ends open sessions and their sockets', async () => {
  using other = openHome();
  const small = await startServerProcess(other);
  await call(small.url, 'POST', '/api/v1/tasks', { name: 'double', code: CODE });
  const { body } = await call(small.url, 'POST', '/api/v1/tasks/execute', { task_id: 'double', input: { n: 1 } });
  const opened = await call(small.url, 'POST', '/api/v1/debug/sessions', { execution_id: body['execution_id'] });
  const socket = new WebSocket(`${small.url.replace('http', 'ws')}${String(opened.body['websocket'])}`);
  const closed = new Promise((resolve) => socket.on('close', resolve));
  await new Promise((resolve) => socket.once('open', resolve));
  expect(await small.stop()).toBe(0);
  await closed;
});

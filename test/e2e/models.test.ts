import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { fileURLToPath } from 'node:url';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { openTestApp, type TestApp } from '../support/app.ts';

const KEY = 'sk-canary-0123456789';
const TOOL_SERVER = fileURLToPath(new URL('../support/mcp-tool-server.mjs', import.meta.url));

/** What came to the doubles, in order. */
interface Seen {
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Readonly<Record<string, unknown>>;
}

let app: TestApp;
let outside: Server;
let url: string;
const seen: Seen[] = [];

async function bodyOf(request: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text === '' ? {} : z.record(z.string(), z.unknown()).parse(JSON.parse(text));
}

function chat(body: Readonly<Record<string, unknown>>): { readonly status: number; readonly answer: object } {
  if (body['model'] === 'busy') return { status: 429, answer: { error: { message: 'slow down' } } };
  if (body['model'] === 'echo') return { status: 401, answer: { error: { message: `wrong key: Bearer ${KEY}` } } };
  if (body['model'] === 'broken') return { status: 200, answer: { nothing: true } };
  const message = { role: 'assistant', content: `I am ${String(body['model'])}` };
  return {
    status: 200,
    answer: { model: 'big-1', choices: [{ message, finish_reason: 'stop' }], usage: { total_tokens: 7 } },
  };
}

async function answerAs(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await bodyOf(request);
  const path = request.url ?? '';
  seen.push({ path, headers: request.headers, body });
  if (path === '/v1/chat/completions') {
    const { status, answer } = chat(body);
    response.writeHead(status, { 'content-type': 'application/json', 'retry-after': '9' }).end(JSON.stringify(answer));
    return;
  }
  if (path === '/elsewhere') return void response.writeHead(302, { location: '/mcp' }).end();
  const server = new McpServer({ name: 'remote', version: '1.0.0' });
  server.registerTool('shout', { inputSchema: { text: z.string() } }, ({ text }) => ({
    content: [{ type: 'text', text: text.toUpperCase() }],
  }));
  server.registerTool('wait', {}, () => new Promise(() => undefined));
  const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true });
  await server.connect(transport);
  await transport.handleRequest(request, response, body);
}

beforeAll(async () => {
  outside = createServer((request, response) => void answerAs(request, response));
  await new Promise<void>((resolve) => outside.listen(0, '127.0.0.1', resolve));
  const address = outside.address();
  url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
  const common = { command: null, args: [], env: {}, headers: {}, url: null, timeoutMs: 5_000 };
  app = await openTestApp({
    models: {
      mcp: {
        connections: 2,
        servers: [
          { ...common, name: 'remote', url: `${url}/mcp`, headers: { authorization: `Bearer ${KEY}` } },
          { ...common, name: 'local', command: process.execPath, args: [TOOL_SERVER], env: { TOOL_SECRET: KEY } },
          { ...common, name: 'slow', url: `${url}/mcp`, timeoutMs: 300 },
          { ...common, name: 'moved', url: `${url}/elsewhere`, headers: { authorization: `Bearer ${KEY}` } },
          { ...common, name: 'away', url: 'http://127.0.0.1:9/mcp' },
        ],
      },
      llm: { baseUrl: `${url}/v1/`, apiKey: KEY, model: 'standard', timeoutMs: 5_000 },
    },
  });
  await app.task('caller', 'async function main({ server, tool, args }) { return mcp.call(server, tool, args); }');
  await app.task('asker', 'async function main(request) { return llm.complete(request); }');
  await app.task(
    'catcher',
    'async function main({ call, args }) { try { return await (call === "mcp" ? mcp.call(...args) : llm.complete(...args)); } catch (error) { return { name: error.name, message: error.message, code: error.code, retryAfter: error.retryAfter ?? null }; } }',
  );
});

afterAll(async () => {
  await app[Symbol.asyncDispose]();
  outside.closeAllConnections();
  await new Promise((resolve) => outside.close(resolve));
});

describe('a task', () => {
  it('calls a tool of a server on HTTP, under its own span and a key that is the same in every attempt', async () => {
    const ran = await app.run('caller', { server: 'remote', tool: 'shout', args: { text: 'hear me' } });
    expect(ran['output']).toEqual({
      text: 'HEAR ME',
      structured: null,
      content: [{ type: 'text', text: 'HEAR ME' }],
    });
    const call = seen.findLast(({ body }) => body['method'] === 'tools/call');
    expect(call?.headers.authorization).toBe(`Bearer ${KEY}`);
    expect(call?.body['params']).toMatchObject({
      _meta: { traceparent: expect.stringMatching(/^00-/), 'ratchet/idempotencyKey': expect.any(String) },
    });
  });

  it('calls a tool of a server that is a program, which sees the environment it was given and no more, and whose secrets are told to nobody', async () => {
    const ran = await app.run('caller', { server: 'local', tool: 'add', args: { a: 2, b: 3 } });
    expect(ran['output']).toMatchObject({ text: '5', structured: { sum: 5, secret: '***', path: null } });
  });

  it('completes a conversation with the configured model, or with one that it names', async () => {
    const messages = [{ role: 'user', content: 'Who are you?' }];
    const ran = await app.run('asker', { messages });
    expect(ran['output']).toMatchObject({ text: 'I am standard', model: 'big-1', finish_reason: 'stop' });
    expect(seen.at(-1)?.headers.authorization).toBe(`Bearer ${KEY}`);
    const named = await app.run('asker', { messages, model: 'small', temperature: 0 });
    expect(named['output']).toMatchObject({ text: 'I am small' });
    expect(seen.at(-1)?.body).toMatchObject({ model: 'small', temperature: 0 });
  });

  const refusals: readonly [string, unknown, object][] = [
    ['a tool that says no', ['mcp', ['local', 'refuse']], { name: 'DataError', message: 'local refuse: not today' }],
    ['a tool that is none', ['mcp', ['remote', 'nothing']], { name: 'DataError' }],
    [
      'a server that is none',
      ['mcp', ['nowhere', 'x']],
      { name: 'ConfigurationError', message: expect.stringContaining('configured: remote, local') },
    ],
    ['a server that is not there', ['mcp', ['away', 'x']], { name: 'NetworkError', code: 'network' }],
    ['a server that redirects', ['mcp', ['moved', 'x']], { name: 'NetworkError' }],
    ['a tool that takes too long', ['mcp', ['slow', 'wait']], { name: 'TimeoutError', code: 'timeout' }],
    [
      'a model that is busy',
      ['llm', [{ messages: [{ role: 'user' }], model: 'busy' }]],
      { name: 'RateLimitError', retryAfter: 9 },
    ],
    [
      'a model that repeats the key',
      ['llm', [{ messages: [{ role: 'user' }], model: 'echo' }]],
      { name: 'AuthenticationError', message: expect.stringContaining('wrong key: Bearer ***') },
    ],
    [
      'a model that answers rubbish',
      ['llm', [{ messages: [{ role: 'user' }], model: 'broken' }]],
      { name: 'NetworkError' },
    ],
    [
      'a request without messages',
      ['llm', [{ prompt: 'hi' }]],
      { name: 'ValidationError', message: expect.stringContaining('messages') },
    ],
  ];
  it.each(refusals)('catches the error of %s', async (_, given, expected) => {
    const [call, args] = z.tuple([z.string(), z.array(z.unknown())]).parse(given);
    const ran = await app.run('catcher', { call, args });
    expect(ran['output']).toMatchObject(expected);
  });

  it('whose server dies during a call is told so, and the next call starts it anew', async () => {
    const died = await app.run('catcher', { call: 'mcp', args: ['local', 'die'] });
    expect(died['output']).toMatchObject({ name: 'NetworkError' });
    const again = await app.run('caller', { server: 'local', tool: 'add', args: { a: 1, b: 1 } });
    expect(again['output']).toMatchObject({ text: '2' });
  });
});

it('a replay takes the recorded answers and calls nobody', async () => {
  const ran = await app.run('asker', { messages: [{ role: 'user', content: 'again?' }] });
  const tool = await app.run('caller', { server: 'remote', tool: 'shout', args: { text: 'once' } });

  const before = seen.length;
  for (const { execution_id } of [ran, tool]) {
    const replayed = await app.call('replay_execution', { execution_id });
    expect(replayed).toMatchObject({ identical: true, steps: 1 });
  }
  expect(seen.slice(before)).toEqual([]);
});

it('keys of servers and models are in no event', async () => {
  const { events } = await app.call('list_events', { limit: 1_000 });
  const told = JSON.stringify(events);
  expect(told).not.toContain(KEY);
});

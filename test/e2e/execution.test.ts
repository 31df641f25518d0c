/** What tasks may do and how far they may go: schemas, limits, payloads, files, secrets, traces, subtasks, many at once. */
import { createHmac } from 'node:crypto';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { START } from '../../src/domain/event.ts';
import { openTestApp, TEST_SETTINGS, type TestApp } from '../support/app.ts';
import { startCapture } from '../support/capture.ts';
import { type HttpApi, startHttpApi } from '../support/http-api.ts';
import { replayed } from '../support/replayed.ts';

const TOKEN = 'swordfish/41+x=';
const LIMITS = { ...TEST_SETTINGS.limits, maxOutputBytes: 2 * 1024 * 1024, maxLogLines: 500, maxSteps: 2_000 };

let app: TestApp;
let api: HttpApi;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ratchet-execution-'));
  await mkdir(join(folder, 'inside'));
  await writeFile(join(folder, 'inside', 'a.txt'), 'content of a');
  await writeFile(join(folder, 'outside.txt'), 'not for tasks');
  await symlink(join(folder, 'outside.txt'), join(folder, 'inside', 'link.txt'));
  api = await startHttpApi();
  app = await openTestApp({
    workers: 4,
    warmWorkers: 2,
    limits: LIMITS,
    fileRoots: [join(folder, 'inside')],
    secrets: {
      token: { value: TOKEN, allowedHosts: ['127.0.0.1'] },
      elsewhere: { value: 'only-for-example', allowedHosts: ['api.example.com'] },
    },
  });
});

afterAll(async () => {
  await app[Symbol.asyncDispose]();
  await api.close();
  await rm(folder, { recursive: true, force: true });
});

let named = 0;
/** Creates a task of this code, runs it to its end, and replays it unless it was ended from outside. */
async function ran(code: string, input: unknown = {}, more: object = {}, isKilled = false) {
  named += 1;
  const name = `task-${named}`;
  await app.task(name, code);
  const result = await app.run(name, input, more);
  if (!isKilled) await replayed(app, result['execution_id']);
  return result;
}

async function countRequested(): Promise<number> {
  const page = await app.app.store.readAll(START, { types: ['ExecutionRequested'] }, 100_000);
  return page.events.length;
}

/** All that is stored about an execution, as text. */
async function storedText(executionId: unknown): Promise<string> {
  return JSON.stringify(await app.call('list_execution_events', { execution_id: executionId }));
}

describe('schemas', () => {
  const input_schema = {
    type: 'object',
    properties: { items: { type: 'array', items: { type: 'object', properties: { n: { type: 'integer' } } } } },
  };

  test('input against the schema is refused by path, and nothing is stored', async () => {
    await app.task('with-schema', 'function main({ items }) { return items.length; }', { input_schema });
    const before = await countRequested();
    await expect(app.run('with-schema', { items: [{ n: 1 }, { n: 'two' }] })).rejects.toMatchObject({
      code: 'input_schema_violation',
      details: { path: '/items/1/n' },
    });
    expect(await countRequested()).toBe(before);
    expect(await app.run('with-schema', { items: [{ n: 1 }] })).toMatchObject({ output: 1 });
  });

  test('output against the schema fails the execution by path, and still replays', async () => {
    const output_schema = { type: 'object', properties: { list: { type: 'array', items: { type: 'string' } } } };
    await app.task('bad-output', 'function main() { return { list: ["a", 2] }; }', { output_schema });
    const result = await app.run('bad-output');
    expect(result).toMatchObject({
      status: 'failed',
      output: null,
      error: { code: 'output_schema_violation', error_type: 'ValidationError', data: { path: '/list/1' } },
    });
    await replayed(app, result['execution_id']);
  });
});

describe('limits', () => {
  test.each([
    ['a busy loop', 'function main() { for (;;); }', 'execution_timeout'],
    ['a loop of microtasks', 'async function main() { for (;;) await null; }', 'execution_timeout'],
    ['a call that never ends', 'function main({ url }) { fetch(url + "/never"); }', 'execution_timeout'],
    [
      'a heap that grows',
      'function main() { const a = []; for (;;) a.push(new Array(1e5).fill(1.5)); }',
      'memory_limit_exceeded',
    ],
    [
      'buffers that grow',
      'function main() { const a = []; for (;;) a.push(new Uint8Array(1e7).fill(1)); }',
      'memory_limit_exceeded',
    ],
    ['output that is too large', 'function main() { return "x".repeat(3e6); }', 'output_too_large'],
    ['a flood of log lines', 'function main() { for (;;) console.log("again"); }', 'log_limit_exceeded'],
    ['a flood of steps', 'function main() { for (;;) sleep(0); }', 'step_limit_exceeded'],
    ['a promise that nobody settles', 'async function main() { await new Promise(() => {}); }', 'task_stalled'],
  ])('%s ends with its code, and the server goes on', async (_, code, expected) => {
    const timeout = expected === 'execution_timeout' ? 0.3 : 20;
    const result = await ran(code, { url: api.url }, { timeout }, true);
    expect(result).toMatchObject({ status: 'failed', error: { code: expected } });
    expect(await ran('function main() { return "alive"; }')).toMatchObject({ output: 'alive' });
  });

  test('a body that is too large is a typed error that the task can catch', async () => {
    await using server = await startCapture(() => ({ status: 200, body: 'x'.repeat(11 * 1024 * 1024) }));
    const code = `function main(url) { try { fetch(url); } catch (error) { return [error.name, error.code, error instanceof DataError]; } }`;
    expect(await ran(code, server.url)).toMatchObject({ output: ['DataError', 'body_too_large', true] });
  });
});

describe('payloads above 128 KiB', () => {
  test('inputs, outputs, bodies, files and code come back whole, as blobs', async () => {
    await writeFile(join(folder, 'inside', 'large.txt'), 'f'.repeat(400_000));
    await using server = await startCapture(({ body }) => ({
      status: 200,
      body: JSON.stringify({ got: body.length, echo: body }),
    }));
    const code = `// ${'c'.repeat(200_000)}
      function main({ url, text, file }) {
        const { body } = fetch(url, { method: 'POST', body: text + '!' });
        return { got: body.got, echo: body.echo, file: readFile(file).length, text };
      }`;
    const text = 'ä'.repeat(300_000);
    const result = await ran(code, { url: server.url, text, file: join(folder, 'inside', 'large.txt') });
    const output = { got: 300_001, echo: `${text}!`, file: 400_000, text };
    expect(result['output']).toEqual(output);
    const { execution_id } = result;
    expect(await app.call('get_execution_status', { execution_id })).toMatchObject({ input: { text }, output });
    const { steps } = (await app.call('list_steps', { execution_id })) as { steps: Record<string, unknown>[] };
    expect(steps[0]).toMatchObject({ request: { body: `${text}!` }, outcome: { ok: true } });
    expect((await storedText(execution_id)).length).toBeLessThan(50_000);
  });
});

describe('idempotency keys', () => {
  test('the same key with the same body is the same execution, with another body it is an error', async () => {
    await app.task('keyed', 'function main({ n }) { return [n, Math.random()]; }');
    const idempotency_key = 'order-7';
    const first = await app.run('keyed', { n: 1 }, { idempotency_key });
    const again = await app.run('keyed', { n: 1 }, { idempotency_key });
    expect(again).toMatchObject({ execution_id: first['execution_id'], output: first['output'] });
    const before = await countRequested();
    await expect(app.run('keyed', { n: 2 }, { idempotency_key })).rejects.toMatchObject({
      code: 'idempotency_mismatch',
    });
    expect(await countRequested()).toBe(before);
  });

  test('many at the same time with one key run once', async () => {
    const run = () => app.run('keyed', { n: 3 }, { idempotency_key: 'at-once' });
    const results = await Promise.all(Array.from({ length: 20 }, run));
    expect(new Set(results.map((result) => JSON.stringify(result['output']))).size).toBe(1);
    const { events } = await app.app.store.readAll(START, { types: ['ExecutionRequested'] }, 100_000);
    expect(events.filter((event) => event.stream.endsWith(String(results[0]?.['execution_id'])))).toHaveLength(1);
  });
});

describe('files', () => {
  test('are read within the roots, in both styles', async () => {
    const path = join(folder, 'inside', 'a.txt');
    expect(await ran('function main(path) { return readFile(path); }', path)).toMatchObject({ output: 'content of a' });
    const base64 = Buffer.from('content of a').toString('base64');
    expect(await ran('async function main(path) { return await readFile(path, "base64"); }', path)).toMatchObject({
      output: base64,
    });
  });

  test.each(['outside.txt', 'inside/../outside.txt', 'inside/link.txt'])('are refused outside: %s', async (path) => {
    const result = await ran('function main(path) { return readFile(path); }', join(folder, path));
    expect(result['error']).toMatchObject({ error_type: 'ConfigurationError', data: { code: 'file_refused' } });
    expect(await storedText(result['execution_id'])).not.toContain('not for tasks');
  });
});

describe('secrets', () => {
  test('reach their host in URL, headers, body and Basic credentials; everything kept shows the placeholder', async () => {
    await using server = await startCapture();
    const code = `function main(url) {
      const token = secret('token');
      console.log('using ' + token);
      const headers = { authorization: 'Bearer ' + token, 'x-basic': 'no' };
      const { body } = fetch(url + '/' + encodeURIComponent('a') + '?key=' + token, { method: 'POST', headers, body: 'with ' + token });
      fetch(url, { headers: { authorization: 'Basic ' + btoa('user:' + token) } });
      return body;
    }`;
    const result = await ran(code, server.url);
    const [first, second] = server.requests;
    expect(first).toMatchObject({ body: `with ${TOKEN}`, headers: { authorization: `Bearer ${TOKEN}` } });
    expect(decodeURIComponent(first?.url ?? '')).toContain(TOKEN);
    expect(second?.headers.authorization).toBe(`Basic ${Buffer.from(`user:${TOKEN}`).toString('base64')}`);
    expect(result['output']).toMatchObject({
      body: 'with {{secret:token}}',
      headers: { authorization: 'Bearer {{secret:token}}' },
    });
    const kept = (await storedText(result['execution_id'])) + JSON.stringify(result);
    expect(kept).toContain('{{secret:token}}');
    for (const form of [TOKEN, encodeURIComponent(TOKEN), Buffer.from(TOKEN).toString('base64')]) {
      expect(kept).not.toContain(form);
    }
  });

  test('are not found by the Basic credentials that a server echoes', async () => {
    await using server = await startCapture();
    const code = `function main(url) { return fetch(url, { headers: { authorization: 'Basic ' + btoa('user:' + secret('token')) } }).body; }`;
    const result = await ran(code, server.url);
    const sent = server.requests[0]?.headers.authorization ?? '';
    expect(sent).toContain('Basic ');
    expect((await storedText(result['execution_id'])) + JSON.stringify(result)).not.toContain(
      sent.slice('Basic '.length),
    );
  });

  test('are refused for another host, and for names that do not exist, before anything is sent', async () => {
    await using server = await startCapture();
    for (const name of ['elsewhere', 'nowhere']) {
      const code = `function main(url) { fetch(url, { headers: { authorization: secret('${name}') } }); }`;
      const { error } = await ran(code, server.url);
      expect(error).toMatchObject({ error_type: 'ConfigurationError', data: { code: 'secret_unavailable' } });
    }
    expect(server.requests).toHaveLength(0);
  });

  test('sign without being seen', async () => {
    const code = `function main() { return [hmac('token', 'data'), hmac('token', 'data', { algorithm: 'sha512', encoding: 'base64' })]; }`;
    const { output } = await ran(code);
    expect(output).toEqual([
      createHmac('sha256', TOKEN).update('data').digest('hex'),
      createHmac('sha512', TOKEN).update('data').digest('base64'),
    ]);
  });
});

describe('trace context', () => {
  test('of the client goes on through spans, requests and subtasks', async () => {
    await using server = await startCapture();
    const [traceId, spanId] = ['4bf92f3577b34da6a3ce929d0e0e4736', '00f067aa0ba902b7'];
    await app.task('traced-child', 'function main(url) { return fetch(url).status; }');
    await app.task(
      'traced',
      `function main(url) { span('work', () => fetch(url + '/own')); return runTask('traced-child', url + '/child'); }`,
    );
    const traceparent = `00-${traceId}-${spanId}-01`;
    const result = await app.call('execute_task', { task_id: 'traced', input: server.url }, { traceparent });
    await replayed(app, result['execution_id']);

    const { trace } = (await app.call('get_execution_trace', {
      execution_id: result['execution_id'],
    })) as unknown as Traced;
    expect(trace).toMatchObject({ trace_id: traceId, spans: [{ kind: 'execution', parent_span_id: spanId }] });
    const http = flat(trace.spans).find((span) => span.kind === 'step' && span.name.startsWith('GET'));
    expect(server.requests[0]?.headers['traceparent']).toBe(`00-${traceId}-${http?.span_id}-01`);

    const step = flat(trace.spans).find((span) => span.kind === 'step' && span.name === 'traced-child');
    const { executions } = (await app.call('list_executions', { parent_id: result['execution_id'] })) as {
      executions: { execution_id: string }[];
    };
    const below = (await app.call('get_execution_trace', {
      execution_id: executions[0]?.execution_id,
    })) as unknown as Traced;
    expect(below.trace).toMatchObject({ trace_id: traceId, spans: [{ parent_span_id: step?.span_id }] });
    expect(server.requests[1]?.headers['traceparent']).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`));
  });
});

interface Span {
  readonly span_id: string;
  readonly kind: string;
  readonly name: string;
  readonly children: readonly Span[];
}
interface Traced {
  readonly trace: { readonly trace_id: string; readonly spans: readonly Span[] };
}

function flat(spans: readonly Span[]): readonly Span[] {
  return spans.flatMap((span) => [span, ...flat(span.children)]);
}

describe('subtasks', () => {
  test('hand their output up, level by level', async () => {
    await app.task(
      'nest',
      'async function main(n) { return n === 0 ? ["end"] : [n, ...await runTask("nest", n - 1)]; }',
    );
    const result = await app.run('nest', 5);
    expect(result['output']).toEqual([5, 4, 3, 2, 1, 'end']);
    await replayed(app, result['execution_id']);
  });

  test('hand their error up as what it was', async () => {
    await app.task('fails', 'function main(name) { const e = new RateLimitError("slow down"); e.after = 7; throw e; }');
    const code = `function main() {
      try { runTask('fails', {}); } catch (error) { return [error instanceof RateLimitError, error.name, error.message, error.after]; }
    }`;
    expect(await ran(code)).toMatchObject({ output: [true, 'RateLimitError', 'slow down', 7] });
    const uncaught = await ran('async function main() { await runTask("fails", {}); }');
    expect(uncaught['error']).toMatchObject({ error_type: 'RateLimitError', recoverable: true });
  });

  test('that do not exist, or whose input does not fit, fail with an error that says so', async () => {
    await app.task('strict', 'function main() {}', { input_schema: { type: 'string' } });
    const code = `async function main() {
      const told = async (name, input) => { try { await runTask(name, input); } catch (error) { return [error.name, error.code]; } };
      return [await told('nowhere', {}), await told('strict', 1)];
    }`;
    expect((await ran(code))['output']).toEqual([
      ['ConfigurationError', 'task_not_found'],
      ['ValidationError', 'input_schema_violation'],
    ]);
  });
});

test('200 executions of mixed tasks at once on 4 workers end as they should, and replay the same', async () => {
  const tasks: Record<string, { code: string; input: unknown; expected: object }> = {
    nothing: { code: 'function main(i) { return i; }', input: 1, expected: { output: 1 } },
    blocking: {
      code: 'function main(url) { return fetch(url + "/json").body.items; }',
      input: api.url,
      expected: { output: [1, 2, 3] },
    },
    together: {
      code: 'async function main(url) { return (await Promise.all([3, 1, 2].map((ms) => fetch(url + "/slow?ms=" + ms)))).map((a) => a.status); }',
      input: api.url,
      expected: { output: [200, 200, 200] },
    },
    timers: {
      code: 'async function main() { await sleep(5); await new Promise((r) => setTimeout(r, 5)); return "ok"; }',
      input: 0,
      expected: { output: 'ok' },
    },
    fails: {
      code: 'function main() { console.error("no"); throw new DataError("no"); }',
      input: 0,
      expected: { status: 'failed', error: { error_type: 'DataError' } },
    },
    parent: { code: 'function main(i) { return runTask("mixed-nothing", i); }', input: [1], expected: { output: [1] } },
    loud: {
      code: 'function main() { for (let i = 0; i < 50; i++) console.log("line", i); return Math.random() < 2; }',
      input: 0,
      expected: { output: true },
    },
  };
  for (const [name, { code }] of Object.entries(tasks)) await app.task(`mixed-${name}`, code);
  const all = Array.from({ length: 200 }, (_, index) => Object.entries(tasks)[index % Object.keys(tasks).length]);
  const ids = await Promise.all(
    all.map(async (entry) => {
      if (entry === undefined) throw new Error('no task');
      const [name, { input, expected }] = entry;
      const result = await app.run(`mixed-${name}`, input);
      expect(result).toMatchObject({ status: 'completed', ...expected });
      return result['execution_id'];
    }),
  );
  expect(new Set(ids).size).toBe(200);
  for (const id of ids) await replayed(app, id);
  expect((await app.app.health()).executions).toMatchObject({ pending: 0, running: 0, here: 0 });
});

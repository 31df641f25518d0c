/** What is told about the time of real executions: analysis, flamegraphs, and the page. */
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Document } from '../../src/domain/document.ts';
import type { SpeedscopeFile } from '../../src/domain/speedscope.ts';
import { openTestApp, type TestApp } from '../support/app.ts';
import { type HttpApi, startHttpApi } from '../support/http-api.ts';
import { type Served, serveTestApp } from '../support/served.ts';
import { eventually } from '../support/server.ts';

let app: TestApp;
let api: HttpApi;
let served: Served;
beforeAll(async () => {
  api = await startHttpApi();
  app = await openTestApp();
  served = await serveTestApp(app);
});
afterAll(async () => {
  await served.close();
  await app[Symbol.asyncDispose]();
  await api.close();
});

interface Trace {
  readonly trace: {
    readonly spans: readonly {
      readonly span_id: string;
      readonly children: readonly { span_id: string; name: string }[];
    }[];
    readonly critical_path: readonly {
      span_id: string | null;
      name: string;
      start_time: string;
      duration_ms: number;
    }[];
    readonly bottlenecks: readonly { kind: string; span_ids: readonly string[]; count: number; message: string }[];
  };
  readonly insights: readonly { message: string; span_ids: readonly string[] }[];
  readonly visualization_url: string;
}
const traceOf = async (execution_id: unknown, more: object = {}) =>
  (await app.call('get_execution_trace', { execution_id, ...more })) as unknown as Trace;

const SHOP = `async function main(url) {
  for (const id of [1, 2, 3, 4]) await fetch(url + '/slow/' + id + '?ms=12');
  await Promise.all([fetch(url + '/slow?ms=40'), fetch(url + '/json')]);
  await span('pricing', async () => { await sleep(30); });
  return 'done';
}`;

describe('a trace', () => {
  let executionId: unknown;
  beforeAll(async () => {
    await app.task('shop', SHOP);
    executionId = (await app.run('shop', api.url))['execution_id'];
  });

  test('tells which spans fixed the end, from the start to the end', async () => {
    const { trace } = await traceOf(executionId);
    const [root] = trace.spans;
    const names = trace.critical_path.map(({ name }) => name);
    expect(names).toContain(`GET ${api.url}/slow`);
    expect(names).not.toContain(`GET ${api.url}/json`);
    const sum = trace.critical_path.reduce((total, { duration_ms }) => total + duration_ms, 0);
    expect(root).toMatchObject({ duration_ms: sum });
  });

  test('tells repeated calls, and what follows, with the spans that prove it', async () => {
    const { trace, insights } = await traceOf(executionId);
    const ids = new Set(trace.spans[0]?.children.map(({ span_id }) => span_id));
    const repeated = trace.bottlenecks.find(({ kind }) => kind === 'repeated_calls');
    expect(repeated).toMatchObject({ count: 4, message: expect.stringContaining(`GET ${api.url}/slow/{id}?ms`) });
    expect(repeated?.span_ids.every((id) => ids.has(id))).toBe(true);
    expect(insights.map(({ message }) => message).join('\n')).toMatch(
      /6 calls to 127\.0\.0\.1[\s\S]*4 reading calls ran one after another/,
    );
  });

  test('keeps its form of before, with or without the analysis and HTTP spans', async () => {
    const without = await traceOf(executionId, { analysis: 'false' });
    expect(Object.keys(without)).toEqual(['execution_id', 'status', 'trace', 'visualization_url']);
    expect(Object.keys(without.trace)).toEqual(['trace_id', 'spans']);
    expect(without.visualization_url).toBe(`/traces/${String(executionId)}/visualize`);
    const quiet = await traceOf(executionId, { include_http_calls: false });
    expect(JSON.stringify(quiet.trace.spans)).not.toContain('http.request.method');
    expect(quiet.trace.bottlenecks.some(({ kind }) => kind === 'repeated_calls')).toBe(true);
  });

  test('is told as flamegraph, folded stacks and speedscope file', async () => {
    const flame = await app.call('get_execution_trace', { execution_id: executionId, format: 'flamegraph' });
    expect(flame).toMatchObject({ name: 'shop', value: expect.any(Number) });
    expect((flame['children'] as readonly { name: string }[]).map(({ name }) => name)).toEqual([
      `GET ${api.url}/slow/{id}?ms`,
      expect.stringContaining('GET'),
      expect.stringContaining('GET'),
      'pricing',
    ]);
    const folded: unknown = await app.call('get_execution_trace', { execution_id: executionId, format: 'folded' });
    expect(folded).toBeInstanceOf(Document);
    expect((folded as Document).body).toMatch(/^(?:shop;.+ \d+|shop \d+)$/m);
    const file = (await traceOf(executionId, { format: 'speedscope' })) as unknown as SpeedscopeFile;
    expect(file.$schema).toBe('https://www.speedscope.app/file-format-schema.json');
    expect(file.profiles.map(({ type }) => type)).toEqual(['evented', 'evented']);
    await expect(traceOf(executionId, { format: 'pdf' })).rejects.toMatchObject({ code: 'invalid_request' });
  });

  test('goes over HTTP with the media type of each form, and lets nothing run', async () => {
    const get = (path: string) => fetch(`${served.url}/api/v1/executions/${String(executionId)}/trace?format=${path}`);
    const types = async (format: string) => (await get(format)).headers.get('content-type');
    expect(await types('json')).toMatch(/^application\/json/);
    expect(await types('speedscope')).toMatch(/^application\/json/);
    expect(await types('folded')).toBe('text/plain; charset=utf-8');
    const svg = await get('svg');
    expect(svg.headers.get('content-type')).toBe('image/svg+xml; charset=utf-8');
    expect(svg.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(svg.headers.get('x-content-type-options')).toBe('nosniff');
    expect(await svg.text()).toMatch(/^<svg [\s\S]*<\/svg>\n$/);
  });
});

test('attempts that failed, and the time between them, are a bottleneck', async () => {
  await app.task('again', 'function main(url) { fetch(url + "/flaky/trace?fails=1"); }');
  const { execution_id } = await app.run('again', api.url, { retry: { max_attempts: 2, initial_ms: 30, jitter: 0 } });
  const { trace } = await traceOf(execution_id);
  expect(trace.bottlenecks).toContainEqual(expect.objectContaining({ kind: 'retries', count: 1 }));
  expect(trace.critical_path).toContainEqual(expect.objectContaining({ span_id: null, name: 'again' }));
});

describe('the page', () => {
  const page = async (executionId: unknown, prefix = '') => {
    const response = await fetch(`${served.url}${prefix}/traces/${String(executionId)}/visualize`);
    return { response, text: await response.text() };
  };

  test('stands alone: no script, no other file, and a policy that allows its own style only', async () => {
    const { execution_id } = await app.run('shop', api.url);
    const { response, text } = await page(execution_id);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
    const policy = response.headers.get('content-security-policy') ?? '';
    const style = /<style>([\s\S]*)<\/style>/.exec(text)?.[1] ?? '';
    expect(policy).toContain(`style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'`);
    expect(policy).toMatch(/^default-src 'none'; /);
    expect(policy).not.toContain('unsafe');
    expect(text).not.toMatch(/<script|<link|<img|<iframe|style=|src=|@import|url\(/);
    expect(text).toContain('<span class="status completed">completed</span>');
    expect(text).toContain('◆');
    expect(text).not.toContain('http-equiv="refresh"');
    for (const found of text.matchAll(/href="([^"#][^"]*)"/g)) {
      for (const prefix of ['', '/api/v1']) {
        const base = `${served.url}${prefix}/traces/${String(execution_id)}/visualize`;
        const linked = await fetch(new URL((found[1] ?? '').replaceAll('&amp;', '&'), base));
        expect([linked.url, linked.status]).toEqual([linked.url, 200]);
        await linked.body?.cancel();
      }
    }
    const anchors = [...text.matchAll(/href="#([^"]+)"/g)].map(([, id]) => id);
    expect(anchors.length).toBeGreaterThan(3);
    for (const id of anchors) expect(text).toContain(`id="${id}"`);
  });

  test('shows what others wrote, and never runs it', async () => {
    const evil = '"><script>alert(1)</script><img src=x onerror=alert(1)>';
    await app.task(
      'evil',
      `async function main({ url, evil }) {
        await span(evil, async () => { await fetch(url + '/json?q=' + evil + '#' + evil); });
        await step(evil, async () => 1);
        throw new DataError(evil);
      }`,
    );
    const { execution_id } = await app.run('evil', { url: api.url, evil });
    const { text } = await page(execution_id, '/api/v1');
    expect(text).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
    expect(text).not.toMatch(/<script|<img/i);
    expect(text).toContain('<section class="error"><h2>DataError (task_failed)</h2>');
    const svg = await fetch(`${served.url}/traces/${String(execution_id)}?format=svg`);
    expect(await svg.text()).not.toMatch(/<script|<img/i);
  });

  test('of a running execution shows what is recorded so far, and loads itself again', async () => {
    await app.task('long', `async function main(url) { await fetch(url + '/json'); await fetch(url + '/never'); }`);
    const { execution_id } = await app.call('create_execution', { task_id: 'long', input: api.url });
    const text = await eventually('the first step is on the page', async () => {
      const shown = await page(execution_id);
      return shown.text.includes('/json') ? shown.text : undefined;
    });
    expect(text).toContain('<span class="status running">running</span>');
    expect(text).toContain('has not ended');
    expect(text).toContain('http-equiv="refresh"');
    await app.call('cancel_execution', { execution_id });
  });

  test('of an execution without spans, and of none, says so', async () => {
    const { execution_id } = await app.call('create_execution', { task_id: 'long', input: '', delay_ms: 60_000 });
    expect((await page(execution_id)).text).toContain('<span class="status pending">pending</span>');
    await app.call('cancel_execution', { execution_id });
    const { response } = await page('nobody');
    expect([response.status, response.headers.get('content-type')]).toEqual([
      404,
      expect.stringContaining('problem+json'),
    ]);
  });
});

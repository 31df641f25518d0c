/** What is said about the time of an execution: own times, critical path, bottlenecks, insights. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { analysisOf } from '../../src/domain/trace-analysis.ts';
import { templateOf } from '../../src/domain/trace-calls.ts';
import { criticalPath } from '../../src/domain/trace-critical-path.ts';
import { durationOf, MAX_SPANS, type TraceSpan, traceTree } from '../../src/domain/trace-tree.ts';
import { http, span, step, T0, traces } from './traced.ts';

const tree = (spans: readonly TraceSpan[]) => traceTree(spans, 'whole');
const analysis = (spans: readonly TraceSpan[]) => analysisOf(tree(spans), { hasEnded: true, wallMs: null });
const messages = (spans: readonly TraceSpan[]) => analysis(spans).insights.map(({ message }) => message);
/** Names and milliseconds from the start. */
const path = (spans: readonly TraceSpan[]) =>
  criticalPath(tree(spans).root).map(({ node, startedAt, endedAt }) => [node.name, startedAt - T0, endedAt - T0]);

describe('own time', () => {
  test('is the duration without the time in which any child ran', () => {
    const { nodes } = tree([
      span('root', null, [0, 100]),
      span('a', 'root', [10, 50]),
      span('b', 'root', [30, 60]),
      span('beyond', 'root', [90, 140]),
    ]);
    expect(Object.fromEntries(nodes.map(({ name, selfMs }) => [name, selfMs]))).toEqual({
      root: 40,
      a: 40,
      b: 30,
      beyond: 50,
    });
  });

  test('sums up to the duration of the root where children do not overlap', () => {
    fc.assert(
      fc.property(traces(true), (spans) => {
        const { root, nodes } = tree(spans);
        expect(nodes).toHaveLength(spans.length);
        expect(nodes.reduce((sum, { selfMs }) => sum + selfMs, 0)).toBe(durationOf(root));
      }),
    );
  });
});

describe('the tree', () => {
  test('of several attempts stands below a whole', () => {
    const { root } = tree([span('a1', null, [0, 10], { ok: false }), span('a2', null, [30, 50])]);
    expect(root).toMatchObject({ id: null, name: 'whole', ok: true, selfMs: 20 });
    expect(root.children.map(({ name }) => name)).toEqual(['a1', 'a2']);
  });

  test('holds what has no parent yet, because the parent still runs', () => {
    const { root } = tree([
      span('early', 'open', [0, 10]),
      span('inner', 'early', [2, 4]),
      span('late', 'open', [10, 30]),
    ]);
    expect(root.children.map(({ name, children }) => [name, children.length])).toEqual([
      ['early', 1],
      ['late', 0],
    ]);
  });

  test('of nothing takes no time', () => {
    expect(analysis([])).toEqual({ durationMs: 0, criticalPath: [], bottlenecks: [], insights: [] });
  });

  test('survives parents that go round in a circle, and deep nesting', () => {
    expect(tree([span('a', 'b', [0, 1]), span('b', 'a', [0, 1])]).nodes).toEqual([]);
    expect(tree([span('self', 'self', [0, 5])]).nodes).toHaveLength(1);
    const deep = Array.from({ length: 5_000 }, (_, n) => span(`d${n}`, n === 0 ? null : `d${n - 1}`, [n, 10_000 - n]));
    expect(tree(deep).nodes).toHaveLength(5_000);
    expect(analysis(deep).criticalPath.length).toBeGreaterThan(100);
  });

  test('keeps the longest spans where there are too many, and says so', () => {
    const many = Array.from({ length: MAX_SPANS + 50 }, (_, n) => span(`m${n}`, 'root', [n, n + 1 + (n % 3)]));
    const spans = [...many, span('root', null, [0, MAX_SPANS + 60])];
    expect(tree(spans)).toMatchObject({ leftOut: 51, root: { name: 'root' } });
    expect(messages(spans).at(-1)).toBe('The 51 shortest spans are not counted.');
  });
});

describe('the critical path', () => {
  test('goes back from the end through the child that ended last', () => {
    expect(
      path([
        span('root', null, [0, 100]),
        span('first', 'root', [5, 40]),
        span('beside', 'root', [10, 30]),
        span('second', 'root', [45, 90]),
        span('inner', 'second', [50, 90]),
      ]),
    ).toEqual([
      ['root', 0, 5],
      ['first', 5, 40],
      ['root', 40, 45],
      ['second', 45, 50],
      ['inner', 50, 90],
      ['root', 90, 100],
    ]);
  });

  test('takes the longest of children that end together', () => {
    const all = [span('root', null, [0, 50]), span('long', 'root', [0, 50]), span('short', 'root', [20, 50])];
    expect(path(all)).toEqual([['long', 0, 50]]);
    expect(path(all.toReversed())).toEqual([['long', 0, 50]]);
  });

  test('leaves out a child that was under way when the one that mattered began', () => {
    const all = [span('root', null, [0, 60]), span('slow', 'root', [20, 60]), span('other', 'root', [0, 30])];
    expect(path(all)).toEqual([
      ['root', 0, 20],
      ['slow', 20, 60],
    ]);
  });

  test('is without gap, within the root, and the same for the same spans in any order', () => {
    fc.assert(
      fc.property(traces(false), fc.nat(), (spans, turn) => {
        const { root, nodes } = tree(spans);
        const segments = criticalPath(root);
        let at = root.startedAt;
        for (const { node, startedAt, endedAt } of segments) {
          expect(startedAt).toBe(at);
          expect(endedAt).toBeGreaterThan(startedAt);
          expect(startedAt).toBeGreaterThanOrEqual(node.startedAt);
          expect(endedAt).toBeLessThanOrEqual(node.endedAt);
          at = endedAt;
        }
        expect(at).toBe(root.endedAt);
        expect(segments.every(({ node }) => node === root || nodes.includes(node))).toBe(true);
        const turned = [...spans.slice(turn % spans.length), ...spans.slice(0, turn % spans.length)];
        expect(analysis(turned)).toEqual(analysis(spans));
      }),
    );
  });
});

describe('bottlenecks', () => {
  const kinds = (spans: readonly TraceSpan[]) => analysis(spans).bottlenecks.map(({ kind }) => kind);

  test('name the longest own times, with their share', () => {
    const [first, ...others] = analysis([
      span('root', null, [0, 1_000]),
      http('slow', 'root', [0, 800], 'https://a.test/slow'),
      http('quick', 'root', [800, 830], 'https://a.test/quick'),
    ]).bottlenecks;
    expect(first).toEqual({
      kind: 'self_time',
      message: 'GET https://a.test/slow took long: 800 ms, 80 % of the whole',
      spanIds: ['slow'],
      count: 1,
      durationMs: 800,
      percent: 80,
    });
    expect(others.map(({ spanIds }) => spanIds)).toEqual([['root']]);
  });

  test('name calls that differ only in their ids, one after another', () => {
    const ids = ['7', '81', 'f3a1c2d4', '0b8e1c9e-6a9e-4a57-8e5e-2c2a0f7b3d11'];
    const calls = ids.map((id, n) =>
      http(`c${n}`, 'root', [n * 10, n * 10 + 10], `https://a.test/users/${id}?page=${n}`),
    );
    const found = analysis([span('root', null, [0, 50]), ...calls]).bottlenecks.find(
      ({ kind }) => kind === 'repeated_calls',
    );
    expect(found).toMatchObject({ spanIds: ['c0', 'c1', 'c2', 'c3'], count: 4, durationMs: 40, percent: 80 });
    expect(found?.message).toContain(
      '4 calls that differ only in their ids (N+1), one after another, GET https://a.test/users/{id}?page',
    );
  });

  test('are silent about calls that ran at the same time, or differ in more than ids', () => {
    const beside = ['1', '2', '3'].map((id) => http(`c${id}`, 'root', [0, 10], `https://a.test/users/${id}`));
    expect(kinds([span('root', null, [0, 10]), ...beside])).not.toContain('repeated_calls');
    const others = ['a', 'b', 'c'].map((name, n) => http(name, 'root', [n, n + 1], `https://a.test/${name}`));
    expect(kinds([span('root', null, [0, 10]), ...others])).not.toContain('repeated_calls');
  });

  test('tell a call that was repeated because it failed from one that was not', () => {
    const again = (status: number) =>
      [0, 1, 2].map((n) =>
        http(`c${n}`, 'root', [n * 10, n * 10 + 9], 'https://a.test/x', { status: n < 2 ? status : 200 }),
      );
    const retried = analysis([span('root', null, [0, 30]), ...again(503)]).bottlenecks;
    expect(retried.filter(({ kind }) => kind !== 'self_time')).toMatchObject([
      {
        kind: 'retries',
        count: 3,
        durationMs: 27,
        message: expect.stringContaining('called 3 times, because it failed'),
      },
    ]);
    const same = analysis([span('root', null, [0, 30]), ...again(200)]).bottlenecks;
    expect(same.filter(({ kind }) => kind !== 'self_time')).toMatchObject([
      { kind: 'repeated_calls', message: expect.stringContaining('3 calls of the same') },
    ]);
  });

  test('count time in sleeps once, also when they overlap', () => {
    const sleeps = [step('z1', 'root', [0, 60], 'sleep'), step('z2', 'root', [30, 80], 'sleep')];
    expect(analysis([span('root', null, [0, 100]), ...sleeps]).bottlenecks[0]).toMatchObject({
      kind: 'wait',
      durationMs: 80,
      count: 2,
    });
  });

  test('count what failed attempts cost', () => {
    const attempts = [
      span('a1', null, [0, 10], { ok: false }),
      span('a2', null, [60, 70], { ok: false }),
      span('a3', null, [120, 200]),
    ];
    expect(analysis(attempts).bottlenecks.find(({ kind }) => kind === 'retries')).toMatchObject({
      durationMs: 120,
      spanIds: ['a1', 'a2'],
      message: '2 attempts failed, with the waits between them: 120 ms, 60 % of the whole',
    });
  });
});

describe('insights', () => {
  test('follow from the spans that they name', () => {
    const spans = [
      span('root', null, [0, 2_000]),
      http('list', 'root', [0, 500], 'https://shop.test/orders'),
      http('user', 'root', [500, 900], 'https://shop.test/users/7'),
      http('rate', 'root', [900, 1_200], 'https://rates.test:8443/eur', { status: 503 }),
      step('nap', 'root', [1_200, 1_500], 'sleep'),
    ];
    expect(analysis(spans).insights).toEqual([
      { message: '1 span failed: GET https://rates.test:8443/eur (status 503).', spanIds: ['rate'] },
      { message: '45 % of the time (900 ms of 2 s) was spent in 2 calls to shop.test.', spanIds: ['list', 'user'] },
      { message: '15 % of the time (300 ms of 2 s) was spent in 1 call to rates.test:8443.', spanIds: ['rate'] },
      { message: 'The slowest of 3 steps is GET https://shop.test/orders with 500 ms (25 %).', spanIds: ['list'] },
      {
        message:
          '3 reading calls ran one after another (GET https://shop.test/orders, GET https://shop.test/users/{id}, GET https://rates.test:8443/eur); where none needs the answer of another, running them together would save up to 700 ms.',
        spanIds: ['list', 'user', 'rate'],
      },
      { message: '15 % of the time (300 ms) the task waited by itself, in 1 step.', spanIds: ['nap'] },
      {
        message:
          'In 25 % of the time (500 ms) no step was under way: code ran, timers were waited for, or nothing did.',
        spanIds: ['root'],
      },
    ]);
  });

  test('do not call writes, overlapping calls, or repeats of one call things to run together', () => {
    const root = span('root', null, [0, 100]);
    const together = (spans: readonly TraceSpan[]) =>
      messages([root, ...spans])
        .join()
        .includes('run') === true;
    const url = 'https://a.test/';
    expect(together([http('a', 'root', [0, 50], `${url}a`), http('b', 'root', [50, 100], `${url}b`)])).toBe(true);
    expect(together([http('a', 'root', [0, 60], `${url}a`), http('b', 'root', [40, 100], `${url}b`)])).toBe(false);
    expect(together([http('a', 'root', [0, 50], url), http('b', 'root', [50, 100], url)])).toBe(false);
    const post = { method: 'POST' };
    expect(together([http('a', 'root', [0, 50], `${url}a`, post), http('b', 'root', [50, 100], `${url}b`)])).toBe(
      false,
    );
    const between = [
      http('a', 'root', [0, 40], `${url}a`),
      step('t', 'root', [40, 50], 'task'),
      http('b', 'root', [50, 100], `${url}b`),
    ];
    expect(together(between)).toBe(false);
  });

  test('say when the execution took longer than its spans show, and how to see the rest', () => {
    const around = { hasEnded: true, wallMs: 500 };
    const told = analysisOf(tree([span('root', null, [0, 100])]), around).insights;
    expect(told.at(-1)?.message).toContain('took 500 ms, of which its spans show 100 ms');
    expect(told.at(-1)?.message).toContain('A profile tells');
    const all = analysisOf(tree([span('root', null, [0, 490])]), around).insights;
    expect(all.map(({ message }) => message).join()).not.toContain('A profile');
  });

  test('say when the execution still runs', () => {
    const [first] = analysisOf(tree([http('a', 'open', [0, 5], 'https://a.test/')]), {
      hasEnded: false,
      wallMs: null,
    }).insights;
    expect(first?.message).toContain('has not ended');
  });
});

test('templates replace numbers, ids and tokens, and leave words alone', () => {
  const told = (url: string) => templateOf(new URL(url));
  expect(told('https://a.test/v1/users/12/posts/2024-01-02')).toBe('https://a.test/v1/users/{id}/posts/{id}');
  expect(told('https://a.test/o/0B8E1C9E-6A9E-4A57-8E5E-2C2A0F7B3D11')).toBe('https://a.test/o/{id}');
  expect(told('https://a.test/deadbeef/ZXhhbXBsZS10b2tlbjE')).toBe('https://a.test/{id}/{id}');
  expect(told('https://a.test/international-organisations')).toBe('https://a.test/international-organisations');
  expect(told('https://a.test/search?q=ada&page=3&q=b')).toBe('https://a.test/search?page&q');
});

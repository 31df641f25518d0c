/** What is kept of an engine's profile, and how it is told; on a profile made by hand. */
import { describe, expect, test } from 'vitest';
import { type CpuProfile, CpuProfileBuilder, MAX_SAMPLES } from '../../src/domain/cpu-profile.ts';
import { cpuFlame, cpuFolded, cpuProfileFile, cpuSpeedscope, cpuSvg } from '../../src/domain/cpu-profile-forms.ts';
import type { Json } from '../../src/domain/event.ts';

const FILE = 'shop/main.js';

function node(
  id: number,
  functionName: string,
  url: string,
  lineNumber: number,
  children: readonly number[] = [],
): Json {
  return { id, callFrame: { functionName, scriptId: '77', url, lineNumber, columnNumber: 4 }, hitCount: 0, children };
}

/** Times in microseconds: each sample lasts until the next, the last one to the end. */
const RAW = {
  nodes: [
    node(1, '(root)', '', -1, [2, 3, 4]),
    node(2, '(program)', '', -1),
    node(3, '(garbage collector)', '', -1),
    node(4, 'serve', 'file:///elsewhere/infra/sandbox/serving.ts', 40, [5, 6]),
    node(5, 'nextBytes', 'file:///elsewhere/infra/sandbox/debug-child.ts', 30),
    node(6, 'begin', 'ratchet:prelude', 10, [7]),
    node(7, 'main', FILE, 9, [8, 9, 11]),
    node(8, 'hot', FILE, 2),
    node(9, 'fetch', 'ratchet:prelude', 100, [10]),
    node(10, 'send', 'ratchet:http', 7, [12]),
    node(11, 'RegExp: a+b', '', -1),
    node(12, '', FILE, 11),
  ],
  startTime: 5_000_000,
  endTime: 5_001_000,
  samples: [4, 7, 8, 8, 9, 10, 12, 11, 3, 5],
  timeDeltas: [100, 100, 100, 100, 100, 100, 100, 100, 100, 50],
};

function built(...pieces: readonly Json[]): CpuProfile {
  const builder = new CpuProfileBuilder({ file: FILE, waitsIn: 'nextBytes', authored: () => null });
  for (const piece of pieces) builder.add(piece);
  return builder.build();
}

describe('a profile', () => {
  test('keeps the functions of the task, and of all else only that it was there', () => {
    expect(cpuFolded(built(RAW), 'shop').trim().split('\n').toSorted()).toEqual(
      [
        'shop;(sandbox) 100',
        'shop;(garbage collector) 50',
        'shop;main shop/main.js:10 100',
        'shop;main shop/main.js:10;hot shop/main.js:3 200',
        'shop;main shop/main.js:10;(sandbox) 200',
        'shop;main shop/main.js:10;(sandbox);(anonymous) shop/main.js:12 100',
        'shop;main shop/main.js:10;RegExp: a+b 100',
      ].toSorted(),
    );
  });

  test('holds nothing of the machine it was taken on', () => {
    const told = [cpuProfileFile, cpuSpeedscope, cpuSvg, cpuFolded].map((form) =>
      JSON.stringify(form(built(RAW), 'shop')),
    );
    expect(told.join()).not.toMatch(/somebody|file:|serving|prelude|nextBytes|5000000|"77"/);
  });

  test('leaves idle time out of flamegraphs, and keeps it where time goes on', () => {
    const profile = built(RAW);
    expect(cpuFlame(profile, 'shop').value).toBe(850);
    expect(cpuProfileFile(profile).endTime).toBe(900);
    expect(JSON.stringify(cpuProfileFile(profile))).toContain('(idle)');
  });

  test('of several pieces is one', () => {
    const twice = built(RAW, RAW);
    expect(twice.nodes).toEqual(built(RAW).nodes);
    expect(twice.samples).toHaveLength(20);
    expect(cpuFlame(twice, 'shop').value).toBe(1_700);
  });

  test('is bounded: every second sample gives its time to the one before', () => {
    const count = MAX_SAMPLES + 1;
    const many = {
      ...RAW,
      samples: Array.from({ length: count }, () => 8),
      timeDeltas: Array.from({ length: count }, () => 1),
    };
    const builder = new CpuProfileBuilder({ file: FILE, waitsIn: 'nextBytes', authored: () => null });
    builder.add({ ...many, startTime: 0, endTime: count });
    const { samples, weights } = builder.build();
    expect(samples).toHaveLength(MAX_SAMPLES / 2 + 1);
    expect(builder.halved).toBe(1);
    expect(weights.reduce((sum, weight) => sum + weight, 0)).toBe(count - 1);
  });

  test('of another form than the engine’s is empty', () => {
    for (const raw of [undefined, null, 7, [], {}, { nodes: [null, {}], samples: ['x', 3], timeDeltas: null }]) {
      expect(built(raw as Json).samples).toEqual([]);
    }
    expect(cpuProfileFile(built()).samples).toEqual([]);
    expect(cpuSvg(built(), 'shop')).toContain('<svg');
  });
});

describe('the file of V8', () => {
  test('counts from 0, names each node once, and has a delta for each sample', () => {
    const file = cpuProfileFile(built(RAW));
    const ids = file.nodes.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(file.nodes.flatMap(({ children }) => children).toSorted((a, b) => a - b)).toEqual(ids.slice(1));
    expect(file.samples.every((id) => ids.includes(id))).toBe(true);
    expect(file.timeDeltas).toHaveLength(file.samples.length);
    expect(file.timeDeltas.reduce((sum, delta) => sum + delta, 0)).toBeLessThanOrEqual(file.endTime);
    expect(file.nodes.find(({ callFrame }) => callFrame.functionName === 'hot')).toMatchObject({
      callFrame: { url: FILE, lineNumber: 2, columnNumber: 4 },
      hitCount: 2,
    });
  });
});

describe('the file of speedscope', () => {
  test('has every field that its schema requires, and stacks from the outside in', () => {
    const file = cpuSpeedscope(built(RAW), 'shop');
    expect(file.$schema).toBe('https://www.speedscope.app/file-format-schema.json');
    const [profile] = file.profiles;
    if (profile?.type !== 'sampled') throw new Error('a sampled profile is expected');
    expect(profile).toMatchObject({ name: 'shop', unit: 'microseconds', startValue: 0, endValue: 900 });
    expect(profile.weights).toHaveLength(profile.samples.length);
    const names = profile.samples.map((stack) => stack.map((index) => file.shared.frames[index]?.name));
    expect(names[2]).toEqual(['main', 'hot']);
    expect(names[6]).toEqual(['main', '(sandbox)', '(anonymous)']);
    expect(file.shared.frames).toContainEqual({ name: 'hot', file: FILE, line: 3, col: 5 });
  });
});

test('the SVG escapes names of functions', () => {
  const raw = { ...RAW, nodes: [...RAW.nodes.slice(0, 7), node(8, '<script>&"', FILE, 2), ...RAW.nodes.slice(8)] };
  expect(cpuSvg(built(raw), 'shop')).not.toContain('<script>');
});

/** Flamegraphs of traces in each form: what adds up, what nests, and what may not break out of its file. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Flame, FlameBuilder, foldedStacks, MAX_FLAME_DEPTH } from '../../src/domain/flamegraph.ts';
import { colourOf, flamegraphSvg } from '../../src/domain/flamegraph-svg.ts';
import type { EventedProfile } from '../../src/domain/speedscope.ts';
import { traceFlame, traceFolded, traceSpeedscope, traceSvg } from '../../src/domain/trace-flamegraph.ts';
import { durationOf, type TraceSpan, traceTree } from '../../src/domain/trace-tree.ts';
import { http, span, traces } from './traced.ts';

const tree = (spans: readonly TraceSpan[]) => traceTree(spans, 'whole');
const SHOP = [
  span('shop', null, [0, 100]),
  http('u1', 'shop', [0, 20], 'https://a.test/users/1'),
  http('u2', 'shop', [20, 50], 'https://a.test/users/2'),
  span('work', 'shop', [50, 90]),
  span('inner', 'work', [55, 65]),
];

describe('a flame', () => {
  test('adds up what has one name, and holds the time of all below it', () => {
    expect(traceFlame(tree(SHOP))).toEqual({
      name: 'shop',
      value: 100,
      children: [
        { name: 'GET https://a.test/users/{id}', value: 50, children: [] },
        { name: 'work', value: 40, children: [{ name: 'inner', value: 10, children: [] }] },
      ],
    });
  });

  test('is as large as the execution took where nothing ran at once', () => {
    fc.assert(
      fc.property(traces(true), (spans) => {
        const { root } = tree(spans);
        expect(traceFlame(tree(spans)).value).toBe(durationOf(root));
      }),
    );
  });

  test('ends at a depth, and loses no time there', () => {
    const builder = new FlameBuilder('root');
    let frame = builder.root;
    for (let depth = 0; depth < 10_000; depth += 1) frame = builder.enter(frame, 'again');
    builder.add(frame, 7);
    const depthOf = (flame: Flame): number => 1 + Math.max(0, ...flame.children.map(depthOf));
    expect(builder.build().value).toBe(7);
    expect(depthOf(builder.build())).toBe(MAX_FLAME_DEPTH + 1);
  });
});

test('folded stacks are lines of names with their own time', () => {
  expect(traceFolded(tree(SHOP))).toBe(
    'shop 10\nshop;GET https://a.test/users/{id} 50\nshop;work 30\nshop;work;inner 10\n',
  );
  expect(traceFolded(tree([span('a;b\n c', null, [0, 5])]))).toBe('a,b c 5\n');
  expect(foldedStacks({ name: 'x', value: 0, children: [] })).toBe('');
});

describe('a speedscope file', () => {
  test('has every field that its schema requires', () => {
    const file = traceSpeedscope(tree(SHOP));
    expect(file).toMatchObject({
      $schema: 'https://www.speedscope.app/file-format-schema.json',
      activeProfileIndex: 0,
      profiles: [{ type: 'evented', name: 'shop', unit: 'milliseconds', startValue: 0, endValue: 100 }],
    });
    expect(file.shared.frames.map(({ name }) => name)).toEqual([
      'shop',
      'GET https://a.test/users/1',
      'GET https://a.test/users/2',
      'work',
      'inner',
    ]);
  });

  test('nests frames properly in each profile, in order of time, whatever ran at once', () => {
    fc.assert(
      fc.property(traces(false), (spans) => {
        const { shared, profiles } = traceSpeedscope(tree(spans));
        let opened = 0;
        for (const profile of profiles as readonly EventedProfile[]) {
          const stack: number[] = [];
          let at = profile.startValue;
          for (const event of profile.events) {
            expect(event.at).toBeGreaterThanOrEqual(at);
            at = event.at;
            expect(shared.frames[event.frame]).toBeDefined();
            if (event.type === 'C') expect(stack.pop()).toBe(event.frame);
            else {
              stack.push(event.frame);
              opened += 1;
            }
          }
          expect(stack).toEqual([]);
          expect(at).toBeLessThanOrEqual(profile.endValue);
        }
        expect(opened).toBe(spans.length);
      }),
    );
  });
});

describe('an SVG', () => {
  const draw = (flame: Flame) => flamegraphSvg(flame, { title: flame.name, format: (value) => `${value} ms` });

  test('needs nothing else and runs nothing', () => {
    const svg = traceSvg(tree(SHOP));
    expect(svg).toMatch(/^<svg xmlns="http:\/\/www.w3.org\/2000\/svg" /);
    expect(svg).toContain('<title>work (40 ms, 40 %)</title>');
    expect(svg).not.toMatch(/<script|<style|style=|href=|\son\w+=|url\(/i);
  });

  test('shows what a name says, and never runs it', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1 }), (name) => {
        const svg = draw({ name: `${name}<script>alert("1")</script>&`, value: 5, children: [] });
        expect(svg).not.toContain('<script');
        expect(svg.replaceAll(/&(?:amp|lt|gt|quot|#39);/g, '')).not.toContain('&');
        expect(svg.isWellFormed()).toBe(true);
      }),
    );
    expect(draw({ name: 'a\u0000b', value: 1, children: [] })).not.toContain('\u0000');
  });

  test('leaves out what is too narrow to be seen', () => {
    const children = Array.from({ length: 20_000 }, (_, n) => ({ name: `f${n}`, value: 1, children: [] }));
    expect(draw({ name: 'root', value: 20_000, children }).length).toBeLessThan(1_000);
  });

  test('gives one name one colour', () => {
    expect(colourOf('work')).toBe(colourOf('work'));
    expect(colourOf('work')).not.toBe(colourOf('wark'));
    expect(colourOf('(sandbox)')).toBe('#c9ccd1');
  });
});

import fc from 'fast-check';
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import { describe, expect, it } from 'vitest';
import type { ReadLine } from '../../../queries/log-lines.ts';
import { LOG_LEVELS } from '../../../src/domain/journal.ts';
import { cutMiddle } from '../../../src/interfaces/mcp/cut-answer.ts';
import { fitFields, fitItems } from '../../../src/interfaces/mcp/fit.ts';
import { collapsed, ranked } from '../../../src/interfaces/mcp/log-digest.ts';
import { costOf } from '../../../src/interfaces/mcp/token-budget.ts';
import { toldEntry } from '../../../src/interfaces/mcp/told-log.ts';
import { type Branch, fitTrees } from '../../../src/interfaces/mcp/tree-outline.ts';

const budget = fc.integer({ min: 500, max: 3_000 });
const text = fc.oneof(
  fc.lorem({ maxCount: 60 }),
  fc.base64String({ maxLength: 800 }),
  fc.string({ unit: 'grapheme', maxLength: 400 }),
  fc.uuid(),
  fc.constant(`TypeError: x is not a function\n${'    at main (task.js:3:14)\n'.repeat(9)}`),
);

function line(ordinal: number, level: ReadLine['level'], message: string, fields: string | null = null): ReadLine {
  const rest = { tail: null, length: message.length, fields, fieldsLength: fields?.length ?? 0 };
  return { attempt: 1, ordinal, level, clock: 1_700_000_000_000 + ordinal, head: message, ...rest };
}

const lines = fc
  .array(fc.tuple(fc.constantFrom(...LOG_LEVELS), text, fc.option(fc.json({ maxDepth: 2 }))), { maxLength: 80 })
  .map((given) => given.map(([level, message, fields], at) => line(at, level, message, fields)));

function branches(levels: number): fc.Arbitrary<Branch> {
  return fc.record({
    node: fc.record({ name: text, duration_ms: fc.nat() }),
    children: levels === 0 ? fc.constant([]) : fc.array(branches(levels - 1), { maxLength: 4 }),
    score: fc.nat(),
  });
}

function nodesIn(tree: unknown): number {
  const { children } = tree as { children: readonly unknown[] };
  return children.reduce<number>((sum, child) => sum + nodesIn(child), 1);
}

describe('whatever was recorded, an answer fits and tells what it leaves out', () => {
  it('log entries', () => {
    fc.assert(
      fc.property(lines, budget, fc.constantFrom('summary', 'standard', 'full'), (read, maxTokens, detail) => {
        const entries = collapsed(read);
        const answer = fitItems(maxTokens, {
          items: entries,
          ranked: ranked(entries),
          build: (kept, isWhole) => ({
            logs: kept.map((entry) => toldEntry(entry, detail)),
            kept: kept.length,
            isWhole,
          }),
        });
        expect(costOf(answer)).toBeLessThanOrEqual(maxTokens);
        expect(countTokens(JSON.stringify(answer))).toBeLessThanOrEqual(maxTokens);
        expect(answer['isWhole']).toBe(answer['kept'] === entries.length);
        if (entries.length > 0) expect(answer['kept']).toBeGreaterThan(0);
      }),
      { numRuns: 60 },
    );
  });

  it('fields of an execution', () => {
    const fields = fc.array(
      fc.tuple(fc.constantFrom('error', 'output', 'input', 'context.a', 'context.b'), fc.jsonValue()),
      {
        maxLength: 5,
      },
    );
    fc.assert(
      fc.property(fields, text, budget, (given, long, maxTokens) => {
        const huge = ['huge', long.repeat(200)] as const;
        const answer = fitFields(maxTokens, { fixed: { execution_id: 'x' }, fields: [...given, huge] });
        expect(costOf(answer)).toBeLessThanOrEqual(maxTokens);
        expect(countTokens(JSON.stringify(answer))).toBeLessThanOrEqual(maxTokens);
        if (answer['huge'] !== huge[1]) expect(answer['truncated']).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it('trees of spans, with no node without its parent and all others counted', () => {
    fc.assert(
      fc.property(fc.array(branches(4), { maxLength: 6 }), budget, (roots, maxTokens) => {
        const answer = fitTrees(maxTokens, roots, (spans, shown, total) => ({ spans, shown, total }));
        expect(countTokens(JSON.stringify(answer))).toBeLessThanOrEqual(maxTokens);
        const { shown, total, spans } = answer;
        if (answer['truncated'] === true) return;
        expect((spans as readonly unknown[]).reduce<number>((sum, tree) => sum + nodesIn(tree), 0)).toBe(shown);
        expect(total).toBe(roots.reduce((sum, tree) => sum + nodesIn(tree), 0));
      }),
      { numRuns: 60 },
    );
  });
});

it('keeps the failed span and its ancestors out of a thousand', () => {
  const leaf = (name: string, score: number): Branch => ({ node: { name }, children: [], score });
  const many = (from: number): readonly Branch[] =>
    Array.from({ length: 400 }, (_, at) => leaf(`span ${from + at}`, 1));
  const inner: Branch = {
    node: { name: 'inner' },
    children: [...many(0), leaf('the failed one', 1e12), ...many(400)],
    score: 1,
  };
  const root: Branch = { node: { name: 'root' }, children: [...many(800), inner], score: 1 };
  const answer = fitTrees(600, [root], (spans, shown, total) => ({ spans, shown, total }));
  expect(JSON.stringify(answer)).toContain('the failed one');
  expect(answer).toMatchObject({ total: 1_203, spans: [{ name: 'root', children_omitted: expect.any(Number) }] });
});

it('finds the one error among ten thousand lines, with what is around it, and both ends', () => {
  const read = Array.from({ length: 10_000 }, (_, at) =>
    at === 5_000 ? line(at, 'error', 'TypeError: broken') : line(at, 'info', `line ${at} of the import`),
  );
  const entries = collapsed(read);
  const first = ranked(entries).slice(0, 8);
  expect(first).toEqual([5_000, 4_999, 5_001, 4_998, 5_002, 4_997, 0, 9_999]);
});

it('collapses runs of equal lines only', () => {
  const entries = collapsed([line(0, 'info', 'a'), line(1, 'info', 'a'), line(2, 'warn', 'a'), line(3, 'info', 'a')]);
  expect(entries.map(({ count, line: { ordinal }, last }) => [ordinal, count, last.ordinal])).toEqual([
    [0, 2, 1],
    [2, 1, 2],
    [3, 1, 3],
  ]);
});

it('cuts a huge text in its middle and tells how much', () => {
  const cut = cutMiddle(`start${'x'.repeat(5_000_000)}end`, 100);
  expect(cut).toMatch(/^start.*… \[4999908 of 5000008 characters left out\] ….*end$/);
});

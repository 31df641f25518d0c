import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { alignJournals, comparePaths } from '../../../src/domain/diagnosis/align-journals.ts';
import { sentenceOf } from '../../../src/domain/diagnosis/compare-runs.ts';
import type { RecordedStep } from '../../../src/domain/diagnosis/failure-case.ts';
import type { JsonObject } from '../../../src/domain/event.ts';

function step(path: string, url: string, answer: unknown = 'ok', status = 200): RecordedStep {
  const request: JsonObject = { method: 'GET', url };
  const value = { status, headers: [['date', path]], body: JSON.stringify(answer), bodyEncoding: 'utf8' };
  const place = { turn: 2, clock: 2, startedAt: 1, position: path };
  return { path, kind: 'http', name: `GET ${url}`, argsHash: url, request, outcome: { ok: true, value }, ...place };
}

const told = (a: readonly RecordedStep[], b: readonly RecordedStep[]) =>
  alignJournals(a, b).map((pair) => [pair.state, pair.a?.path ?? null, pair.b?.path ?? null]);

describe('two journals side by side', () => {
  it('are the same where request and answer are, whatever the headers say', () => {
    expect(told([step('1', '/a'), step('2', '/b')], [step('1', '/a'), step('2', '/b')])).toEqual([
      ['same', '1', '1'],
      ['same', '2', '2'],
    ]);
  });
  it('show another answer, another request, and what only one has', () => {
    const a = [step('1', '/a'), step('2', '/b'), step('3', '/c')];
    const b = [step('1', '/a', 'other'), step('2', '/x'), step('3', '/c'), step('4', '/d')];
    expect(told(a, b)).toEqual([
      ['changed_outcome', '1', '1'],
      ['changed_request', '2', '2'],
      ['same', '3', '3'],
      ['only_in_b', null, '4'],
    ]);
  });
  it('find the same calls again behind one that was put in', () => {
    expect(told([step('1', '/a'), step('2', '/b')], [step('1', '/new'), step('2', '/a'), step('3', '/b')])).toEqual([
      ['only_in_b', null, '1'],
      ['same', '1', '2'],
      ['same', '2', '3'],
    ]);
  });
  it('do not depend on the order in which answers came', () => {
    const [one, two] = [step('1', '/a'), step('2', '/b')];
    expect(told([one, two], [two, one])).toEqual([
      ['same', '1', '1'],
      ['same', '2', '2'],
    ]);
  });
  it('tell inner steps before the step that they are part of', () => {
    expect(['10', '2', '2/10', '2/2', '1'].sort(comparePaths)).toEqual(['1', '2/2', '2/10', '2', '10']);
  });
  it('hold every step once, of any two journals', () => {
    const journal = fc
      .array(fc.tuple(fc.constantFrom('/a', '/b', '/c', '/d'), fc.constantFrom(1, 2)), { maxLength: 12 })
      .map((calls) => calls.map(([url, answer], index) => step(String(index + 1), url, answer)));
    fc.assert(
      fc.property(journal, journal, (a, b) => {
        const pairs = alignJournals(a, b);
        expect(pairs.flatMap((pair) => pair.a?.path ?? []).sort(comparePaths)).toEqual(a.map(({ path }) => path));
        expect(pairs.flatMap((pair) => pair.b?.path ?? []).sort(comparePaths)).toEqual(b.map(({ path }) => path));
        const [same, changed] = [
          pairs.filter(({ state }) => state === 'same'),
          pairs.filter(({ state }) => state === 'changed_request'),
        ];
        expect(same.every((pair) => pair.a?.argsHash === pair.b?.argsHash)).toBe(true);
        expect(changed.every((pair) => pair.a?.argsHash !== pair.b?.argsHash)).toBe(true);
      }),
    );
  });
  it('of any journal with itself are all the same', () => {
    const journal = Array.from({ length: 2_000 }, (_, index) => step(String(index + 1), `/${index % 7}`));
    expect(new Set(told(journal, journal).map(([state]) => state))).toEqual(new Set(['same']));
  });
});

describe('a difference in one sentence', () => {
  const sentence = (a: RecordedStep[], b: RecordedStep[]) => alignJournals(a, b).map((pair) => sentenceOf(pair));
  it('names status, place in the answer, place in the request, or the side', () => {
    expect(sentence([step('1', '/a')], [step('1', '/a', 'no', 500)])).toEqual([
      'step 1 (GET /a) answered 200 in a, and answered 500 in b',
    ]);
    expect(sentence([step('1', '/a', { n: 1 })], [step('1', '/a', { n: 2 })])).toEqual([
      'step 1 (GET /a) was answered with other data at /body/n: 1 in a, 2 in b',
    ]);
    expect(sentence([step('1', '/a')], [step('1', '/b')])).toEqual([
      'step 1 (GET /b) asks for something else: the request differs at /url: "/a" in a, "/b" in b',
    ]);
    expect(sentence([], [step('1', '/b')])).toEqual(['only b has step 1 (GET /b), a does not ask for it']);
  });
});

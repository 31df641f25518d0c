import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cancelBatch, moveBatch, requestBatch } from '../../commands/batch.ts';
import type { Command } from '../../commands/command.ts';
import {
  type BatchEvent,
  type BatchItem,
  type BatchRequest,
  type BatchState,
  batch,
  countsOf,
  type ItemEnd,
} from '../../src/domain/batch.ts';
import { checkGraph } from '../../src/domain/batch-graph.ts';
import { given as givenAny, META } from '../support/given.ts';

/** As everywhere, with a name for the last word under which many facts can be told. */
function given<Input>(command: Command<Input, BatchState, BatchEvent>, past: readonly BatchEvent[] = []) {
  return {
    when: (input: Input) => {
      const { then: thenFacts, ...others } = givenAny(command, past).when(input);
      return { ...others, thenFacts };
    },
  };
}

const item = (id: string, dependsOn: readonly string[] = [], priority = 0): BatchItem => ({
  id,
  executionId: `e-${id}`,
  task: { id: 't1', name: 'task', version: 1 },
  dependsOn,
  priority,
  timeout: null,
});
const request = (items: readonly BatchItem[], more: Partial<BatchRequest> = {}): BatchRequest => ({
  batchId: 'b1',
  items,
  inputs: { value: items.map(() => null) },
  maxParallel: null,
  failFast: false,
  metadata: {},
  caller: { id: 'key:ci', kind: 'key', name: 'ci', tasks: { allowed: ['*'], denied: [] } },
  source: { kind: 'batch', sessionId: null, clientInfo: null },
  traceparent: null,
  ...more,
});
const requested = (items: readonly BatchItem[], more: Partial<BatchRequest> = {}): BatchEvent => ({
  type: 'BatchRequested',
  data: request(items, more),
});
const started = (id: string): BatchEvent => ({ type: 'BatchItemStarted', data: { item: id, executionId: `e-${id}` } });
const over = (id: string, outcome: ItemEnd['outcome'] = 'completed', error: ItemEnd['error'] = null): BatchEvent => ({
  type: 'BatchItemEnded',
  data: { item: id, executionId: `e-${id}`, outcome, error },
});
const cancelAsked: BatchEvent = { type: 'BatchCancelRequested', data: { reason: null } };
const NONE = { completed: 0, failed: 0, cancelled: 0, skipped: 0 };
const batchEnded = (outcome: 'completed' | 'failed' | 'cancelled', counts: Partial<typeof NONE>): BatchEvent => ({
  type: 'BatchEnded',
  data: { outcome, counts: { ...NONE, ...counts } },
});
const ends = (...all: readonly ItemEnd[]) => ({ batchId: 'b1', ends: all, most: 16 });
const end = (id: string, outcome: ItemEnd['outcome'] = 'completed'): ItemEnd => ({ item: id, outcome, error: null });
const CANCELLED = { code: 'cancelled', message: 'the batch was cancelled' };
const STOPPED = { code: 'cancelled', message: 'another item did not complete, and fail_fast is set' };

describe('requesting a batch', () => {
  it('records it', () => {
    given(requestBatch)
      .when(request([item('a')]))
      .thenFacts(requested([item('a')]));
  });
  it('twice under one id is refused', () => {
    given(requestBatch, [requested([item('a')])])
      .when(request([item('a')]))
      .thenFails('already_exists');
  });
});

describe('moving a batch on', () => {
  it('starts what waits for nothing, the highest priority first, and no more than may run at once', () => {
    const items = [item('low', [], -1), item('first'), item('second'), item('high', [], 5), item('later', ['high'], 9)];
    given(moveBatch, [requested(items, { maxParallel: 3 })])
      .when(ends())
      .thenFacts(started('high'), started('first'), started('second'));
  });
  it('starts no more than it is told to', () => {
    given(moveBatch, [requested([item('a'), item('b')])])
      .when({ ...ends(), most: 1 })
      .thenFacts(started('a'));
  });
  it('starts what waited when all it waits for is completed', () => {
    const past = [requested([item('a'), item('b'), item('c', ['a', 'b'])]), started('a'), started('b')];
    given(moveBatch, past)
      .when(ends(end('a')))
      .thenFacts(over('a'));
    given(moveBatch, past)
      .when(ends(end('a'), end('b')))
      .thenFacts(over('a'), over('b'), started('c'));
  });
  it('passes over all that depends on what did not complete, lets the rest go on, and says why', () => {
    const items = [item('c', ['b']), item('b', ['a']), item('a'), item('x')];
    const skip = (of: string, was: string) => ({
      code: 'dependency_not_completed',
      message: `item ${of}, which it depends on, was ${was}`,
    });
    given(moveBatch, [requested(items), started('a'), started('x')])
      .when(ends(end('a', 'failed')))
      .thenFacts(
        over('a', 'failed'),
        over('b', 'skipped', skip('a', 'failed')),
        over('c', 'skipped', skip('b', 'skipped')),
      );
  });
  it('looks at each item of a long chain a few times, however far the end of its first one reaches', () => {
    let looks = 0;
    const chain = Array.from({ length: 1_000 }, (_, index) => {
      const before = index === 0 ? [] : [`c${index - 1}`];
      return Object.defineProperty(item(`c${index}`), 'dependsOn', {
        get: () => {
          looks += 1;
          return before;
        },
      });
    });
    const past = [requested(chain), started('c0')].reduce(batch.evolve, batch.initial);
    const facts = moveBatch.decide(past, ends(end('c0', 'failed')), META);
    expect(facts.map(({ type }) => type)).toEqual([...chain.map(() => 'BatchItemEnded'), 'BatchEnded']);
    expect(facts.at(999)).toEqual(
      over('c999', 'skipped', {
        code: 'dependency_not_completed',
        message: 'item c998, which it depends on, was skipped',
      }),
    );
    expect(looks).toBeLessThan(10 * chain.length);
  });
  it('ends with its last item', () => {
    given(moveBatch, [requested([item('a')]), started('a')])
      .when(ends(end('a')))
      .thenFacts(over('a'), batchEnded('completed', { completed: 1 }));
    given(moveBatch, [requested([item('a'), item('b')]), started('a'), started('b'), over('a')])
      .when(ends(end('b', 'failed')))
      .thenFacts(over('b', 'failed'), batchEnded('failed', { completed: 1, failed: 1 }));
  });
  it('starts nothing more after the first failure where fail_fast is set, and waits for what runs', () => {
    const past = [requested([item('a'), item('b'), item('c')], { failFast: true, maxParallel: 2 })];
    given(moveBatch, [...past, started('a'), started('b')])
      .when(ends(end('a', 'failed')))
      .thenFacts(over('a', 'failed'), over('c', 'skipped', STOPPED));
  });
  it('starts nothing more once it is cancelled', () => {
    given(moveBatch, [requested([item('a'), item('b')], { maxParallel: 1 }), started('a'), cancelAsked])
      .when(ends(end('a', 'cancelled')))
      .thenFacts(
        over('a', 'cancelled'),
        over('b', 'skipped', CANCELLED),
        batchEnded('cancelled', { cancelled: 1, skipped: 1 }),
      );
  });
  it('is completed when all items were, although it was cancelled too late', () => {
    given(moveBatch, [requested([item('a')]), started('a'), cancelAsked])
      .when(ends(end('a')))
      .thenFacts(over('a'), batchEnded('completed', { completed: 1 }));
  });
  it('records no end twice, and none of what never started', () => {
    const past = [requested([item('a'), item('b'), item('c', ['a', 'b'])]), started('a'), started('b'), over('a')];
    given(moveBatch, past)
      .when(ends(end('a'), end('c'), end('nobody')))
      .thenNothing();
    given(moveBatch, [requested([item('a')]), started('a'), over('a'), batchEnded('completed', { completed: 1 })])
      .when(ends(end('a')))
      .thenNothing();
  });
});

describe('cancelling a batch', () => {
  const past = [requested([item('a')]), started('a')];
  it('is recorded once', () => {
    given(cancelBatch, past).when({ batchId: 'b1', reason: null }).thenFacts(cancelAsked);
    given(cancelBatch, [...past, cancelAsked])
      .when({ batchId: 'b1', reason: 'x' })
      .thenNothing();
  });
  it('is refused once it has ended otherwise', () => {
    const done = [...past, over('a'), batchEnded('completed', { completed: 1 })];
    given(cancelBatch, done).when({ batchId: 'b1', reason: null }).thenFails('batch_finished');
    given(cancelBatch).when({ batchId: 'b1', reason: null }).thenFails('batch_not_found');
  });
});

describe('a graph of items', () => {
  it.each([
    [
      [item('a', ['c']), item('b', ['a']), item('c', ['b']), item('d', ['a'])],
      'the items wait for each other: a → c → b → a',
    ],
    [[item('x', ['a']), item('a', ['b']), item('b', ['a'])], 'the items wait for each other: a → b → a'],
    [[item('a', ['a'])], 'item a depends on itself'],
    [[item('a', ['b'])], 'item a depends on b, which is no item of this batch'],
    [[item('a'), item('a')], 'two items have the id a'],
  ])('is refused where it can not be carried out (%#)', (items, message) => {
    expect(() => checkGraph(items)).toThrow(expect.objectContaining({ code: 'invalid_batch', message }));
  });
});

/** Items that depend on earlier ones only, in any order; how each would end; and in which order they end. */
const life = fc.record({
  graph: fc.array(
    fc.record({ deps: fc.array(fc.nat(30), { maxLength: 3 }), priority: fc.integer({ min: -2, max: 2 }) }),
    {
      minLength: 1,
      maxLength: 14,
    },
  ),
  maxParallel: fc.option(fc.integer({ min: 1, max: 4 })),
  failFast: fc.boolean(),
  outcomes: fc.array(fc.constantFrom('completed', 'completed', 'completed', 'failed', 'cancelled'), {
    minLength: 14,
    maxLength: 14,
  }),
  picks: fc.array(fc.nat(1_000), { minLength: 60, maxLength: 60 }),
  cancelAt: fc.option(fc.nat(12)),
});

it('whatever order items end in, each starts at most once and after those it depends on, never more than allowed, and the batch ends once', () => {
  fc.assert(
    fc.property(life, ({ graph, maxParallel, failFast, outcomes, picks, cancelAt }) => {
      const items = graph.map(({ deps, priority }, index) => {
        const earlier = index === 0 ? [] : [...new Set(deps.map((dep) => `i${dep % index}`))];
        return item(`i${index}`, earlier, priority);
      });
      checkGraph(items);
      const history: BatchEvent[] = [requested(items, { maxParallel, failFast })];
      let state = history.reduce(batch.evolve, batch.initial as BatchState);
      const add = (facts: readonly BatchEvent[]) => {
        for (const fact of facts) {
          state = batch.evolve(state, fact);
          history.push(fact);
          if (state.status !== 'none') {
            expect(countsOf(state).running).toBeLessThanOrEqual(maxParallel ?? items.length);
          }
        }
      };
      for (let turn = 0; state.status === 'running'; turn += 1) {
        if (turn > 60) throw new Error('it does not end');
        if (turn === cancelAt) add(cancelBatch.decide(state, { batchId: 'b1', reason: null }, META));
        const { statuses } = state;
        const running = items.filter(({ id }) => statuses.get(id) === 'running');
        const pick = picks[turn] ?? 0;
        const chosen = running[pick % Math.max(1, running.length)];
        const told = chosen === undefined ? [] : [end(chosen.id, outcomes[items.indexOf(chosen)] ?? 'completed')];
        // Somebody else may tell it again.
        add(moveBatch.decide(state, { batchId: 'b1', ends: [...told, ...told], most: 1 + (pick % 3) }, META));
      }
      expectLegal(items, history);
    }),
    { numRuns: 300 },
  );
});

function expectLegal(items: readonly BatchItem[], history: readonly BatchEvent[]): void {
  const completed = new Set<string>();
  const begun = new Set<string>();
  const gone = new Set<string>();
  for (const { type, data } of history) {
    if (type === 'BatchItemStarted') {
      expect(begun.has(data.item)).toBe(false);
      begun.add(data.item);
      const { dependsOn = ['?'] } = items.find(({ id }) => id === data.item) ?? {};
      expect(dependsOn.filter((id) => !completed.has(id))).toEqual([]);
    }
    if (type === 'BatchItemEnded') {
      expect(gone.has(data.item)).toBe(false);
      expect(begun.has(data.item)).toBe(data.outcome !== 'skipped');
      gone.add(data.item);
      if (data.outcome === 'completed') completed.add(data.item);
    }
  }
  expect(gone.size).toBe(items.length);
  expect(history.filter(({ type }) => type === 'BatchEnded')).toHaveLength(1);
  expect(history.at(-1)?.type).toBe('BatchEnded');
}

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { FairQueue } from '../../src/reactors/fair-queue.ts';

const due = (executionId: string, client = 'a', priority = 0) => ({ executionId, client, priority });

function drained(queue: FairQueue): readonly string[] {
  const ids: string[] = [];
  for (let id = queue.pop(); id !== undefined; id = queue.pop()) ids.push(id);
  return ids;
}

it('gives by priority; among equals each client in its turn, and what belongs to none before them', () => {
  const queue = new FairQueue();
  for (const id of ['a1', 'a2', 'a3']) queue.push(due(id));
  queue.push(due('b1', 'b'));
  queue.push(due('b2', 'b'));
  queue.push(due('low', 'c', -1));
  queue.push(due('subtask', ''));
  queue.push(due('high', 'a', 1));
  expect(queue.size).toBe(8);
  expect(drained(queue)).toEqual(['high', 'subtask', 'a1', 'b1', 'a2', 'b2', 'a3', 'low']);
  expect(queue.size).toBe(0);
});

it('keeps an id once, where it stands, until it was given', () => {
  const queue = new FairQueue();
  queue.push(due('one'));
  queue.push(due('two', 'b'));
  queue.push(due('one', 'b', 9));
  expect(queue.pop()).toBe('one');
  queue.push(due('one', 'b'));
  expect(drained(queue)).toEqual(['two', 'one']);
});

it('lets no client wait for more than one turn of each other one', () => {
  const clients = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 60 });
  fc.assert(
    fc.property(clients, (asked) => {
      const queue = new FairQueue();
      for (const [n, client] of asked.entries()) queue.push(due(`${client}${n}`, client));
      const given = drained(queue).map((id) => id.charAt(0));
      expect(given.toSorted()).toEqual(asked.toSorted());
      for (const [place, client] of given.entries()) {
        const before = given.slice(0, place).filter((other) => other === client).length;
        for (const other of new Set(asked)) {
          const passed = given.slice(0, place).filter((one) => one === other).length;
          expect(passed).toBeLessThanOrEqual(before + 1);
        }
      }
    }),
  );
});

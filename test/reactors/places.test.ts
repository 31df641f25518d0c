/** Who may run when: as many as there are places, and subtasks in the places of those who wait for them. */
import { describe, expect, test } from 'vitest';
import { type Place, Places } from '../../src/reactors/places.ts';

/** Lets everything that is ready happen. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

function asking(places: Places) {
  const entered: string[] = [];
  const ask = (name: string, options: { isSubtask?: boolean; priority?: number; signal?: AbortSignal } = {}): Place => {
    const place = places.open(options.isSubtask ?? false, () => entered.push(`${name} left`));
    place.take(options.priority ?? 0, options.signal ?? new AbortController().signal).then(
      () => entered.push(name),
      () => entered.push(`${name} gave up`),
    );
    return place;
  };
  return { entered, ask };
}

describe('places', () => {
  test('are taken in the order of priority, then of coming', async () => {
    const { entered, ask } = asking(new Places(1));
    const first = ask('first');
    const rest = [ask('low', { priority: -1 }), ask('second'), ask('high', { priority: 9 }), ask('third')];
    await settled();
    expect(entered).toEqual(['first']);
    for (const place of [first, rest[2], rest[1], rest[3]]) {
      place?.leave();
      await settled();
    }
    expect(entered.filter((one) => !one.endsWith('left'))).toEqual(['first', 'high', 'second', 'third', 'low']);
  });

  test('of those who only wait are lent to subtasks, and to nobody else', async () => {
    const { entered, ask } = asking(new Places(1));
    const parent = ask('parent');
    ask('other');
    await settled();
    parent.idle(true);
    await settled();
    expect(entered).toEqual(['parent']);
    const child = ask('child', { isSubtask: true });
    await settled();
    expect(entered).toEqual(['parent', 'child']);
    child.leave();
    parent.idle(false);
    parent.leave();
    await settled();
    expect(entered).toEqual(['parent', 'child', 'child left', 'parent left', 'other']);
  });

  test('go to a subtask before a request of the same priority that came earlier', async () => {
    const { entered, ask } = asking(new Places(1));
    const first = ask('first');
    ask('request');
    ask('subtask', { isSubtask: true });
    await settled();
    first.leave();
    await settled();
    expect(entered).toEqual(['first', 'first left', 'subtask']);
  });

  test('are not lost by those who give up, leave before they enter, or leave twice', async () => {
    const { entered, ask } = asking(new Places(1));
    const first = ask('first');
    const stop = new AbortController();
    const second = ask('second', { signal: stop.signal });
    const third = ask('third');
    await settled();
    stop.abort(new Error('enough'));
    second.leave();
    third.leave();
    third.leave();
    await settled();
    first.leave();
    first.leave();
    await settled();
    ask('fourth');
    await settled();
    ask('fifth');
    await settled();
    expect(entered.filter((one) => !one.endsWith('left'))).toEqual(['first', 'second gave up', 'third', 'fourth']);
  });

  test('of one that leaves while it is idle are free again', async () => {
    const { entered, ask } = asking(new Places(2));
    const parents = [ask('a'), ask('b')];
    await settled();
    for (const parent of parents) parent.idle(true);
    for (const parent of parents) parent.leave();
    const later = [ask('c'), ask('d'), ask('e')];
    await settled();
    expect(entered.slice(-2)).toEqual(['c', 'd']);
    later[0]?.leave();
    await settled();
    expect(entered.at(-1)).toBe('e');
  });
});

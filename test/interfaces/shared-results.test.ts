import type { ExecutionResult } from 'graphql';
import { describe, expect, it } from 'vitest';
import { type Begun, type Listener, SharedResults, type Wanted } from '../../src/interfaces/graphql/shared-results.ts';
import { SocketFrames } from '../../src/interfaces/graphql/socket-frames.ts';
import { framesIn } from '../support/fuzz-wire.ts';
import { eventually } from '../support/server.ts';

const textsIn = (frames: Buffer) => framesIn(Buffer.concat([Buffer.from('\r\n\r\n'), frames])).texts;

describe('frames', () => {
  it.each([0, 60, 200, 70_000])('of results with %i characters hold each with the id of who listens', (length) => {
    const payloads = [JSON.stringify({ data: 'x'.repeat(length) }), JSON.stringify({ data: 'é' })];
    const frames = new SocketFrames(payloads);
    for (const id of ['1', 'another "id"', '2', 'ü', '1']) {
      const expected = payloads.map((text) => ({ id, type: 'next', payload: JSON.parse(text) as unknown }));
      expect(textsIn(frames.for(id)).map((text) => JSON.parse(text) as unknown)).toEqual(expected);
    }
  });
});

/** A log of numbers that subscriptions read; each says how often it was begun. */
function log() {
  const events: number[] = [];
  let wake = Promise.withResolvers<void>();
  let begun = 0;
  let running = 0;
  let ends: 'over' | 'failed' | null = null;
  async function* after(start: number, at: { position: number }): AsyncGenerator<ExecutionResult, void> {
    running += 1;
    try {
      for (let index = start; ; ) {
        const event = events[index];
        if (event !== undefined) {
          index += 1;
          at.position = index;
          yield { data: { event } };
        } else if (ends !== null) {
          if (ends === 'failed') yield { errors: [] };
          return;
        } else await wake.promise;
      }
    } finally {
      running -= 1;
    }
  }
  const notify = (): void => {
    wake.resolve();
    wake = Promise.withResolvers();
  };
  const wanted: Wanted = {
    key: 'same',
    head: async () => String(events.length),
    begin: async (from): Promise<Begun> => {
      begun += 1;
      const at = { position: 0 };
      const results = after(from === null ? events.length : Number(from), at);
      return { results, isFromNow: from === null, position: () => String(at.position), tell: (result) => result };
    },
  };
  return {
    wanted,
    append: (event: number) => {
      events.push(event);
      notify();
    },
    end: (how: 'over' | 'failed') => {
      ends = how;
      notify();
    },
    /** Lets what was left wake up, as the signal of a real subscription does. */
    notify,
    begun: () => begun,
    running: () => running,
  };
}

interface Heard extends Listener {
  readonly events: readonly number[];
  isFull: boolean;
}

function listener(id: string): Heard {
  const events: number[] = [];
  return {
    id,
    events,
    isFull: false,
    send(frames) {
      if (this.isFull) return false;
      for (const text of textsIn(frames)) {
        const { id: named, payload } = JSON.parse(text) as { id: string; payload: { data: { event: number } } };
        if (named === id) events.push(payload.data.event);
      }
      return true;
    },
  };
}

async function read(results: AsyncGenerator<ExecutionResult, void> | ExecutionResult): Promise<readonly unknown[]> {
  if (!(Symbol.asyncIterator in results)) return [results];
  const read: unknown[] = [];
  for await (const { data, errors } of results) read.push(errors === undefined ? data?.['event'] : 'failed');
  return read;
}

const hears = ({ events }: Heard, count: number) =>
  eventually(`${count} events`, () => (events.length >= count ? true : undefined));

describe('equal subscriptions', () => {
  it('are carried out once; each hears what happens from its own beginning on, to the end', async () => {
    const events = log();
    const shared = new SharedResults();
    const [first, second, late] = [listener('1'), listener('2'), listener('3')];
    const ends = (await Promise.all([first, second].map((one) => shared.join(events.wanted, one)))).map(read);
    events.append(1);
    await hears(first, 1);
    ends.push(read(await shared.join(events.wanted, late)));
    events.append(2);
    await Promise.all([hears(first, 2), hears(second, 2), hears(late, 1)]);
    events.end('over');
    expect(await Promise.all(ends)).toEqual([[], [], []]);
    expect([first.events, second.events, late.events]).toEqual([[1, 2], [1, 2], [2]]);
    expect(events.begun()).toBe(1);
  });

  it('leave behind whoever is too slow, who goes on alone from where it was', async () => {
    const events = log();
    const shared = new SharedResults();
    const [quick, slow] = [listener('1'), listener('2')];
    void read(await shared.join(events.wanted, quick));
    const alone = read(await shared.join(events.wanted, slow));
    events.append(1);
    await Promise.all([hears(quick, 1), hears(slow, 1)]);
    slow.isFull = true;
    events.append(2);
    events.append(3);
    await hears(quick, 3);
    events.append(4);
    events.end('over');
    expect(await alone).toEqual([2, 3, 4]);
    expect(slow.events).toEqual([1]);
  });

  it('end when the last has left, and break off for all together', async () => {
    const events = log();
    const shared = new SharedResults();
    const joined = await shared.join(events.wanted, listener('1'));
    const told = read(joined);
    events.append(1);
    await eventually('it runs', () => (events.running() === 1 ? true : undefined));
    if (Symbol.asyncIterator in joined) await joined.return();
    events.notify();
    expect(await told).toEqual([]);
    await eventually('it has ended', () => (events.running() === 0 ? true : undefined));
    const again = await Promise.all([listener('1'), listener('2')].map((one) => shared.join(events.wanted, one)));
    events.end('failed');
    expect(await Promise.all(again.map(read))).toEqual([['failed'], ['failed']]);
  });
});

import { EventEmitter, getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { drained } from '../../src/interfaces/drained.ts';

describe('waiting for a slow reader', () => {
  it.each(['drain', 'abort'])('ends with %s and leaves no listener behind', async (end) => {
    const target = new EventEmitter();
    const stop = new AbortController();
    const waits = Promise.all([drained(target, stop.signal), drained(target, stop.signal)]);
    expect(target.listenerCount('drain')).toBe(2);
    if (end === 'drain') target.emit('drain');
    else stop.abort();
    await waits;
    expect(target.listenerCount('drain')).toBe(0);
    expect(getEventListeners(stop.signal, 'abort')).toHaveLength(0);
  });

  it('does not begin once the reader is gone', async () => {
    const target = new EventEmitter();
    await drained(target, AbortSignal.abort());
    expect(target.listenerCount('drain')).toBe(0);
  });
});

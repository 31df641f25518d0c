/** The promise that every end-to-end test of a task keeps: what ran can be run again from its events, with nothing going out. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { expect } from 'vitest';
import type { TestApp } from './app.ts';

/** @returns what `work` gives, and how many requests this process made meanwhile. */
export async function countRequests<T>(
  work: () => Promise<T>,
): Promise<{ readonly value: T; readonly requests: number }> {
  let requests = 0;
  const count = (): void => {
    requests += 1;
  };
  subscribe('undici:request:create', count);
  try {
    return { value: await work(), requests };
  } finally {
    unsubscribe('undici:request:create', count);
  }
}

/** Replays an ended execution (its last ended attempt, or the given one) and expects no difference and no request. */
export async function replayed(app: TestApp, executionId: unknown, attempt?: number): Promise<Record<string, unknown>> {
  const input = { execution_id: executionId, ...(attempt === undefined ? {} : { attempt }) };
  const { value, requests } = await countRequests(() => app.call('replay_execution', input));
  expect(value).toMatchObject({ executionId, identical: true, differences: [] });
  expect(requests).toBe(0);
  return value;
}

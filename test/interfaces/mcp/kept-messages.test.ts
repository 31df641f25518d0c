import { expect, it } from 'vitest';
import { LOCAL_ADMIN } from '../../../src/domain/access.ts';
import type { McpSessionEvent } from '../../../src/domain/mcp-session.ts';
import { KeptMessages, placeOf, STANDALONE } from '../../../src/interfaces/mcp/kept-messages.ts';
import type { McpSessionLog } from '../../../src/ports/mcp-session-log.ts';

const STREAM = '00000000-0000-4000-8000-000000000001';

function kept(): { readonly messages: KeptMessages; readonly told: McpSessionEvent[] } {
  const told: McpSessionEvent[] = [];
  const log: McpSessionLog = {
    node: 'node-a',
    isAlive: async () => true,
    look: async () => null,
    tell: async (_session, facts) => void told.push(...facts),
    read: async () => [],
    head: async () => '00000000000000ff',
    follow: async () => undefined,
  };
  const onTrouble = (error: unknown): never => {
    throw error;
  };
  return { messages: new KeptMessages({ log, sessionId: 's', principal: LOCAL_ADMIN, onTrouble }), told };
}

const notice = (text: string) => ({ jsonrpc: '2.0', method: 'notifications/message', params: { data: text } }) as const;

async function after(messages: KeptMessages, id: string): Promise<readonly string[]> {
  const sent: string[] = [];
  await messages.replayEventsAfter(id, { send: async (_id, message) => void sent.push(JSON.stringify(message)) });
  return sent;
}

it('what came after an event is told again, in order, and nothing of another stream', async () => {
  const { messages } = kept();
  const ids: string[] = [];
  for (const text of ['one', 'two', 'three']) ids.push(await messages.storeEvent(STREAM, notice(text)));
  await messages.storeEvent(STREAM.replace(/1$/, '2'), notice('other'));
  const told = await after(messages, ids[0] ?? '');
  expect(told.map((text) => JSON.parse(text).params.data)).toEqual(['two', 'three']);
  expect(placeOf(ids[2] ?? '')).toEqual({ streamId: STREAM, sequence: 2, told: null });
  messages.close();
});

it('what is kept is bounded, and the first goes first', async () => {
  const { messages } = kept();
  const first = await messages.storeEvent(STREAM, notice('first'));
  for (let n = 0; n < 6; n += 1) await messages.storeEvent(STREAM, notice('x'.repeat(1024 * 1024)));
  const told = await after(messages, first);
  expect(told.length).toBeLessThan(5);
  expect(told.join('').length).toBeLessThan(4 * 1024 * 1024 + 1);
  messages.close();
});

it('only what takes long is stored, from then on before it is sent, each message once', async () => {
  const { messages, told } = kept();
  messages.begin([7]);
  await messages.storeEvent(STREAM, {} as never);
  await messages.storeEvent(STREAM, notice('early'));
  expect(told).toEqual([]);
  await expect.poll(() => told.length, { timeout: 5_000 }).toBe(2);
  await messages.storeEvent(STREAM, notice('late'));
  expect(told).toHaveLength(3);
  expect(told).toMatchObject([0, 1, 2].map((sequence) => ({ data: { sequence, requests: [7], node: 'node-a' } })));
});

it('an id of a message that answers nothing carries the node and the position of the log', async () => {
  const { messages } = kept();
  const id = await messages.storeEvent(STANDALONE, notice('changed'));
  expect(placeOf(id)).toEqual({
    streamId: STANDALONE,
    sequence: 0,
    told: { node: 'node-a', position: '00000000000000ff' },
  });
  for (const wrong of ['', 'none', `${STREAM}_`, `${STREAM}_x`, '_GET_stream_']) expect(placeOf(wrong)).toBeNull();
});

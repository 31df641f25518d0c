/** Deliveries that others send: signed, fresh, counted once, and run as a task on what was sent. */
import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { call, eventually, type Home, openHome, type ServerProcess, startServerProcess } from '../support/server.ts';

const SECRET = 'a secret that both know';
let home: Home;
let server: ServerProcess;

beforeAll(async () => {
  home = openHome();
  server = await startServerProcess(home, {
    more: `webhooks:
  github: { provider: github, secret: "${SECRET}", task: echo }
  shop: { secret: "${SECRET}", task: echo }
`,
  });
  await call(server.url, 'POST', '/api/v1/tasks', { name: 'echo', code: 'function main(input) { return input; }' });
});
afterAll(async () => {
  await server.stop();
  home[Symbol.dispose]();
});

const sign = (text: string, secret = SECRET): string =>
  `sha256=${createHmac('sha256', secret).update(text).digest('hex')}`;

async function send(name: string, body: string, headers: Record<string, string>) {
  const response = await fetch(`${server.url}/webhooks/${name}`, { method: 'POST', body, headers });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

function shop(body: string, id: string, at = Date.now() / 1_000) {
  const timestamp = String(Math.floor(at));
  return {
    'x-webhook-timestamp': timestamp,
    'x-webhook-signature': sign(`${timestamp}.${body}`),
    'x-webhook-id': id,
  };
}

const github = (body: string, id: string) => ({
  'x-hub-signature-256': sign(body),
  'x-github-delivery': id,
  'x-github-event': 'push',
  'content-type': 'application/json',
});

describe('a delivery', () => {
  it('that is signed runs the task of its sender on what was sent, and tells where it came from', async () => {
    const body = JSON.stringify({ ref: 'refs/heads/main' });
    const { status, body: answer } = await send('github', body, github(body, 'd-1'));
    expect([status, answer['created']]).toEqual([202, true]);
    const told = await eventually('it has run', async () => {
      const { body: execution } = await call(server.url, 'GET', `/api/v1/executions/${String(answer['execution_id'])}`);
      return execution['status'] === 'completed' ? execution : undefined;
    });
    expect(told).toMatchObject({
      source: 'webhook',
      principal: 'webhook:github',
      output: { ref: 'refs/heads/main' },
      metadata: { webhook: 'github', delivery: 'd-1', event: 'push' },
    });
  });

  it('that comes again is the same execution; the same id with other content is refused', async () => {
    const body = '{"order":1}';
    const first = await send('shop', body, shop(body, 'o-1'));
    const again = await send('shop', body, shop(body, 'o-1'));
    expect(again.body).toMatchObject({ execution_id: first.body['execution_id'], created: false });
    const other = '{"order":2}';
    expect((await send('shop', other, shop(other, 'o-1'))).body).toMatchObject({ code: 'idempotency_mismatch' });
  });

  it.each([
    ['without a signature', {}],
    ['with a wrong signature', { 'x-webhook-signature': sign('{}', 'another') }],
    ['with a signature that is none', { 'x-webhook-signature': 'sha256=zz' }],
    ['that is too old', shop('{}', 'x', Date.now() / 1_000 - 1_000)],
    ['from the future', shop('{}', 'x', Date.now() / 1_000 + 1_000)],
    ['whose signature is of other content', shop('{"a":1}', 'x')],
  ])('%s is refused, and says no more than that', async (_what, changed) => {
    const { status, body } = await send('shop', '{}', { 'x-webhook-id': 'y', 'x-webhook-timestamp': '1', ...changed });
    expect([status, body['code'], body['detail']]).toEqual([
      401,
      'unauthenticated',
      'the signature of the webhook does not hold',
    ]);
  });

  it('to a name that is not configured is answered like a wrong signature', async () => {
    expect((await send('nobody', '{}', shop('{}', 'x'))).body).toMatchObject({ code: 'unauthenticated' });
    const unsigned = { 'x-webhook-signature': sign('1.{}', ''), 'x-webhook-timestamp': '1', 'x-webhook-id': 'x' };
    expect((await send('nobody', '{}', unsigned)).status).toBe(401);
  });

  it('without an id or of no JSON says what is wrong', async () => {
    const { 'x-webhook-id': _id, ...without } = shop('{}', 'x');
    expect((await send('shop', '{}', without)).body).toMatchObject({ code: 'invalid_request' });
    expect((await send('shop', 'rubbish', shop('rubbish', 'r'))).body).toMatchObject({ code: 'invalid_json' });
  });
});

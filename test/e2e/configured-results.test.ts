/** Results out of a real server, as its configuration says; also when it is killed. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { deliveryIdOf } from '../../src/domain/delivery.ts';
import { startMcpProcess } from '../support/mcp-process.ts';
import { isSigned, SECRET, startReceiver } from '../support/result-receiver.ts';
import { call, eventually, openHome, ratchet, type ServerProcess, startServerProcess } from '../support/server.ts';

const TASKS: Readonly<Record<string, string>> = {
  echo: 'function main(input) { return input; }',
  bad: 'function main() { throw new Error("no"); }',
};

async function makeTasks({ url }: ServerProcess): Promise<void> {
  for (const [name, code] of Object.entries(TASKS)) await call(url, 'POST', '/api/v1/tasks', { name, code });
}

async function run({ url }: ServerProcess, task: string, input: unknown, more: object = {}): Promise<string> {
  const { body } = await call(url, 'POST', '/api/v1/tasks/execute', { task_id: task, input, ...more });
  return String(body['execution_id']);
}

function delivered({ url }: ServerProcess, id: string, status = 'delivered'): Promise<Record<string, unknown>> {
  return eventually(`${id} is ${status}`, async () => {
    const { body } = await call(url, 'GET', `/api/v1/deliveries/${id}`);
    return body['status'] === status ? body : undefined;
  });
}

const lines = (text: string): readonly { id: string; data: Record<string, unknown> }[] =>
  text
    .split('\n')
    .filter((line) => line.includes('"execution.'))
    .map((line) => JSON.parse(line));

it('go to webhooks, files and stdout as the results section says', { timeout: 60_000 }, async () => {
  await using receiver = await startReceiver((response, path, count) => {
    if (path === '/hangs') return;
    response.writeHead(path === '/fails' || (path === '/shop' && count === 1) ? 500 : 200).end();
  });
  const old = Buffer.alloc(32, 3);
  using home = openHome();
  const webhook = (name: string, more: string): string =>
    `  ${name}: { type: webhook, url: "${receiver.url}/${name}", secret: "\${SIGNING}", initial_delay: 10ms, ${more} }\n`;
  await using server = await startServerProcess(home, {
    env: { SIGNING: SECRET, TOKEN: 'Bearer t0ken' },
    more: `results:
  archive: { type: file, path: out/results.jsonl, events: [failed] }
  printed: { type: stdout, tasks: [ec*] }
${webhook('shop', `previous_secret: "whsec_${old.toString('base64')}", headers: { authorization: "\${TOKEN}" }, max_value_size: 20, tasks: [echo]`)}
${webhook('fails', 'max_attempts: 2, max_delay: 10ms, on_request: true')}
${webhook('hangs', 'max_attempts: 1, timeout: 100ms, concurrency: 1, on_request: true')}`,
  });
  await makeTasks(server);
  const named = { result_to: ['fails', 'hangs'] };
  const echo = await run(server, 'echo', 'more than twenty bytes', named);
  const bad = await run(server, 'bad', {});
  await delivered(server, deliveryIdOf(bad, 'archive'));
  await delivered(server, deliveryIdOf(echo, 'printed'));
  expect(await delivered(server, deliveryIdOf(echo, 'shop'))).toMatchObject({ attempt_count: 2 });
  expect(await delivered(server, deliveryIdOf(echo, 'fails'), 'dead_lettered')).toMatchObject({ attempt_count: 2 });
  expect(await delivered(server, deliveryIdOf(echo, 'hangs'), 'dead_lettered')).toMatchObject({
    last_error: expect.stringContaining('did not answer within 100 ms'),
  });
  expect(lines(readFileSync(join(home.folder, 'out', 'results.jsonl'), 'utf8')).map(({ id }) => id)).toEqual([
    deliveryIdOf(bad, 'archive'),
  ]);
  // Nothing but results stands there: each line is one.
  await eventually('it is printed', () => (server.stdout().endsWith('\n') ? true : undefined));
  const printed = server.stdout().trimEnd().split('\n');
  expect(printed.map((line) => JSON.parse(line))).toMatchObject([
    { id: deliveryIdOf(echo, 'printed'), type: 'execution.completed', data: { output: 'more than twenty bytes' } },
  ]);
  const [shop] = receiver.at('/shop');
  expect(shop?.message.data).toMatchObject({ output: null, omitted: ['output'] });
  expect(shop?.headers['authorization']).toBe('Bearer t0ken');
  expect(shop && [isSigned(shop), isSigned(shop, old)]).toEqual([true, true]);
  expect(receiver.received.map(({ message }) => message.data['execution_id'])).not.toContain(bad);
  const text = `${server.stdout()}${server.stderr()}`;
  expect(text).not.toContain('t0ken');
  expect(text).not.toContain(SECRET.slice(6));
});

it('come through when the server is killed while it sends, under the same id', { timeout: 60_000 }, async () => {
  await using receiver = await startReceiver((response, _, count) => {
    if (count > 1) response.end();
  });
  using home = openHome();
  const more = `results:\n  shop: { type: webhook, url: "${receiver.url}", secret: "${SECRET}" }\n`;
  const server = await startServerProcess(home, { more });
  await makeTasks(server);
  const id = deliveryIdOf(await run(server, 'echo', 1), 'shop');
  await eventually('it is being sent', () => receiver.received[0]);
  await server.kill();
  await using again = await startServerProcess(home, { more });
  expect(await delivered(again, id)).toMatchObject({ attempts: [{ attempt: 2, ok: true, status: 204 }] });
  expect(receiver.received.map(({ headers }) => headers['webhook-id'])).toEqual([id, id]);
  expect(receiver.received.every((one) => isSigned(one))).toBe(true);
});

it('all come through when the server is killed in the middle of its work', { timeout: 60_000 }, async () => {
  await using receiver = await startReceiver();
  using home = openHome();
  const more = `results:\n  shop: { type: webhook, url: "${receiver.url}", secret: "${SECRET}" }\n`;
  const server = await startServerProcess(home, { more });
  await makeTasks(server);
  const asked = Array.from({ length: 30 }, (_, n) =>
    call(server.url, 'POST', '/api/v1/executions', { task_id: 'echo', input: n, idempotency_key: `k${n}` }),
  );
  const ids = (await Promise.all(asked)).map(({ body }) => String(body['execution_id']));
  await eventually('some have arrived', () => (receiver.received.length >= 3 ? true : undefined));
  await server.kill();
  await using again = await startServerProcess(home, { more });
  for (const id of ids) await delivered(again, deliveryIdOf(id, 'shop'));
  const told = new Set(receiver.received.map(({ message }) => message.id));
  expect(told).toEqual(new Set(ids.map((id) => deliveryIdOf(id, 'shop'))));
});

it('are delivered once by two servers on one database', { timeout: 60_000 }, async () => {
  await using receiver = await startReceiver();
  using home = openHome();
  const more = `results:\n  shop: { type: webhook, url: "${receiver.url}", secret: "${SECRET}" }\n`;
  await using first = await startServerProcess(home, { more });
  await using second = await startServerProcess(home, { more });
  await makeTasks(first);
  const ids = await Promise.all(Array.from({ length: 20 }, (_, n) => run(first, 'echo', n)));
  for (const id of ids) await delivered(second, deliveryIdOf(id, 'shop'));
  expect(receiver.received).toHaveLength(ids.length);
  expect(new Set(receiver.received.map(({ message }) => message.id))).toEqual(
    new Set(ids.map((id) => deliveryIdOf(id, 'shop'))),
  );
});

it('that nobody reads hold up no shutdown of the server, and are printed by the next', {
  timeout: 60_000,
}, async () => {
  using home = openHome();
  const more = 'results:\n  printed: { type: stdout }\n';
  await using server = await startServerProcess(home, { more, isRead: false });
  await makeTasks(server);
  // More than a pipe holds.
  const id = deliveryIdOf(await run(server, 'echo', 'x'.repeat(200_000)), 'printed');
  await delivered(server, id, 'sending');
  expect(await server.stop()).toBe(0);
  await using again = await startServerProcess(home, { more });
  await delivered(again, id);
});

it('of executions that MCP clients ask for go there too, and never into the protocol', {
  timeout: 60_000,
}, async () => {
  using home = openHome();
  const more = 'results:\n  archive: { type: file, path: out/results.jsonl }\n  printed: { type: stdout }\n';
  const message = (input: string) => ({
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/call',
    params: { name: 'execute_task', arguments: { task_id: 'echo', input } },
  });
  const path = join(home.folder, 'out', 'results.jsonl');
  const arrived = (output: string, file = () => (existsSync(path) ? readFileSync(path, 'utf8') : '')) =>
    eventually(`"${output}" has arrived`, () => lines(file()).find(({ data }) => data['output'] === output));
  const first = await startServerProcess(home, { more });
  await makeTasks(first);
  await run(first, 'echo', 'of serve');
  await arrived('of serve');
  await first.stop();

  const asked = `${JSON.stringify(message('over stdio'))}\n`;
  const { stdout } = await ratchet(home, ['mcp-serve', '--config', join(home.folder, 'config.yaml')], { input: asked });
  expect(
    stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line)),
  ).toMatchObject([{ jsonrpc: '2.0', id: 1 }]);
  const second = await startServerProcess(home, { more });
  await arrived('over stdio');
  await arrived('over stdio', second.stdout);
  await second.stop();

  await using listener = await startMcpProcess(home, more);
  const url = new URL('/mcp', listener.url);
  await fetch(url, { method: 'POST', body: JSON.stringify(message('over HTTP')) });
  await arrived('over HTTP');
});

import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { categoryOf } from '../../../src/domain/event.ts';
import { openTestApp } from '../../support/app.ts';
import { serveMcp } from '../../support/mcp.ts';
import { eventually } from '../../support/server.ts';
import { type Node, openTwoNodes, type TwoNodes } from '../../support/two-nodes.ts';

const ASKS = `export default async function main() {
  const given = await ask('Which colour?', { type: 'object', properties: { colour: { type: 'string' } }, required: ['colour'] });
  return given;
}`;
const SLOW = 'export default async function main({ ms }) { await sleep(ms); return { slept: ms }; }';
const INITIALIZE = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '1' } },
};

/** @returns the answer to one message of the older era. */
function post(url: string, message: object, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${url}/mcp`, {
    method: 'POST',
    headers: {
      accept: 'application/json, text/event-stream',
      'content-type': 'application/json',
      'mcp-protocol-version': '2025-11-25',
      ...headers,
    },
    body: JSON.stringify(message),
  });
}

async function opened(url: string, headers: Record<string, string> = {}): Promise<string> {
  const answer = await post(url, INITIALIZE, headers);
  await answer.text();
  return answer.headers.get('mcp-session-id') ?? '';
}

const call = (id: number, name: string, args: object) => ({
  jsonrpc: '2.0',
  id,
  method: 'tools/call',
  params: { name, arguments: args },
});

/** What was told of a session, in order. */
async function factsOf({ app }: Node, sessionId: string): Promise<readonly string[]> {
  return (await app.app.store.readStream(`session-${sessionId}`)).map(({ type }) => type);
}

let nodes: TwoNodes;

beforeAll(async () => {
  nodes = await openTwoNodes();
  await nodes.one.app.task('asks', ASKS);
  await nodes.one.app.task('slow', SLOW);
  await eventually('both nodes know the tasks', () =>
    [nodes.one, nodes.other].every(({ app }) => app.app.directory.all().length === 2) ? true : undefined,
  );
});

afterAll(() => nodes[Symbol.asyncDispose]());

describe('a session', () => {
  it('works when its requests alternate between two nodes', async () => {
    let turn = 0;
    const client = new Client({ name: 'nomad', version: '1' }, { versionNegotiation: { mode: 'legacy' } });
    const transport = new StreamableHTTPClientTransport(new URL(`${nodes.one.served.url}/mcp`), {
      fetch: nodes.through(() => {
        turn += 1;
        return turn % 2 === 0 ? nodes.other : nodes.one;
      }),
    });
    await client.connect(transport);
    for (let n = 0; n < 4; n += 1) {
      const answer = await client.callTool({ name: 'list_available_tasks', arguments: { filter: 'slow' } });
      expect(answer.structuredContent).toMatchObject({ tasks: [{ name: 'slow' }] });
    }
    const { sessionId = '' } = transport;
    await transport.terminateSession();
    await client.close();
    const facts = await factsOf(nodes.one, sessionId);
    expect(facts[0]).toBe('SessionOpened');
    expect(facts).toContain('SessionTakenUp');
    expect(facts.at(-1)).toBe('SessionClosed');
    for (const { served } of [nodes.one, nodes.other]) {
      const after = await post(served.url, call(2, 'list_available_tasks', {}), { 'mcp-session-id': sessionId });
      expect(after.status).toBe(404);
    }
  });

  it('that watches a resource through one node is told of it on the stream of the other', async () => {
    const client = new Client({ name: 'watcher', version: '1' }, { versionNegotiation: { mode: 'legacy' } });
    const transport = new StreamableHTTPClientTransport(new URL(`${nodes.one.served.url}/mcp`), {
      // Streams are opened at one node, and all else goes to the other.
      fetch: nodes.through(({ method }) => (method === 'GET' ? nodes.one : nodes.other)),
    });
    await client.connect(transport);
    const told: string[] = [];
    client.setNotificationHandler('notifications/resources/updated', ({ params }) => void told.push(params.uri));
    await client.subscribeResource({ uri: 'task://slow' });
    const edited = async (description: string) => nodes.one.app.call('edit_task', { task_id: 'slow', description });
    await eventually('the change is told', async () => {
      await edited(`slower ${told.length} ${Date.now()}`);
      return told.includes('task://slow') ? true : undefined;
    });
    await client.unsubscribeResource({ uri: 'task://slow' });
    await client.close();
    const facts = await factsOf(nodes.one, transport.sessionId ?? '');
    expect(facts).toEqual(expect.arrayContaining(['ResourceSubscribed', 'ResourceUnsubscribed']));
  });

  it('that begins to watch a resource while another node takes it up is told of it there', async () => {
    const { mcpSessions } = nodes.one.app.app;
    const { tell } = mcpSessions;
    const watched = Promise.withResolvers<void>();
    const takesUp = Promise.withResolvers<void>();
    const late: typeof tell = async (sessionId, facts, ...rest) => {
      await tell(sessionId, facts, ...rest);
      if (!facts.some(({ type }) => type === 'SessionTakenUp')) return;
      takesUp.resolve();
      await watched.promise;
    };
    Object.assign(mcpSessions, { tell: late });
    onTestFinished(() => void Object.assign(mcpSessions, { tell }));
    const client = new Client({ name: 'watcher', version: '1' }, { versionNegotiation: { mode: 'legacy' } });
    const transport = new StreamableHTTPClientTransport(new URL(`${nodes.one.served.url}/mcp`), {
      fetch: nodes.through(({ method }) => (method === 'GET' ? nodes.one : nodes.other)),
    });
    await client.connect(transport);
    const told: string[] = [];
    client.setNotificationHandler('notifications/resources/updated', ({ params }) => void told.push(params.uri));
    await takesUp.promise;
    await client.subscribeResource({ uri: 'task://slow' });
    // It follows the log, and so has heard of it when it knows of what was stored later.
    const head = await nodes.one.app.app.store.head();
    await nodes.one.app.app.core.progress.reach(head, 10_000);
    watched.resolve();
    await eventually('the change is told', async () => {
      await nodes.one.app.call('edit_task', { task_id: 'slow', description: `slow ${told.length} ${Date.now()}` });
      return told.includes('task://slow') ? true : undefined;
    });
    await client.close();
  });

  it('hands what the client answers to the node that has asked', async () => {
    const client = new Client(
      { name: 'asked', version: '1' },
      { versionNegotiation: { mode: 'legacy' }, capabilities: { elicitation: { form: {} } } },
    );
    client.setRequestHandler('elicitation/create', async () => ({ action: 'accept', content: { colour: 'red' } }));
    const transport = new StreamableHTTPClientTransport(new URL(`${nodes.one.served.url}/mcp`), {
      // Answers of the client go to the node that has not asked.
      fetch: async (input, init) => {
        const body = typeof init?.body === 'string' ? init.body : '';
        const isAnswer = body.includes('"result"') && !body.includes('"method"');
        return nodes.through(() => (isAnswer ? nodes.other : nodes.one))(input, init);
      },
    });
    await client.connect(transport);
    const answer = await client.callTool({ name: 'execute_task', arguments: { task_id: 'asks', input: {} } });
    expect(answer.structuredContent).toMatchObject({ status: 'completed', output: { colour: 'red' } });
    await client.close();
  });

  it('of somebody else is not there', async () => {
    const keys = [
      { name: 'ada', key: 'a'.repeat(32) },
      { name: 'bob', key: 'b'.repeat(32) },
    ];
    await using app = await openTestApp();
    const issued = await Promise.all(keys.map(({ name }) => app.call('create_key', { name, role: 'operator' })));
    const { authenticateBy } = await import('../../../src/interfaces/identity.ts');
    const { core } = app.app;
    await using served = await serveMcp(app, { authenticate: authenticateBy(core.access, core.rateLimits) });
    const [ada, bob] = issued.map((grant) => ({ 'x-api-key': String(grant['key']) }));
    const session = { 'mcp-session-id': await opened(served.url, ada) };
    const list = { jsonrpc: '2.0', id: 2, method: 'tools/list' };
    expect((await post(served.url, list, { ...ada, ...session })).status).toBe(200);
    expect((await post(served.url, list, { ...bob, ...session })).status).toBe(404);
    const trail = await eventually('the refusal is in the trail', async () => {
      const { entries } = await app.call('get_audit_trail', { action: 'AccessRefused' });
      return Array.isArray(entries) && entries.length > 0 ? entries : undefined;
    });
    expect(JSON.stringify(trail)).toContain('permission_denied');
    await app.call('revoke_key', { key_id: String(issued[0]?.['key_id']) });
    await eventually('the revoked key is refused', async () =>
      (await post(served.url, list, { ...ada, ...session })).status === 401 ? true : undefined,
    );
  });

  it('that is one too many is refused with the reason and when to come back; one that ends makes room', async () => {
    await using app = await openTestApp();
    await using served = await serveMcp(app, { routes: { sessions: { max: 2, idleMs: 60_000 } } });
    const [first] = [await opened(served.url), await opened(served.url)];
    const refused = await post(served.url, INITIALIZE);
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).toBe('5');
    expect(await refused.text()).toContain('mcp.max_connections (2)');
    await eventually('the refusal is in the trail', async () => {
      const { entries } = await app.call('get_audit_trail', { action: 'AccessRefused' });
      return JSON.stringify(entries).includes('too_many_connections') ? true : undefined;
    });
    const ended = await fetch(`${served.url}/mcp`, { method: 'DELETE', headers: { 'mcp-session-id': first } });
    expect(ended.status).toBe(200);
    expect(await opened(served.url)).not.toBe('');
  });

  it('that nobody uses ends by itself', async () => {
    await using app = await openTestApp();
    await using served = await serveMcp(app, { routes: { sessions: { max: 2, idleMs: 50 } } });
    const session = await opened(served.url);
    await eventually('it is closed', async () => {
      const [, last] = await app.app.store.readStream(`session-${session}`);
      return last?.type === 'SessionClosed' && last.payload.includes('idle') ? true : undefined;
    });
    const answer = await post(served.url, { jsonrpc: '2.0', id: 2, method: 'ping' }, { 'mcp-session-id': session });
    expect(answer.status).toBe(404);
  });

  it('is in the audit trail, and so is each call of a tool with its client and session', async () => {
    await using app = await openTestApp();
    await using served = await serveMcp(app);
    const session = await opened(served.url);
    await (await post(served.url, call(2, 'list_available_tasks', {}), { 'mcp-session-id': session })).text();
    await (
      await post(served.url, call(3, 'get_execution_status', { execution_id: 'none' }), { 'mcp-session-id': session })
    ).text();
    const entries = await eventually('both calls are in the trail', async () => {
      const told = await app.call('get_audit_trail', { action: 'ToolCalled' });
      return Array.isArray(told['entries']) && told['entries'].length === 2 ? told['entries'] : undefined;
    });
    expect(entries).toMatchObject([
      { principal: 'local:admin', details: { tool: 'get_execution_status', outcome: 'execution_not_found' } },
      { details: { tool: 'list_available_tasks', outcome: 'ok', sessionId: session, clientInfo: 'raw 1' } },
    ]);
    const { entries: sessions } = await app.call('get_audit_trail', { action: 'SessionOpened' });
    expect(sessions).toMatchObject([{ subject_id: session, details: { transport: 'http', clientInfo: 'raw 1' } }]);
  });
});

describe('a client that was cut off', () => {
  /** @returns the ids of the events and the messages of a stream, until it ends or a message comes that is the last wanted. */
  async function read(answer: Response, isLast: (text: string) => boolean): Promise<{ ids: string[]; text: string }> {
    let text = '';
    const decoder = new TextDecoder();
    for await (const chunk of answer.body ?? []) {
      text += decoder.decode(chunk, { stream: true });
      if (isLast(text)) break;
    }
    return { text, ids: [...text.matchAll(/^id: (.+)$/gm)].map(([, id = '']) => id) };
  }

  const listen = (url: string, session: string, lastEventId: string) =>
    fetch(`${url}/mcp`, {
      headers: { accept: 'text/event-stream', 'mcp-session-id': session, 'last-event-id': lastEventId },
    });

  it('gets the answer that it missed, from the same node and from another one', async () => {
    const session = await opened(nodes.one.served.url);
    const asked = await post(nodes.one.served.url, call(7, 'execute_task', { task_id: 'slow', input: { ms: 2_000 } }), {
      'mcp-session-id': session,
    });
    const { ids } = await read(asked, (text) => text.includes('id: '));
    const [primed = ''] = ids;
    const elsewhere = eventually('the other node knows the stream', async () => {
      const answer = await listen(nodes.other.served.url, session, primed);
      return answer.status === 200 ? answer : undefined;
    });
    const [here, there] = await Promise.all([listen(nodes.one.served.url, session, primed), elsewhere]);
    for (const answer of [here, there]) {
      const { text } = await read(answer, (so) => so.includes('"id":7'));
      expect(text).toContain('{\\"slept\\":2000}');
    }
  });

  it('that asked something short finds its answer on the same node, and nothing of it is stored', async () => {
    const session = await opened(nodes.one.served.url);
    const asked = await post(nodes.one.served.url, call(8, 'list_available_tasks', {}), { 'mcp-session-id': session });
    const { ids } = await read(asked, (text) => text.includes('"id":8'));
    const again = await read(await listen(nodes.one.served.url, session, ids[0] ?? ''), (text) =>
      text.includes('"id":8'),
    );
    expect(again.text).toContain('"id":8');
    const kept = await nodes.one.app.app.store.readAll('', { categories: ['session'], types: ['MessageKept'] }, 1_000);
    expect(kept.events.filter(({ stream }) => stream.startsWith(`session-${session}`))).toEqual([]);
    expect(kept.events.every(({ stream }) => categoryOf(stream) === 'session')).toBe(true);
    expect((await listen(nodes.other.served.url, session, ids[0] ?? '')).status).toBe(400);
  });
});

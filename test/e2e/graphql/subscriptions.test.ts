/** Subscriptions over WebSocket and event streams: live, from a position on, nothing lost, nothing piled up. */
import type { Duplex } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { type GraphqlServer, startGraphql } from '../../support/graphql.ts';
import { type Heard, stream, subscribe } from '../../support/graphql-live.ts';
import { call, eventually, openHome, startServerProcess } from '../../support/server.ts';

const TIMING = { initMs: 300, pingMs: 30_000, slowMs: 300 };

let graphql: GraphqlServer;
beforeAll(async () => {
  graphql = await startGraphql({ timing: TIMING });
  await graphql.task(
    'echo',
    'function main(input) { console.info("seen", { input }); console.warn("careful"); return input; }',
  );
  await graphql.task(
    'asking',
    "async function main() { console.log('before'); const answer = await ask('go on?'); console.log('after'); reportProgress({ progress: 0.5 }); return answer; }",
  );
});
afterAll(() => graphql[Symbol.asyncDispose]());

type Open = (query: string, variables?: Record<string, unknown>) => Heard;
const WAYS: readonly (readonly [string, Open])[] = [
  ['a WebSocket', (query, variables) => subscribe(graphql.url, query, variables)],
  ['an event stream', (query, variables) => stream(graphql.url, query, variables)],
];

async function ask(): Promise<string> {
  const { createExecution } = await graphql.data(
    'mutation { createExecution(input: { taskId: "asking", input: {} }) { executionId } }',
  );
  return (createExecution as { executionId: string }).executionId;
}
const answer = (id: string) =>
  graphql.data('mutation ($id: ID!) { answerQuestion(input: { executionId: $id, answer: "yes" }) { status } }', { id });
const waiting = (id: string) =>
  eventually('it asks', async () => {
    const { execution } = await graphql.data(
      'query ($id: ID!) { execution(executionId: $id) { status questions { question } } }',
      { id },
    );
    return (execution as { questions: unknown[] }).questions.length > 0 ? true : undefined;
  });

describe.each(WAYS)('over %s', (_, open) => {
  it('an execution is followed to its end', async () => {
    const id = await ask();
    await waiting(id);
    const updates = open(
      'subscription ($id: ID!) { executionUpdated(executionId: $id, from: "") { type status progress { percent } execution { status output } } }',
      { id },
    );
    await updates.until('it is waiting', ({ status }) => status === 'waiting');
    await answer(id);
    await updates.completed;
    const types = updates.results.map(({ type }) => type);
    expect(types[0]).toBe('ExecutionRequested');
    expect(types.at(-1)).toBe('ExecutionCompleted');
    expect(updates.results.find(({ type }) => type === 'ProgressReported')).toMatchObject({
      progress: { percent: 50 },
    });
    expect(updates.results.at(-1)).toEqual({
      type: 'ExecutionCompleted',
      status: 'completed',
      progress: null,
      execution: { status: 'completed', output: 'yes' },
    });
    expect(updates.errors).toEqual([]);
  });

  it('log lines, steps and spans come once each, from a position on and live', async () => {
    const id = await ask();
    await waiting(id);
    const lines = open(
      'subscription ($id: ID!) { executionLogs(executionId: $id, level: info, from: "") { line { level message } } }',
      { id },
    );
    const warnings = open(
      'subscription ($id: ID!) { executionLogs(executionId: $id, level: error, from: "") { line { message } } }',
      { id },
    );
    const traces = open(
      'subscription ($id: ID!) { executionTrace(executionId: $id, from: "") { type step { kind status outcome } span { name } } }',
      { id },
    );
    await lines.until('the first line', ({ line }) => line.message === 'before');
    await answer(id);
    await Promise.all([lines.completed, traces.completed, warnings.completed]);
    expect(lines.results.map(({ line }) => line.message)).toEqual(['before', 'after']);
    expect(warnings.results).toEqual([]);
    const steps = traces.results.flatMap(({ step }) => (step === null ? [] : [`${step.kind} ${step.status}`]));
    expect(steps).toEqual(['ask asked', 'ask completed']);
    expect(traces.results.some(({ span }) => span !== null)).toBe(true);
  });

  it('an execution that has ended has nothing to tell from now on', async () => {
    const id = await graphql.run('echo');
    const logs = open('subscription ($id: ID!) { executionLogs(executionId: $id) { line { message } } }', { id });
    await logs.completed;
    expect(logs.results).toEqual([]);
  });

  it('nothing is lost between a query and the subscription that goes on from it', async () => {
    const { position, executions } = (await graphql.data(
      '{ position executions(first: 100) { edges { node { executionId } } } }',
    )) as {
      position: string;
      executions: { edges: { node: { executionId: string } }[] };
    };
    const known = executions.edges.map(({ node }) => node.executionId);
    const between = await Promise.all(Array.from({ length: 5 }, (_unused, n) => graphql.run('echo', { n })));
    const updates = open('subscription ($from: String) { executionUpdated(from: $from) { executionId type } }', {
      from: position,
    });
    const requested = () =>
      updates.results.filter(({ type }) => type === 'ExecutionRequested').map(({ executionId }) => executionId);
    await eventually('the events between', () => (requested().length >= 5 ? true : undefined));
    const after = await graphql.run('echo');
    await updates.until(
      'the event after',
      ({ executionId, type }) => executionId === after && type === 'ExecutionCompleted',
    );
    expect(new Set(requested())).toEqual(new Set([...between, after]));
    expect(requested()).toHaveLength(6);
    expect(requested().filter((id) => known.includes(id))).toEqual([]);
    await updates.stop();
  });

  it('a task is followed by its name, and events by category and type', async () => {
    const changes = open('subscription { taskChanged(taskId: "echo", from: "") { type task { status name } } }');
    const events = open(
      'subscription { events(categories: ["task"], types: ["TaskDisabled"], from: "") { type position data stream } }',
    );
    await changes.until('it was made', ({ type }) => type === 'TaskVersionPublished');
    await graphql.data('mutation { disableTask(input: { taskId: "echo", reason: "a rest" }) { status } }');
    await changes.until('it is disabled', ({ type, task }) => type === 'TaskDisabled' && task.status === 'disabled');
    await events.until('the event', ({ data }) => data.reason === 'a rest');
    await graphql.data('mutation { enableTask(input: { taskId: "echo" }) { status } }');
    expect(new Set(events.results.map(({ type }) => type))).toEqual(new Set(['TaskDisabled']));
    await Promise.all([changes.stop(), events.stop()]);
  });

  it.each([
    ['executionUpdated(executionId: "nowhere") { type }', 'execution_not_found'],
    ['taskChanged(taskId: "nowhere") { type }', 'task_not_found'],
    ['events(from: "x") { type }', 'invalid_request'],
    ['events(categories: ["nothing"]) { type }', 'invalid_request'],
    ['nothing { type }', 'invalid_request'],
  ])('%s is refused with %s', async (field, code) => {
    const heard = open(`subscription { ${field} }`);
    const broken = await heard.completed.then(
      () => null,
      (error: unknown) => error,
    );
    const errors = Array.isArray(broken) ? broken : heard.errors;
    expect(errors).toMatchObject([{ extensions: { code, remedy: expect.any(String) } }]);
  });

  it('queries and mutations are answered, too', async () => {
    const heard = open('mutation { executeTask(input: { taskId: "echo", input: 7 }) { status output } }');
    await heard.completed;
    expect(heard.results).toEqual([{ status: 'completed', output: 7 }]);
  });
});

describe('a socket', () => {
  const open = (headers: Record<string, string> = {}, protocol = 'graphql-transport-ws') => {
    const socket = new WebSocket(`${graphql.url.replace('http', 'ws')}/graphql`, protocol, { headers });
    const closed = new Promise<readonly [number, string]>((resolve) =>
      socket.on('close', (code, reason) => resolve([code, reason.toString()])),
    );
    const opened = new Promise<void>((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
    });
    return { socket, opened, closed };
  };
  const init = (payload: object = {}) => JSON.stringify({ type: 'connection_init', payload });

  it('that says nothing is closed, and one that speaks another protocol', async () => {
    const silent = open();
    await silent.opened;
    expect(await silent.closed).toEqual([4408, 'Connection initialisation timeout']);
    const other = open({}, 'graphql-ws');
    other.opened.catch(() => undefined);
    await other.closed;
  });

  it('from a page of another origin is refused before it opens', async () => {
    await expect(open({ origin: 'https://evil.example' }).opened).rejects.toThrow(/403/);
    const own = open({ origin: graphql.url });
    await own.opened;
    own.socket.close();
  });

  it('brings a key in its first message, where the request does not tell who calls', async () => {
    const { createKey } = await graphql.data('mutation { createKey(input: { name: "live", role: reader }) }');
    const { key, key_id: id } = createKey as { key: string; key_id: string };
    const foreign = { 'x-forwarded-for': '203.0.113.9' };
    const unknown = open(foreign);
    await unknown.opened;
    unknown.socket.send(init());
    expect(await unknown.closed).toEqual([4401, 'unauthenticated']);
    const wrong = open(foreign);
    await wrong.opened;
    wrong.socket.send(init({ apiKey: `${key}x` }));
    expect(await wrong.closed).toEqual([4401, 'unauthenticated']);
    const heard = subscribe(
      graphql.url,
      'subscription { taskChanged(from: "") { type } }',
      {},
      { headers: foreign, connectionParams: { apiKey: key } },
    );
    await heard.until('a change', () => true);
    const refused = subscribe(
      graphql.url,
      'mutation { disableTask(input: { taskId: "echo" }) { status } }',
      {},
      { headers: foreign, connectionParams: { authorization: `Bearer ${key}` } },
    );
    await refused.completed;
    expect(refused.errors).toMatchObject([{ extensions: { code: 'permission_denied' } }]);
    await graphql.data('mutation ($id: ID!) { revokeKey(input: { keyId: $id }) }', { id });
    await expect(heard.completed).rejects.toMatchObject({ code: 4401 });
  });

  it('whose client reads nothing is cut off, and what waits for it stays bounded', async () => {
    await graphql.task(
      'wordy',
      'function main({ n }) { for (let i = 0; i < n; i += 1) console.log("x".repeat(10000)); }',
    );
    await graphql.run('wordy', { n: 900 });
    let upgraded: Duplex | null = null;
    graphql.server.http.server.once('upgrade', (_request, own) => {
      upgraded = own;
    });
    const { socket, opened, closed } = open();
    await opened;
    socket.send(init());
    await new Promise((resolve) => socket.once('message', resolve));
    socket.pause();
    socket.send(
      JSON.stringify({ id: '1', type: 'subscribe', payload: { query: 'subscription { events(from: "") { data } }' } }),
    );
    const far = await eventually('its other end waits', () =>
      upgraded !== null && upgraded.writableLength > 500_000 ? upgraded : undefined,
    );
    expect(far.writableLength).toBeLessThan(4_000_000);
    await eventually('it is cut off', () => (far.destroyed ? true : undefined));
    socket.resume();
    await closed;
  });
});

it('a subscriber of one server hears what runs on another', async () => {
  using home = openHome();
  await using one = await startServerProcess(home);
  await using other = await startServerProcess(home);
  await call(other.url, 'POST', '/api/v1/tasks', {
    name: 'far',
    code: 'function main() { console.log("far away"); return 1; }',
  });
  const updates = subscribe(
    one.url,
    'subscription { executionUpdated { type executionId execution { status output } } }',
  );
  const logs = stream(one.url, 'subscription { events(from: "", types: ["LogLineWritten"]) { data } }');
  // What happens before the subscription stands is not for it: run until it hears.
  const completed = await eventually('it hears', async () => {
    await call(other.url, 'POST', '/api/v1/tasks/execute', { task_id: 'far', input: {} });
    return updates.results.find(({ type }) => type === 'ExecutionCompleted');
  });
  expect(completed).toMatchObject({ execution: { status: 'completed', output: 1 } });
  await logs.until('the line', ({ data }) => data.message === 'far away');
  await Promise.all([updates.stop(), logs.stop()]);
});

/** A task that asks holds no process while it waits, for days if need be, and goes on with what it was told. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { streamName } from '../../src/domain/event.ts';
import { openTestApp, type TestApp } from '../support/app.ts';
import { startHttpApi } from '../support/http-api.ts';
import { replayed } from '../support/replayed.ts';
import { call, eventually, openHome, startServerProcess } from '../support/server.ts';

const SCHEMA = { type: 'object', properties: { yes: { type: 'boolean' } }, required: ['yes'] };
const BLOCKING = `function main({ who }) {
  console.log('asking');
  const said = ask('Shall ' + who + ' pass?', ${JSON.stringify(SCHEMA)});
  return { said, at: Date.now() };
}`;

let app: TestApp;
beforeAll(async () => {
  app = await openTestApp();
  await app.task('gate', BLOCKING);
});
afterAll(() => app[Symbol.asyncDispose]());

const statusOf = (id: unknown, from = app) => from.call('get_execution_status', { execution_id: id });

async function asked(task: string, input: object, from = app): Promise<string> {
  const { execution_id } = await from.call('create_execution', { task_id: task, input });
  await eventually('it asks', async () =>
    (await statusOf(execution_id, from))['waiting_for'] === 'input' ? true : undefined,
  );
  return String(execution_id);
}

async function ended(id: unknown, from = app): Promise<Record<string, unknown>> {
  return eventually('it has ended', async () => {
    const status = await statusOf(id, from);
    return ['completed', 'failed', 'cancelled'].includes(String(status['status'])) ? status : undefined;
  });
}

describe('a question', () => {
  it('parks the execution, shows what is asked, and its answer is the value of ask(); the run replays the same', async () => {
    const id = await asked('gate', { who: 'Ann' });
    expect(await statusOf(id)).toMatchObject({
      status: 'waiting',
      wait_until: null,
      questions: [{ step: '1', question: 'Shall Ann pass?', schema: SCHEMA }],
    });
    expect(app.app.core.execute.dispatcher.queued()).toBe(0);
    await app.call('answer_question', { execution_id: id, answer: { yes: true } });
    expect(await ended(id)).toMatchObject({ status: 'completed', questions: [], output: { said: { yes: true } } });
    await replayed(app, id);
  });

  it('of an execution that is asked to end just as it parks is not waited for', async () => {
    const id = await asked('gate', { who: 'Eve' });
    const { store, runtime } = app.app.core.execute;
    const stream = streamName('execution', id);
    const history = await store.readStream(stream);
    const [first] = history;
    if (first === undefined) throw new Error('it was asked for');
    // What the request leaves when it was decided while the attempt still ran.
    const wish = { ...first, eventId: runtime.newId(), commandId: runtime.newId(), payload: '{"reason":null}' };
    await store.append(stream, history.length - 1, [{ ...wish, type: 'ExecutionCancelRequested' }]);
    expect(await ended(id)).toMatchObject({ status: 'cancelled' });
  });

  it('takes no answer that does not match its schema, and says where', async () => {
    const id = await asked('gate', { who: 'Bob' });
    const wrong = app.call('answer_question', { execution_id: id, answer: { yes: 'maybe' } });
    await expect(wrong).rejects.toMatchObject({ code: 'invalid_answer', details: { path: '/yes' } });
    expect(await statusOf(id)).toMatchObject({ status: 'waiting' });
    await app.call('cancel_execution', { execution_id: id });
    expect(await ended(id)).toMatchObject({ status: 'cancelled', questions: [] });
  });

  it('is answered once; the same command again is the same answer', async () => {
    const id = await asked('gate', { who: 'Cid' });
    const answer = { execution_id: id, answer: { yes: false } };
    await app.call('answer_question', answer, { idempotencyKey: 'cid' });
    await app.call('answer_question', answer, { idempotencyKey: 'cid' });
    const late = app.call('answer_question', { ...answer, answer: { yes: true } });
    await expect(late).rejects.toMatchObject({ code: 'no_open_question' });
    expect(await ended(id)).toMatchObject({ output: { said: { yes: false } } });
  });

  it('of several open ones is named by its step, and one answer lets the rest wait on', async () => {
    await app.task('both', `async function main() { return await Promise.all([ask('one?'), ask('two?')]); }`);
    const id = await asked('both', {});
    await expect(app.call('answer_question', { execution_id: id, answer: 1 })).rejects.toMatchObject({
      code: 'no_open_question',
      details: { open: ['1', '2'] },
    });
    await app.call('answer_question', { execution_id: id, step: '2', answer: 'second' });
    await eventually('the other is left', async () => {
      const { questions, waiting_for } = await statusOf(id);
      return waiting_for === 'input' && Array.isArray(questions) && questions.length === 1 ? true : undefined;
    });
    await app.call('answer_question', { execution_id: id, answer: 'first' });
    expect(await ended(id)).toMatchObject({ output: ['first', 'second'] });
    await replayed(app, id);
  });

  it('can be raced against a timer, which wins when nobody answers', async () => {
    await app.task(
      'impatient',
      `async function main() {
        return await Promise.race([ask('anyone?'), new Promise((done) => setTimeout(() => done('nobody'), 50))]);
      }`,
    );
    const result = await app.run('impatient');
    expect(result).toMatchObject({ status: 'completed', output: 'nobody' });
    await replayed(app, result['execution_id']);
  });

  it('answered while another call is still under way is not lost', async () => {
    const api = await startHttpApi();
    await app.task(
      'busy',
      `async function main({ url }) { return await Promise.all([ask('go?'), fetch(url).then((r) => r.status)]); }`,
    );
    const { execution_id: id } = await app.call('create_execution', {
      task_id: 'busy',
      input: { url: `${api.url}/slow?ms=400` },
    });
    await eventually('it asks', async () => {
      const { questions } = await statusOf(id);
      return Array.isArray(questions) && questions.length === 1 ? true : undefined;
    });
    await app.call('answer_question', { execution_id: id, answer: 'yes' });
    expect(await ended(id)).toMatchObject({ status: 'completed', output: ['yes', 200] });
    await replayed(app, id);
    await api.close();
  });

  it.each([
    [
      'a timer that keeps coming',
      'const every = setInterval(() => {}, 1000); const said = await ask("ok?"); clearInterval(every); return said;',
    ],
    [
      'a loop of short sleeps',
      'let said = null; ask("ok?").then((one) => { said = one; }); while (said === null) await sleep(100); return said;',
    ],
    ['a call that takes long', 'const [said] = await Promise.all([ask("ok?"), fetch(input.url)]); return said;'],
  ])('beside %s is answered while the attempt runs', async (what, body) => {
    const api = await startHttpApi();
    const task = what.replaceAll(' ', '-');
    await app.task(task, `async function main(input) { ${body} }`);
    const input = { url: `${api.url}/slow?ms=700` };
    const { execution_id: id } = await app.call('create_execution', { task_id: task, input });
    await eventually('it asks', async () => {
      const { questions } = await statusOf(id);
      return Array.isArray(questions) && questions.length === 1 ? true : undefined;
    });
    await app.call('answer_question', { execution_id: id, answer: 'yes' });
    expect(await ended(id)).toMatchObject({ status: 'completed', attempt: 1, output: 'yes' });
    await replayed(app, id);
    await api.close();
  });

  it('of an attempt that failed is closed until the next one asks it, and nobody is asked twice', async () => {
    await app.task(
      'fails-once',
      `async function main(input, { attempt }) {
        const said = ask('go?');
        await sleep(200);
        if (attempt === 1) throw new NetworkError('once');
        return await said;
      }`,
    );
    const retry = { max_attempts: 2, initial_ms: 400, jitter: 0 };
    const answerIt = (id: unknown) => app.call('answer_question', { execution_id: id, answer: 'yes' });
    const waiting = async (id: unknown, what: string) =>
      eventually(what, async () => ((await statusOf(id))['waiting_for'] === what ? true : undefined));

    const { execution_id: late } = await app.call('create_execution', { task_id: 'fails-once', input: {}, retry });
    await waiting(late, 'retry');
    await expect(answerIt(late)).rejects.toMatchObject({ code: 'no_open_question' });
    await waiting(late, 'input');
    await answerIt(late);
    expect(await ended(late)).toMatchObject({ output: 'yes' });

    const { execution_id: early } = await app.call('create_execution', { task_id: 'fails-once', input: {}, retry });
    await eventually(
      'it asks',
      async () => ((await statusOf(early))['questions'] as unknown[]).length === 1 || undefined,
    );
    await answerIt(early);
    const told = await ended(early);
    expect(told).toMatchObject({ status: 'completed', output: 'yes' });
    for (const id of [late, early]) await replayed(app, id);
  });

  it('with a schema that is none fails where it is asked', async () => {
    await app.task('odd', `function main() { return ask('what?', { type: 'nonsense' }); }`);
    expect(await app.run('odd')).toMatchObject({ status: 'failed', error: { error_type: 'ConfigurationError' } });
  });

  it('to an execution that asks nothing, or is not there, is refused by name', async () => {
    await app.task('silent', 'function main() { return 1; }');
    const { execution_id } = await app.run('silent');
    await expect(app.call('answer_question', { execution_id, answer: 1 })).rejects.toMatchObject({
      code: 'no_open_question',
    });
    const nowhere = app.call('answer_question', { execution_id: 'nowhere', answer: 1 });
    await expect(nowhere).rejects.toMatchObject({ code: 'execution_not_found' });
  });
});

it('a question survives kill -9 of the server, before and after its answer', async () => {
  using home = openHome();
  let server = await startServerProcess(home);
  await call(server.url, 'POST', '/api/v1/tasks', { name: 'gate', code: BLOCKING });
  const { body } = await call(server.url, 'POST', '/api/v1/executions', { task_id: 'gate', input: { who: 'Dot' } });
  const path = `/api/v1/executions/${String(body['execution_id'])}`;
  const state = async () => (await call(server.url, 'GET', path)).body;
  await eventually('it asks', async () => ((await state())['waiting_for'] === 'input' ? true : undefined));
  await server.kill();
  server = await startServerProcess(home);
  expect(await state()).toMatchObject({ status: 'waiting', questions: [{ step: '1' }] });
  const answered = await call(server.url, 'POST', `${path}/answer`, { answer: { yes: true } });
  await server.kill();
  expect(answered.status).toBe(202);
  server = await startServerProcess(home);
  const last = await eventually('it ends', async () => {
    const told = await state();
    return told['status'] === 'completed' ? told : undefined;
  });
  expect(last).toMatchObject({ output: { said: { yes: true } } });
  await server.stop();
}, 60_000);

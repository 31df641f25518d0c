/**
 * A process that runs one execution on a database, and dies by SIGKILL at an exact append to its stream, before the append is
 * made or right after it is durable. Without a place to die it runs, or resumes, the execution to its end and tells how it came out.
 *
 * Arguments: file of the database or URL of the log (read models then in the folder DATA_FOLDER), URL of the API that the task calls, policy of unknown steps, then the number of the append
 * and `before` or `after`; nothing more to survive.
 */

import { openApp } from '../../src/app.ts';
import { OPERATIONS } from '../../src/interfaces/operations.ts';
import { CALLER, TEST_SETTINGS } from './app.ts';

/** Twenty steps of every kind that goes out, waits, or is computed from others. */
const CODE = `function main({ base }) {
  const seen = [];
  for (let round = 1; round <= 4; round += 1) {
    seen.push(fetch(base + '/get-' + round).body.path);
    seen.push(fetch(base + '/post-' + round, { method: 'POST', body: 'x' }).body.path);
    sleep(2);
    seen.push(step('both', () => fetch(base + '/inner-' + round, { method: 'PUT', body: 'y' }).body.path));
  }
  return seen;
}`;

const [file = '', url = '', policy = 'fail', at, when] = process.argv.slice(2);
const eventStoreUrl = file.includes('://') ? file : `sqlite:${file}`;
const dataFolder = process.env['DATA_FOLDER'] ?? null;
const app = await openApp({ ...TEST_SETTINGS, eventStoreUrl, dataFolder, workers: 1, warmWorkers: 1 });
const call = (name: string, input: object) => {
  const operation = OPERATIONS.find((candidate) => candidate.name === name);
  if (operation === undefined) throw new Error(`there is no operation ${name}`);
  return operation.run(app.core, input, CALLER) as Promise<Record<string, unknown>>;
};

const { store } = app;
const append = store.append.bind(store);
let appends = 0;
store.append = async (stream, expected, events) => {
  const isOwn = stream.startsWith('execution-');
  if (isOwn) appends += 1;
  const isLast = isOwn && appends === Number(at);
  if (isLast && when === 'before') process.kill(process.pid, 'SIGKILL');
  const appended = await append(stream, expected, events);
  if (isLast) process.kill(process.pid, 'SIGKILL');
  return appended;
};

const known = (await call('list_available_tasks', {}))['tasks'];
if (Array.isArray(known) && known.length === 0) await call('create_task', { name: 'twenty', code: CODE });
const asked = { task_id: 'twenty', input: { base: url }, idempotency_key: 'one', unknown_steps: policy };
const { execution_id } = await call('create_execution', asked);
const executionId = String(execution_id);
while ((await app.core.awaitEnd(executionId, 1_000, false)) === null);
await app.projector.progress.reach(await store.head(), 10_000);
const { status, output, error, attempt } = await call('get_execution_status', { execution_id });
const { steps } = await call('list_steps', { execution_id, limit: 200 });
const { identical } = await call('replay_execution', { execution_id });
process.stdout.write(JSON.stringify({ status, output, error, attempt, steps, identical, appends }));
await app.close(0);

/** Records the features that have no recording yet: `node test/golden/record.ts`. What is recorded is never recorded again. */
import { existsSync } from 'node:fs';
import { writeRecording } from '../../src/cli/recording.ts';
import { openTestApp, type TestApp } from '../support/app.ts';
import { startHttpApi } from '../support/http-api.ts';
import { eventually } from '../support/server.ts';
import { FEATURES } from './features.ts';

const told = (test: TestApp, execution_id: unknown) => test.call('get_execution_status', { execution_id });
const api = await startHttpApi();
for (const { name, code, more, answer, forkFrom } of FEATURES) {
  const folder = new URL(`./${name}`, import.meta.url).pathname;
  if (existsSync(folder)) continue;
  await using test = await openTestApp();
  await test.task(name, code);
  const input = { api: api.url, ...more };
  let { execution_id } = await test.call('create_execution', { task_id: name, input });
  if (answer !== undefined) {
    await eventually('it asks', async () => ((await told(test, execution_id))['waiting_for'] === 'input' ? true : undefined));
    await test.call('answer_question', { execution_id, answer });
  }
  await eventually('it ends', async () => ((await told(test, execution_id))['finished_at'] === null ? undefined : true));
  if (forkFrom !== undefined) {
    ({ execution_id } = await test.call('fork_execution', { execution_id, from_step: forkFrom }));
    await eventually('it ends', async () => ((await told(test, execution_id))['finished_at'] === null ? undefined : true));
  }
  const { status, error } = await told(test, execution_id);
  process.stderr.write(`${name}: ${String(status)} ${JSON.stringify(error)}\n`);
  await writeRecording(test.app.store, String(execution_id), folder);
}
await api.close();

/** Records the features that have no recording yet: `node test/golden/record.ts`. What is recorded is never recorded again. */
import { existsSync } from 'node:fs';
import { writeRecording } from '../../src/cli/recording.ts';
import { openTestApp } from '../support/app.ts';
import { startHttpApi } from '../support/http-api.ts';
import { FEATURES } from './features.ts';

const api = await startHttpApi();
for (const { name, code, more } of FEATURES) {
  const folder = new URL(`./${name}`, import.meta.url).pathname;
  if (existsSync(folder)) continue;
  await using test = await openTestApp();
  await test.task(name, code);
  const { execution_id, status, error } = await test.run(name, { api: api.url, ...more });
  process.stderr.write(`${name}: ${status} ${JSON.stringify(error)}\n`);
  await writeRecording(test.app.store, String(execution_id), folder);
}
await api.close();

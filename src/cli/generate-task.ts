/** `ratchet generate task`: a new task that runs, with schemas, a test and a README, to begin one's own from. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder } from '../../infra/folder.ts';
import { RatchetError } from '../domain/errors.ts';
import { MAX_TASK_NAME, TASK_NAME } from '../domain/task.ts';
import { type ExitCode, UsageError } from './exit.ts';
import type { Output } from './output.ts';

export interface GenerateTaskOptions {
  /** Folder in which the task's own is made. */
  readonly dir: string;
  readonly style: 'promise' | 'blocking';
  readonly description?: string | undefined;
}

const CODE = {
  promise: `async function main({ name }) {
  console.info('greeting', { name });
  // await fetch(url), await sleep(ms), await runTask(name, input) and the like are recorded, and repeat without network.
  return { greeting: 'Hello, ' + name + '!' };
}
`,
  blocking: `function main({ name }) {
  console.info('greeting', { name });
  // fetch(url), sleep(ms), runTask(name, input) and the like are recorded, and repeat without network.
  return { greeting: 'Hello, ' + name + '!' };
}
`,
};

const object = (properties: object, required: readonly string[]) => ({
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  properties,
  required,
  additionalProperties: false,
});

/** Writes the folder; nothing that is there is overwritten. Fails with `already_exists`. */
export function generateTask(name: string, options: GenerateTaskOptions, output: Output): ExitCode {
  if (!TASK_NAME.test(name) || name.length > MAX_TASK_NAME) {
    throw new UsageError(
      `a task is named by letters, digits, "-", "_" and ".", beginning with a letter or digit; not ${name}`,
    );
  }
  const folder = join(options.dir, name);
  if (existsSync(folder)) {
    throw new RatchetError('already_exists', `there is something at ${folder}`, { details: { path: folder } });
  }
  const files = taskFiles(name, options);
  for (const part of ['', 'tests']) makeFolder(join(folder, part));
  for (const [file, content] of Object.entries(files)) writeFileSync(join(folder, file), content, { flag: 'wx' });
  output.result({ task: name, folder, files: Object.keys(files) }, () =>
    [
      `made ${folder}`,
      `  ratchet test --from-fs ${folder}`,
      `  ratchet run-once --from-fs ${folder} --input-json '{"name":"Ada"}'`,
    ].join('\n'),
  );
  return 0;
}

/** @returns the files of a new task by their paths in its folder. */
export function taskFiles(
  name: string,
  { style, description }: Pick<GenerateTaskOptions, 'style' | 'description'>,
): Readonly<Record<string, string>> {
  const pretty = (value: object): string => `${JSON.stringify(value, null, 2)}\n`;
  const text = { type: 'string', minLength: 1 };
  const said = description ?? 'Greets somebody by name.';
  return {
    'metadata.json': pretty({ name, version: '0.1.0', description: said, tags: [] }),
    'main.js': CODE[style],
    'input.schema.json': pretty(object({ name: text }, ['name'])),
    'output.schema.json': pretty(object({ greeting: text }, ['greeting'])),
    'tests/greets.json': pretty({
      name: 'greets by name',
      input: { name: 'Ada' },
      expected_output: { greeting: 'Hello, Ada!' },
    }),
    'README.md': `# ${name}\n\n${said}\n\n    {"name": "Ada"}  →  {"greeting": "Hello, Ada!"}\n`,
  };
}

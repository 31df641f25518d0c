/** `ratchet repo init`: a repository of tasks that is one from the first moment: a registry file, a task with its test, a README. */
import { existsSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { stringify } from 'yaml';
import { makeFolder } from '../../infra/folder.ts';
import { RatchetError } from '../domain/errors.ts';
import { type ExitCode, UsageError } from './exit.ts';
import { taskFiles } from './generate-task.ts';
import type { Output } from './output.ts';

export interface RepoInitOptions {
  readonly name?: string;
}

const FIRST_TASK = 'hello';
const MAX_NAME = 128;

/**
 * Writes the files; nothing that is there is overwritten, and what else is there does not matter.
 * Fails with `already_exists` when one of them is there, before any is written.
 */
export function repoInit(dir: string, options: RepoInitOptions, output: Output): ExitCode {
  const folder = resolve(dir);
  const name = (options.name ?? basename(folder)).trim();
  if (name === '' || name.length > MAX_NAME || /\p{Cc}/u.test(name)) {
    throw new UsageError(`a repository is named by 1 to ${MAX_NAME} characters on one line; give one with --name`);
  }
  const files = filesOf(name);
  const taken = Object.keys(files).find((file) => existsSync(join(folder, file)));
  if (taken !== undefined) {
    const path = join(folder, taken);
    throw new RatchetError('already_exists', `there is something at ${path}`, { details: { path } });
  }
  for (const [file, content] of Object.entries(files)) {
    makeFolder(join(folder, file, '..'));
    writeFileSync(join(folder, file), content, { flag: 'wx' });
  }
  output.result({ name, folder, files: Object.keys(files) }, () =>
    [
      `made the repository ${name} in ${folder}`,
      `  ratchet test --from-fs ${dir}`,
      `  ratchet generate task NAME --dir ${join(dir, 'tasks')}`,
    ].join('\n'),
  );
  return 0;
}

function filesOf(name: string): Readonly<Record<string, string>> {
  const registry = { name, discovery: { include_patterns: ['tasks/**'], exclude_patterns: ['**/drafts/**'] } };
  const task = taskFiles(FIRST_TASK, { style: 'promise' });
  return {
    '.ratchet/registry.yaml': stringify(registry),
    '.gitignore': '.env\n.env.*\n*.db\n*.db-*\n*.db.*\nnode_modules/\n',
    'README.md': readme(name),
    ...Object.fromEntries(Object.entries(task).map(([file, content]) => [`tasks/${FIRST_TASK}/${file}`, content])),
  };
}

function readme(name: string): string {
  return `# ${name}

Tasks for Ratchet, one folder each below \`tasks/\`.

    ratchet validate --from-fs .
    ratchet test --from-fs .
    ratchet generate task NAME --dir tasks

A server runs them with this in its configuration:

    registry:
      sources:
        - name: ${JSON.stringify(name)}
          uri: "git+https://HOST/PATH"
`;
}

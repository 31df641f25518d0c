/** What every source of tasks does alike, wherever its files are. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openOutbound } from '../../infra/outbound.ts';
import { openTaskSource, type SourceDeps, type SourceSettings } from '../../infra/sources/open.ts';
import type { Outbound } from '../../src/ports/outbound.ts';
import { type Files, taskFilesOf } from '../support/archives.ts';

/** One kind of place, made anew for each test. */
export interface SourceSubject extends AsyncDisposable {
  /** Makes these files all that is there. */
  put(files: Files): Promise<void>;
  readonly settings: Omit<SourceSettings, 'name'>;
  readonly revision: RegExp | null;
}

/** What a source is opened with, freed at the end. */
export interface OpenedDeps extends AsyncDisposable {
  readonly folder: string;
  readonly deps: SourceDeps;
}

export async function sourceDeps(more: Partial<SourceDeps> = {}): Promise<OpenedDeps> {
  const folder = await mkdtemp(join(tmpdir(), 'ratchet-copies-'));
  const outbound: Outbound = openOutbound({ allow: ['127.0.0.0/8'] });
  return {
    folder,
    deps: { outbound, copiesFolder: join(folder, 'copies'), now: () => Date.UTC(2026, 0, 1), ...more },
    [Symbol.asyncDispose]: async () => {
      await outbound.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export function taskSourceContract(kind: string, open: (folder: string) => Promise<SourceSubject>): void {
  describe(`tasks from ${kind}`, () => {
    let opened: OpenedDeps;
    let subject: SourceSubject;
    const source = () => openTaskSource({ name: 'team', ...subject.settings }, opened.deps);

    beforeEach(async () => {
      opened = await sourceDeps();
      subject = await open(opened.folder);
    });
    afterEach(async () => {
      await subject[Symbol.asyncDispose]();
      await opened[Symbol.asyncDispose]();
    });

    it('are listed in both layouts, with tests and schemas, in the order of their paths', async () => {
      await subject.put({
        ...taskFilesOf('tasks/b'),
        'tasks/b/tests/one.json': '{"input":1,"expected_output":1}',
        'tasks/b/input.schema.json': '{"type":"number"}',
        'tasks/a/meta.yaml': 'name: alpha\n',
        'tasks/a/task.js': 'const main = () => 1;',
      });
      const { tasks, broken, stale } = await source().list();
      expect({ names: tasks.map(({ name }) => name), broken, stale }).toEqual({
        names: ['alpha', 'b'],
        broken: [],
        stale: null,
      });
      expect(tasks[1]).toMatchObject({ inputSchema: { type: 'number' }, tests: [{ name: 'one' }] });
    });

    it('that are broken are told with path and reason and hide no other', async () => {
      await subject.put({ ...taskFilesOf('tasks/good'), 'tasks/bad/metadata.json': '{', 'tasks/bad/main.js': '1' });
      const { tasks, broken } = await source().list();
      expect(tasks.map(({ name }) => name)).toEqual(['good']);
      expect(broken).toEqual([{ path: 'tasks/bad', reason: expect.stringContaining('not valid JSON') }]);
    });

    it('follow the registry file of a repository', async () => {
      await subject.put({
        ...taskFilesOf('work/one'),
        ...taskFilesOf('work/drafts/two'),
        '.ratchet/registry.yaml': 'discovery:\n  include_patterns: ["work/**"]\n  exclude_patterns: ["**/drafts/**"]\n',
      });
      expect((await source().list()).tasks.map(({ name }) => name)).toEqual(['one']);
    });

    it('are what is there now, and tell of which revision', async () => {
      await subject.put(taskFilesOf('tasks/one'));
      const first = await source().list();
      await subject.put({ ...taskFilesOf('tasks/one', '(function () { return 2; })'), ...taskFilesOf('tasks/two') });
      const second = await source().list();
      expect(second.tasks.map(({ name }) => name)).toEqual(['one', 'two']);
      expect(second.tasks[0]?.code).toContain('return 2');
      if (subject.revision === null) expect([first.revision, second.revision]).toEqual([null, null]);
      else {
        expect(first.revision).toMatch(subject.revision);
        expect(second.revision).toMatch(subject.revision);
        expect(second.revision).not.toBe(first.revision);
      }
    });
  });
}

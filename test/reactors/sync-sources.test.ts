import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SourceListing, TaskDefinition, TaskSource } from '../../src/ports/task-source.ts';
import { syncSource } from '../../src/reactors/sync-sources.ts';
import { openTestApp, type TestApp } from '../support/app.ts';

const STALE = { reason: 'its server answers 503', since: '2026-01-01T00:00:00.000Z' };

const definition = (name: string, result: string): TaskDefinition => ({
  name,
  uuid: null,
  version: '1',
  label: null,
  description: '',
  tags: [],
  category: null,
  author: null,
  license: null,
  dangerous: false,
  timeoutMs: null,
  memoryMb: null,
  style: 'auto',
  code: `function main() { return '${result}'; }`,
  file: `${name}/main.js`,
  inputSchema: true,
  outputSchema: true,
  tests: [],
  metadata: {},
});

function sourceOf(tasks: readonly TaskDefinition[], stale: SourceListing['stale']): TaskSource {
  const listing = { tasks, broken: [], revision: 'r', branch: 'main', stale };
  const list = async (): Promise<SourceListing> => listing;
  return { name: 'team', address: '/team', ref: null, isRemote: true, list, watch: async () => undefined };
}

describe('a stale copy of a source', () => {
  let test: TestApp;
  beforeAll(async () => {
    test = await openTestApp();
    const first = [definition('moved', 'old'), definition('deleted', 'old')];
    await syncSource(test.app.core.publish, sourceOf(first, null));
    await syncSource(test.app.core.publish, sourceOf([definition('moved', 'new')], null));
    await test.call('delete_task', { task_id: 'deleted' });
  });
  afterAll(() => test[Symbol.asyncDispose]());

  it('puts no old code back and no deleted task, but adds tasks that there have never been', async () => {
    const stale = sourceOf(
      ['moved', 'deleted', 'added'].map((name) => definition(name, 'old')),
      STALE,
    );
    const status = await syncSource(test.app.core.publish, stale);
    expect(status).toMatchObject({ tasks: 3, published: ['added'], broken: [] });
    expect(status.error).toContain(STALE.reason);
    expect(await test.run('moved')).toMatchObject({ output: 'new' });
    expect(await test.run('added')).toMatchObject({ output: 'old' });
    expect(test.app.directory.find('deleted')?.status).toBe('deleted');
  });

  it('puts no old code back where the task is made in the same moment, unknown to this node as yet', async () => {
    const { publish } = test.app.core;
    const unaware = {
      ...publish,
      directory: { ...publish.directory, find: () => undefined, reach: async () => undefined },
    };
    const status = await syncSource(unaware, sourceOf([definition('moved', 'old')], STALE));
    expect(status).toMatchObject({ published: [], broken: [] });
    expect(await test.run('moved')).toMatchObject({ output: 'new' });
  });
});

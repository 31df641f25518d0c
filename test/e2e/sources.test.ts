import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { openTestApp, type TestApp } from '../support/app.ts';

const folders: string[] = [];

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'ratchet-sources-'));
  folders.push(path);
  return path;
}

afterEach(() => {
  for (const path of folders.splice(0)) rmSync(path, { recursive: true, force: true });
});

function writeTask(root: string, name: string, code: string): void {
  mkdirSync(join(root, name), { recursive: true });
  writeFileSync(join(root, name, 'metadata.json'), JSON.stringify({ name, version: '1.0.0' }));
  writeFileSync(join(root, name, 'main.js'), code);
}

async function broken(test: TestApp): Promise<readonly string[]> {
  const { sources } = await test.app.health();
  return sources.flatMap((source) => source.broken.map(({ path, reason }) => `${path}: ${reason}`));
}

describe('tasks from a folder', () => {
  it('are published at the start, and again only when their content has changed', async () => {
    const root = folder();
    writeTask(root, 'one', 'function main() { return 1; }');
    const settings = { sources: [{ name: 'local', root, watch: true }] };
    await using test = await openTestApp(settings);
    expect((await test.run('one')).output).toBe(1);

    writeTask(root, 'one', 'function main() { return 1; }');
    writeTask(root, 'two', 'function main() { return 2; }');
    await vi.waitFor(() => expect(test.app.directory.find('two')).toBeDefined(), { timeout: 5_000 });
    expect(test.app.directory.find('one')?.versions).toHaveLength(1);

    writeTask(root, 'one', 'function main() { return "changed"; }');
    await vi.waitFor(() => expect(test.app.directory.find('one')?.versions).toHaveLength(2), {
      timeout: 5_000,
      interval: 20,
    });
    expect((await test.run('one')).output).toBe('changed');
    expect((await test.run('one', {}, { version: 1 })).output).toBe(1);
  });

  it('keep their last good version when a file breaks, and the reason is told', async () => {
    const root = folder();
    writeTask(root, 'good', 'function main() { return 1; }');
    await using test = await openTestApp({ sources: [{ name: 'local', root, watch: true }] });

    writeTask(root, 'good', 'function main( { return 2; }');
    await vi.waitFor(async () => expect(await broken(test)).toHaveLength(1), { timeout: 5_000 });
    expect((await broken(test))[0]).toMatch(/good.*main\.js.*/);
    expect((await test.run('good')).output).toBe(1);

    writeTask(root, 'good', 'function main() { return 3; }');
    await vi.waitFor(async () => expect(await broken(test)).toEqual([]), { timeout: 5_000 });
    expect((await test.run('good')).output).toBe(3);
  });

  it('do not hide behind one that is broken from the start', async () => {
    const root = folder();
    writeTask(root, 'bad', 'import x from "y"; export default () => x;');
    writeTask(root, 'fine', 'function main() { return "fine"; }');
    await using test = await openTestApp({ sources: [{ name: 'local', root, watch: false }] });
    expect((await test.run('fine')).output).toBe('fine');
    expect((await broken(test))[0]).toContain('import');
  });

  it('come from a missing folder as an error of that source alone', async () => {
    const root = folder();
    writeTask(root, 'here', 'function main() { return 1; }');
    const sources = [
      { name: 'gone', root: join(root, 'nowhere'), watch: false },
      { name: 'local', root, watch: false },
    ];
    await using test = await openTestApp({ sources });
    expect((await test.run('here')).output).toBe(1);
    const { sources: told } = await test.app.health();
    expect(told.find(({ source }) => source === 'gone')?.error).toContain('nowhere');
  });

  it('of both layouts and nested folders are found', async () => {
    const root = folder();
    cpSync(new URL('../../sample/js-tasks/csv-parser', import.meta.url).pathname, join(root, 'a/b/csv-parser'), {
      recursive: true,
    });
    mkdirSync(join(root, 'yaml-task'));
    writeFileSync(join(root, 'yaml-task/meta.yaml'), 'name: yaml-task\ninputs:\n  n: {type: number, required: true}\n');
    writeFileSync(join(root, 'yaml-task/task.js'), 'const main = ({ n }) => n * 2;');
    await using test = await openTestApp({ sources: [{ name: 'local', root, watch: false }] });
    expect((await test.run('yaml-task', { n: 4 })).output).toBe(8);
    expect((await test.run('csv-parser', { csv: 'a\n1' })).status).toBe('completed');
    await expect(test.run('yaml-task', {})).rejects.toMatchObject({ code: 'input_schema_violation' });
  });
});

describe('an execution tells where it came from', () => {
  it('records session and client of an agent, and logs debug lines only when traced', async () => {
    await using test = await openTestApp();
    await test.task('talker', 'function main() { console.debug("fine"); console.info("plain"); }');
    const source = { kind: 'mcp', sessionId: 'session-1', clientInfo: 'agent/1.0' } as const;
    const traced = await test.call('execute_task', { task_id: 'talker', input: {} }, { source });
    const plain = await test.call('execute_task', { task_id: 'talker', input: {}, trace: false }, { source });
    const told = await test.call('get_execution_status', { execution_id: traced.execution_id });
    expect(told).toMatchObject({
      source: 'mcp',
      session_id: 'session-1',
      client_info: 'agent/1.0',
      options: { trace: true, logLevel: 'debug' },
    });
    const lines = async (id: unknown) =>
      (await test.call('get_execution_logs', { execution_id: id })).logs as { level: string }[];
    expect((await lines(traced.execution_id)).map(({ level }) => level)).toEqual(['debug', 'info']);
    expect((await lines(plain.execution_id)).map(({ level }) => level)).toEqual(['info']);
  });

  it('keeps the lineage that a retry names', async () => {
    await using test = await openTestApp();
    await test.task('fails', 'function main() { throw new Error("no"); }');
    const first = await test.run('fails');
    const metadata = { retry_reason: 'network was down', original_execution: first.execution_id };
    const second = await test.run('fails', {}, { metadata });
    const told = await test.call('get_execution_status', { execution_id: second.execution_id });
    expect(told).toMatchObject({ original_execution: first.execution_id, retry_reason: 'network was down' });
    const listed = await test.call('list_executions', { original_execution: first.execution_id });
    expect(listed.executions).toHaveLength(1);
  });

  it('explains an error with its type, whether it can pass, and what to do', async () => {
    await using test = await openTestApp();
    await test.task('down', 'function main() { throw new ServiceUnavailableError("try later"); }');
    expect((await test.run('down')).error).toMatchObject({
      error_type: 'ServiceUnavailableError',
      recoverable: true,
      suggestions: [expect.stringContaining('retry')],
    });
  });
});

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sqliteEventStore } from '../../infra/event-store/sqlite.ts';
import { call, eventually, type Home, openHome, ratchet, type Started, startServerProcess } from '../support/server.ts';
import { newEvents } from '../support/store-events.ts';

let home: Home;
beforeAll(() => {
  home = openHome();
});
afterAll(() => home[Symbol.dispose]());

/** So many appends of so many events, each to the next of some streams. */
async function makeLog(file: string, appends: number, events: number, payload = '{"a":1}'): Promise<void> {
  const store = await sqliteEventStore(join(home.folder, file));
  for (let index = 0; index < appends; index += 50) {
    const group = Array.from({ length: Math.min(50, appends - index) }, (_, more) => index + more);
    await Promise.all(group.map((one) => store.append(`task-${one % 7}`, 'any', newEvents(events, { payload }))));
  }
  await store.close();
}

async function countIn(file: string): Promise<number | null> {
  try {
    const store = await sqliteEventStore(join(home.folder, file), { readOnly: true });
    const head = await store.head();
    await store.close();
    return Number.parseInt(head === '' ? '0' : head, 16);
  } catch {
    // The process under test has not made it yet.
    return null;
  }
}

const run = (...args: readonly string[]) => ratchet(home, ['events', ...args]);
const CALLS = Array.from({ length: 3 }, (_, index) => ({ task_id: index === 2 ? 'fails' : 'works', input: { index } }));

describe('a log in SQLite', () => {
  it('goes to a file and back, over standard streams too, and is proven equal', async () => {
    await makeLog('a.db', 40, 3);
    const exported = await run('export', '--from', 'sqlite:a.db', '--out', 'a.jsonl.gz');
    expect(exported).toMatchObject({ code: 0, stderr: '' });
    const { hash } = exported.json() as { hash: string };
    expect(exported.json()).toMatchObject({ count: 120, already: 0, written: 120 });
    const imported = await run('import', 'a.jsonl.gz', '--to', 'sqlite:b.db');
    expect(imported.json()).toMatchObject({ count: 120, appended: 120, hash });
    expect(imported.stderr).toContain('builds its read models');

    const piped = await run('export', '--from', 'sqlite:b.db', '--out', '-');
    expect(piped.stderr).toContain(hash);
    const fromPipe = await ratchet(home, ['events', 'import', '-', '--to', 'sqlite:c.db'], { input: piped.stdout });
    expect(fromPipe.json()).toMatchObject({ count: 120, hash });
    const verified = await run('verify', '--from', 'sqlite:c.db', '--against', 'sqlite:a.db');
    expect(verified).toMatchObject({ code: 0, stderr: '' });
    expect(verified.json()).toMatchObject({ equal: true, count: 120, hash, difference: null });
    expect((await run('verify', '--from', 'a.jsonl.gz')).json()).toMatchObject({ count: 120, hash });
  });

  it('that differs is told by its first event that does, with exit code 1, and not written to', async () => {
    await makeLog('one.db', 5, 1);
    await makeLog('other.db', 5, 1);
    const verified = await run('verify', '--from', 'sqlite:one.db', '--against', 'sqlite:other.db');
    expect(verified.code).toBe(1);
    expect(verified.json()).toMatchObject({
      equal: false,
      count: 0,
      difference: { stream: 'task-0', version: 0, differs: ['eventId'] },
    });
    const copied = await run('copy', '--from', 'sqlite:one.db', '--to', 'sqlite:other.db');
    expect(copied.code).toBe(3);
    expect(copied.stderr).toContain('task-0 at version 0');
  });

  it('is whole after a copy was killed and asked for again, with nothing but the target to go by', async () => {
    await makeLog('long.db', 2_500, 1);
    let copying: Started | undefined;
    const args = ['events', 'copy', '--from', 'sqlite:long.db', '--to', 'sqlite:copy.db'];
    const killed = ratchet(home, args, { onStart: (process) => (copying = process) });
    await eventually('a part is copied', async () => ((await countIn('copy.db')) ?? 0) > 200 || undefined);
    copying?.signal('SIGKILL');
    expect((await killed).code).toBeNull();
    const before = (await countIn('copy.db')) ?? 0;
    expect(before).toBeLessThan(2_500);
    const again = await ratchet(home, args);
    expect(again).toMatchObject({ code: 0 });
    expect(again.json()).toMatchObject({ count: 2_500, already: before, appended: 2_500 - before });
    expect((await run('verify', '--from', 'sqlite:long.db', '--against', 'sqlite:copy.db')).code).toBe(0);
  });

  it('that grows is followed until the copy is asked to stop', async () => {
    await makeLog('growing.db', 3, 1);
    let copying: Started | undefined;
    const args = ['events', 'copy', '--from', 'sqlite:growing.db', '--to', 'sqlite:followed.db', '--follow'];
    const followed = ratchet(home, args, { onStart: (process) => (copying = process) });
    await eventually('what was there is copied', async () => (await countIn('followed.db')) === 3 || undefined);
    await makeLog('growing.db', 4, 1);
    await eventually('what came is copied', async () => (await countIn('followed.db')) === 7 || undefined);
    copying?.signal('SIGTERM');
    const { code, json } = await followed;
    expect(code).toBe(0);
    expect(json()).toMatchObject({ count: 7, appended: 7 });
  });

  it('of 20,000 events, larger than the memory that the process may use, goes to a file and to another database', {
    timeout: 120_000,
  }, async () => {
    await makeLog('large.db', 200, 100, JSON.stringify('x'.repeat(6_000)));
    const small = (...args: readonly string[]) =>
      ratchet(home, ['events', ...args], { env: { NODE_OPTIONS: '--max-old-space-size=96' } });
    const exported = await small('export', '--from', 'sqlite:large.db', '--out', 'large.jsonl');
    expect(exported).toMatchObject({ code: 0 });
    const { hash } = exported.json() as { hash: string };
    const imported = await small('import', 'large.jsonl', '--to', 'sqlite:large-copy.db');
    expect(imported.json()).toMatchObject({ count: 20_000, hash });
  });
});

describe('a file of events', () => {
  it('that was changed is refused by its line before anything is stored; one that was cut off, unless that is allowed', async () => {
    await makeLog('good.db', 10, 1);
    await run('export', '--from', 'sqlite:good.db', '--out', 'good.jsonl');
    const lines = readFileSync(join(home.folder, 'good.jsonl'), 'utf8').trimEnd().split('\n');
    const write = (name: string, some: readonly string[]): void =>
      writeFileSync(join(home.folder, name), some.map((line) => `${line}\n`).join(''));
    write(
      'changed.jsonl',
      lines.map((line, index) => (index === 4 ? line.replace('local:admin', 'local:other') : line)),
    );
    const changed = await run('import', 'changed.jsonl', '--to', 'sqlite:changed.db');
    expect(changed).toMatchObject({ code: 2, stdout: '' });
    expect(changed.stderr).toContain('line 5 of the export is damaged');
    expect(await countIn('changed.db')).toBeNull();

    write('cut.jsonl', lines.slice(0, 7));
    const cut = await run('import', 'cut.jsonl', '--to', 'sqlite:cut.db');
    expect(cut).toMatchObject({ code: 2, stdout: '' });
    expect(cut.stderr).toContain('cut off after line 7');
    expect(await countIn('cut.db')).toBeNull();
    const resumed = await run('import', 'cut.jsonl', '--to', 'sqlite:cut.db', '--resume');
    expect(resumed.json()).toMatchObject({ count: 6, appended: 6 });
    expect((await run('import', 'good.jsonl', '--to', 'sqlite:cut.db')).json()).toMatchObject({
      already: 6,
      appended: 4,
    });
  });

  it.each([
    [['export', '--from', 'sqlite:nowhere.db', '--out', 'x.jsonl'], 3, 'unable to open'],
    [['export', '--from', 'oracle://me:secret@host/db', '--out', 'x.jsonl'], 3, 'no event store for "oracle:"'],
    [['export', '--from', 'sqlite:good.db'], 2, '--out'],
    [['export', '--from', 'sqlite:good.db', '--out', '-', '--resume'], 2, '--resume needs a file'],
    [['export', '--from', 'sqlite:good.db', '--out', 'no/folder/x.jsonl'], 2, 'no/folder/x.jsonl can not be written'],
    [['import', '.', '--to', 'sqlite:x.db'], 2, 'there is no file .'],
    [['import', 'nowhere.jsonl', '--to', 'sqlite:x.db'], 2, 'there is no file nowhere.jsonl'],
    [['import', 'good.db', '--to', 'sqlite:x.db'], 2, 'this is no export of events'],
    [['copy', '--from', 'sqlite:good.db'], 2, '--to'],
    [['copy', '--from', 'sqlite:good.db', '--to', 'sqlite:good.db'], 2, 'the same database'],
    [['verify', '--from', 'good.jsonl', '--against', 'nowhere'], 2, 'there is no file nowhere'],
  ])('or database that can not be taken is told: %j', async (args, code, reason) => {
    const finished = await run(...args);
    expect(finished.stderr).toContain(reason);
    expect(finished.stderr).not.toContain('secret');
    expect(finished.stderr).not.toMatch(/\n\s+at /);
    expect(finished).toMatchObject({ code, stdout: '' });
  });
});

describe('a copied database', () => {
  it('starts a server that answers the same; while it runs, nobody copies into it unless told to', {
    timeout: 90_000,
  }, async () => {
    using own = openHome();
    const paths: string[] = ['/tasks', '/executions', '/failures'];
    const answers = async (url: string): Promise<unknown[]> =>
      Promise.all(paths.map(async (path) => unplaced((await call(url, 'GET', `/api/v1${path}`)).body)));
    const before = await (async () => {
      await using server = await startServerProcess(own);
      await call(server.url, 'POST', '/api/v1/tasks', {
        name: 'works',
        code: 'function main(i) { console.log("hi"); return i; }',
      });
      await call(server.url, 'POST', '/api/v1/tasks', {
        name: 'fails',
        code: 'function main() { throw new Error("no"); }',
      });
      for (const body of CALLS) {
        const { execution_id, position } = (await call(server.url, 'POST', '/api/v1/tasks/execute', body)).body;
        await call(server.url, 'GET', `/api/v1/executions?min_position=${String(position)}`);
        for (const of of ['', '/logs', '/trace', '/steps']) paths.push(`/executions/${String(execution_id)}${of}`);
      }
      const told = await answers(server.url);
      await server.stop();
      return told;
    })();
    expect(JSON.stringify(before)).toContain('finished_at');
    const copy = (...more: readonly string[]) =>
      ratchet(own, ['events', 'copy', '--from', 'sqlite:ratchet.db', '--to', 'sqlite:moved.db', ...more]);
    expect((await copy()).code).toBe(0);
    await using server = await startServerProcess(own, { database: 'sqlite:moved.db' });
    expect(await answers(server.url)).toEqual(before);
    const refused = await copy();
    expect(refused).toMatchObject({ code: 3, stdout: '' });
    expect(refused.stderr).toContain('a server runs on sqlite:moved.db');
    // It has written events of its own, so now the log is longer than its source.
    const forced = await copy('--force');
    expect(forced.stderr).toContain('the target holds other events');
    await server.stop();
  });
});

/** Without what belongs to the store that answers. */
function unplaced(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (key, one: unknown) => (key === 'position' ? undefined : one)));
}

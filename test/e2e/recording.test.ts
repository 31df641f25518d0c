/** What `run-once --record` writes can be read by people, opened by other programs, and replayed anywhere, also with other code. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testTasks } from '../../src/cli/check-tasks.ts';
import { type ExitCode, explainExit } from '../../src/cli/exit.ts';
import type { Output } from '../../src/cli/output.ts';
import { type ReplayOptions, replay } from '../../src/cli/replay.ts';
import { type RunOnceOptions, runOnce } from '../../src/cli/run-once.ts';
import { TEST_SETTINGS } from '../support/app.ts';
import { type HttpApi, startHttpApi } from '../support/http-api.ts';
import { type Home, openHome, ratchet, startServerProcess } from '../support/server.ts';

const BROKEN = `async function main({ url, padding }) {
  console.log('begins', { at: Date.now() });
  const found = await fetch(url + '/v1/search?name=Nowhere', { headers: { authorization: 'Bearer ' + secret('key') } });
  await sleep(2);
  const { results } = await found.json();
  return results[0].name + Math.random();
}
`;
const FIXED = BROKEN.replace('results[0].name', '(results?.[0]?.name ?? "none")');
const CONFIG = `outbound:\n  allow: ["127.0.0.0/8"]\nsecrets:\n  key:\n    value: "hidden-value-1"\n    allowed_hosts: ["127.0.0.1"]\n`;

let home: Home;
let api: HttpApi;
beforeAll(async () => {
  home = openHome();
  api = await startHttpApi();
  home.file('broken/main.js', BROKEN);
  home.file('broken/metadata.json', '{"name":"lookup"}');
  home.file('fixed/main.js', FIXED);
  home.file('fixed/metadata.json', '{"name":"lookup"}');
});
afterAll(async () => {
  home[Symbol.dispose]();
  await api.close();
});

const read = (...path: readonly string[]): string => readFileSync(join(home.folder, ...path), 'utf8');
const at = (path: string): string => join(home.folder, path);

interface Told {
  readonly code: ExitCode | null;
  readonly json: unknown;
  readonly notes: string;
}

/** Runs a command in this process, which is quicker than one of its own for each. */
async function told(command: (output: Output) => Promise<ExitCode>): Promise<Told> {
  const notes: string[] = [];
  let json: unknown;
  const output: Output = {
    isJson: true,
    result: (value, text) => {
      expect(text()).not.toBe('');
      json = JSON.parse(JSON.stringify(value));
    },
    note: (text) => void notes.push(text),
    progress: () => undefined,
  };
  const code = await command(output);
  return { code, json, notes: notes.join('\n') };
}

const settings = { ...TEST_SETTINGS, secrets: { key: { value: 'hidden-value-1', allowedHosts: ['127.0.0.1'] } } };
const replays = (options: ReplayOptions, id?: string): Promise<Told> =>
  told((output) => replay(TEST_SETTINGS, id, options, output));
const runs = (options: RunOnceOptions): Promise<Told> => told((output) => runOnce(settings, options, output));
const tests = (path: string): Promise<Told> => told((output) => testTasks(TEST_SETTINGS, path, output));

describe('a recording', () => {
  let calls: number;
  beforeAll(async () => {
    home.file('input.json', JSON.stringify({ url: api.url, padding: 'x'.repeat(200_000) }));
    const finished = await runs({ fromFs: at('broken'), inputFile: at('input.json'), record: at('made/here') });
    expect(finished.code).toBe(1);
    calls = api.calls();
  });

  it('holds code, input, journal, network, logs and error in files of their own, each named in its README', () => {
    const files = readdirSync(join(home.folder, 'made/here')).sort();
    expect(files).toEqual([
      'README.txt',
      'error.json',
      'http.har',
      'input.json',
      'journal.json',
      'logs.jsonl',
      'main.js',
      'recording.json',
    ]);
    for (const file of files.filter((name) => name !== 'README.txt'))
      expect(read('made/here/README.txt')).toContain(file);
    expect(read('made/here/main.js')).toBe(BROKEN);
    expect(JSON.parse(read('made/here/input.json'))).toMatchObject({ url: api.url });
    expect(JSON.parse(read('made/here/journal.json'))).toMatchObject([
      { path: '1', kind: 'http', outcome: { ok: true, value: { status: 200 } } },
      { path: '2', kind: 'sleep', request: { ms: 2 } },
    ]);
    expect(JSON.parse(read('made/here/error.json'))).toMatchObject({ code: 'task_failed', name: 'TypeError' });
    expect(JSON.parse(read('made/here/logs.jsonl'))).toMatchObject({ level: 'info', message: 'begins' });
  });

  it('tells the network as an archive, with placeholders where secrets stood', () => {
    const { log } = JSON.parse(read('made/here/http.har')) as { log: { version: string; entries: unknown[] } };
    expect(log.version).toBe('1.2');
    expect(log.entries).toMatchObject([
      {
        startedDateTime: expect.stringMatching(/^\d{4}-.*Z$/),
        time: expect.any(Number),
        request: {
          method: 'GET',
          url: `${api.url}/v1/search?name=Nowhere`,
          headers: [{ name: 'authorization', value: 'Bearer {{secret:key}}' }],
          queryString: [{ name: 'name', value: 'Nowhere' }],
          cookies: [],
        },
        response: { status: 200, content: { mimeType: 'application/json', text: '{"generationtime_ms":0.5}' } },
        timings: { send: 0, receive: 0 },
      },
    ]);
    for (const file of readdirSync(join(home.folder, 'made/here'))) {
      expect(read('made/here', file)).not.toContain('hidden-value-1');
    }
  });

  it('keeps the values that were too large for an event, and no others', async () => {
    const { events } = JSON.parse(read('made/here/recording.json')) as { events: { stream: string }[] };
    const blobs = new Set(events.map(({ stream }) => stream).filter((stream) => stream.startsWith('blob-')));
    expect(blobs.size).toBe(1);
  });

  it('replays the same in an empty folder, with the code that is in it or an equal one', async () => {
    using empty = openHome();
    const alone = await ratchet(empty, ['replay', '--recording', at('made/here')]);
    expect(alone.json()).toMatchObject({ identical: true });
    expect(alone.code).toBe(0);
    expect(readdirSync(empty.folder)).toEqual(['tasks']);
    const same = await replays({ recording: at('made/here'), fromFs: at('broken') });
    expect(same).toMatchObject({ code: 0, json: { identical: true } });
    expect(api.calls()).toBe(calls);
  });

  it('is not replayed with other code by mistake', async () => {
    const refused = /the code in .*fixed \([0-9a-f]{12}\) is not the recorded one .* --patch$/;
    await expect(replays({ recording: at('made/here'), fromFs: at('fixed') })).rejects.toThrow(refused);
  });

  it('tells whether other code would have succeeded, without a database', async () => {
    const patched = await replays({ recording: at('made/here'), fromFs: at('fixed'), patch: true });
    expect(patched).toMatchObject({
      code: 0,
      json: { verdict: 'succeeds', output: expect.stringMatching(/^none0\./) },
    });
    expect(api.calls()).toBe(calls);
  });

  it('makes a test that passes with the fix and fails without it', async () => {
    const options = { recording: at('made/here'), fromFs: at('fixed'), patch: true, saveTest: 'nowhere' };
    const saved = await replays(options);
    expect(saved.notes).toContain('fixed/tests/nowhere.json');
    expect((await tests(at('fixed'))).json).toMatchObject({ passed: 1, failed: 0 });
    home.file('broken/tests/nowhere.json', read('fixed/tests/nowhere.json'));
    expect((await tests(at('broken'))).json).toMatchObject({ passed: 0, failed: 1 });
    expect(api.calls()).toBe(calls);
    await expect(replays(options)).rejects.toThrow('fixed/tests/nowhere.json is there already');
  });

  it('of a good run holds its output', async () => {
    const finished = await runs({ fromFs: at('fixed'), inputJson: `{"url":"${api.url}"}`, record: at('good') });
    expect(finished.code).toBe(0);
    expect(JSON.parse(read('good/output.json'))).toMatch(/^none0\./);
    expect(existsSync(at('good/error.json'))).toBe(false);
  });

  it('takes the place of an earlier one, and leaves what else is in the folder', async () => {
    const record = at('again');
    await runs({ fromFs: at('broken'), inputJson: `{"url":"${api.url}"}`, record });
    home.file('again/notes.txt', 'mine');
    expect(readdirSync(record)).toContain('error.json');
    await runs({ fromFs: at('fixed'), inputJson: `{"url":"${api.url}"}`, record });
    expect(readdirSync(record).sort()).toEqual([...readdirSync(at('good')), 'notes.txt'].sort());
    expect(await replays({ recording: record })).toMatchObject({ code: 0, json: { identical: true } });
  });

  it('removes nothing from a folder that holds none', async () => {
    home.file('others/error.json', 'mine');
    await runs({ fromFs: at('fixed'), inputJson: `{"url":"${api.url}"}`, record: at('others') });
    expect(read('others/error.json')).toBe('mine');
    expect(existsSync(at('others/output.json'))).toBe(true);
  });
});

describe('a recording that can not be read', () => {
  const good = (): { executionId: string; events: Record<string, unknown>[] } =>
    JSON.parse(read('made/here/recording.json'));
  const refused = async (folder: string) => {
    const error: unknown = await replays({ recording: folder }).catch((thrown: unknown) => thrown);
    return explainExit(error);
  };
  const AGAIN = 'make it again with ratchet run-once --record';

  it.each<[string, () => unknown, string]>([
    ['of another form', () => ({ ...good(), events: [{ type: 1 }] }), 'events.0.eventId'],
    ['of a later form', () => ({ ...good(), format: 2 }), 'format'],
    ['that is a list', () => [], 'expected object'],
    ['without its execution', () => ({ ...good(), events: [] }), 'it holds no execution'],
    ['with an event left out', () => ({ ...good(), events: good().events.slice(1) }), ''],
    [
      'with an event that is cut',
      () => ({ ...good(), events: good().events.map((e) => ({ ...e, payload: '{' })) }),
      '',
    ],
  ])('is told in one sentence: one %s', async (_, made, reason) => {
    home.file('bad/recording.json', JSON.stringify(made()));
    const { text, code } = await refused(at('bad'));
    expect(code).toBe(2);
    expect(text).not.toContain('\n');
    expect(text).toContain(`${at('bad/recording.json')} is no recording that can be read`);
    expect(text).toContain(reason);
    expect(text).toMatch(new RegExp(`: ${AGAIN}$`));
  });

  it('is told in one sentence: one that is no JSON, and none', async () => {
    home.file('bad/recording.json', '{"format":');
    expect((await refused(at('bad'))).text).toContain('is no recording that can be read (it is not JSON)');
    for (const none of ['nowhere', at('bad/recording.json')]) {
      const text = `there is no recording in ${none}: name a folder that ratchet run-once --record has written`;
      expect(await refused(none)).toEqual({ text, code: 2 });
    }
  });
});

describe('ratchet replay', () => {
  it.each<[ReplayOptions, string]>([
    [{ saveTest: 'a' }, 'needs the folder'],
    [{ patch: true }, '--patch is for --from-fs'],
    [{ patchFrom: 'x', fromFs: 'x' }, 'not both'],
    [{ version: Number.NaN }, '--version takes a number'],
    [{ inputJson: '{' }, 'the input is not JSON'],
    [{ stubs: 'nowhere.json' }, 'there is no file nowhere.json'],
    [{ recording: 'nowhere' }, 'there is no recording in nowhere'],
    [{}, 'there is no execution x'],
  ])('refuses %j', async (options, reason) => {
    await expect(replays(options, 'x')).rejects.toThrow(reason);
  });

  it('refuses names of tests that are no names of files, stubs that are none, and both code and version', async () => {
    const patchFrom = at('fixed');
    await expect(replays({ patchFrom, saveTest: '../a' }, 'x')).rejects.toThrow('a test is named by');
    await expect(replays({ stubs: at('fixed/metadata.json') }, 'x')).rejects.toThrow('expected array');
    await expect(replays({ patchFrom, version: 1 }, 'x')).rejects.toThrow('not both');
    await expect(replays({})).rejects.toThrow('name an execution');
  });

  it('reads the database: with other code, a version, stubs, and over past failures', async () => {
    const config = home.file('with-db.yaml', `database:\n  url: "sqlite:replayed.db"\n${CONFIG}`);
    await using server = await startServerProcess(home, {
      database: 'sqlite:replayed.db',
      more: CONFIG.slice(CONFIG.indexOf('secrets')),
    });
    const post = async (path: string, body: object): Promise<Record<string, unknown>> => {
      const answer = await fetch(`${server.url}/api/v1${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      return (await answer.json()) as Record<string, unknown>;
    };
    await post('/tasks', { name: 'lookup', code: BROKEN });
    const failures = [];
    for (let n = 0; n < 3; n += 1)
      failures.push(await post('/tasks/execute', { task_id: 'lookup', input: { url: api.url } }));
    const id = String(failures[2]?.['execution_id']);
    const cli = (...args: readonly string[]) => ratchet(home, ['--config', config, 'replay', id, ...args]);
    const fixed = await cli('--patch-from', 'fixed');
    expect(fixed.stderr).toBe('');
    expect({ code: fixed.code, told: fixed.json() }).toMatchObject({ code: 0, told: { verdict: 'succeeds' } });
    const place = { ...TEST_SETTINGS, eventStoreUrl: `sqlite:${at('replayed.db')}` };
    const here = (options: ReplayOptions): Promise<Told> => told((output) => replay(place, id, options, output));
    expect(await here({ version: 1 })).toMatchObject({ code: 1, json: { verdict: 'fails_same' } });
    home.file('stubs.json', JSON.stringify([{ match: { url: '/never-called' }, value: 1 }]));
    const stubbed = await here({ stubs: at('stubs.json'), changed: 'reuse' });
    expect(stubbed).toMatchObject({ code: 1, json: { unused_stubs: [0] } });
    const over = await here({ patchFrom: at('fixed'), failures: 2 });
    expect(over).toMatchObject({ code: 0, json: { counts: { succeeds: 2 } } });
    const all = await post('/tasks/lookup/replay-failures', { execution_id: id, code: FIXED });
    expect(all['counts']).toMatchObject({ succeeds: 3, fails_same: 0 });
  });
});

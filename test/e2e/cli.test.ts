import { readFileSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  call,
  eventually,
  type Finished,
  type Home,
  openHome,
  ratchet,
  startServerProcess,
} from '../support/server.ts';

const SAMPLES = fileURLToPath(new URL('../../sample/js-tasks/', import.meta.url));
const CSV_PARSER = join(SAMPLES, 'csv-parser');
const CONFIG = ['--config', 'config.yaml'];

let home: Home;
beforeAll(() => {
  home = openHome();
});
afterAll(() => home[Symbol.dispose]());

function taskFolder(name: string, code: string, files: Readonly<Record<string, string>> = {}): string {
  home.file(`${name}/main.js`, code);
  home.file(`${name}/metadata.json`, JSON.stringify({ name }));
  for (const [file, content] of Object.entries(files)) home.file(`${name}/${file}`, content);
  return name;
}

const lines = (text: string): readonly unknown[] =>
  text
    .trim()
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));

describe('help', () => {
  it.each([
    [['--help'], 'Usage: ratchet [options] [command]'],
    [['serve', '--config', 'there/is/none.yaml', '--help'], 'Usage: ratchet serve'],
    [['--help', 'serve', '--port', 'nonsense'], 'Usage: ratchet serve'],
    [['run-once', '--nonsense', '-h'], 'Usage: ratchet run-once'],
    [['events', 'tail', '--help'], 'Usage: ratchet events tail'],
    [['projections', '--help'], 'Usage: ratchet projections'],
  ])('beside any flags ends well: %j', async (args, usage) => {
    const { code, stdout, stderr } = await ratchet(home, args);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain(usage);
  });

  it('and the version are told', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
      version: string;
    };
    expect(await ratchet(home, ['--version'])).toMatchObject({ code: 0, stdout: `${version}\n` });
  });
});

describe('wrong use', () => {
  it.each([
    [['serv'], 'Did you mean serve?'],
    [['serve', '--prot', '1'], 'Did you mean --port?'],
    [['events', 'shwo'], 'Did you mean show?'],
    [['serve', 'extra'], 'too many arguments'],
    [['run-once'], '--from-fs'],
    [['run-once', '--from-fs', 'nowhere'], 'there is no file or folder nowhere'],
    [['run-once', '--from-fs', CSV_PARSER, '--input-json', '{broken'], 'the input is not JSON'],
    [['run-once', '--from-fs', CSV_PARSER, '--input-json', '{}', '--input-file', 'x'], 'not both'],
    [['run-once', '--from-fs', CSV_PARSER, '--input-file', 'nowhere.json'], 'there is no file nowhere.json'],
    [['run-once', '--from-fs', CSV_PARSER, '--input-json', '{"csv":3}'], 'input/csv'],
    [['run-once', '--from-fs', SAMPLES], 'name the folder of one'],
    [['validate', '--from-fs', 'nowhere'], 'there is no file or folder nowhere'],
    [['test', '--from-fs', 'tasks'], 'no task found in tasks'],
    [['replay', 'no-such-id'], 'there is no execution no-such-id'],
    [['events', 'show', '--category', 'nonsense'], 'category'],
    [['events', 'show', '--after', 'nonsense'], 'position'],
    [['projections', 'rebuild', 'nonsense'], 'there is no projection nonsense'],
    [['serve', '--config', 'nowhere.yaml'], 'there is no configuration file'],
    [['serve', '--port', '99999'], 'server.port'],
  ])('%j ends with 2 and says what is wrong', async (args, reason) => {
    const { code, stderr, stdout } = await ratchet(home, args, { env: { DATABASE_URL: 'sqlite:wrong-use.db' } });
    expect(stderr).toContain(reason);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  });
});

describe('run-once', () => {
  it('prints the result as JSON when piped and ends with 0', async () => {
    const finished = await ratchet(home, ['run-once', '--from-fs', CSV_PARSER, '--input-json', '{"csv":"a,b\\n1,2"}']);
    expect(finished.code).toBe(0);
    expect(finished.json()).toMatchObject({ status: 'completed', output: { row_count: 1, columns: ['a', 'b'] } });
    expect(lines(finished.stdout)).toHaveLength(1);
    expect(finished.stderr).toContain('Parsed 1 rows');
  });

  it('reads its input from a file or from standard input', async () => {
    home.file('input.json', '{"csv":"a\\n7"}');
    const args = ['run-once', '--from-fs', CSV_PARSER, '--input-file'];
    expect((await ratchet(home, [...args, 'input.json'])).json()).toMatchObject({ output: { rows: [{ a: 7 }] } });
    const piped = await ratchet(home, [...args, '-'], { input: '{"csv":"a\\n8"}' });
    expect(piped.json()).toMatchObject({ output: { rows: [{ a: 8 }] } });
  });

  it('ends with 1 when the task fails, and tells the error', async () => {
    const folder = taskFolder('failing', 'function main() { throw new TypeError("no luck"); }');
    const finished = await ratchet(home, ['run-once', '--from-fs', folder]);
    expect(finished.code).toBe(1);
    expect(finished.json()).toMatchObject({ status: 'failed', error: { error_type: 'TypeError', message: 'no luck' } });
  });

  it('writes a recording that holds every event of the run', async () => {
    const args = ['run-once', '--from-fs', CSV_PARSER, '--input-json', '{"csv":"a\\n1"}', '--record', 'made/recorded'];
    const finished = await ratchet(home, args);
    expect(finished.code).toBe(0);
    const recording = JSON.parse(readFileSync(join(home.folder, 'made/recorded/recording.json'), 'utf8')) as {
      executionId: string;
      events: readonly { type: string; stream: string }[];
    };
    expect(finished.json()).toMatchObject({ execution_id: recording.executionId });
    const types = recording.events.map(({ type }) => type);
    for (const type of ['TaskVersionPublished', 'ExecutionRequested', 'ExecutionCompleted', 'LogLineWritten'])
      expect(types).toContain(type);
  });
});

describe('validate and test', () => {
  it('find the samples good', async () => {
    const checked = await ratchet(home, ['validate', '--from-fs', SAMPLES]);
    expect(checked.code).toBe(0);
    const { valid, tasks } = checked.json() as { valid: boolean; tasks: readonly { problems: unknown[] }[] };
    expect(valid).toBe(true);
    expect(tasks.length).toBeGreaterThanOrEqual(10);
    const tested = await ratchet(home, ['test', '--from-fs', SAMPLES]);
    expect(tested.json()).toMatchObject({ failed: 0, broken: [] });
    expect(tested.code).toBe(0);
  });

  it('say where code is broken, and end with 1', async () => {
    const folder = taskFolder('broken', 'function main() {\n  return (;\n}\n');
    const finished = await ratchet(home, ['validate', '--from-fs', folder]);
    expect(finished.code).toBe(1);
    expect(finished.json()).toEqual({
      valid: false,
      tasks: [{ name: 'broken', problems: ['broken/main.js:2:11: Unexpected token'] }],
    });
  });

  it('say where schema or metadata are broken', async () => {
    const schema = taskFolder('bad-schema', 'function main() {}', { 'input.schema.json': '{"type":"nope"}' });
    const finished = await ratchet(home, ['validate', '--from-fs', schema]);
    expect(finished.code).toBe(1);
    expect(finished.stdout).toContain('the schema at type is not valid');
    const broken = taskFolder('bad-metadata', 'function main() {}', { 'metadata.json': '{"name": 7}' });
    const told = await ratchet(home, ['validate', '--from-fs', broken]);
    expect(told.code).toBe(1);
    expect(told.stdout).toContain('metadata.json: name');
  });

  it('tell which test fails and why, and end with 1', async () => {
    const folder = taskFolder('tested', 'function main({ n }) { return n + 1; }', {
      'tests/good.json': JSON.stringify({ name: 'adds', input: { n: 1 }, expected_output: 2 }),
      'tests/bad.json': JSON.stringify({ name: 'adds wrongly', input: { n: 1 }, expected_output: 3 }),
    });
    const finished = await ratchet(home, ['test', '--from-fs', folder]);
    expect(finished.code).toBe(1);
    expect(finished.json()).toMatchObject({
      passed: 1,
      failed: 1,
      results: expect.arrayContaining([
        expect.objectContaining({ name: 'adds wrongly', passed: false, reason: expect.stringMatching(/3/) }),
      ]),
    });
  });
});

describe('config', () => {
  it('is found valid, or the wrong place is named with its line', async () => {
    home.file('good.yaml', 'server:\n  port: 8123\n');
    expect((await ratchet(home, ['config', 'validate', '--config', 'good.yaml'])).json()).toMatchObject({
      valid: true,
    });
    home.file('bad.yaml', 'server:\n  prot: 8123\n');
    const finished = await ratchet(home, ['config', 'validate', '--config', 'bad.yaml']);
    expect(finished.code).toBe(2);
    expect(finished.stderr).toMatch(/bad\.yaml.*2.*prot/);
    expect(finished.stderr).toContain('port');
  });

  it('is shown with origins and without secrets', async () => {
    home.file(
      'secret.yaml',
      'auth:\n  jwt:\n    secret: "very-very-secret-0123456789-abcdefghij"\nserver:\n  port: 8124\n',
    );
    const env = { DATABASE_URL: 'postgresql://user:hidden-password@localhost/db' };
    const finished = await ratchet(home, ['config', 'show', '--config', 'secret.yaml'], { env });
    expect(finished.code).toBe(0);
    expect(finished.stdout + finished.stderr).not.toMatch(/very-very-secret|hidden-password/);
    const shown = finished.json() as readonly { path: string; value: unknown; origin: string }[];
    const at = (path: string) => shown.find((value) => value.path === path);
    expect(at('auth.jwt.secret')).toMatchObject({ value: '***' });
    expect(at('server.port')).toMatchObject({ value: 8124, origin: expect.stringContaining('secret.yaml') });
    expect(at('database.url')).toMatchObject({ origin: expect.stringContaining('DATABASE_URL') });
  });
});

describe('a recorded database', () => {
  let id: string;
  let place: Home;
  const run = (args: readonly string[]): Promise<Finished> => ratchet(place, [...args, ...CONFIG]);

  beforeAll(async () => {
    place = openHome();
    await using server = await startServerProcess(place);
    await call(server.url, 'POST', '/api/v1/tasks', {
      name: 'recorded',
      code: 'function main(n) { console.log(Math.random(), Date.now()); return { n, at: Date.now() }; }',
    });
    const { body } = await call(server.url, 'POST', '/api/v1/tasks/execute', { task_id: 'recorded', input: 5 });
    id = String(body['execution_id']);
    expect(await server.stop()).toBe(0);
  });
  afterAll(() => place[Symbol.dispose]());

  it('stands beside its configuration file', () => {
    expect(readFileSync(join(place.folder, 'ratchet.db')).subarray(0, 15).toString()).toBe('SQLite format 3');
  });

  it('replays identically', async () => {
    const finished = await run(['replay', id]);
    expect(finished.json()).toMatchObject({ identical: true, differences: [] });
    expect(finished.code).toBe(0);
  });

  it('shows its events, filtered, one JSON document a line', async () => {
    const all = lines((await run(['events', 'show'])).stdout) as readonly { type: string; position: string }[];
    expect(all.map(({ type }) => type)).toContain('ExecutionCompleted');
    expect(all.map(({ position }) => position)).toEqual(all.map(({ position }) => position).sort());
    const some = lines((await run(['events', 'show', '--category', 'execution', '--type', 'ExecutionStarted'])).stdout);
    expect(some).toMatchObject([{ type: 'ExecutionStarted', data: { seed: '***' } }]);
    expect(lines((await run(['events', 'show', '--limit', '2'])).stdout)).toHaveLength(2);
    const after = lines((await run(['events', 'show', '--after', all[0]?.position ?? ''])).stdout);
    expect(after).toEqual(all.slice(1));
  });

  it('is followed by events tail, also while a server appends, until interrupted', async () => {
    await using server = await startServerProcess(place);
    const tailing = ratchet(place, ['events', 'tail', '--category', 'task', ...CONFIG], {
      onStart: (tail) => {
        const following = (async () => {
          for (let n = 0; !tail.stdout().includes('TaskCreated'); n++) {
            await call(server.url, 'POST', '/api/v1/tasks', { name: `tailed-${n}`, code: 'function main() {}' });
          }
        })();
        void following.then(() => tail.signal('SIGINT'));
      },
    });
    const { code, stdout } = await tailing;
    expect(code).toBe(0);
    expect(lines(stdout)).toContainEqual(expect.objectContaining({ type: 'TaskCreated' }));
  });

  it('tells how far its projections are, and builds them anew', async () => {
    const status = (await run(['projections', 'status'])).json() as {
      head: string;
      projections: readonly { position: string; status: string }[];
    };
    expect(status.projections.map((projection) => projection.status)).toEqual(status.projections.map(() => 'live'));
    expect(status.projections.every(({ position }) => position === status.head)).toBe(true);
    expect((await run(['projections', 'rebuild', 'executions', 'steps'])).json()).toEqual({
      rebuilt: ['executions', 'steps'],
    });
  });
});

describe('trouble at the start', () => {
  it('Port already in use', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as AddressInfo;
    const args = ['serve', '--host', '127.0.0.1', '--port', String(port)];
    const finished = await ratchet(home, args, { env: { DATABASE_URL: 'sqlite:port.db' } });
    await new Promise((resolve) => taken.close(resolve));
    expect(finished.stderr).toMatch(/^Port already in use/m);
    expect(finished.code).toBe(3);
  });

  it.each([
    ['a folder that can not be made', 'sqlite:/proc/none/ratchet.db'],
    ['a folder', 'sqlite:./tasks'],
    ['a file that is no database', 'sqlite:./no-database.txt'],
  ])('Database connection failed: %s', async (_name, url) => {
    home.file('no-database.txt', 'nothing that a database would hold, and long enough to be looked at. '.repeat(20));
    const finished = await ratchet(home, ['serve', '--port', '0'], { env: { DATABASE_URL: url } });
    expect(finished.stderr).toMatch(/^Database connection failed/m);
    expect(finished.code).toBe(3);
  });

  it.runIf(process.platform === 'linux')('Permission denied', async () => {
    const finished = await ratchet(home, ['serve', '--port', '0'], {
      env: { DATABASE_URL: 'sqlite:/sys/none/ratchet.db' },
    });
    expect(finished.stderr).toMatch(/^Permission denied/m);
    expect(finished.code).toBe(3);
  });

  it('an address that is not of this machine', async () => {
    const args = ['serve', '--host', '192.0.2.1', '--port', '0'];
    const finished = await ratchet(home, args, { env: { DATABASE_URL: 'sqlite:host.db' } });
    expect(finished.stderr).toMatch(/^the address can not be bound/m);
    expect(finished.code).toBe(3);
  });
});

describe('a command alone', () => {
  it('makes the database that it needs, without a server', async () => {
    using place = openHome();
    const finished = await ratchet(place, ['projections', 'status']);
    expect(finished).toMatchObject({ code: 0, stderr: '' });
    const { projections } = finished.json() as { projections: readonly unknown[] };
    expect(projections.length).toBeGreaterThan(0);
    const file = join(place.folder, 'data', 'ratchet.db');
    expect(readFileSync(file).subarray(0, 15).toString()).toBe('SQLite format 3');
    expect(await ratchet(place, ['events', 'show'])).toMatchObject({ code: 0, stdout: '' });
  });
});

describe('serve', () => {
  it('takes DATABASE_URL before the file, and a flag for the port before both', async () => {
    using place = openHome();
    {
      await using server = await startServerProcess(place, { env: { DATABASE_URL: 'sqlite:from-environment.db' } });
      expect((await call(server.url, 'GET', '/health')).status).toBe(200);
      await server.stop();
    }
    expect(readFileSync(join(place.folder, 'from-environment.db')).length).toBeGreaterThan(0);
    expect(() => readFileSync(join(place.folder, 'ratchet.db'))).toThrow(/ENOENT/);
  });

  it('reads a relative path from the folder of the file, wherever it was started', async () => {
    using place = openHome();
    place.file('below/conf.yaml', 'database:\n  url: "sqlite:../beside/log.db"\n');
    expect((await ratchet(place, ['projections', 'status', '--config', 'below/conf.yaml'])).code).toBe(0);
    expect(readFileSync(join(place.folder, 'beside/log.db')).length).toBeGreaterThan(0);
  });

  it('reads its configuration at the start, and a changed one at the next', async () => {
    using place = openHome();
    {
      await using server = await startServerProcess(place, { more: 'rest:\n  prefix: /one\n' });
      const config = join(place.folder, 'config.yaml');
      writeFileSync(config, readFileSync(config, 'utf8').replace('/one', '/two'));
      expect((await call(server.url, 'GET', '/one/tasks')).status).toBe(200);
      expect((await call(server.url, 'GET', '/two/tasks')).status).toBe(404);
      expect(await server.stop()).toBe(0);
    }
    await using server = await startServerProcess(place, { more: 'rest:\n  prefix: /two\n' });
    expect((await call(server.url, 'GET', '/two/tasks')).status).toBe(200);
    expect((await call(server.url, 'GET', '/one/tasks')).status).toBe(404);
  });

  it('gives what runs a moment when it is asked to end, and ends with 0', async () => {
    using place = openHome();
    let id: string;
    {
      await using server = await startServerProcess(place);
      const code = 'async function main() { await new Promise((done) => setTimeout(done, 900)); return "in time"; }';
      await call(server.url, 'POST', '/api/v1/tasks', { name: 'brief', code });
      const { body } = await call(server.url, 'POST', '/api/v1/executions', { task_id: 'brief', input: {} });
      id = String(body['execution_id']);
      await eventually('it runs', async () => {
        const shown = await call(server.url, 'GET', `/api/v1/executions/${id}`);
        return shown.body['status'] === 'running' ? true : undefined;
      });
      expect(await server.stop()).toBe(0);
    }
    const { stdout } = await ratchet(place, [
      'events',
      'show',
      '--type',
      'ExecutionCompleted,ExecutionStarted',
      ...CONFIG,
    ]);
    expect(lines(stdout)).toMatchObject([
      { type: 'ExecutionStarted', stream: `execution-${id}`, data: { attempt: 1 } },
      { type: 'ExecutionCompleted', data: { attempt: 1, output: { value: 'in time' } } },
    ]);
  });
});

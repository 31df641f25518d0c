/** The server's log: which lines go where, in what form, and what files do when they are full, moved or in the way. */
import { execFile, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type FileSink, type LogSettings, openLogging } from '../../infra/logging.ts';
import { RatchetError } from '../../src/domain/errors.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ratchet-log-'));
});
afterEach(() => {
  chmodSync(folder, 0o700);
  rmSync(folder, { recursive: true });
});

function file(more: Partial<FileSink> = {}): FileSink {
  const path = join(folder, 'ratchet.log');
  return {
    type: 'file',
    level: null,
    format: 'json',
    path,
    maxSize: 1_000_000,
    maxBackups: 3,
    buffered: null,
    ...more,
  };
}

function open(sinks: LogSettings['sinks'], more: Partial<LogSettings> = {}): ReturnType<typeof openLogging> {
  return openLogging({ level: 'info', targets: {}, sinks, ...more }, { stdout: false });
}

function textIn(name = 'ratchet.log'): string {
  return readFileSync(join(folder, name), 'utf8');
}

function linesIn(name = 'ratchet.log'): Record<string, unknown>[] {
  return textIn(name)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

function messagesIn(name?: string): unknown[] {
  return linesIn(name).map((line) => line['message']);
}

/** Runs statements in a process of their own, with `openLogging`, `folder` and `file` at hand. */
function program(statements: string): string[] {
  const module = JSON.stringify(new URL('../../infra/logging.ts', import.meta.url).href);
  const code = `import { openLogging } from ${module};
    const folder = ${JSON.stringify(folder)};
    const file = ${JSON.stringify(file())};
    ${statements}`;
  return ['--input-type=module', '--eval', code];
}

function run(statements: string): { stdout: string; stderr: string; status: number | null } {
  return spawnSync(process.execPath, program(statements), { encoding: 'utf8' });
}

describe('a JSON line', () => {
  test('is one object with time, upper-case level, message and fields', async () => {
    const { logger, close } = open([file()]);
    logger.info({ correlationId: 'c-1', source: 'here' }, 'execute_task %s\nforged', 'csv');
    logger.warn('second');
    await close();
    const [first, second] = linesIn();
    expect(first).toEqual({
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      level: 'INFO',
      message: 'execute_task csv\nforged',
      correlationId: 'c-1',
      source: 'here',
    });
    expect(second).toMatchObject({ level: 'WARN', message: 'second' });
    expect(textIn().split('\n')).toHaveLength(3);
  });

  test('hides what fields with the names of secrets hold, however they came into it, and alters nothing logged', async () => {
    const { logger, close } = open([file()]);
    const request = {
      headers: { Authorization: 'hush', 'x-api-key': 'hush', 'set-cookie': ['hush'], accept: 'text/plain' },
    };
    class Connection {
      readonly dbPassword = 'hush';
      readonly deeper = { still: { client_secret: { value: 'hush' } } };
    }
    logger.info({ token: 'hush', request, connection: new Connection() }, 'asked');
    logger.child({ apiKey: 'hush' }).info({ hasToken: true, tokens: 7 }, 'bound');
    logger.error(new RatchetError('internal', 'failed', { details: { refresh_token: 'hush' } }));
    logger.info('the words "secret": and {"token":"abc"} stay in a message');
    await close();
    expect(textIn()).not.toContain('hush');
    const [first, second, , last] = linesIn();
    expect(first).toMatchObject({ request: { headers: { Authorization: '[redacted]', accept: 'text/plain' } } });
    expect(second).toMatchObject({ apiKey: '[redacted]', hasToken: true, tokens: 7, message: 'bound' });
    expect(last?.['message']).toBe('the words "secret": and {"token":"abc"} stay in a message');
    expect(request.headers.Authorization).toBe('hush');
  });

  test('tells an error with code, message, stack and the chain of its causes', async () => {
    const { logger, close } = open([file()]);
    const inner = Object.assign(new Error('no space'), { code: 'ENOSPC' });
    const middle = new TypeError('not written', { cause: inner });
    logger.error(
      { err: new RatchetError('store_full', 'the disk is full', { cause: middle, details: { mb: 0 } }) },
      'failed',
    );
    logger.error(new AggregateError([new Error('one'), 'two'], 'several'));
    await close();
    const [first, second] = linesIn();
    expect(first?.['err']).toMatchObject({
      type: 'RatchetError',
      code: 'store_full',
      message: 'the disk is full',
      details: { mb: 0 },
      stack: expect.stringContaining('logging.test.ts'),
      cause: { type: 'TypeError', message: 'not written', cause: { code: 'ENOSPC', message: 'no space' } },
    });
    expect(second).toMatchObject({ message: 'several', err: { errors: [{ message: 'one' }, 'two'] } });
  });

  test('is written for an error that causes itself', async () => {
    const { logger, close } = open([file()]);
    const error = new Error('ring');
    error.cause = error;
    logger.error(error);
    await close();
    expect(messagesIn()).toEqual(['ring']);
  });
});

describe('levels', () => {
  test("a sink's own level wins over the root level, below it and above it", async () => {
    const lower = file({ level: 'debug', path: join(folder, 'lower') });
    const higher = file({ level: 'error', path: join(folder, 'higher') });
    const { logger, close } = open([file(), lower, higher], { level: 'warn' });
    for (const level of ['trace', 'debug', 'info', 'warn', 'error'] as const) logger[level](level);
    await close();
    expect(messagesIn()).toEqual(['warn', 'error']);
    expect(messagesIn('lower')).toEqual(['debug', 'info', 'warn', 'error']);
    expect(messagesIn('higher')).toEqual(['error']);
  });

  test('off writes nothing, at the root and in a sink', async () => {
    const off = open([file(), file({ level: 'off', path: join(folder, 'off') })], { level: 'off' });
    off.logger.fatal('lost');
    await off.close();
    expect(textIn() + textIn('off')).toBe('');
  });

  test('a target has its own level, the longest name wins, and children inherit it', async () => {
    const targets = { ratchet_mcp: 'trace', 'ratchet_mcp::audit': 'error', other: 'off' } as const;
    const { logger, close } = open([file()], { targets });
    const mcp = logger.child({ target: 'ratchet_mcp' });
    const audit = logger.child({ target: 'ratchet_mcp::audit' });
    logger.debug('root debug');
    logger.info('root info');
    mcp.trace('mcp trace');
    mcp.child({ session: 1 }).trace('mcp grandchild');
    audit.warn('audit warn');
    audit.error('audit error');
    logger.child({ target: 'other' }).fatal('other');
    logger.child({ target: 'unnamed' }).debug('unnamed debug');
    await close();
    expect(messagesIn()).toEqual(['root info', 'mcp trace', 'mcp grandchild', 'audit error']);
  });

  test('the target ratchet means the server, and the parts that have no level of their own', async () => {
    const { logger, close } = open([file()], { targets: { ratchet: 'debug', ratchet_mcp: 'warn' } });
    logger.debug('server');
    logger.child({ target: 'ratchet_http' }).debug('http');
    logger.child({ target: 'ratchet_mcp' }).info('mcp');
    await close();
    expect(messagesIn()).toEqual(['server', 'http']);
  });

  test("a target's level opens no sink beyond its own level", async () => {
    const { logger, close } = open([file({ level: 'info' })], { targets: { ratchet_mcp: 'trace' } });
    logger.child({ target: 'ratchet_mcp' }).debug('too low');
    logger.child({ target: 'ratchet_mcp' }).info('taken');
    await close();
    expect(messagesIn()).toEqual(['taken']);
  });
});

describe('a console', () => {
  const LOG = `const open = (sinks, options) => openLogging({ level: 'info', targets: {}, sinks }, options);`;

  test('writes readable lines to stdout when no sink is set, without colours when that is no terminal', () => {
    const { stdout, stderr } = run(`${LOG}
      const { logger } = open([], { stdout: true });
      logger.info({ port: 8080, note: 'two words' }, 'listening\\u001b[31m');`);
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^\d{4}-\S+Z INFO {2}listening\\u001b\[31m port=8080 note="two words"\n$/);
  });

  test('has colours on a terminal, unless they are not wanted', () => {
    const { stdout } = run(`${LOG}
      Object.assign(process.stdout, { isTTY: true, hasColors: () => true });
      for (const colored of [true, false]) {
        open([{ type: 'console', level: null, format: 'text', colored }], { stdout: true }).logger.error('careful');
      }`);
    const [wanted, unwanted] = stdout.split('\n');
    expect(wanted).toContain('\u001b[');
    expect(unwanted).not.toContain('\u001b[');
  });

  test('writes to stderr where stdout carries something else', () => {
    const { stdout, stderr } = run(`${LOG}
      const json = { type: 'console', level: null, format: 'json', colored: true };
      const { logger } = open([json], { stdout: false });
      logger.error('careful');`);
    expect(stdout).toBe('');
    expect(JSON.parse(stderr)).toMatchObject({ level: 'ERROR', message: 'careful' });
  });

  test('shows the stacks of an error and its causes below the line', () => {
    const { stdout } = run(`${LOG}
      const { logger } = open([], { stdout: true });
      logger.error({ err: new Error('outer', { cause: new Error('inner') }) }, 'failed');`);
    expect(stdout).toMatch(/ERROR failed err="outer"\n {4}Error: outer\n {8}at /);
    expect(stdout).toMatch(/\n {4}caused by Error: inner\n {8}at /);
  });

  test('whose reader has gone does not end the process', async () => {
    const statements = `${LOG}
      const { logger, close } = open([], { stdout: true });
      let lines = 0;
      const timer = setInterval(() => {
        logger.info('anybody there?');
        if (!process.stdout.destroyed && ++lines < 20) return;
        clearInterval(timer);
        process.stderr.write('still here');
      }, 5);`;
    const running = promisify(execFile)(process.execPath, program(statements));
    running.child.stdout?.destroy();
    expect(await running).toMatchObject({ stderr: 'still here' });
  });
});

describe('a file', () => {
  test('is appended to, in a folder that did not exist', async () => {
    const sink = file({ path: join(folder, 'a', 'b', 'ratchet.log') });
    for (const message of ['first', 'second']) {
      const { logger, close } = open([sink]);
      logger.info(message);
      await close();
    }
    expect(messagesIn('a/b/ratchet.log')).toEqual(['first', 'second']);
  });

  test('rotates at its size into numbered files, keeps as many as asked, and cuts no line', async () => {
    const { logger, close } = open([file({ maxSize: 500, maxBackups: 2 })]);
    for (let number = 0; number < 40; number += 1) logger.info(`line ${number} ${'x'.repeat(number)} ü`);
    await close();
    expect(readdirSync(folder).sort()).toEqual(['ratchet.log', 'ratchet.log.1', 'ratchet.log.2']);
    const kept = ['ratchet.log.2', 'ratchet.log.1', 'ratchet.log'].flatMap((name) => {
      expect(Buffer.byteLength(textIn(name))).toBeLessThanOrEqual(500);
      return messagesIn(name);
    });
    const last = Array.from(kept, (_, at) => 40 - kept.length + at);
    expect(kept).toEqual(last.map((number) => `line ${number} ${'x'.repeat(number)} ü`));
    expect(kept.length).toBeGreaterThan(5);
  });

  test('with no backups begins anew when full', async () => {
    const { logger, close } = open([file({ maxSize: 300, maxBackups: 0 })]);
    for (let number = 0; number < 20; number += 1) logger.info(`line ${number}`);
    await close();
    expect(readdirSync(folder)).toEqual(['ratchet.log']);
    expect(textIn().length).toBeLessThanOrEqual(300);
    expect(messagesIn().at(-1)).toBe('line 19');
  });

  test('takes a line that is larger than the file may be', async () => {
    const { logger, close } = open([file({ maxSize: 200 })]);
    for (const message of ['small', 'x'.repeat(1_000), 'after']) logger.info(message);
    await close();
    expect(['ratchet.log.2', 'ratchet.log.1', 'ratchet.log'].map((name) => messagesIn(name))).toEqual([
      ['small'],
      ['x'.repeat(1_000)],
      ['after'],
    ]);
  });

  test('loses and cuts no line when several processes write and rotate it at once', async () => {
    const statements = `
      const { logger, close } = openLogging(
        { level: 'info', targets: {}, sinks: [{ ...file, maxSize: 20_000, maxBackups: 1000 }] }, { stdout: false });
      for (let number = 0; number < 2000; number += 1) logger.info({ pid: process.pid, number }, 'line');
      await close();`;
    const writers = [1, 2, 3].map(() => promisify(execFile)(process.execPath, program(statements)));
    await Promise.all(writers);
    const lines = readdirSync(folder).flatMap((name) => linesIn(name));
    for (const { child } of writers) {
      const numbers = lines.filter((line) => line['pid'] === child.pid).map((line) => Number(line['number']));
      expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: 2000 }, (_, number) => number));
    }
    expect(existsSync(join(folder, 'ratchet.log.lock'))).toBe(false);
  });

  test('goes on without rotating while another process holds the lock, and removes a lock left behind', async () => {
    writeFileSync(join(folder, 'ratchet.log.lock'), '');
    const { logger, close } = open([file({ maxSize: 150 })]);
    for (let number = 0; number < 4; number += 1) logger.info(`line ${number}`);
    expect(messagesIn()).toHaveLength(4);
    utimesSync(join(folder, 'ratchet.log.lock'), 0, 0);
    logger.info('meets the old lock');
    logger.info('rotates');
    await close();
    expect(messagesIn()).toEqual(['rotates']);
    expect(messagesIn('ratchet.log.1')).toHaveLength(5);
  });

  test('is made again when it was moved away or removed with its folder', async () => {
    const sink = file({ path: join(folder, 'sub', 'ratchet.log') });
    const { logger, close } = open([sink]);
    logger.info('first');
    renameSync(sink.path, join(folder, 'moved'));
    logger.info('second');
    expect(messagesIn('moved')).toEqual(['first']);
    expect(messagesIn('sub/ratchet.log')).toEqual(['second']);
    rmSync(join(folder, 'sub'), { recursive: true });
    logger.info('third');
    await close();
    expect(messagesIn('sub/ratchet.log')).toEqual(['third']);
  });

  test('can be written as text', async () => {
    const { logger, close } = open([file({ format: 'text' })]);
    logger.info({ task: 'csv-parser' }, 'execute_task');
    await close();
    expect(textIn()).toMatch(/^\S+Z INFO {2}execute_task task=csv-parser\n$/);
  });
});

describe('a file that can not be had', () => {
  test('stops the start with the words Permission denied', () => {
    mkdirSync(join(folder, 'closed'), { mode: 0o500 });
    chmodSync(folder, 0o755);
    const { stdout } = run(`
      if (process.getuid() === 0) process.setuid(65534);
      try {
        openLogging({ level: 'info', targets: {}, sinks: [{ ...file, path: folder + '/closed/log' }] }, { stdout: true });
      } catch (error) {
        console.log(error.code + '|' + error.message);
      }`);
    expect(stdout).toBe(
      `configuration_invalid|Permission denied: the log file ${folder}/closed/log can not be opened (EACCES)\n`,
    );
  });

  test('stops the start with the reason where it is another', () => {
    expect(() => open([file({ path: folder })])).toThrow(`the log file ${folder} can not be opened (EISDIR)`);
    writeFileSync(join(folder, 'plain'), '');
    expect(() => open([file(), file({ path: join(folder, 'plain', 'log') })])).toThrow(
      /can not be opened \(E(?:NOTDIR|EXIST)\)/,
    );
  });

  test.skipIf(!existsSync('/dev/full'))('on a full disk drops lines, counts them, and says so once', async () => {
    const sink = file();
    symlinkSync('/dev/full', sink.path);
    const { logger, close } = open([sink]);
    for (const message of ['one', 'two', 'three']) logger.info(message);
    rmSync(sink.path);
    logger.info('four');
    logger.info('five');
    await close();
    const [told, ...rest] = linesIn();
    expect(told).toMatchObject({ level: 'WARN', dropped: 3, message: expect.stringMatching(/^3 log line.*ENOSPC/) });
    expect(rest.map((line) => line['message'])).toEqual(['four', 'five']);
  });

  test.skipIf(process.platform === 'win32')('finishes a line of which the disk took only a part', () => {
    const statements = `
      const { copyFileSync, truncateSync } = await import('node:fs');
      const { logger, close } = openLogging({ level: 'info', targets: {}, sinks: [file] }, { stdout: true });
      for (let number = 0; number < 30; number += 1) logger.info({ number }, 'line');
      copyFileSync(file.path, folder + '/until-full');
      truncateSync(file.path);
      logger.info('after');
      await close();`;
    const limited = ['-c', 'ulimit -f 1; exec "$0" "$@"', process.execPath, ...program(statements)];
    const { stderr } = spawnSync('/bin/sh', limited, { encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(textIn('until-full')).not.toMatch(/\n$/);
    const whole = (textIn('until-full') + textIn())
      .trimEnd()
      .split('\n')
      .map((line): unknown => JSON.parse(line));
    const [told, after] = whole.slice(-2);
    expect(told).toMatchObject({ dropped: 30 - (whole.length - 2), message: expect.stringContaining('EFBIG') });
    expect(after).toMatchObject({ message: 'after' });
    expect(whole.slice(0, -2)).toEqual(whole.slice(0, -2).map((_, number) => expect.objectContaining({ number })));
  });

  test('that can no longer be rotated grows rather than losing lines', () => {
    chmodSync(folder, 0o755);
    writeFileSync(join(folder, 'ratchet.log'), '', { mode: 0o666 });
    chmodSync(join(folder, 'ratchet.log'), 0o666);
    if (process.getuid?.() !== 0) chmodSync(folder, 0o555);
    const { stderr } = run(`
      if (process.getuid() === 0) process.setuid(65534);
      const { logger, close } = openLogging(
        { level: 'info', targets: {}, sinks: [{ ...file, maxSize: 150 }] }, { stdout: true });
      for (let number = 0; number < 10; number += 1) logger.info('line');
      await close();`);
    expect(stderr).toBe('');
    expect(messagesIn()).toHaveLength(10);
  });
});

describe('a buffered file', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  test('collects lines until there are enough', async () => {
    const { logger, close } = open([file({ buffered: { size: 3, flushIntervalMs: 60_000 } })]);
    logger.info('one');
    logger.info('two');
    expect(textIn()).toBe('');
    logger.info('three');
    expect(messagesIn()).toEqual(['one', 'two', 'three']);
    logger.info('four');
    await close();
    expect(messagesIn()).toHaveLength(4);
  });

  test('writes what it has when the interval is over', async () => {
    vi.useFakeTimers();
    const { logger, close } = open([file({ buffered: { size: 1_000, flushIntervalMs: 5_000 } })]);
    logger.info('one');
    vi.advanceTimersByTime(4_999);
    expect(textIn()).toBe('');
    vi.advanceTimersByTime(1);
    expect(messagesIn()).toEqual(['one']);
    await close();
  });

  test('rotates in the middle of what it has collected', async () => {
    const { logger, close } = open([
      file({ maxSize: 300, maxBackups: 9, buffered: { size: 20, flushIntervalMs: 1e6 } }),
    ]);
    for (let number = 0; number < 20; number += 1) logger.info(`line ${number}`);
    await close();
    const names = readdirSync(folder).sort((a, b) => b.localeCompare(a));
    expect(names.length).toBeGreaterThan(4);
    for (const name of names) expect(textIn(name).length).toBeLessThanOrEqual(300);
    expect(names.flatMap((name) => messagesIn(name))).toEqual(
      Array.from({ length: 20 }, (_, number) => `line ${number}`),
    );
  });

  test.each(['process.exit(0)', 'throw new Error("crash")'])('loses nothing when the process ends by %s', (end) => {
    run(`
      const sinks = [{ ...file, buffered: { size: 1000, flushIntervalMs: 60000 } }];
      const { logger } = openLogging({ level: 'info', targets: {}, sinks }, { stdout: true });
      logger.info('last words');
      ${end};`);
    expect(messagesIn()).toEqual(['last words']);
  });
});

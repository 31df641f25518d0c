/** What becomes of keys whose effect needs a system that the tests do not have: isolation that is missing, a log on disk over time. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { openLogging } from '../../infra/logging.ts';
import { assertIsolated } from '../../infra/sandbox/required-isolation.ts';
import { appSettings, logSettings } from '../../src/cli/settings.ts';
import { load } from './support.ts';

describe('production where the system isolates nothing', () => {
  it('does not start, unless security.allow_process_isolation says so', () => {
    expect(() => assertIsolated('process')).toThrow(/security\.allow_process_isolation/);
    for (const level of ['uid', 'namespaces'] as const) expect(() => assertIsolated(level)).not.toThrow();
    const needs = (yaml: string) => appSettings(load(yaml).config, pino({ level: 'silent' }), 1).needsIsolation;
    expect(needs('environment: production')).toBe(true);
    expect(needs('environment: production\nsecurity: { allow_process_isolation: true }')).toBe(false);
    expect(needs('environment: staging')).toBe(false);
  });

  it('workers.restart_on_failure reaches the pool of processes', () => {
    const restarts = (yaml: string) => appSettings(load(yaml).config, pino({ level: 'silent' }), 1).restartWorkers;
    expect([restarts(''), restarts('workers: { restart_on_failure: false }')]).toEqual([true, false]);
  });
});

it('hands MCP servers and the language model to tasks', () => {
  const { models } = appSettings(
    load(`llm: { base_url: 'http://localhost:11434/v1', model: small, api_key: sk-test, timeout: 5 }
mcp:
  performance: { connection_pool_size: 3 }
  servers:
    - { name: files, command: mcp-files, args: [--read-only], env: { TOKEN: secret-token } }
    - { name: search, url: 'https://search.example/mcp', headers: { authorization: Bearer secret }, timeout: 7 }
`).config,
    pino({ level: 'silent' }),
    1,
  );
  expect(models).toMatchObject({
    llm: { baseUrl: 'http://localhost:11434/v1', model: 'small', apiKey: 'sk-test', timeoutMs: 5_000 },
    mcp: {
      connections: 3,
      servers: [
        { name: 'files', command: 'mcp-files', args: ['--read-only'], env: { TOKEN: 'secret-token' }, url: null },
        {
          name: 'search',
          url: 'https://search.example/mcp',
          headers: { authorization: 'Bearer secret' },
          timeoutMs: 7_000,
        },
      ],
    },
  });
});

it('mcp.enable_structured_logs makes JSON of console lines, and of nothing else', () => {
  const formats = (yaml: string) => logSettings(load(yaml).config).sinks.map(({ type, format }) => `${type} ${format}`);
  const sinks = 'logging: { sinks: [{ type: console, format: text }, { type: file, path: x.log, format: text }] }';
  expect(formats(sinks)).toEqual(['console text', 'file text']);
  expect(formats(`${sinks}\nmcp: { enable_structured_logs: true }`)).toEqual(['console json', 'file text']);
});

describe('the log of a configuration', () => {
  it('goes to each sink at its level, in its form, rotated and collected as the file says', async () => {
    const { config, folder } = load(`logging:
  level: warn
  targets: { ratchet_mcp: debug }
  sinks:
    - { type: file, path: plain.log }
    - { type: file, path: low.log, level: debug, format: text }
    - { type: file, path: turning.log, level: trace, rotation: { size: 300B, keep: 1 } }
    - { type: file, path: kept.log, level: info, buffered: { size: 3, flush_interval: 1h } }
    - { type: file, path: hurried.log, level: info, buffered: { size: 1000, flush_interval: 20ms } }
`);
    const log = openLogging(config.logging, { stdout: true });
    const textOf = (name: string) => readFileSync(join(folder, name), 'utf8');
    const linesOf = (name: string) => textOf(name).split('\n').length - 1;
    log.logger.info('one');
    log.logger.warn('two');
    log.logger.child({ target: 'ratchet_mcp' }).debug('three');
    expect([linesOf('plain.log'), linesOf('low.log'), linesOf('kept.log')]).toEqual([2, 3, 0]);
    expect(JSON.parse(textOf('plain.log').split('\n')[0] ?? '')).toMatchObject({ level: 'WARN', message: 'two' });
    expect(textOf('low.log')).toMatch(/^\S+Z INFO {2}one\n/);
    await expect.poll(() => linesOf('hurried.log')).toBe(2);
    for (let n = 0; n < 9; n += 1) log.logger.error({ n }, 'again');
    expect(linesOf('kept.log')).toBe(9);
    await log.close();
    expect(linesOf('kept.log')).toBe(11);
    const turned = readdirSync(folder).filter((name) => name.startsWith('turning'));
    expect(turned.sort()).toEqual(['turning.log', 'turning.log.1']);
    expect(turned.map((name) => textOf(name).length <= 300)).toEqual([true, true]);
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { ConfigError } from '../../config/error.ts';
import { duration, rate, size } from '../../config/kinds.ts';
import { schema } from '../../config/schema.ts';
import { formatConfig, showConfig } from '../../config/show.ts';
import { inUnits } from '../../config/units.ts';
import { knownKeys } from '../../config/walk.ts';
import { load } from './support.ts';

describe('durations', () => {
  it.each([
    [30, 30_000],
    ['30', 30_000],
    ['5s', 5000],
    ['500ms', 500],
    ['10m', 600_000],
    ['24h', 86_400_000],
    ['7d', 604_800_000],
    [0.5, 500],
    ['1.5 h', 5_400_000],
  ])('%j is %i ms', (written, ms) => expect(duration('s').parse(written)).toBe(ms));

  it('a bare number counts milliseconds where the key says so', () =>
    expect(duration('ms').parse('900000')).toBe(900_000));

  it.each(['', 'soon', '-1', -1, '5 weeks', Number.NaN, Number.POSITIVE_INFINITY, true, '1e3', '5constructor'])(
    '%j is none',
    (written) => expect(duration('s').parse(written)).toBeUndefined(),
  );
});

describe('sizes', () => {
  it.each([
    ['10MB', 10_485_760],
    [10_485_760, 10_485_760],
    ['1GB', 1_073_741_824],
    ['512kb', 524_288],
    ['512 KiB', 524_288],
    ['7', 7],
    ['7B', 7],
  ])('%j is %i bytes', (written, bytes) => expect(size.parse(written)).toBe(bytes));

  it.each(['10XB', 'MB', -5, '99999999999999GB'])('%j is none', (written) =>
    expect(size.parse(written)).toBeUndefined(),
  );
});

describe('rates', () => {
  it.each([
    ['10/minute', 10, 60_000],
    [60, 60, 60_000],
    ['60', 60, 60_000],
    ['5/second', 5, 1000],
    ['100/hour', 100, 3_600_000],
    ['100 per day', 100, 86_400_000],
  ])('%j is %i in %i ms', (written, requests, windowMs) => expect(rate.parse(written)).toEqual({ requests, windowMs }));

  it.each([0, '0/minute', 1.5, '10/fortnight', '/minute'])('%j is none', (written) =>
    expect(rate.parse(written)).toBeUndefined(),
  );
});

it('what is shown in units reads back as the same value', () => {
  fc.assert(
    fc.property(fc.nat(10_000_000_000), (value) => {
      expect(duration('s').parse(inUnits(value, 'milliseconds'))).toBe(value);
      expect(size.parse(inUnits(value, 'bytes'))).toBe(value);
    }),
  );
});

describe('config show', () => {
  const loaded = () =>
    load(
      'database: { url: "postgresql://u:hunter2@h/d" }\n' +
        'server: { max_blocking_threads: 512, keep_alive: 60 }\n' +
        'mcp: { servers: [{ name: m, env: { TOKEN: hunter2 }, headers: { X: hunter2 }, url: "https://u:hunter2@h" }] }\n' +
        'auth: { api_keys: [{ key: hunter2, name: n }], jwt: { secret: hunter2 } }\n' +
        'secrets: { S: { value: hunter2, allowed_hosts: [h] } }\n' +
        'webhooks: { github: { secret: hunter2, task: t } }\n' +
        'registry: { sources: [{ name: r, uri: "https://hunter2@h/r.zip?sig=hunter2", token: hunter2 }] }\n' +
        'chat: { api_key: hunter2 }\nllm: { api_key: hunter2 }\nredis: { url: "redis://:hunter2@h" }\n',
      { env: { MCP_API_KEY: 'hunter2' } },
    );

  it('shows no secret, in lines or as JSON', () => {
    const result = loaded();
    expect(formatConfig(result)).not.toContain('hunter2');
    expect(JSON.stringify(showConfig(result))).not.toContain('hunter2');
    expect(formatConfig(result)).toContain('database.url = "postgresql://u:***@h/d"');
  });

  it('tells value and origin, and which key has no effect', () => {
    const result = loaded();
    const lines = formatConfig(result).split('\n');
    expect(lines).toContain(`server.max_blocking_threads = 512  (${result.folder}/config.yaml:2; has no effect)`);
    expect(lines).toContain(`server.keep_alive = "1m"  (${result.folder}/config.yaml:2)`);
    expect(lines).toContain('server.port = 8080  (default)');
    expect(lines).toContain('auth.api_keys[0].key = "***"  ' + `(${result.folder}/config.yaml:4)`);
  });

  it('shows every key of the schema', () => {
    const shown = new Set(showConfig(loaded()).map(({ path }) => path));
    const plain = [...knownKeys(schema)].filter(({ path, node }) => node.kind === 'value' && !/\[\]|<name>/.test(path));
    const missing = plain.filter(
      ({ path }) => !shown.has(path) && ![...shown].some((other) => path.startsWith(`${other}.`)),
    );
    expect(plain.length).toBeGreaterThan(90);
    expect(missing.map(({ path }) => path)).toEqual([]);
  });
});

describe('anything at all', () => {
  const check = (yaml: string) => {
    try {
      load(yaml);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      expect(error.problems.length).toBeGreaterThan(0);
    }
  };

  it('random text ends in a configuration or a ConfigError', () => {
    const words = fc.constantFrom(
      'server:',
      'mcp:',
      '\n',
      '  ',
      '- ',
      '&a ',
      '*a',
      '<<: *a',
      '{',
      '}',
      '[',
      ']',
      '"',
      "'",
      '|',
      '? ',
      ': ',
      '!!js ',
      '${',
      '}',
      '#',
      '---\n',
      '%',
      '\t',
      'port',
      '1',
      '~',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ maxLength: 60 }),
          fc.array(words, { maxLength: 25 }).map((parts) => parts.join('')),
        ),
        check,
      ),
      { numRuns: 400 },
    );
  });

  it('random values at known keys end in a configuration or a ConfigError', () => {
    const keys = [...knownKeys(schema)]
      .map(({ path }) => path.replaceAll('<name>', 'x'))
      .filter((path) => !path.includes('[]'));
    const value = fc.oneof(
      fc.string({ maxLength: 8 }),
      fc.integer(),
      fc.boolean(),
      fc.double(),
      fc.constantFrom('5s', '10MB', '${A}', null),
      fc.array(fc.string(), { maxLength: 2 }),
      fc.dictionary(fc.string({ maxLength: 6 }), fc.anything({ maxDepth: 1 }), { maxKeys: 2 }),
    );
    const nest = (path: readonly string[], leaf: unknown): unknown =>
      path.reduceRight((inner, key) => ({ [key]: inner }), leaf);
    fc.assert(
      fc.property(fc.constantFrom(...keys), value, (path, leaf) => {
        let yaml: string;
        try {
          yaml = stringify(nest(path.split('.'), leaf));
        } catch {
          return;
        }
        check(yaml);
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ['deep nesting', '['.repeat(20_000)],
    ['deep maps', 'a: {'.repeat(3000)],
    [
      'a bomb of anchors',
      [
        'a0: &a0 [x,x,x,x,x,x,x,x,x]',
        ...Array.from({ length: 9 }, (_, i) => `a${i + 1}: &a${i + 1} [${Array(9).fill(`*a${i}`).join(',')}]`),
      ].join('\n'),
    ],
    ['an anchor within itself', 'a: &a [*a]'],
    ['a prototype', '__proto__: { x: 1 }\nsecrets: { __proto__: { value: x } }'],
    ['a key that is a list', '? [a]\n: 1'],
    ['a scalar document', 'hello'],
    ['a huge file', `# ${'x'.repeat(1_100_000)}`],
  ])('%s is refused in time', (_, yaml) => {
    expect(() => load(yaml)).toThrow(ConfigError);
  });
});

import { describe, expect, it } from 'vitest';
import { resultTargets } from '../../src/cli/result-settings.ts';
import { load, messages, refusal } from './support.ts';

const SECRET = `whsec_${Buffer.alloc(32, 1).toString('base64')}`;
const HOOK = `type: webhook, url: "https://h/x", secret: "${SECRET}"`;

describe('targets of results', () => {
  it('take every result of every task unless told otherwise, and sign with each of their keys', () => {
    const { config, folder } = load(
      `results:\n  shop: { ${HOOK}, previous_secret: "${SECRET}", timeout: 5s }\n  archive: { type: file, path: out.jsonl, tasks: [], events: [failed] }\n`,
    );
    expect(resultTargets(config, 'free')).toEqual([
      {
        name: 'shop',
        events: ['completed', 'failed', 'cancelled'],
        tasks: ['*'],
        onRequest: false,
        patience: { maxAttempts: 10, initialDelayMs: 5_000, maxDelayMs: 43_200_000 },
        maxValueBytes: 262_144,
        reach: {
          kind: 'webhook',
          url: 'https://h/x',
          secrets: [SECRET, SECRET],
          headers: {},
          timeoutMs: 5_000,
          concurrency: 4,
        },
      },
      expect.objectContaining({
        name: 'archive',
        events: ['failed'],
        tasks: [],
        reach: { kind: 'file', path: `${folder}/out.jsonl` },
      }),
    ]);
  });

  it.each([
    ['a: { type: webhook, url: "https://h/x" }', 'a webhook needs a secret that signs'],
    [`a: { type: webhook, secret: "${SECRET}" }`, 'a webhook needs a url'],
    ['a: { type: file }', 'a file needs a path'],
    ['a: { type: queue }', 'expected one of webhook, file, stdout'],
    ['"a.b": { type: stdout }', 'the name of a target is made of letters, digits, - and _'],
    ['a: { type: webhook, url: "ftp://h/x" }', 'expected an address beginning with http:// or https://'],
  ])('%s is refused', (written, words) => {
    expect(messages(refusal(`results:\n  ${written}\n`)).join('\n')).toContain(words);
  });

  it.each(['hunter2', 'whsec_hunter2', `whsec_${'x'.repeat(31)}`])(
    'a key that is none of Standard Webhooks is refused without being told: %s',
    (key) => {
      const [message = ''] = messages(
        refusal(`results:\n  a: { type: webhook, url: "https://h/x", secret: "${key}" }\n`),
      );
      expect(message).toContain('expected whsec_ and 24 to 64 random bytes in base64');
      expect(message).not.toContain(key);
    },
  );
});

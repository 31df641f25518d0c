import fc from 'fast-check';
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import { describe, expect, it } from 'vitest';
import { tokensAtMost } from '../../../src/interfaces/mcp/token-budget.ts';

const STACK = `TypeError: Cannot read properties of undefined (reading 'items')
    at totalOf (task.js:12:34)
    at async main (task.js:88:11)
    at async Promise.all (index 3)
`;
const PROSE =
  'The execution failed because the server at https://api.example.com/v1/orders?page=2 answered 503 twice; ';
const CJK =
  '執行任務時發生錯誤，無法連接到資料庫伺服器。请检查网络配置后重试。データベースに接続できませんでした。데이터베이스 연결 실패. ';
const LOG = {
  seq: '1:4021',
  timestamp: '2026-11-21T09:12:33.123Z',
  level: 'error',
  message: 'ECONNREFUSED 10.0.12.7:5432',
  context: { user_id: 48_213, retries: 3, tags: ['db', 'primary'], took_ms: 12.75, ok: false, cause: null },
};

function chance(alphabet: string): fc.Arbitrary<string> {
  return fc
    .array(fc.noBias(fc.nat(alphabet.length - 1)), { minLength: 60, maxLength: 400 })
    .map((places) => places.map((at) => alphabet[at]).join(''));
}
const SMALL = 'abcdefghijklmnopqrstuvwxyz';
const BASE64 = `${SMALL}${SMALL.toUpperCase()}0123456789+/`;

function holds(texts: fc.Arbitrary<string>, runs: number): void {
  fc.assert(
    fc.property(texts, (text) => {
      for (const told of [text, JSON.stringify({ message: text })]) {
        expect(tokensAtMost(told)).toBeGreaterThanOrEqual(countTokens(told));
      }
    }),
    { numRuns: runs },
  );
}

describe('the measure of an answer is no less than what a tokenizer counts', () => {
  it.each([
    ['prose', PROSE.repeat(20)],
    ['stacks', STACK.repeat(20)],
    ['log entries as JSON', JSON.stringify(Array.from({ length: 50 }, () => LOG))],
    ['JSON in JSON in JSON', JSON.stringify({ a: JSON.stringify({ b: JSON.stringify(LOG) }) })],
    ['Chinese, Japanese and Korean', CJK.repeat(20)],
    [
      'Russian, German and Greek',
      'Не удалось подключиться. Größe überprüfen, Straße. Το αρχείο δεν βρέθηκε. '.repeat(20),
    ],
    ['emoji', '🔥🚀 deployed ✅ → done 👩‍👩‍👧 '.repeat(20)],
    ['shouting', 'ERROR CONNECTION REFUSED HTTP_PROXY EACCES MAX_TOKENS '.repeat(20)],
    ['lines and tables', '| a\t| b |\n|---|:-:|\n  {\n    "x": [1, 2,  3]\n  }\r\n'.repeat(20)],
    [
      'SQL',
      "SELECT execution_id FROM executions WHERE status='failed' AND requested_at >= '2026-01-01' LIMIT 50;".repeat(20),
    ],
  ])('for %s', (_name, text) => {
    expect(tokensAtMost(text)).toBeGreaterThanOrEqual(countTokens(text));
  });

  it('for UUIDs and times', () => {
    holds(
      fc.array(fc.uuid(), { minLength: 1, maxLength: 30 }).map((ids) => JSON.stringify(ids)),
      200,
    );
    const times = fc.array(fc.date({ noInvalidDate: true }), { minLength: 1, maxLength: 30 });
    holds(
      times.map((dates) => JSON.stringify(dates)),
      200,
    );
  });

  it.each([
    ['base64', BASE64],
    ['base64url', `${BASE64.slice(0, -2)}-_`],
    ['hex', '0123456789abcdef'],
    ['HEX', '0123456789ABCDEF'],
    ['letters', SMALL],
    ['words of chance letters', `${SMALL}     `],
    ['consonants', 'bcdfghjklmnpqrstvwxz'],
    ['letters of common pairs', 'theranditisonwecologmapx'],
    ['marks', '!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~'],
    [
      'Chinese, rare characters included',
      Array.from({ length: 20_000 }, (_, at) => String.fromCharCode(0x4e00 + at)).join(''),
    ],
  ])('for %s by chance', (_name, alphabet) => {
    // Of a few letters single ones may lie above: answers are never that short.
    holds(chance(alphabet), 300);
  });

  it('for any text at all', () => {
    holds(fc.string({ unit: 'binary', maxLength: 300 }), 300);
    holds(fc.string({ unit: 'grapheme', maxLength: 300 }), 300);
    holds(fc.json(), 300);
  });
});

it('is not much more than twice of what a tokenizer counts for prose, stacks and JSON', () => {
  for (const text of [PROSE.repeat(20), STACK.repeat(20), JSON.stringify(Array.from({ length: 50 }, () => LOG))]) {
    expect(tokensAtMost(text)).toBeLessThan(2.4 * countTokens(text));
  }
});

it('stops counting where it was told to', () => {
  expect(tokensAtMost('word '.repeat(1_000_000), 10)).toBeLessThan(20);
});

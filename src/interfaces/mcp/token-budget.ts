/** Measures what an answer costs a model, from above and without a tokenizer: budgets are kept by it. */

/**
 * Pairs of letters that English and code are mostly made of, most frequent first. Words made of them fall into few tokens;
 * letters that stand together by chance do not.
 */
const COMMON_PAIRS: ReadonlySet<string> = new Set(
  [
    'on re er st in at or co th ti es io te he it de ns en se le ut an as ed ro et al nd ec ta me nt om ch ri is pe ex ra ea',
    'ng ma li un ve ll tr id ts ne po ur ad ue im ou nc ar si to pa ha ce cu lo na ca ai el tt ct rs rt am od of ke do op ss',
    'qu ge fa ht no mi xe ul mp pr fo ac tu tp so tc di ef ow em fi ly sk np ps eq us il ol ep pu fr',
  ].flatMap((line) => line.split(' ')),
);

/** Marks that stand together in JSON; each is one token. */
const COMMON_MARKS: ReadonlySet<string> = new Set(
  '": "," ":" ," {" "} ":{" ":[" ":[ "},{" "]," }," "}] ":{ :// ... -- == => () ): (); '.trim().split(' '),
);

/** Words that stand in every answer; each is one token. */
const COMMON_WORDS: ReadonlySet<string> = new Set(
  [
    'execution task status name message level error info debug trace attempt position duration count value input output type',
    'code version kind time start end null true false timestamp context summary limit total reason steps step spans span',
    'children attributes string number object source function result request response title description main call tool',
  ].flatMap((line) => line.split(' ')),
);

/** Short texts of chance letters can lie a little above what is counted for them. */
const RESERVE = 1.1;

const PIECES =
  /[A-Z]?[a-z]+|[A-Z]+|[0-9]+| +|[\t\r\n]+|[!-/:-@[-`{-~]+|[^\x00-\x7f]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/gu;

/**
 * @param stopAt more than this is not counted to its end
 * @returns at least as many tokens as `o200k_base` makes of text as people and programs write it; about twice as many for
 *   English and JSON, hardly more for random letters
 */
export function tokensAtMost(text: string, stopAt: number = Number.POSITIVE_INFINITY): number {
  let tokens = 0;
  for (const { 0: piece, index } of text.matchAll(PIECES)) {
    tokens += tokensOfPiece(piece, text.charCodeAt(index + piece.length));
    if (tokens > stopAt) break;
  }
  return Math.ceil(tokens * RESERVE);
}

/** @returns what the JSON text of a payload costs. */
export function costOf(payload: unknown, stopAt?: number): number {
  return tokensAtMost(JSON.stringify(payload) ?? '', stopAt);
}

function tokensOfPiece(piece: string, next: number): number {
  const first = piece.codePointAt(0) ?? 0;
  if (first > 127) return tokensOfCharacter(first);
  if (isLetter(first)) return tokensOfLetters(piece);
  if (first >= 48 && first <= 57) return Math.ceil(piece.length / 3);
  // A single space before a word is part of the word.
  if (first === 32) return piece.length === 1 && isLetter(next) ? 0 : Math.ceil(piece.length / 16);
  if (first <= 32) return piece.length;
  return COMMON_MARKS.has(piece) ? 1 : piece.length;
}

/** Words are rarely longer; what is longer stands there by chance or by repetition. */
const LONG_WORD = 16;
const PER_UNCOMMON_PAIR = 0.6;

function tokensOfLetters(letters: string): number {
  const lower = letters.toLowerCase();
  if (COMMON_WORDS.has(lower)) return 1;
  let uncommon = 0;
  let before = '';
  for (let at = 0; at + 1 < lower.length; at += 1) {
    const pair = lower.slice(at, at + 2);
    if (pair === before || !COMMON_PAIRS.has(pair)) uncommon += 1;
    before = pair;
  }
  if (lower.length === 2) return 1 + uncommon;
  const rest = lower.length - 1;
  const parts = lower.length > LONG_WORD ? rest / 2 : Math.floor(rest / 3);
  return Math.min(lower.length, 1 + parts + uncommon * PER_UNCOMMON_PAIR);
}

/** Blocks of 64 rare characters, each character of which is three tokens. */
const RARE_BLOCKS: ReadonlySet<number> = new Set([
  0x175, 0x176, 0x1ab, 0x21e, 0x220, 0x25e, 0x26f, 0x270, 0x271, 0x272, 0x273, 0x274, 0x275, 0x276, 0x277, 0x27f,
]);

/** Latin, Greek, Cyrillic, Hebrew and Arabic letters: hardly more than a token each, and less in words. */
const LETTERS = [
  [0xa0, 0xff],
  [0x391, 0x3c9],
  [0x410, 0x44f],
  [0x5d0, 0x5ea],
  [0x621, 0x64a],
] as const;

/** No token is shorter than a byte; the characters of Chinese and Japanese are two tokens at most, but for rare ones. */
function tokensOfCharacter(codePoint: number): number {
  if (codePoint < 0x800) return LETTERS.some(([from, to]) => codePoint >= from && codePoint <= to) ? 1.25 : 2;
  const isKana = codePoint >= 0x3040 && codePoint <= 0x30ff;
  const isIdeograph = codePoint >= 0x4e00 && codePoint <= 0x9fff;
  if (isKana || (isIdeograph && !RARE_BLOCKS.has(codePoint >> 6))) return 2;
  return codePoint < 0x10000 ? 3 : 4;
}

function isLetter(code: number): boolean {
  return (code >= 97 && code <= 122) || (code >= 65 && code <= 90);
}

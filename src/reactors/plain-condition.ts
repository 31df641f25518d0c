/** Tells conditions that the engine may try by itself, thousands of times faster than one that is watched for side effects. */

/** Names, numbers, texts, and operators that call nothing where no object is asked to be a number or a text; properties may be getters. */
const TOKEN =
  /\s*(?:(?<name>[A-Za-z_$][\w$]*)|(?<literal>\d+(?:\.\d+)?(?![\w$.])|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|(?<operator>===|!==|==|!=|<=|>=|&&|\|\||\?\?|[!<>+\-*%()?:]))\s*/y;
const WORDS = new Set(
  'async await class delete do function if import in instanceof let new super switch throw void while with yield'.split(
    ' ',
  ),
);
/** These turn objects into numbers or texts, by methods of theirs. */
const CONVERTING = new Set(['==', '!=', '<', '>', '<=', '>=', '+', '-', '*', '%']);
/** Binds closer than any of them, and converts nothing. */
const ASKING = new Set(['typeof', '!']);

interface Token {
  readonly kind: 'name' | 'literal' | 'operator';
  readonly text: string;
}

/** @returns true for names, comparisons, logic and arithmetic only. */
export function isPlainCondition(condition: string): boolean {
  const tokens = tokensOf(condition);
  if (tokens === null || tokens.length === 0) return false;
  let afterOperand = false;
  for (const [at, { kind, text }] of tokens.entries()) {
    const isCall = text === '(' && afterOperand;
    const isUpdate = (text === '+' || text === '-') && tokens[at - 1]?.text === text;
    if (isCall || isUpdate || (kind === 'name' && WORDS.has(text))) return false;
    afterOperand = kind === 'operator' ? text === ')' : text !== 'typeof';
  }
  return true;
}

/**
 * @returns the condition for the engine. It stops also where the condition can not be tried: where it throws, which the engine would
 * pass over in silence, and where it would have to turn an object into a number or a text.
 */
export function engineCondition(condition: string): string {
  const objects = converted(tokensOf(condition) ?? []).map(
    (name) => `typeof ${name} === 'function' || (typeof ${name} === 'object' && ${name} !== null)`,
  );
  const guard = objects.length === 0 ? '' : `if (${objects.join(' || ')}) return true; `;
  return `(() => { try { ${guard}return !!(${condition}); } catch { return true; } })()`;
}

/** @returns names whose values a converting operator may get: those beside one, and with parentheses all. */
function converted(tokens: readonly Token[]): readonly string[] {
  const isConverting = (token: Token | undefined): boolean =>
    token !== undefined && token.kind === 'operator' && CONVERTING.has(token.text);
  if (!tokens.some(isConverting)) return [];
  const isNested = tokens.some(({ kind, text }) => kind === 'operator' && text === '(');
  const found = tokens.filter(({ kind, text }, at) => {
    const before = tokens[at - 1];
    if (kind !== 'name' || text === 'typeof' || ASKING.has(before?.text ?? '')) return false;
    return isNested || isConverting(before) || isConverting(tokens[at + 1]);
  });
  return [...new Set(found.map(({ text }) => text))];
}

function tokensOf(condition: string): readonly Token[] | null {
  const tokens: Token[] = [];
  for (let at = 0; at < condition.length; at = TOKEN.lastIndex) {
    TOKEN.lastIndex = at;
    const { name, literal, operator } = TOKEN.exec(condition)?.groups ?? {};
    const text = name ?? literal ?? operator;
    if (text === undefined) return null;
    tokens.push({ kind: name !== undefined ? 'name' : literal !== undefined ? 'literal' : 'operator', text });
  }
  return tokens;
}

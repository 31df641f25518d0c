/** Tells conditions that the engine may try by itself, thousands of times faster than one that is watched for side effects. */

/** Names, numbers, texts, and the operators that change nothing; what may be a call or an assignment is not among them. */
const TOKEN =
  /\s*(?:(?<name>[A-Za-z_$][\w$]*)|(?<literal>\d+(?:\.\d+)?(?![\w$.])|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|(?<operator>===|!==|==|!=|<=|>=|&&|\|\||\?\?|\?\.|[!<>+\-*%.[\]()?:]))\s*/y;
const WORDS = new Set(
  'async await class delete do function if import in instanceof let new super switch throw void while with yield'.split(
    ' ',
  ),
);
const ENDS_OPERAND = new Set([')', ']']);

/** @returns true for names, properties, comparisons, logic and arithmetic only. A getter that it reads still runs. */
export function isPlainCondition(condition: string): boolean {
  let before = '';
  let afterOperand = false;
  for (let at = 0; at < condition.length; at = TOKEN.lastIndex) {
    TOKEN.lastIndex = at;
    const { name, literal, operator } = TOKEN.exec(condition)?.groups ?? {};
    const token = name ?? literal ?? operator;
    if (token === undefined || (name !== undefined && WORDS.has(name) && before !== '.')) return false;
    const isCall = token === '(' && (afterOperand || before === '?.');
    const isUpdate = (token === '+' || token === '-') && before === token;
    if (isCall || isUpdate) return false;
    afterOperand = operator === undefined ? name !== 'typeof' : ENDS_OPERAND.has(operator);
    before = token;
  }
  return before !== '';
}

/** @returns the condition for the engine. It stops also where the condition throws, which the engine would pass over in silence. */
export function engineCondition(condition: string): string {
  return `(() => { try { return !!(${condition}); } catch { return true; } })()`;
}

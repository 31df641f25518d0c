/** The recorded values that a failing line decided or worked on, where the code itself shows which they are. */
import type { Json, Position } from '../event.ts';
import type { TaskErrorData } from '../journal.ts';
import { fits } from './call-site.ts';
import { shortly } from './cut-values.ts';
import { failingFrame } from './failing-line.ts';
import { called } from './failing-step.ts';
import type { FailureCase, RecordedStep } from './failure-case.ts';
import { look, seenValue } from './recorded-value.ts';
import { framesOf } from './stack-frames.ts';
import { around, type CodeNode, child, children, isFunction, offsetOf, parts, textOf } from './syntax.ts';
import { type Origin, originOf } from './value-origin.ts';

export interface RelatedValue {
  /** As the code writes it. */
  readonly expression: string;
  readonly from: 'input' | 'step';
  readonly step: RecordedStep | null;
  readonly pointer: string;
  /** A clause such as `age is -5, from the input at /age`. */
  readonly said: string;
  readonly position: Position;
}

const MAX_VALUES = 5;
/** Names that are followed. */
const MAX_READ = 20;

/** @returns what the statement at the failing line rests on: the conditions of a `throw`, or the arguments of a call of the language. */
export function relatedValues(subject: FailureCase, error: TaskErrorData): readonly RelatedValue[] {
  const { code } = subject;
  const frame = failingFrame(error)?.frame;
  if (code === null || code.tree === null || frame === undefined || code.file !== frame.file) return [];
  const offset = offsetOf(code.text, frame.line, frame.column);
  if (offset === null) return [];
  const found = new Map<string, RelatedValue>();
  for (const node of decisive(code.tree, offset).slice(0, MAX_READ)) {
    const origin = originOf(code, framesOf(error.stack), node);
    const value = origin === null ? null : recorded(subject, origin, textOf(code, node));
    if (value !== null && !found.has(value.said)) found.set(value.said, value);
  }
  return [...found.values()].slice(0, MAX_VALUES);
}

function decisive(tree: CodeNode, offset: number): readonly CodeNode[] {
  const chain = around(tree, offset);
  const made = chain.find(({ type }) => type === 'CallExpression' || type === 'NewExpression');
  const thrown = chain.find(({ type }) => type === 'ThrowStatement');
  if (thrown === undefined) return made === undefined ? [] : children(made, 'arguments').flatMap(readIn);
  const inside = chain.slice(chain.indexOf(thrown));
  const own = inside.findIndex(isFunction);
  const tests = inside.slice(0, own < 0 ? inside.length : own).flatMap((node) => {
    const test =
      node.type === 'IfStatement' || node.type === 'SwitchStatement'
        ? (child(node, 'test') ?? child(node, 'discriminant'))
        : null;
    return test === null ? [] : [test];
  });
  return [...tests, ...(made === undefined ? [] : children(made, 'arguments'))].flatMap(readIn);
}

/** The longest chains of names that an expression reads; what functions inside it do is theirs. */
function readIn(expression: CodeNode): readonly CodeNode[] {
  const found: CodeNode[] = [];
  const open: CodeNode[] = [expression];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (isFunction(node)) continue;
    if (node.type === 'Identifier' || node.type === 'MemberExpression') found.push(node);
    else open.push(...parts(node).reverse());
  }
  return found;
}

function recorded({ run }: FailureCase, origin: Origin, expression: string): RelatedValue | null {
  if (origin.from === 'search') return null;
  if (origin.from === 'input') return told(expression, run.input, origin, null, run.requestedPosition);
  const { kind, call } = origin;
  for (const step of run.steps.filter((one) => one.kind === kind && fits(call, one)).reverse()) {
    const value = seenValue(step);
    const found = value === undefined ? null : told(expression, value, origin, step, step.position);
    if (found !== null) return found;
  }
  return null;
}

/** A name of the language that is read from a value, such as `length`, is not recorded: the value before it is. */
function told(
  expression: string,
  value: Json,
  { path }: Exclude<Origin, { from: 'search' }>,
  step: RecordedStep | null,
  position: Position,
): RelatedValue | null {
  const last = path.at(-1);
  const isLength = last === 'length';
  const looked = look(value, isLength ? path.slice(0, -1) : path);
  // Any element of a list is no particular value.
  if (looked === null || path.some((part) => typeof part !== 'string')) return null;
  const size =
    isLength && (Array.isArray(looked.value) || typeof looked.value === 'string') ? looked.value.length : null;
  if (isLength && size === null) return null;
  const shown = looked.what === 'absent' ? 'undefined' : shortly(size ?? looked.value);
  const whose = step === null ? 'the input' : `the answer of ${called(step)}`;
  const place = looked.pointer === '' ? '' : ` at ${looked.pointer}`;
  const said = `${expression} is ${shown}, from ${whose}${place}`;
  return { expression, from: step === null ? 'input' : 'step', step, pointer: looked.pointer, said, position };
}

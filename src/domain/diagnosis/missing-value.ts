/** Finds the expression that was null, undefined, or not what the code took it for, from where the engine says it failed. */
import type { StackFrame } from './stack-frames.ts';
import {
  around,
  type CodeNode,
  child,
  memberName,
  nodesOf,
  offsetOf,
  type ParsedCode,
  placeOf,
  textOf,
} from './syntax.ts';

/** What the engine's message says about the value. */
export interface Complaint {
  readonly about: 'missing' | 'not_a_function' | 'not_iterable';
  /** What the value was, in the engine's words: `undefined`, `null`; null where the message does not say. */
  readonly value: 'undefined' | 'null' | null;
  /** Name that was read from it, set on it, or taken out of it. */
  readonly property: string | null;
  /** The expression, where the message names it. */
  readonly expression: string | null;
}

const READ = /^Cannot (?:read|set) properties of (undefined|null)(?: \((?:reading|setting) '(.*)'\))?$/s;
const DESTRUCTURE = /^Cannot destructure property '(.*?)' of '(.*)' as it is (undefined|null)\.$/s;
const DESTRUCTURE_ALL = /^Cannot destructure '(.*)' as it is (undefined|null)\.$/s;
const ITERATE_NOTHING = /^(undefined|null) is not iterable/;
const NOT_ITERABLE = /^(.+?) is not iterable(?: \(.*\))?$/s;
const NOT_A_FUNCTION = /^(.+?) is not a (?:function|constructor)$/s;

/** The engine's own messages are short; a task can make longer ones. */
const MAX_MESSAGE = 2_000;
/** What the engine writes where it has no name for a value. */
const UNNAMED: readonly string[] = ['undefined', 'null', 'object null', '(intermediate value)'];

/** @returns what a TypeError of the engine complains about; null for any other message. */
export function complaintOf(message: string): Complaint | null {
  if (message.length > MAX_MESSAGE) return null;
  const read = READ.exec(message);
  if (read !== null) return missing(read[1], read[2], undefined);
  const destructured = DESTRUCTURE.exec(message);
  if (destructured !== null) return missing(destructured[3], destructured[1], destructured[2]);
  const all = DESTRUCTURE_ALL.exec(message);
  if (all !== null) return missing(all[2], undefined, all[1]);
  const nothing = ITERATE_NOTHING.exec(message);
  if (nothing !== null) return missing(nothing[1], undefined, undefined);
  const iterated = NOT_ITERABLE.exec(message);
  if (iterated !== null) return { about: 'not_iterable', value: null, property: null, expression: iterated[1] ?? null };
  const called = NOT_A_FUNCTION.exec(message);
  if (called !== null) return { about: 'not_a_function', value: null, property: null, expression: called[1] ?? null };
  return null;
}

function missing(value: string | undefined, property: string | undefined, expression: string | undefined): Complaint {
  const isNamed = expression !== undefined && !UNNAMED.includes(expression);
  return {
    about: 'missing',
    value: value === 'null' ? 'null' : 'undefined',
    property: property ?? null,
    expression: isNamed ? expression : null,
  };
}

/** The expression in the code. */
export interface Blamed {
  /** The expression; for something taken apart, the pattern that takes it apart. */
  readonly node: CodeNode;
  readonly text: string;
}

/** @returns the expression that the message complains about; null where the code does not show it. */
export function blamed(code: ParsedCode, complaint: Complaint, frame: StackFrame): Blamed | null {
  if (code.tree === null) return null;
  const offset = offsetOf(code.text, frame.line, frame.column);
  if (offset === null) return null;
  const node =
    complaint.about === 'missing'
      ? missingAt(code, code.tree, complaint, offset)
      : namedAt(code, code.tree, complaint, offset);
  return node === null ? null : { node, text: textOf(code, node) };
}

/**
 * The engine points at the name that is read (`a.b`), at the bracket (`a[b]`), at the sign of an assignment, or at the name
 * in a pattern. Where it points elsewhere, the name itself is looked for on the line.
 */
function missingAt(code: ParsedCode, tree: CodeNode, complaint: Complaint, offset: number): CodeNode | null {
  for (const node of around(tree, offset)) {
    const object = node.type === 'MemberExpression' ? child(node, 'object') : null;
    if (object !== null && (child(node, 'property')?.start === offset || object.end === offset)) return object;
    if (node.type === 'AssignmentExpression' && isBetween(node, offset)) {
      const left = child(node, 'left');
      return left?.type === 'MemberExpression' ? child(left, 'object') : null;
    }
    if (node.type === 'ObjectPattern') return node;
  }
  if (complaint.expression !== null) return namedAt(code, tree, complaint, offset);
  return complaint.property === null ? null : byProperty(code, tree, complaint.property, offset);
}

function isBetween(assignment: CodeNode, offset: number): boolean {
  const [left, right] = [child(assignment, 'left'), child(assignment, 'right')];
  return left !== null && right !== null && left.end <= offset && offset < right.start;
}

function byProperty(code: ParsedCode, tree: CodeNode, property: string, offset: number): CodeNode | null {
  const { line } = placeOf(code.text, offset);
  for (const node of nodesOf(tree)) {
    if (node.type !== 'MemberExpression' || memberName(node) !== property) continue;
    if (placeOf(code.text, child(node, 'property')?.start ?? 0).line === line) return child(node, 'object');
  }
  return null;
}

/** The message has the expression's text; of those with this text, the one nearest to where the engine points. */
function namedAt(code: ParsedCode, tree: CodeNode, { expression }: Complaint, offset: number): CodeNode | null {
  const wanted = bare(expression ?? '');
  let nearest: CodeNode | null = null;
  for (const node of nodesOf(tree)) {
    if (node.end - node.start > wanted.length * 4 + 80) continue;
    if (bare(code.text.slice(node.start, node.end)) !== wanted) continue;
    if (nearest === null || distance(node, offset) < distance(nearest, offset)) nearest = node;
  }
  return nearest;
}

/** The engine prints expressions without white space and optional marks. */
function bare(text: string): string {
  return text.replaceAll(/\s+/g, '').replaceAll('?.', '.');
}

function distance(node: CodeNode, offset: number): number {
  if (node.start <= offset && offset <= node.end) return 0;
  return Math.min(Math.abs(node.start - offset), Math.abs(node.end - offset));
}

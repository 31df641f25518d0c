/** Follows an expression of a task's code back to where its value came from: the input, a step, or a search that found nothing. */
import { ANY, type Binding, bindingOf, isEntry, type PathPart, pathToPattern } from './bindings.ts';
import type { StackFrame } from './stack-frames.ts';
import {
  around,
  type CodeNode,
  child,
  children,
  isFunction,
  memberName,
  nameOf,
  nodesOf,
  offsetOf,
  type ParsedCode,
} from './syntax.ts';

export type Origin =
  | { readonly from: 'input'; readonly path: readonly PathPart[] }
  /** `call` is the call in the code that asked for the step. */
  | {
      readonly from: 'step';
      readonly kind: 'http' | 'task' | 'file' | 'custom';
      readonly call: CodeNode;
      readonly path: readonly PathPart[];
    }
  /** What a method such as `find` answers when nothing fits. */
  | { readonly from: 'search'; readonly method: string; readonly call: CodeNode };

/** Functions of a task whose results are recorded. */
const STEP_CALLS: Readonly<Record<string, 'http' | 'task' | 'file' | 'custom'>> = {
  fetch: 'http',
  runTask: 'task',
  readFile: 'file',
  step: 'custom',
};
const SEARCHES: readonly string[] = ['find', 'findLast', 'at', 'pop', 'shift', 'get', 'match', 'exec', 'getItem'];
const EACH: readonly string[] = [
  'map',
  'forEach',
  'filter',
  'flatMap',
  'some',
  'every',
  'find',
  'findLast',
  'findIndex',
  'sort',
];
/** They give the same kind of list, so any element of theirs is an element of the list. */
const SAME_ELEMENTS: readonly string[] = ['filter', 'slice', 'toSorted', 'sort', 'reverse', 'toReversed', 'concat'];
const MAX_DEPTH = 24;

interface Trace {
  readonly code: ParsedCode;
  readonly tree: CodeNode;
  /** Frames of the failure, the innermost first: they tell which call of a function it was. */
  readonly frames: readonly StackFrame[];
  readonly depth: number;
}

/** @returns where the value of `node` came from; null where the code does not tell without being run. */
export function originOf(code: ParsedCode, frames: readonly StackFrame[], node: CodeNode): Origin | null {
  if (code.tree === null) return null;
  const trace = { code, tree: code.tree, frames, depth: 0 };
  return node.type === 'ObjectPattern' || node.type === 'ArrayPattern' ? ofPattern(trace, node) : follow(trace, node);
}

function follow(trace: Trace, node: CodeNode): Origin | null {
  if (trace.depth >= MAX_DEPTH) return null;
  const deeper = { ...trace, depth: trace.depth + 1 };
  switch (node.type) {
    case 'Identifier': {
      const binding = bindingOf(trace.tree, node, nameOf(node) ?? '');
      return binding === null && nameOf(node) === 'input' ? { from: 'input', path: [] } : ofBinding(deeper, binding);
    }
    case 'MemberExpression':
      return ofMember(deeper, node);
    case 'CallExpression':
      return ofCall(deeper, node);
    case 'AwaitExpression':
    case 'ParenthesizedExpression':
    case 'ChainExpression': {
      const inner = child(node, 'argument') ?? child(node, 'expression');
      return inner === null ? null : follow(deeper, inner);
    }
    default:
      return null;
  }
}

function at(origin: Origin | null, ...path: readonly PathPart[]): Origin | null {
  if (origin === null || path.length === 0) return origin;
  return origin.from === 'search' ? null : { ...origin, path: [...origin.path, ...path] };
}

function ofMember(trace: Trace, node: CodeNode): Origin | null {
  const object = child(node, 'object');
  // A computed name of a list is some index; of anything else the code does not tell it, and no recorded value will fit.
  return object === null ? null : at(follow(trace, object), memberName(node) ?? ANY);
}

function ofBinding(trace: Trace, binding: Binding | null): Origin | null {
  switch (binding?.is) {
    case 'value':
      return at(follow(trace, binding.of), ...binding.path);
    case 'element':
      return at(follow(trace, binding.of), ANY, ...binding.path);
    case 'parameter':
      return at(ofParameter(trace, binding.of, binding.index), ...binding.path);
    default:
      return null;
  }
}

function ofParameter(trace: Trace, fn: CodeNode, index: number): Origin | null {
  if (isEntry(trace.tree, fn)) return index === 0 ? { from: 'input', path: [] } : null;
  const chain = around(trace.tree, fn.start, fn.end);
  const holder = chain[chain.findIndex((node) => node.start === fn.start && node.end === fn.end) + 1];
  if (holder?.type === 'CallExpression' && children(holder, 'arguments').includes(fn))
    return ofCallback(trace, holder, index);
  const call = callOf(trace, fn, holder);
  const argument = call === null ? undefined : children(call, 'arguments')[index];
  return argument === undefined ? null : follow(trace, argument);
}

function ofCallback(trace: Trace, call: CodeNode, index: number): Origin | null {
  const callee = child(call, 'callee');
  const object = callee?.type === 'MemberExpression' ? child(callee, 'object') : null;
  const method = callee?.type === 'MemberExpression' ? memberName(callee) : null;
  if (object === null || method === null) return null;
  if (method === 'then') return index === 0 ? follow(trace, object) : null;
  const isElement = EACH.includes(method) ? index === 0 : method === 'reduce' && index === 1;
  return isElement ? at(follow(trace, object), ANY) : null;
}

/** The call that the stack shows, or the only one there is. */
function callOf(trace: Trace, fn: CodeNode, holder: CodeNode | undefined): CodeNode | null {
  const name = nameOf(child(fn, 'id')) ?? (holder?.type === 'VariableDeclarator' ? nameOf(child(holder, 'id')) : null);
  if (name === null) return null;
  const calls = [...nodesOf(trace.tree)].filter(
    (node) => node.type === 'CallExpression' && nameOf(child(node, 'callee')) === name,
  );
  const own = trace.frames.findIndex((frame) => frame.function === name);
  const caller = own < 0 ? undefined : trace.frames[own + 1];
  const offset = caller === undefined ? null : offsetOf(trace.code.text, caller.line, caller.column);
  const shown = calls.find((call) => call.start === offset) ?? calls.find((call) => awaitedAt(trace, call, offset));
  return shown ?? (calls.length === 1 ? (calls[0] ?? null) : null);
}

function awaitedAt({ tree }: Trace, call: CodeNode, offset: number | null): boolean {
  return around(tree, call.start, call.end).some((node) => node.type === 'AwaitExpression' && node.start === offset);
}

function ofCall(trace: Trace, call: CodeNode): Origin | null {
  const callee = child(call, 'callee');
  if (callee === null) return null;
  const name = nameOf(callee);
  if (name !== null) {
    const binding = bindingOf(trace.tree, call, name);
    const kind = Object.hasOwn(STEP_CALLS, name) ? STEP_CALLS[name] : undefined;
    if (binding === null && kind !== undefined) return { from: 'step', kind, call, path: [] };
    return binding?.is === 'function' ? ofReturn(trace, binding.node) : null;
  }
  const object = child(callee, 'object');
  const method = callee.type === 'MemberExpression' ? memberName(callee) : null;
  if (object === null || method === null) return null;
  if (method === 'json' || method === 'text') return at(follow(trace, object), 'body');
  const argument = children(call, 'arguments')[0];
  if (method === 'parse' && nameOf(object) === 'JSON') return argument === undefined ? null : follow(trace, argument);
  if (method === 'then' && argument !== undefined && isFunction(argument)) return ofReturn(trace, argument);
  if (SAME_ELEMENTS.includes(method)) return follow(trace, object);
  return SEARCHES.includes(method) ? { from: 'search', method, call } : null;
}

/** What a function of the task gives back, where it says so in one place. */
function ofReturn(trace: Trace, fn: CodeNode): Origin | null {
  const body = child(fn, 'body');
  if (body === null) return null;
  if (body.type !== 'BlockStatement') return follow(trace, body);
  const returns = [...nodesOf(body)].filter(
    (node) => node.type === 'ReturnStatement' && functionAround(trace, node) === fn.start,
  );
  const value = returns.length === 1 && returns[0] !== undefined ? child(returns[0], 'argument') : null;
  return value === null ? null : follow(trace, value);
}

function functionAround({ tree }: Trace, node: CodeNode): number | null {
  return around(tree, node.start, node.end).find(isFunction)?.start ?? null;
}

/** What a pattern takes apart: the value that its outermost pattern is given. */
function ofPattern(trace: Trace, pattern: CodeNode): Origin | null {
  for (const node of around(trace.tree, pattern.start, pattern.end)) {
    if (node.type === 'VariableDeclarator') {
      const [id, init] = [child(node, 'id'), child(node, 'init')];
      const path = id === null ? null : pathToPattern(id, pattern);
      return init === null || path === null ? null : at(follow(trace, init), ...path);
    }
    if (isFunction(node)) return ofParameterPattern(trace, node, pattern);
  }
  return null;
}

function ofParameterPattern(trace: Trace, fn: CodeNode, pattern: CodeNode): Origin | null {
  for (const [index, parameter] of children(fn, 'params').entries()) {
    const path = pathToPattern(parameter, pattern);
    if (path !== null) return at(ofParameter(trace, fn, index), ...path);
  }
  return null;
}

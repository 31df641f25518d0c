/** Where a name in a task's code gets its value: the declaration that it means, by the language's own rules of scope. */
import { around, type CodeNode, child, children, isFunction, memberName, nameOf, nodesOf } from './syntax.ts';

/** One step from a value to a part of it: a name, an index, or any element of a list. */
export type PathPart = string | { readonly any: true };
export const ANY: PathPart = { any: true };

/** What a name stands for. */
export type Binding =
  /** Part of the value of an expression. */
  | { readonly is: 'value'; readonly of: CodeNode; readonly path: readonly PathPart[] }
  /** Part of an element of the value of an expression. */
  | { readonly is: 'element'; readonly of: CodeNode; readonly path: readonly PathPart[] }
  /** Part of the n-th argument of a function. */
  | { readonly is: 'parameter'; readonly of: CodeNode; readonly index: number; readonly path: readonly PathPart[] }
  | { readonly is: 'function'; readonly node: CodeNode };

/** @returns what `name` means at `node`; null when it is no name of the code, or is assigned more than once. */
export function bindingOf(tree: CodeNode, node: CodeNode, name: string): Binding | null {
  for (const scope of around(tree, node.start, node.end)) {
    const found = declaredIn(scope, name);
    if (found !== null) return settled(tree, scope, name, found);
  }
  return null;
}

function declaredIn(scope: CodeNode, name: string): Binding | null {
  if (isFunction(scope)) return parameterOf(scope, name);
  if (scope.type === 'ForOfStatement') return loopVariable(scope, name);
  if (scope.type === 'ForStatement') return declared(child(scope, 'init'), name);
  if (scope.type !== 'BlockStatement' && scope.type !== 'Program') return null;
  for (const statement of children(scope, 'body')) {
    const inner = statement.type.startsWith('Export') ? (child(statement, 'declaration') ?? statement) : statement;
    if (inner.type === 'FunctionDeclaration' && nameOf(child(inner, 'id')) === name)
      return { is: 'function', node: inner };
    const found = declared(inner, name);
    if (found !== null) return found;
  }
  return null;
}

function declared(declaration: CodeNode | null, name: string): Binding | null {
  if (declaration?.type !== 'VariableDeclaration') return null;
  for (const declarator of children(declaration, 'declarations')) {
    const id = child(declarator, 'id');
    const path = id === null ? null : pathInPattern(id, name);
    if (path === null) continue;
    const init = child(declarator, 'init');
    if (init !== null && isFunction(init)) return { is: 'function', node: init };
    return { is: 'value', of: init ?? declarator, path };
  }
  return null;
}

function loopVariable(loop: CodeNode, name: string): Binding | null {
  const [left, right] = [child(loop, 'left'), child(loop, 'right')];
  if (left === null || right === null) return null;
  const id = left.type === 'VariableDeclaration' ? (children(left, 'declarations')[0] ?? null) : left;
  const pattern = id?.type === 'VariableDeclarator' ? child(id, 'id') : id;
  const path = pattern === null ? null : pathInPattern(pattern, name);
  return path === null ? null : { is: 'element', of: right, path };
}

function parameterOf(fn: CodeNode, name: string): Binding | null {
  for (const [index, parameter] of children(fn, 'params').entries()) {
    const path = pathInPattern(parameter, name);
    if (path !== null) return { is: 'parameter', of: fn, index, path };
  }
  return null;
}

/** @returns the way from the value that a pattern takes apart to the part it calls `name`; null when it does not, or computes it. */
export function pathInPattern(pattern: CodeNode, name: string): readonly PathPart[] | null {
  return pathTo(pattern, (node) => nameOf(node) === name);
}

/** @returns the way from the value that a pattern takes apart to the part that `inner`, a pattern inside it, takes apart. */
export function pathToPattern(pattern: CodeNode, inner: CodeNode): readonly PathPart[] | null {
  return pathTo(pattern, (node) => node.start === inner.start && node.end === inner.end);
}

function pathTo(pattern: CodeNode, isIt: (node: CodeNode) => boolean): readonly PathPart[] | null {
  if (isIt(pattern)) return [];
  switch (pattern.type) {
    case 'AssignmentPattern': {
      const left = child(pattern, 'left');
      return left === null ? null : pathTo(left, isIt);
    }
    case 'ObjectPattern':
      for (const property of children(pattern, 'properties')) {
        const value = child(property, 'value');
        const rest = value === null ? null : pathTo(value, isIt);
        const key = child(property, 'key');
        const part = key === null || property['computed'] === true ? null : (nameOf(key) ?? String(key['value']));
        if (rest !== null && part !== null) return [part, ...rest];
      }
      return null;
    case 'ArrayPattern': {
      const elements = pattern['elements'];
      if (!Array.isArray(elements)) return null;
      for (const element of children(pattern, 'elements')) {
        const rest = pathTo(element, isIt);
        if (rest !== null) return [String(elements.indexOf(element)), ...rest];
      }
      return null;
    }
    default:
      return null;
  }
}

/** A name that is assigned again says nothing, unless it was declared without a value and assigned once. */
function settled(tree: CodeNode, scope: CodeNode, name: string, binding: Binding): Binding | null {
  const assigned: CodeNode[] = [];
  for (const node of nodesOf(scope === tree ? tree : scope)) {
    const target = child(node, node.type === 'UpdateExpression' ? 'argument' : 'left');
    const assigns = node.type === 'AssignmentExpression' || node.type === 'UpdateExpression';
    if (assigns && nameOf(target) === name) assigned.push(node);
  }
  const isEmpty = binding.is === 'value' && binding.of.type === 'VariableDeclarator';
  if (!isEmpty) return assigned.length === 0 ? binding : null;
  const only = assigned.length === 1 ? assigned[0] : undefined;
  const right = only?.['operator'] === '=' ? child(only, 'right') : null;
  return right === null ? null : { is: 'value', of: right, path: [] };
}

/** @returns true when the function is the one that the task begins with. */
export function isEntry(tree: CodeNode, fn: CodeNode): boolean {
  if (nameOf(child(fn, 'id')) === 'main') return true;
  const chain = around(tree, fn.start, fn.end);
  const holder = chain[chain.findIndex((node) => node === fn) + 1];
  switch (holder?.type) {
    case 'ExportDefaultDeclaration':
    case 'ExpressionStatement':
      return true;
    case 'VariableDeclarator':
      return nameOf(child(holder, 'id')) === 'main';
    case 'Property':
      return nameOf(child(holder, 'key')) === 'main';
    case 'AssignmentExpression': {
      const left = child(holder, 'left');
      return left !== null && left.type === 'MemberExpression' && ['exports', 'main'].includes(memberName(left) ?? '');
    }
    default:
      return false;
  }
}

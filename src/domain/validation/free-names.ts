/** Names in code that no declaration of the code stands for, by the language's own rules of scope. */
import { type CodeNode, child, children, isFunction, nameOf, parts } from '../diagnosis/syntax.ts';

/** `ask`: only `typeof` looks at it. */
export type NameUse = 'read' | 'write' | 'call' | 'ask';

export interface FreeName {
  readonly name: string;
  /** Offset in the code. */
  readonly start: number;
  readonly use: NameUse;
  /** Whether a `catch` of the same function stands around it. */
  readonly isCaught: boolean;
}

export interface Names {
  /** In the order of the text. */
  readonly free: readonly FreeName[];
  readonly declared: ReadonlySet<string>;
}

interface Scope {
  readonly parent: Scope | null;
  readonly isFunction: boolean;
  readonly names: Set<string>;
}

/** A node to look at, with what stands around it. */
interface Open {
  readonly node: CodeNode;
  readonly scope: Scope;
  readonly use: NameUse;
  readonly isCaught: boolean;
}

interface Reference {
  readonly name: FreeName;
  readonly scope: Scope;
}

/** Code may be nested deeper than the stack, so nothing here calls itself except for patterns. */
export function namesIn(tree: CodeNode): Names {
  const references: Reference[] = [];
  const open: Open[] = [{ node: tree, scope: scopeBelow(null, true), use: 'read', isCaught: false }];
  for (let entry = open.pop(); entry !== undefined; entry = open.pop()) {
    const { node, scope, use, isCaught } = entry;
    // What `with` adds to the scope is known only when the code runs.
    if (node.type === 'WithStatement') return { free: [], declared: new Set() };
    const name = nameOf(node);
    if (name !== null) references.push({ name: { name, start: node.start, use, isCaught }, scope });
    declareIn(node, scope);
    // A list can hold more than fit on the stack.
    for (const inner of below(entry)) open.push(inner);
  }
  const free = references.filter(({ name, scope }) => !isDeclared(scope, name.name)).map(({ name }) => name);
  return { free: free.sort((a, b) => a.start - b.start), declared: namesAround(references) };
}

function scopeBelow(parent: Scope | null, isOfFunction: boolean): Scope {
  return { parent, isFunction: isOfFunction, names: new Set() };
}

function isDeclared(scope: Scope, name: string): boolean {
  for (let one: Scope | null = scope; one !== null; one = one.parent) if (one.names.has(name)) return true;
  return false;
}

/** Whatever is declared is itself an identifier, so its scope is among those of the references. */
function namesAround(references: readonly Reference[]): ReadonlySet<string> {
  const scopes = new Set<Scope>();
  for (const { scope } of references) {
    for (let one: Scope | null = scope; one !== null && !scopes.has(one); one = one.parent) scopes.add(one);
  }
  return new Set([...scopes].flatMap(({ names }) => [...names]));
}

/** Puts what a node declares around it into its scope. */
function declareIn(node: CodeNode, scope: Scope): void {
  const id = child(node, 'id');
  switch (node.type) {
    case 'FunctionDeclaration':
      // Outside strict code one in a block is known in the whole function.
      declare(id, scope);
      return declare(id, functionScope(scope));
    case 'ClassDeclaration':
      return declare(id, scope);
    case 'VariableDeclaration': {
      const holder = node['kind'] === 'var' ? functionScope(scope) : scope;
      for (const one of children(node, 'declarations')) declare(child(one, 'id'), holder);
      return undefined;
    }
    case 'ImportDeclaration':
      for (const one of children(node, 'specifiers')) declare(child(one, 'local'), scope);
      return undefined;
    default:
      return undefined;
  }
}

function declare(pattern: CodeNode | null, { names }: Scope): void {
  for (const name of pattern === null ? [] : boundIn(pattern)) names.add(name);
}

function functionScope(scope: Scope): Scope {
  let one = scope;
  while (!one.isFunction && one.parent !== null) one = one.parent;
  return one;
}

/** @returns the names that a pattern gives values to. */
function boundIn(pattern: CodeNode): readonly string[] {
  const name = nameOf(pattern);
  if (name !== null) return [name];
  const part = child(pattern, 'left') ?? child(pattern, 'argument') ?? child(pattern, 'value');
  if (part !== null) return boundIn(part);
  return [...children(pattern, 'properties'), ...children(pattern, 'elements')].flatMap(boundIn);
}

const BLOCKS: ReadonlySet<string> = new Set([
  'BlockStatement',
  'ForStatement',
  'ForInStatement',
  'ForOfStatement',
  'SwitchStatement',
]);

/** @returns what stands directly below a node and can hold names. */
function below(entry: Open): readonly Open[] {
  const { node, scope } = entry;
  const plain: Open = { ...entry, use: 'read' };
  if (isFunction(node)) return belowFunction(plain);
  switch (node.type) {
    case 'MemberExpression':
      return [...asked(plain, 'object'), ...(node['computed'] === true ? asked(plain, 'property') : [])];
    case 'Property':
    case 'PropertyDefinition':
    case 'MethodDefinition':
      return [...asked(plain, 'value'), ...(node['computed'] === true ? asked(plain, 'key') : [])];
    case 'LabeledStatement':
      return asked(plain, 'body');
    case 'ExportSpecifier':
      return asked(plain, 'local');
    case 'BreakStatement':
    case 'ContinueStatement':
    case 'MetaProperty':
    case 'ImportDeclaration':
      return [];
    case 'CallExpression':
    case 'NewExpression':
      return [...asked({ ...plain, use: 'call' }, 'callee'), ...all(plain, children(node, 'arguments'))];
    case 'UnaryExpression':
      return asked(node['operator'] === 'typeof' ? { ...plain, use: 'ask' } : plain, 'argument');
    case 'AssignmentExpression': {
      const isPlain = node['operator'] === '=';
      return [...asked(isPlain ? { ...plain, use: 'write' } : plain, 'left'), ...asked(plain, 'right')];
    }
    case 'TryStatement': {
      const isCaught = plain.isCaught || child(node, 'handler') !== null;
      return [...asked({ ...plain, isCaught }, 'block'), ...asked(plain, 'handler'), ...asked(plain, 'finalizer')];
    }
    case 'CatchClause': {
      const inner = scopeBelow(scope, false);
      declare(child(node, 'param'), inner);
      return all({ ...plain, scope: inner }, parts(node));
    }
    case 'ClassExpression': {
      const inner = scopeBelow(scope, false);
      declare(child(node, 'id'), inner);
      return all({ ...plain, scope: inner }, parts(node));
    }
    case 'StaticBlock':
      return all({ ...plain, scope: scopeBelow(scope, true) }, parts(node));
    default:
      return all(BLOCKS.has(node.type) ? { ...plain, scope: scopeBelow(scope, false) } : plain, parts(node));
  }
}

function belowFunction({ node, scope }: Open): readonly Open[] {
  const inner = scopeBelow(scope, true);
  const params = children(node, 'params');
  for (const parameter of params) declare(parameter, inner);
  if (node.type !== 'ArrowFunctionExpression') inner.names.add('arguments');
  if (node.type === 'FunctionExpression') declare(child(node, 'id'), inner);
  const body = child(node, 'body');
  const open: Open = { node, scope: inner, use: 'read', isCaught: false };
  return all(open, body === null ? params : [...params, body]);
}

function asked(around: Open, field: string): readonly Open[] {
  const node = child(around.node, field);
  return node === null ? [] : [{ ...around, node }];
}

function all(around: Open, nodes: readonly CodeNode[]): readonly Open[] {
  return nodes.map((node) => ({ ...around, node }));
}

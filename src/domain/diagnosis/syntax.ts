/** A task's code as a tree (ESTree), and the few questions that a diagnosis asks of it. */

/** One node of the tree, as parsers of JavaScript give it. */
export interface CodeNode {
  readonly type: string;
  /** Offsets in the text, in UTF-16 units. */
  readonly start: number;
  readonly end: number;
  readonly [field: string]: unknown;
}

/** Code with its tree; the tree is null where the code can not be parsed. */
export interface ParsedCode {
  readonly text: string;
  readonly tree: CodeNode | null;
}

const LINE_END = /\r\n|[\n\r\u2028\u2029]/g;

/** @returns the lines of a text. */
export function linesOf(text: string): readonly string[] {
  return text.split(LINE_END);
}

/** @returns the offset of a line and column, both from 1; null outside the text. */
export function offsetOf(text: string, line: number, column: number): number | null {
  if (line === 1) return column - 1 <= text.length ? column - 1 : null;
  let seen = 1;
  for (const end of text.matchAll(LINE_END)) {
    seen += 1;
    if (seen === line) return end.index + end[0].length + column - 1;
  }
  return null;
}

/** @returns line and column of an offset, both from 1. */
export function placeOf(text: string, offset: number): { readonly line: number; readonly column: number } {
  const before = linesOf(text.slice(0, offset));
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}

/** @returns the text of a node on one line, cut to 80 characters. */
export function textOf(code: ParsedCode, node: CodeNode): string {
  const text = code.text.slice(node.start, node.end).replaceAll(/\s+/g, ' ');
  return text.length <= 80 ? text : `${text.slice(0, 79)}…`;
}

/** @returns a field of a node that holds a node. */
export function child(node: CodeNode, field: string): CodeNode | null {
  const value = node[field];
  return isNode(value) ? value : null;
}

/** @returns a field of a node that holds a list of nodes; places left empty are dropped. */
export function children(node: CodeNode, field: string): readonly CodeNode[] {
  const value = node[field];
  return Array.isArray(value) ? value.filter(isNode) : [];
}

/** @returns the name of an identifier; null for any other node. */
export function nameOf(node: CodeNode | null): string | null {
  return node?.type === 'Identifier' && typeof node['name'] === 'string' ? node['name'] : null;
}

/** @returns all nodes below `root`, itself included, in the order of the text. */
export function* nodesOf(root: CodeNode): Generator<CodeNode> {
  const open: CodeNode[] = [root];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    yield node;
    for (const part of parts(node).reverse()) open.push(part);
  }
}

/** @returns the nodes around an offset, the innermost first. */
export function around(root: CodeNode, start: number, end: number = start): readonly CodeNode[] {
  const chain: CodeNode[] = [];
  let at: CodeNode | undefined = root;
  while (at !== undefined) {
    chain.unshift(at);
    at = parts(at).find((part) => part.start <= start && part.end >= end && part.end > part.start);
  }
  return chain;
}

/** @returns the nodes directly below one, in the order of the text. */
export function parts(node: CodeNode): CodeNode[] {
  const found: CodeNode[] = [];
  for (const value of Object.values(node)) {
    // A list can hold more than fit on the stack.
    for (const part of Array.isArray(value) ? value : [value]) if (isNode(part)) found.push(part);
  }
  return found.sort((a, b) => a.start - b.start);
}

function isNode(value: unknown): value is CodeNode {
  return typeof value === 'object' && value !== null && 'type' in value && 'start' in value && 'end' in value;
}

/** @returns true for anything with parameters and a body of its own. */
export function isFunction(node: CodeNode): boolean {
  return (
    node.type === 'FunctionDeclaration' || node.type === 'FunctionExpression' || node.type === 'ArrowFunctionExpression'
  );
}

/** @returns the name of what is read: `b` of `a.b` and of `a['b']`, a number for `a[0]`; null where it is computed. */
export function memberName(member: CodeNode): string | null {
  const property = child(member, 'property');
  if (property === null) return null;
  if (member['computed'] !== true) return nameOf(property);
  const value = property['value'];
  return property.type === 'Literal' && (typeof value === 'string' || typeof value === 'number') ? String(value) : null;
}

/** Finds the calls in a task's code that a recorded step can have come from. */
import type { JournalEntry } from '../journal.ts';
import { bindingOf } from './bindings.ts';
import { type CodeNode, child, children, nameOf, nodesOf, type ParsedCode } from './syntax.ts';

/** Functions of a task that make steps, by the kind of step. */
const CALLERS: Readonly<Record<string, string>> = {
  http: 'fetch',
  task: 'runTask',
  file: 'readFile',
  hmac: 'hmac',
  sleep: 'sleep',
  ask: 'ask',
  custom: 'step',
};
/** Shorter pieces of text say too little to tell two calls apart. */
const MIN_PIECE = 2;

type Asked = Pick<JournalEntry, 'kind' | 'name' | 'request'>;

/** @returns true when what `call` spells out is part of what the step asked for. */
export function fits(call: CodeNode, step: Asked): boolean {
  const asked = askedText(step);
  const argument = children(call, 'arguments')[0];
  return argument === undefined || spelledOut(argument).every((piece) => asked.includes(piece));
}

/** @returns the only call in the code that the step can have come from; null where there are several or none. */
export function callSite(code: ParsedCode, step: Asked): CodeNode | null {
  const caller = Object.hasOwn(CALLERS, step.kind) ? CALLERS[step.kind] : undefined;
  const { tree } = code;
  if (tree === null || caller === undefined) return null;
  const sites: CodeNode[] = [];
  for (const node of nodesOf(tree)) {
    if (node.type !== 'CallExpression' || nameOf(child(node, 'callee')) !== caller) continue;
    if (bindingOf(tree, node, caller) === null && fits(node, step)) sites.push(node);
  }
  return sites.length === 1 ? (sites[0] ?? null) : null;
}

function askedText({ kind, name, request }: Asked): string {
  switch (kind) {
    case 'http':
      return String(request['url']);
    case 'task':
      return String(request['task']);
    case 'file':
      return String(request['path']);
    case 'hmac':
      return String(request['secret']);
    case 'sleep':
      return String(request['ms']);
    default:
      return name;
  }
}

function spelledOut(argument: CodeNode): readonly string[] {
  const pieces: string[] = [];
  for (const node of nodesOf(argument)) {
    if (node.type === 'CallExpression' || node.type === 'ConditionalExpression') return [];
    const value = node.type === 'Literal' ? node['value'] : node.type === 'TemplateElement' ? cooked(node) : null;
    if (typeof value === 'string' && value.trim().length >= MIN_PIECE) pieces.push(value.trim());
  }
  return pieces;
}

function cooked(element: CodeNode): string | null {
  const value = element['value'];
  if (typeof value !== 'object' || value === null || !('cooked' in value)) return null;
  return typeof value.cooked === 'string' ? value.cooked : null;
}

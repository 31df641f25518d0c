/** Makes task code ready to run: module syntax becomes script syntax with every line and column kept. */
import { hash } from 'node:crypto';
import type { AnyNode, ExportNamedDeclaration, Program } from 'acorn';
import { RatchetError } from '../../src/domain/errors.ts';
import type { PreparedCode } from '../../src/ports/sandbox.ts';
import { boundedParse } from './bounded-parser.ts';

/** Modules are strict; the prefix is made up for by the column offset. */
const STRICT = '"use strict";';
const ACCEPTED =
  'accepted are: (function (input) { ... }), function main(input, context) { ... }, const main = ..., ' +
  'async function main(input), module.exports = { main } or module.exports = main, export default or export function main';

/**
 * Parses and rewrites task code. `file` is the name shown in stacks.
 * Fails with `syntax_error` or `invalid_task`; details name line and column (both from 1) and the text of the line.
 */
export function prepareCode(code: string, file: string): PreparedCode {
  const { program, isModule } = parseFile(code, file);
  const refused = findRefused(program, isModule);
  if (refused !== undefined) throw problem('invalid_task', code, file, refused.reason, refused.at);
  if (!mayHaveMain(program, code)) {
    throw new RatchetError('invalid_task', `${file} has no main function; ${ACCEPTED}`, { details: { file } });
  }
  const named = withoutNames(code, isModule);
  const script = isModule ? STRICT + rewriteExports(named, program) : named;
  return { hash: hash('sha256', code, 'hex'), file, script, columnOffset: isModule ? -STRICT.length : 0 };
}

/** A comment that gives the file another name would hide it from stacks and from the debugger. Only comments count. */
function withoutNames(code: string, isModule: boolean): string {
  if (!/[#@]\s*sourceURL=/.test(code)) return code;
  const marks: Edit[] = [];
  const onComment = (_isBlock: boolean, text: string, start: number): void => {
    if (/^[#@]\s*sourceURL=/.test(text)) marks.push({ start: start + 2, end: start + 3, text: ' ' });
  };
  boundedParse(code, { ...optionsOf(isModule ? 'module' : 'script'), onComment });
  return applyEdits(code, marks);
}

interface Parsed {
  readonly program: Program;
  readonly isModule: boolean;
}

function parseFile(code: string, file: string): Parsed {
  const asScript = tryParse(code, 'script');
  if (asScript instanceof SyntaxError) {
    const asModule = tryParse(code, 'module');
    if (!(asModule instanceof SyntaxError)) return { program: asModule, isModule: true };
    const error = asScript.message.includes('sourceType') ? asModule : asScript;
    throw problem('syntax_error', code, file, error.message.replace(/ \(\d+:\d+\)$/, ''), offsetOf(error));
  }
  return { program: asScript, isModule: false };
}

function optionsOf(sourceType: 'script' | 'module') {
  return { ecmaVersion: 'latest' as const, sourceType, allowAwaitOutsideFunction: sourceType === 'module' };
}

function tryParse(code: string, sourceType: 'script' | 'module'): Program | SyntaxError {
  try {
    return boundedParse(code, optionsOf(sourceType));
  } catch (error) {
    if (error instanceof SyntaxError) return error;
    throw error;
  }
}

function offsetOf(error: SyntaxError): number {
  return 'pos' in error && typeof error.pos === 'number' ? error.pos : 0;
}

function problem(
  code: 'syntax_error' | 'invalid_task',
  source: string,
  file: string,
  reason: string,
  offset: number,
): RatchetError {
  const before = source.slice(0, offset).split(/\r\n|[\n\r\u2028\u2029]/);
  const line = before.length;
  const column = (before.at(-1)?.length ?? 0) + 1;
  const lineText = (source.split(/\r\n|[\n\r\u2028\u2029]/)[line - 1] ?? '').slice(0, 500);
  return new RatchetError(code, `${file}:${line}:${column}: ${reason}`, {
    details: { file, line, column, lineText, reason },
  });
}

interface Refused {
  readonly reason: string;
  readonly at: number;
}

/** Looks for what a task may not contain. */
function findRefused(program: Program, isModule: boolean): Refused | undefined {
  const open: { node: AnyNode; inFunction: boolean }[] = [{ node: program, inFunction: false }];
  for (let entry = open.pop(); entry !== undefined; entry = open.pop()) {
    const { node } = entry;
    const refused = refusal(node, isModule && !entry.inFunction);
    if (refused !== undefined) return { reason: refused, at: node.start };
    const inFunction = entry.inFunction || isFunctionLike(node);
    for (const child of childrenOf(node)) open.push({ node: child, inFunction });
  }
  return undefined;
}

function isFunctionLike(node: AnyNode): boolean {
  return (
    node.type === 'FunctionDeclaration' || node.type === 'FunctionExpression' || node.type === 'ArrowFunctionExpression'
  );
}

function refusal(node: AnyNode, topOfModule: boolean): string | undefined {
  switch (node.type) {
    case 'ImportDeclaration':
      return 'a task is one file and cannot import; use fetch, crypto, URL, readFile or runTask instead';
    case 'ImportExpression':
      return 'import() is not available in a task';
    case 'MetaProperty':
      return node.meta.name === 'import' ? 'import.meta is not available in a task' : undefined;
    case 'ExportAllDeclaration':
      return 'a task is one file and cannot export from another';
    case 'ExportNamedDeclaration':
      return node.source ? 'a task is one file and cannot export from another' : undefined;
    case 'AwaitExpression':
      return topOfModule ? 'await stands outside a function; put it into an async main' : undefined;
    case 'ForOfStatement':
      return topOfModule && node.await ? 'for await stands outside a function; put it into an async main' : undefined;
    default:
      return undefined;
  }
}

function isNode(value: unknown): value is AnyNode {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';
}

function childrenOf(node: AnyNode): AnyNode[] {
  const children: AnyNode[] = [];
  for (const value of Object.values(node) as unknown[]) {
    for (const one of Array.isArray(value) ? value : [value]) if (isNode(one)) children.push(one);
  }
  return children;
}

/** False only when no form of entry can be there; what remains open is decided when the file has run. */
function mayHaveMain(program: Program, code: string): boolean {
  if (/\b(?:main|exports|export)\b/.test(code)) return true;
  const idle = ['FunctionDeclaration', 'ClassDeclaration', 'VariableDeclaration', 'EmptyStatement'];
  return program.body.some((statement) => !idle.includes(statement.type));
}

interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** Blanks `export` words, turns anonymous defaults into assignments of the same length, and registers at the end. */
function rewriteExports(code: string, program: Program): string {
  const edits: Edit[] = [];
  const registrations: string[] = [];
  if (code.startsWith('#!')) edits.push({ start: 0, end: 2, text: '//' });
  for (const node of program.body) {
    if (node.type === 'ExportNamedDeclaration') exportNamed(node, edits, registrations);
    if (node.type !== 'ExportDefaultDeclaration') continue;
    const { declaration } = node;
    const name = 'id' in declaration ? declaration.id?.name : undefined;
    const declares = declaration.type === 'FunctionDeclaration' || declaration.type === 'ClassDeclaration';
    if (declares && name !== undefined) {
      edits.push({ start: node.start, end: declaration.start, text: '' });
      registrations.push(`exports.main ??= ${name}`);
    } else {
      const words = /^export\s+default/.exec(code.slice(node.start))?.[0] ?? '';
      edits.push({ start: node.start, end: node.start + words.length, text: asAssignment(words) });
      if (declares) edits.push({ start: node.end, end: node.end, text: ';' });
    }
  }
  return applyEdits(code, edits) + registrations.map((line) => `\n;${line};`).join('');
}

/** `export default` is as long as what takes its place; further blanks and line ends between the words are kept behind. */
function asAssignment(words: string): string {
  return `exports.main =${words.slice('export'.length, -'default'.length).slice(1)}`;
}

function exportNamed(node: ExportNamedDeclaration, edits: Edit[], registrations: string[]): void {
  const { declaration } = node;
  if (!declaration) {
    edits.push({ start: node.start, end: node.end, text: '' });
    for (const { local, exported } of node.specifiers) {
      const from = local.type === 'Identifier' ? local.name : undefined;
      const to = exported.type === 'Identifier' ? exported.name : String(exported.value);
      if (from !== undefined && (to === 'main' || to === 'default')) registrations.push(`exports.main ??= ${from}`);
    }
    return;
  }
  edits.push({ start: node.start, end: declaration.start, text: '' });
  if (declaration.type !== 'VariableDeclaration') {
    if (declaration.id.name === 'main') registrations.push('exports.main = main');
    return;
  }
  for (const { id } of declaration.declarations) {
    if (id.type === 'Identifier' && id.name === 'main') registrations.push('exports.main = main');
  }
}

/** What is cut becomes blanks, line ends stay. */
function applyEdits(code: string, edits: readonly Edit[]): string {
  let result = '';
  let at = 0;
  for (const { start, end, text } of [...edits].sort((a, b) => a.start - b.start)) {
    result += code.slice(at, start);
    result += text === '' ? code.slice(start, end).replace(/[^\r\n\u2028\u2029]/g, ' ') : text;
    at = end;
  }
  return result + code.slice(at);
}

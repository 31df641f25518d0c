/** Parses task code with acorn, for whoever must understand the code without running it. */
import type { CodeNode } from '../src/domain/diagnosis/syntax.ts';
import type { CodeSyntax } from '../src/ports/code-syntax.ts';
import { boundedParse } from './sandbox/bounded-parser.ts';

export function openCodeSyntax(): CodeSyntax {
  return { parse: (code) => tree(code, 'script') ?? tree(code, 'module') };
}

function tree(code: string, sourceType: 'script' | 'module'): CodeNode | null {
  try {
    return asNode(boundedParse(code, { ecmaVersion: 'latest', sourceType, allowHashBang: true }));
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/** The parser's own types name each kind of node; whoever walks any of them needs only what all have. */
function asNode(program: object & { type: string; start: number; end: number }): CodeNode {
  return { ...program };
}

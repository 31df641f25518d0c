/** What a diagnosis asks of a parser: the tree of a task's code. */
import type { CodeNode } from '../domain/diagnosis/syntax.ts';

export interface CodeSyntax {
  /** Script or module; null for what is neither. */
  parse(code: string): CodeNode | null;
}

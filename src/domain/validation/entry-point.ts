/** Whether code can have an entry point at all: a file whose statements only declare things, none of them `main`, has none. */
import { nearNames } from '../diagnosis/near-names.ts';
import { type CodeNode, child, children, nameOf } from '../diagnosis/syntax.ts';
import type { NumberedText } from './numbered-text.ts';
import type { TaskProblem } from './task-problem.ts';

const ACCEPTED =
  'declare function main(input, context), or export default a function, or set module.exports = main, or let the file be (function (input) { … })';

/** @returns the problem of a file that surely has no entry point; null when it may have one, which only running it decides. */
export function entryProblem(text: NumberedText, tree: CodeNode): TaskProblem | null {
  const body = children(tree, 'body');
  if (body.some((statement) => mayBeEntry(statement))) return null;
  const named = body.flatMap(declaredBy);
  const [near] = nearNames(
    'main',
    named.map(({ name }) => name),
  );
  const meant = named.find(({ name }) => name === near) ?? null;
  const place = meant === null ? { line: null, column: null, source: null } : text.at(meant.start);
  const hint = near === undefined ? ACCEPTED : `did you mean main where it says ${near}? Else ${ACCEPTED}`;
  return {
    severity: 'error',
    code: 'no_entry_point',
    message: `the code has no main function: ${hint}`,
    in: 'code',
    ...place,
    pointer: null,
    suggestions: near === undefined ? [] : ['main'],
  };
}

function mayBeEntry(statement: CodeNode): boolean {
  switch (statement.type) {
    case 'FunctionDeclaration':
    case 'VariableDeclaration':
      return declaredBy(statement).some(({ name }) => name === 'main');
    case 'ClassDeclaration':
    case 'EmptyStatement':
      return false;
    case 'ExpressionStatement': {
      const expression = child(statement, 'expression');
      return expression?.type !== 'Literal' && expression?.type !== 'TemplateLiteral';
    }
    default:
      return true;
  }
}

function declaredBy(statement: CodeNode): readonly { readonly name: string; readonly start: number }[] {
  const ids =
    statement.type === 'VariableDeclaration'
      ? children(statement, 'declarations').map((one) => child(one, 'id'))
      : [child(statement, 'id')];
  return ids.flatMap((id) => {
    const name = nameOf(id);
    return id === null || name === null ? [] : [{ name, start: id.start }];
  });
}

/** Everything that is wrong with a task, found without running it: code, entry point, names, schemas. */
import { isRatchetError, type RatchetError } from '../domain/errors.ts';
import type { Json } from '../domain/event.ts';
import { entryProblem } from '../domain/validation/entry-point.ts';
import { nameProblems } from '../domain/validation/name-problems.ts';
import { NumberedText } from '../domain/validation/numbered-text.ts';
import type { TaskProblem } from '../domain/validation/task-problem.ts';
import type { CodeSyntax } from '../ports/code-syntax.ts';
import type { Sandbox } from '../ports/sandbox.ts';
import type { SchemaCheck } from '../ports/schema-check.ts';
import type { TaskDefinition } from '../ports/task-source.ts';

export interface CheckDeps {
  readonly sandbox: Pick<Sandbox, 'prepare'>;
  readonly schemas: SchemaCheck;
  readonly syntax: CodeSyntax;
}

/** Names in larger code are not looked at: everybody else waits meanwhile. */
const MAX_LOOKED_AT = 1024 * 1024;

const NOT_LOOKED_AT: TaskProblem = {
  severity: 'warning',
  code: 'names_not_checked',
  message: `the code has more than ${MAX_LOOKED_AT} characters: its names were not looked at`,
  in: 'code',
  line: null,
  column: null,
  source: null,
  pointer: null,
  suggestions: [],
};

/** @returns problems of the code in the order of the text, then those of the schemas. A defect of ours rises. */
export function checkTask(
  deps: CheckDeps,
  { code, file, inputSchema, outputSchema }: Pick<TaskDefinition, 'code' | 'file' | 'inputSchema' | 'outputSchema'>,
): readonly TaskProblem[] {
  return [
    ...codeProblems(deps, code, file),
    ...schemaProblem(deps, inputSchema, 'input_schema'),
    ...schemaProblem(deps, outputSchema, 'output_schema'),
  ];
}

function codeProblems({ sandbox, syntax }: CheckDeps, code: string, file: string): readonly TaskProblem[] {
  const text = new NumberedText(code);
  const refused = refusalOf(() => sandbox.prepare(code, file));
  const isLarge = code.length > MAX_LOOKED_AT;
  const tree = refused?.code === 'syntax_error' || isLarge ? null : syntax.parse(code);
  const entry = tree === null ? null : entryProblem(text, tree);
  const isOfEntry = entry !== null && refused?.details['line'] === undefined;
  return [
    ...(refused === null || isOfEntry ? [] : [problemOf(text, refused)]),
    ...(entry === null ? [] : [entry]),
    ...(tree === null ? [] : nameProblems(text, tree)),
    ...(isLarge ? [NOT_LOOKED_AT] : []),
  ].sort((one, other) => (one.line ?? 0) - (other.line ?? 0) || (one.column ?? 0) - (other.column ?? 0));
}

function problemOf(text: NumberedText, { code, message, details }: RatchetError): TaskProblem {
  const { reason, line, column } = details;
  const place =
    typeof line === 'number' && typeof column === 'number'
      ? { line, column, source: text.excerpt(line, column) }
      : { line: null, column: null, source: null };
  return {
    severity: 'error',
    code: code === 'syntax_error' ? 'syntax_error' : 'invalid_task',
    message: typeof reason === 'string' ? reason : message,
    in: 'code',
    ...place,
    pointer: null,
    suggestions: [],
  };
}

function schemaProblem(
  { schemas }: CheckDeps,
  schema: Json,
  where: 'input_schema' | 'output_schema',
): readonly TaskProblem[] {
  const refused = refusalOf(() => schemas.compile(schema));
  if (refused === null) return [];
  const { place } = refused.details;
  return [
    {
      severity: 'error',
      code: 'invalid_schema',
      message: refused.message,
      in: where,
      line: null,
      column: null,
      source: null,
      pointer: typeof place === 'string' ? place : '',
      suggestions: [],
    },
  ];
}

const REFUSALS = ['syntax_error', 'invalid_task', 'invalid_schema'] as const;

function refusalOf(check: () => unknown): RatchetError | null {
  try {
    check();
    return null;
  } catch (error) {
    const isRefusal = REFUSALS.some((code) => isRatchetError(error, code));
    if (isRefusal && isRatchetError(error)) return error;
    throw error;
  }
}

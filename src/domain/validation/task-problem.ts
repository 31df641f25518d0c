/** One thing that is wrong with a task, told so that it can be found and put right without running anything. */

export interface TaskProblem {
  /** An error keeps the task from doing what it says; a warning may be meant. */
  readonly severity: 'error' | 'warning';
  readonly code:
    | 'syntax_error'
    | 'invalid_task'
    | 'no_entry_point'
    | 'forbidden_global'
    | 'unknown_name'
    | 'undeclared_variable'
    | 'names_not_checked'
    | 'invalid_schema';
  readonly message: string;
  readonly in: 'code' | 'input_schema' | 'output_schema';
  /** Both from 1; null where the problem is of no place in the code. */
  readonly line: number | null;
  readonly column: number | null;
  /** The line, cut around the column, with a mark below it. */
  readonly source: string | null;
  /** JSON pointer (RFC 6901) into the schema; null for code. */
  readonly pointer: string | null;
  /** Names that may be meant, the nearest first. */
  readonly suggestions: readonly string[];
}

/** What the core asks of JSON Schema: is this value what the task's author promised, and if not, where and why. */
import type { Json } from '../domain/event.ts';

/** One place in a value that does not fit. */
export interface SchemaProblem {
  /** JSON pointer into the value, `''` for the value itself. */
  readonly path: string;
  /** The same place as a person writes it: `items[3].name`, or `(the value itself)`. */
  readonly at: string;
  /** What was expected and what came; no final stop. */
  readonly message: string;
  /** The keyword of the schema that refused it, such as `required`. */
  readonly keyword: string;
}

export interface CompiledSchema {
  /**
   * @returns what does not fit, at most 50 problems in the order of the schema; empty when the value is valid.
   * Fails with `invalid_schema` when the check takes too long (a pattern that backtracks without end).
   */
  check(value: Json): readonly SchemaProblem[];
}

export interface SchemaCheck {
  /**
   * Makes a schema ready; the same schema again is quick. Draft-04 to 2020-12 by `$schema`; without it, the newest draft
   * that accepts the schema. A `$ref` outside the schema is never loaded.
   * Fails with `invalid_schema` (details: place, a JSON pointer into the schema).
   */
  compile(schema: Json): CompiledSchema;
}

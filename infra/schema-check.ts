/** JSON Schema from draft-04 to 2020-12 on ajv, in bounded time and memory whatever schema and value come. */
import { Ajv, type AnySchema, MissingRefError, type Options, type ValidateFunction } from 'ajv';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { Ajv2020 } from 'ajv/dist/2020.js';
import draft06 from 'ajv/dist/refs/json-schema-draft-06.json' with { type: 'json' };
import ajvDraft04 from 'ajv-draft-04';
import ajvFormats from 'ajv-formats';
import { RatchetError } from '../src/domain/errors.ts';
import { isObject, type Json, type JsonObject } from '../src/domain/event.ts';
import type { CompiledSchema, SchemaCheck, SchemaProblem } from '../src/ports/schema-check.ts';
import { problemsOf, readable } from './schema-problems.ts';
import { type TimeGuard, timeGuard } from './time-guard.ts';

export interface SchemaCheckOptions {
  /** Compiled schemas that are kept. Default 500. */
  readonly maxCached?: number;
  /** Milliseconds for one compilation, or one check by a schema that could be slow. Default 1,000. */
  readonly timeoutMs?: number;
}

const MAX_SCHEMA_CHARS = 1024 * 1024;
/** Above this many nodes only the first problem is looked for: each problem of a large value would cost memory. */
const MAX_NODES_FOR_ALL = 20_000;

type Dialect = 'draft-04' | 'draft-06' | 'draft-07' | '2019-09' | '2020-12';

/** @returns a {@link SchemaCheck} with its own cache. */
export function openSchemaCheck(options: SchemaCheckOptions = {}): SchemaCheck {
  const maxCached = options.maxCached ?? 500;
  const within = timeGuard(options.timeoutMs ?? 1000, 'invalid_schema');
  const cache = new Map<string, CompiledSchema>();
  return {
    compile: (schema) => {
      const text = textOf(schema);
      const known = cache.get(text);
      // Taken out and put in again, so that the first of the map is always the one unused for longest.
      if (known !== undefined) cache.delete(text);
      const compiled = known ?? compile(schema, text, within);
      cache.set(text, compiled);
      const oldest = cache.keys().next();
      if (cache.size > maxCached && oldest.done !== true) cache.delete(oldest.value);
      return compiled;
    },
  };
}

function textOf(schema: Json): string {
  try {
    return JSON.stringify(schema);
  } catch (cause) {
    throw new RatchetError('invalid_schema', 'the schema is nested too deeply', { cause });
  }
}

function compile(schema: Json, text: string, within: TimeGuard): CompiledSchema {
  if (schema === true) return { check: () => [] };
  if (text.length > MAX_SCHEMA_CHARS) throw invalid('', `the schema is larger than ${MAX_SCHEMA_CHARS} characters`);
  if (typeof schema !== 'boolean' && !isObject(schema)) throw invalid('', 'a schema is an object, true or false');
  const dialect = within('compiling the schema', () => dialectOf(schema));
  const build = (all: boolean): ValidateFunction =>
    within('compiling the schema', () => validator(dialect, schema, all));
  const quick = build(false);
  let full: ValidateFunction | undefined;
  const check = (value: Json): readonly SchemaProblem[] => {
    if (quick(value)) return [];
    if (!hasAtMost(value, MAX_NODES_FOR_ALL)) return problemsOf(quick.errors ?? [], value);
    full ??= build(true);
    full(value);
    return problemsOf(full.errors ?? [], value);
  };
  if (!canBeSlow(text)) return { check };
  return { check: (value) => within('checking the value', () => check(value)) };
}

/** Patterns can backtrack, references can branch without end, and uniqueItems compares all pairs. */
function canBeSlow(text: string): boolean {
  return /"(?:pattern|patternProperties|\$ref|\$dynamicRef|\$recursiveRef|uniqueItems|format)":/.test(text);
}

function hasAtMost(value: Json, limit: number): boolean {
  const pending: Json[] = [value];
  for (let seen = 1; ; seen++) {
    const next = pending.pop();
    if (next === undefined) return true;
    if (seen > limit) return false;
    if (typeof next === 'object' && next !== null) for (const child of Object.values(next)) pending.push(child);
    if (pending.length > limit) return false;
  }
}

const BY_URI: Readonly<Record<string, Dialect>> = {
  'json-schema.org/draft-04/schema': 'draft-04',
  'json-schema.org/draft-06/schema': 'draft-06',
  'json-schema.org/draft-07/schema': 'draft-07',
  'json-schema.org/schema': '2020-12',
  'json-schema.org/draft/2019-09/schema': '2019-09',
  'json-schema.org/draft/2020-12/schema': '2020-12',
};

const META_SCHEMA: Readonly<Record<Dialect, string>> = {
  'draft-04': 'http://json-schema.org/draft-04/schema',
  'draft-06': 'http://json-schema.org/draft-06/schema',
  'draft-07': 'http://json-schema.org/draft-07/schema',
  '2019-09': 'https://json-schema.org/draft/2019-09/schema',
  '2020-12': 'https://json-schema.org/draft/2020-12/schema',
};

/** 2019-09 takes the older forms of arrays, draft-04 the boolean `exclusiveMinimum`. */
const WITHOUT_NAME: readonly Dialect[] = ['2020-12', '2019-09', 'draft-04'];

/** Finds the dialect and checks the schema against its meta-schema. */
function dialectOf(schema: boolean | JsonObject): Dialect {
  const named = typeof schema === 'boolean' ? undefined : schema.$schema;
  if (named === undefined) {
    const fitting = WITHOUT_NAME.find((dialect) => metaProblems(dialect, schema).length === 0);
    if (fitting !== undefined) return fitting;
  }
  const dialect =
    named === undefined
      ? '2020-12'
      : BY_URI[
          String(named)
            .replace(/^https?:\/\//, '')
            .replace(/#$/, '')
        ];
  if (dialect === undefined) {
    throw invalid(
      '/$schema',
      `the dialect ${JSON.stringify(named)} is not known: use draft-04 to 2020-12 of json-schema.org`,
    );
  }
  const [problem] = metaProblems(dialect, schema);
  if (problem !== undefined) throw invalid(problem.path, problem.message);
  return dialect;
}

const metaCheckers = new Map<Dialect, Ajv>();

function metaProblems(dialect: Dialect, schema: boolean | JsonObject): readonly SchemaProblem[] {
  const checker = metaCheckers.get(dialect) ?? ajvFor(dialect, {});
  metaCheckers.set(dialect, checker);
  const validate = checker.getSchema(META_SCHEMA[dialect]);
  if (validate === undefined || validate(schema) === true) return [];
  return problemsOf(validate.errors ?? [], schema);
}

/** A new instance each time: a shared one would mix the `$id`s of schemas and keep every schema it has seen. */
function validator(dialect: Dialect, schema: boolean | JsonObject, allErrors: boolean): ValidateFunction {
  try {
    const validate = ajvFor(dialect, { allErrors }).compile(schema as AnySchema);
    if ('$async' in validate) throw invalid('/$async', 'asynchronous schemas are not supported');
    return validate;
  } catch (error) {
    if (error instanceof RatchetError) throw error;
    if (error instanceof MissingRefError) {
      const place = placeOf(schema, isRefTo(error.missingRef)) ?? '';
      throw invalid(place, `it refers to ${error.missingRef}, which is not in the schema; others are never loaded`);
    }
    if (error instanceof SyntaxError) throw invalid(placeOf(schema, isBadPattern) ?? '', error.message);
    throw invalid('', error instanceof RangeError ? 'it is nested too deeply' : String(error).replace(/^Error: /, ''));
  }
}

function ajvFor(dialect: Dialect, more: Options): Ajv {
  const options: Options = {
    strict: false,
    logger: false,
    validateSchema: false,
    // A field that is merely inherited, such as `constructor`, is not there.
    ownProperties: true,
    addUsedSchema: false,
    ...more,
  };
  const ajv = instanceOf(dialect, options);
  ajvFormats.default(ajv);
  // Old schemas name themselves by `id`; it says nothing about values.
  if (dialect !== 'draft-04') ajv.removeKeyword('id');
  return ajv;
}

function instanceOf(dialect: Dialect, options: Options): Ajv {
  switch (dialect) {
    case 'draft-04':
      return new ajvDraft04.default(options);
    case 'draft-06': {
      const ajv = new Ajv({ ...options, meta: false });
      ajv.addMetaSchema(draft06);
      return ajv;
    }
    case 'draft-07':
      return new Ajv(options);
    case '2019-09':
      return new Ajv2019(options);
    case '2020-12':
      return new Ajv2020(options);
    default:
      return dialect satisfies never;
  }
}

/** @returns the JSON pointer of the first member that `wanted` accepts. */
function placeOf(schema: Json, wanted: (key: string, value: Json) => boolean, place = ''): string | null {
  if (typeof schema !== 'object' || schema === null) return null;
  for (const [key, value] of Object.entries(schema)) {
    const here = `${place}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    const found = wanted(key, value) ? here : placeOf(value, wanted, here);
    if (found !== null) return found;
  }
  return null;
}

/** ajv tells a reference as resolved against the `$id` around it; its end is what the author wrote. */
function isRefTo(target: string): (key: string, value: Json) => boolean {
  const end = target.split('/').at(-1) ?? target;
  return (key, value) => (key === '$ref' || key === '$dynamicRef') && typeof value === 'string' && value.endsWith(end);
}

function isBadPattern(key: string, value: Json): boolean {
  if (key === 'patternProperties' && isObject(value)) return Object.keys(value).some((name) => !isPattern(name));
  return key === 'pattern' && typeof value === 'string' && !isPattern(value);
}

function isPattern(text: string): boolean {
  try {
    new RegExp(text, 'u');
    return true;
  } catch {
    return false;
  }
}

function invalid(place: string, reason: string): RatchetError {
  const where = place === '' ? 'the schema' : `the schema at ${readable(place)}`;
  return new RatchetError('invalid_schema', `${where} is not valid: ${reason}`, { details: { place } });
}

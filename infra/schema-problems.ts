/** Turns what a JSON Schema validator found into sentences: where, what was expected, what came. */
import type { ErrorObject } from 'ajv';
import type { Json } from '../src/domain/event.ts';
import type { SchemaProblem } from '../src/ports/schema-check.ts';

const MAX_PROBLEMS = 50;
const MAX_SHOWN = 80;

/** @param value the value that was checked; what came is read from it */
export function problemsOf(errors: readonly ErrorObject[], value: Json): readonly SchemaProblem[] {
  return errors.slice(0, MAX_PROBLEMS).map((error) => {
    const path = pathOf(error);
    return {
      path,
      at: readable(path),
      message: messageOf(error, valueAt(value, error.instancePath)),
      keyword: error.keyword,
    };
  });
}

/** @returns a JSON pointer as a person writes it: `items[3].name`. */
export function readable(pointer: string): string {
  if (pointer === '') return '(the value itself)';
  const parts = partsOf(pointer).map((part) => {
    if (/^\d+$/.test(part)) return `[${part}]`;
    return /^[\p{L}_$][\p{L}\p{N}_$-]*$/u.test(part) ? `.${part}` : `[${JSON.stringify(part)}]`;
  });
  return parts.join('').replace(/^\./, '');
}

/** A missing or surplus field is the place itself, not the object around it. */
function pathOf(error: ErrorObject): string {
  const field: unknown =
    error.params.missingProperty ?? error.params.additionalProperty ?? error.params.unevaluatedProperty;
  if (typeof field !== 'string') return error.instancePath;
  return `${error.instancePath}/${field.replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

function partsOf(pointer: string): readonly string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function valueAt(value: Json, pointer: string): Json | undefined {
  let here: unknown = value;
  for (const part of partsOf(pointer)) {
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, part)) return undefined;
    here = Object.getOwnPropertyDescriptor(here, part)?.value;
  }
  return here as Json | undefined;
}

function messageOf(error: ErrorObject, value: Json | undefined): string {
  const { params } = error;
  switch (error.keyword) {
    case 'type':
      return `expected ${[params.type].flat().join(' or ')}, got ${shown(value)}`;
    case 'required':
    case 'dependentRequired':
    case 'dependencies':
      return 'expected a value, got none';
    case 'additionalProperties':
    case 'unevaluatedProperties':
      return 'expected no such field';
    case 'enum':
      return `expected one of ${cut((params.allowedValues as Json[]).map((one) => JSON.stringify(one)).join(', '))}, got ${shown(value)}`;
    case 'const':
      return `expected ${cut(JSON.stringify(params.allowedValue))}, got ${shown(value)}`;
    case 'pattern':
      return `expected text that matches ${cut(String(params.pattern))}, got ${shown(value)}`;
    case 'format':
      return `expected text in the format ${String(params.format)}, got ${shown(value)}`;
    case 'minimum':
    case 'maximum':
    case 'exclusiveMinimum':
    case 'exclusiveMaximum':
      return `expected a number ${String(params.comparison)} ${String(params.limit)}, got ${shown(value)}`;
    case 'false schema':
      return `expected no value here, got ${shown(value)}`;
    case 'anyOf':
      return `expected one of the alternatives, got ${shown(value)}`;
    case 'oneOf':
      return `expected exactly one of the alternatives${params.passingSchemas === null ? '' : ', but several fit'}, got ${shown(value)}`;
    default:
      return `${(error.message ?? 'does not fit').replace(/^must /, 'expected to ')}, got ${shown(value)}`;
  }
}

function shown(value: Json | undefined): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === 'object') return 'an object';
  return `${typeof value} ${cut(JSON.stringify(value))}`;
}

function cut(text: string): string {
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
}

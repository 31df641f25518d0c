/** References in the inputs of a batch: where one stands, the output of another item will. */
import { RatchetError } from './errors.ts';
import { isObject, type Json, type JsonObject } from './event.ts';
import { pointerParts, pointerTo, valueAt } from './json-pointer.ts';

/** Member that names the item whose output is meant; `path` beside it is a JSON Pointer into that output. */
const FROM = '$from';
/** Member whose value is taken as it is, whatever it looks like. */
const LITERAL = '$literal';

/** Outputs that are put into one input, together: bytes of JSON text, each counted as often as it is referred to. */
export const MAX_REFERRED_BYTES = 10 * 1024 * 1024;
/** Levels of lists and objects in one of them: as many as a request may have. */
const MAX_REFERRED_DEPTH = 128;

/** A value of an input that is to become (a part of) the output of another item. */
export interface Reference {
  /** Id of the other item. */
  readonly from: string;
  /** JSON Pointer into its output; empty for all of it. */
  readonly path: string;
  /** JSON Pointer to where the reference stands. */
  readonly at: string;
}

/** What is put in the place of each kind of value; everything else stays as it is. */
interface Visitor {
  readonly reference: (reference: Reference) => Json;
  readonly literal: (value: Json) => Json;
}

/**
 * @returns all references in an input, those in literals not counted.
 * Fails with `invalid_batch` for what only looks like a reference or a literal.
 */
export function referencesIn(input: Json): readonly Reference[] {
  const found: Reference[] = [];
  visit(input, '', {
    reference: (reference) => {
      found.push(reference);
      return null;
    },
    literal: (value) => value,
  });
  return found;
}

/** @returns whether an input is given to its task otherwise than it is written. */
export function isWritten(input: Json): boolean {
  let isPlain = true;
  const note = (): null => {
    isPlain = false;
    return null;
  };
  visit(input, '', { reference: note, literal: note });
  return !isPlain;
}

/**
 * @param outputOf what each item that is referred to has returned
 * @returns the input as the task will see it. Fails with `unresolved_reference` where an output has nothing at a path, and
 * with `payload_too_large` before a small input that repeats a large output has become too large or too deep to be handled.
 */
export function resolved(input: Json, outputOf: ReadonlyMap<string, Json>): Json {
  let bytes = 0;
  const reference = (one: Reference): Json => {
    const value = outcomeOf(one, outputOf);
    if (isDeeper(value, MAX_REFERRED_DEPTH)) {
      throw tooLarge(one, `is nested more than ${MAX_REFERRED_DEPTH} deep`, MAX_REFERRED_DEPTH);
    }
    bytes += Buffer.byteLength(JSON.stringify(value));
    if (bytes <= MAX_REFERRED_BYTES) return value;
    throw tooLarge(one, `makes what is referred to larger than ${MAX_REFERRED_BYTES} bytes`, MAX_REFERRED_BYTES);
  };
  return visit(input, '', { reference, literal: (value) => value });
}

function isDeeper(value: Json, most: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return most === 0 || Object.values(value).some((inner) => isDeeper(inner, most - 1));
}

function tooLarge({ from, path, at }: Reference, what: string, most: number): RatchetError {
  return new RatchetError(
    'payload_too_large',
    `input${at}: the output of item ${from} ${what}; refer to a part of it`,
    {
      details: { at, item: from, path, most },
    },
  );
}

function outcomeOf({ from, path, at }: Reference, outputOf: ReadonlyMap<string, Json>): Json {
  const output = outputOf.get(from);
  const value = output === undefined ? undefined : valueAt(output, pointerParts(path) ?? []);
  if (value !== undefined) return value;
  throw new RatchetError('unresolved_reference', `input${at}: the output of item ${from} has nothing at "${path}"`, {
    details: { at, item: from, path },
  });
}

function visit(value: Json, at: string, visitor: Visitor): Json {
  if (Array.isArray(value)) return value.map((item: Json, index) => visit(item, pointerTo(at, index), visitor));
  if (!isObject(value)) return value;
  if (Object.hasOwn(value, FROM)) return visitor.reference(referenceOf(value, at));
  if (Object.hasOwn(value, LITERAL)) return visitor.literal(literalOf(value, at));
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, visit(member, pointerTo(at, name), visitor)]),
  );
}

function referenceOf(value: JsonObject, at: string): Reference {
  const { [FROM]: from, path = '', ...others } = value;
  const isExact = typeof from === 'string' && typeof path === 'string' && Object.keys(others).length === 0;
  if (isExact && pointerParts(path) !== null) return { from, path, at };
  const form = `{"${FROM}": item id, "path": JSON Pointer}`;
  throw malformed(at, `a value with "${FROM}" must be ${form}, or stand in {"${LITERAL}": …}`);
}

function literalOf(value: JsonObject, at: string): Json {
  const { [LITERAL]: literal, ...others } = value;
  if (literal !== undefined && Object.keys(others).length === 0) return literal;
  throw malformed(at, `beside "${LITERAL}" nothing else may stand`);
}

function malformed(at: string, message: string): RatchetError {
  return new RatchetError('invalid_batch', `input${at}: ${message}`, { details: { at } });
}

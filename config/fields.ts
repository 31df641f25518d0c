/** Builds schema nodes that carry their own documentation, so that a key is written down in exactly one place. */
import { z } from 'zod';
import { type Kind, tell } from './kinds.ts';

export interface FieldDoc {
  /** One sentence on what the key does. */
  readonly meaning: string;
  readonly expects?: string;
  /** What an absent key counts as, in internal units. */
  readonly fallback?: unknown;
  /** Said in place of the fallback where that depends on the machine. */
  readonly fallbackNote?: string;
  readonly unit?: 'milliseconds' | 'bytes';
  readonly secret?: true;
  readonly locates?: 'path' | 'database' | 'source';
  /** Key in the file, where it is not the snake_case form of the internal one. */
  readonly key?: string;
  /** Accepted for compatibility; nothing reads it. */
  readonly inert?: true;
  /** Set by the loader alone; refused in a file. */
  readonly internal?: true;
  /** Where two spellings of the key disagree, the smaller value counts. */
  readonly strictest?: true;
}

type Extra = Pick<FieldDoc, 'key' | 'inert' | 'internal' | 'strictest' | 'fallbackNote'>;

const registry = z.registry<FieldDoc>();

/** @returns what is known about a node of the schema. */
export function documentationOf(schema: z.core.$ZodType): FieldDoc | undefined {
  return registry.get(schema);
}

/** A value with a default. */
export function setting<T>(kind: Kind<T>, fallback: NoInfer<T>, meaning: string, extra: Extra = {}): Field<T> {
  return field(kind, () => fallback, { ...describe(kind), meaning, fallback, ...extra });
}

/** A value that may be absent, which is told as null. */
export function unset<T>(kind: Kind<T>, meaning: string, extra: Extra = {}): Field<T | null> {
  return field<T | null>(kind, () => null, { ...describe(kind), meaning, fallback: null, ...extra });
}

/** A value that must be given. */
export function required<T>(kind: Kind<T>, meaning: string, extra: Extra = {}): Field<T> {
  return field(kind, () => undefined, { ...describe(kind), meaning, ...extra });
}

export type Field<T> = z.ZodPipe<z.ZodUnknown, z.ZodTransform<T, unknown>>;

function field<T>(kind: Kind<T>, fallback: () => T | undefined, doc: FieldDoc): Field<T> {
  const schema = z.unknown().transform((raw, context): T => {
    const value = raw === undefined ? fallback() : kind.parse(raw);
    if (value !== undefined) return value;
    const got = kind.secret && raw !== undefined && raw !== '' ? 'something else' : tell(raw);
    context.addIssue({ code: 'custom', message: `expected ${kind.expects}, got ${got}` });
    return z.NEVER;
  });
  registry.add(schema, doc);
  return schema;
}

function describe<T>(kind: Kind<T>): Pick<FieldDoc, 'expects' | 'unit' | 'secret' | 'locates'> {
  const { expects, unit, secret, locates } = kind;
  return { expects, ...(unit && { unit }), ...(secret && { secret }), ...(locates && { locates }) };
}

/** A group of keys; always present. */
export function section<S extends z.ZodRawShape>(meaning: string, shape: S): z.ZodObject<S, z.core.$strip> {
  return documented(z.object(shape), { meaning });
}

/** A group of keys that may be absent, which is told as null. */
export function maybe<S extends z.ZodType>(schema: S): z.ZodNullable<S> {
  const doc = registry.get(schema);
  return documented(schema.nullable(), { meaning: doc?.meaning ?? '', fallback: null });
}

/** A list of values of one kind, empty unless given. */
export function list<T>(kind: Kind<T>, meaning: string, extra: Extra = {}): z.ZodArray<Field<T>> {
  return documented(z.array(required(kind, meaning)), { ...describe(kind), meaning, fallback: [], ...extra });
}

/** A list of groups of keys, empty unless given. */
export function entries<S extends z.ZodType>(schema: S, meaning: string, extra: Extra = {}): z.ZodArray<S> {
  return documented(z.array(schema), { meaning, fallback: [], ...extra });
}

/** Named values, the names chosen by the author; empty unless given. */
export function named<S extends z.ZodType>(schema: S, meaning: string): z.ZodRecord<z.ZodString, S> {
  return documented(z.record(z.string(), schema), { meaning, fallback: {} });
}

/** Attaches a document to a schema made elsewhere, such as one with a transform. */
export function documented<S extends z.ZodType>(schema: S, doc: FieldDoc): S {
  registry.add(schema, doc);
  return schema;
}

/** @returns the key in the file for an internal one. */
export function fileKey(internal: string, schema: z.core.$ZodType): string {
  const doc = registry.get(schema);
  // Files count most durations in seconds; only the internal name says milliseconds.
  const bare = doc?.unit === 'milliseconds' ? internal.replace(/Ms$/, '') : internal;
  return doc?.key ?? bare.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

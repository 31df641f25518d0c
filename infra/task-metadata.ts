/** Reads what an author wrote about a task, in either layout, into one shape; keys that mean nothing to us are kept. */
import { z } from 'zod';
import type { Json, JsonObject } from '../src/domain/event.ts';
import type { TaskDefinition } from '../src/ports/task-source.ts';

export type TaskMetadata = Pick<
  TaskDefinition,
  | 'uuid'
  | 'version'
  | 'label'
  | 'description'
  | 'tags'
  | 'category'
  | 'author'
  | 'license'
  | 'dangerous'
  | 'timeoutMs'
  | 'memoryMb'
  | 'style'
  | 'metadata'
> & {
  /** Null when the author gave none. */
  readonly name: string | null;
};

const json: z.ZodType<Json> = z.json();
const absentAsNull = <Out>(schema: z.ZodType<Out>): z.ZodType<Out | null> =>
  schema.nullish().transform((v) => v ?? null);

const text = z.string().trim().max(1024);
const scalarText = z.union([text, z.number().transform(String)]);
const tags = z.union([
  z.array(scalarText).max(64),
  text.transform((list) =>
    list
      .split(',')
      .map((tag) => tag.trim())
      .filter((tag) => tag !== ''),
  ),
]);
const author = z.union([text, z.looseObject({ name: text }).transform((person) => person.name)]);

const MILLISECONDS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const duration = z.union([
  z.number(),
  z
    .string()
    .regex(/^\s*\d+(?:\.\d+)?\s*(?:ms|s|m|h)?\s*$/, 'expected milliseconds, or a duration such as "30s"')
    .transform((value) => Number.parseFloat(value) * (MILLISECONDS[value.replace(/[\d.\s]/g, '')] ?? 1)),
]);

const MEBIBYTES: Readonly<Record<string, number>> = { b: 2 ** -20, k: 2 ** -10, m: 1, g: 2 ** 10 };
/** A bare number is MiB. */
const memory = z.union([
  z.number(),
  z
    .string()
    .regex(/^\s*\d+(?:\.\d+)?\s*(?:[kmg]?i?b?)\s*$/i, 'expected a size such as "128MB"')
    .transform(
      (value) =>
        Number.parseFloat(value) *
        (MEBIBYTES[
          value
            .replace(/[\d.\s]/g, '')
            .charAt(0)
            .toLowerCase()
        ] ?? 1),
    ),
]);

const known = z.looseObject({
  name: absentAsNull(text),
  uuid: absentAsNull(text.max(64)),
  version: absentAsNull(scalarText),
  label: absentAsNull(text.max(256)),
  description: absentAsNull(z.string().max(16_384)),
  tags: absentAsNull(tags),
  category: absentAsNull(text.max(64)),
  author: absentAsNull(author),
  license: absentAsNull(text.max(128)),
  dangerous: absentAsNull(z.boolean()),
  timeout: absentAsNull(duration.pipe(z.number().positive().transform(Math.ceil))),
  memory_limit: absentAsNull(memory.pipe(z.number().positive().transform(Math.ceil))),
  fetch: absentAsNull(z.enum(['auto', 'blocking', 'promise'])),
});

/** Keys that another part of the layout gives a meaning to. */
const LAYOUT_KEYS = ['entrypoint', 'input_schema', 'output_schema', 'inputs', 'outputs', 'test_cases'] as const;

/** @param value the parsed file. Fails with a `ZodError` that names the field. */
export function parseMetadata(value: unknown): TaskMetadata {
  const fields = known.parse(value);
  return {
    name: fields.name === '' ? null : fields.name,
    uuid: fields.uuid,
    version: fields.version === null || fields.version === '' ? '0.1.0' : fields.version,
    label: fields.label,
    description: fields.description ?? '',
    tags: fields.tags ?? [],
    category: fields.category,
    author: fields.author,
    license: fields.license,
    dangerous: fields.dangerous ?? false,
    timeoutMs: fields.timeout,
    memoryMb: fields.memory_limit,
    style: fields.fetch ?? 'auto',
    metadata: unknownKeys(fields),
  };
}

function unknownKeys(fields: Readonly<Record<string, unknown>>): JsonObject {
  const ours = new Set<string>([...Object.keys(known.shape), ...LAYOUT_KEYS]);
  const others = Object.entries(fields).filter(([key, value]) => !ours.has(key) && value !== undefined);
  return z.record(z.string(), json).parse(Object.fromEntries(others));
}

/** Reads one task from a folder in either layout, everything checked at the door, so that a reason names file and field. */
import { readdir, realpath } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { isScalar, LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import { isRatchetError, RatchetError } from '../src/domain/errors.ts';
import type { Json, JsonObject } from '../src/domain/event.ts';
import { MAX_TASK_NAME, TASK_NAME } from '../src/domain/task.ts';
import type { TaskDefinition, TaskTest } from '../src/ports/task-source.ts';
import { readRegularFile } from './regular-file.ts';
import { parseMetadata } from './task-metadata.ts';
import { parseTest } from './task-tests.ts';

/** Bytes of one file: code, metadata, schema or test. */
const MAX_FILE_BYTES = 5 * 1024 * 1024;
const MAX_TESTS = 1000;

const METADATA_FILES = ['metadata.json', 'meta.yaml', 'meta.yml'] as const;
const CODE_FILES = ['main.js', 'task.js'] as const;
const SCHEMA_FILES = ['input.schema.json', 'output.schema.json'] as const;

/** Files by which a pattern may mean a task. */
export const TASK_FILES: readonly string[] = [...METADATA_FILES, ...CODE_FILES];

/** @returns true when a folder with these entries is a task: it has metadata, or code beside a schema. */
export function isTaskFolder(entries: ReadonlySet<string>): boolean {
  if (METADATA_FILES.some((file) => entries.has(file))) return true;
  return entries.has('main.js') && SCHEMA_FILES.some((file) => entries.has(file));
}

/**
 * Reads the task in `folder`; code alone (`main.js` or `task.js`) is enough.
 *
 * @param within links may lead to files below these folders besides the task's own
 * Fails with `not_found` (no such folder) or `invalid_task` (details: file, field).
 */
export async function readTaskFolder(folder: string, within: readonly string[] = []): Promise<TaskDefinition> {
  const place = await realpath(folder).catch((cause: unknown) => {
    throw new RatchetError('not_found', `there is no folder ${folder}`, { details: { path: folder }, cause });
  });
  const read = new TaskFiles(place, [place, ...(await Promise.all(within.map((root) => realpath(root))))]);
  const manifest = await read.manifest();
  const layout = manifest.file === 'metadata.json' ? LAYOUT_A : LAYOUT_B;
  const described = checked(manifest.file, () => parseMetadata(manifest.value));
  const schemas = checked(manifest.file, () => schemaFields.parse(manifest.value));
  const name = nameOf(described.name, basename(folder), manifest.file);
  const entry = schemas.entrypoint ?? layout.find((file) => read.has(file)) ?? layout[0];
  return {
    ...described,
    ...name,
    label: described.label ?? name.label,
    code: await read.code(entry),
    file: `${name.name}/${basename(entry)}`,
    inputSchema: schemas.input_schema ?? schemas.inputs ?? (await read.schema('input.schema.json')),
    outputSchema: schemas.output_schema ?? schemas.outputs ?? (await read.schema('output.schema.json')),
    tests: [...testCases(schemas.test_cases, manifest.file), ...(await read.tests())],
  };
}

const LAYOUT_A = ['main.js', 'task.js'] as const;
const LAYOUT_B = ['task.js', 'main.js'] as const;

const json: z.ZodType<Json> = z.json();
const schemaValue: z.ZodType<Json> = z.union([z.boolean(), z.record(z.string(), json)]);

const TYPES: Readonly<Record<string, string>> = {
  str: 'string',
  int: 'integer',
  float: 'number',
  bool: 'boolean',
  list: 'array',
  dict: 'object',
  map: 'object',
};

const shortField = z.union([
  z.string().transform((type) => ({ type, required: false, rest: {} })),
  z
    .looseObject({ type: z.union([z.string(), z.array(z.string())]).optional(), required: z.boolean().optional() })
    .transform(({ type, required, ...rest }) => ({ type, required: required === true, rest })),
]);

/** `{name: {type, description, required}}` as the JSON Schema of an object; a field is optional unless it says `required: true`. */
const shortForm = z.record(z.string(), shortField).transform((fields): Json => {
  const properties = Object.entries(fields).map(([field, { type, rest }]): [string, JsonObject] => {
    const schema = z.record(z.string(), json).parse(rest);
    if (type === undefined || type === 'any') return [field, schema];
    return [field, { type: typeof type === 'string' ? (TYPES[type] ?? type) : type, ...schema }];
  });
  const required = Object.keys(fields).filter((field) => fields[field]?.required === true);
  return { type: 'object', properties: Object.fromEntries(properties), ...(required.length > 0 ? { required } : {}) };
});

const schemaFields = z.looseObject({
  entrypoint: z.string().min(1).nullish(),
  input_schema: schemaValue.nullish(),
  output_schema: schemaValue.nullish(),
  inputs: shortForm.nullish(),
  outputs: shortForm.nullish(),
  test_cases: z.array(z.unknown()).max(MAX_TESTS).nullish(),
});

function testCases(cases: readonly unknown[] | null | undefined, file: string): readonly TaskTest[] {
  return (cases ?? []).map((value, index) =>
    checked(file, () => parseTest(value, `case ${index + 1}`), ['test_cases', index]),
  );
}

/** A title such as "Weather API" can not name a task in a path or a glob: the folder names it then, and the title is its label. */
function nameOf(given: string | null, folder: string, file: string): { name: string; label: string | null } {
  if (given !== null && given.length <= MAX_TASK_NAME && TASK_NAME.test(given)) return { name: given, label: null };
  if (folder.length <= 128 && TASK_NAME.test(folder)) return { name: folder, label: given };
  throw invalid(
    file,
    'name',
    `"${given ?? folder}" is no task name: use letters, digits, "-", "_", "." and single "/"`,
  );
}

/** The files of one task, read with the limits that hold for all of them. */
class TaskFiles {
  readonly #folder: string;
  readonly #roots: readonly string[];
  #entries: ReadonlySet<string> = new Set();

  constructor(folder: string, roots: readonly string[]) {
    this.#folder = folder;
    this.#roots = roots;
  }

  has(file: string): boolean {
    return this.#entries.has(file);
  }

  /** The metadata file, whichever there is; for code alone an empty one. */
  async manifest(): Promise<{ readonly file: string; readonly value: unknown }> {
    this.#entries = new Set(await readdir(this.#folder).catch(() => []));
    const file = METADATA_FILES.find((name) => this.has(name));
    if (file !== undefined) {
      const source = await this.#text(file);
      return { file, value: file === 'metadata.json' ? parseJson(file, source) : parseYaml(file, source) };
    }
    if (CODE_FILES.some((name) => this.has(name))) return { file: 'metadata.json', value: {} };
    throw new RatchetError(
      'invalid_task',
      'the folder holds no task: neither metadata.json nor meta.yaml, nor main.js',
    );
  }

  async code(entry: string): Promise<string> {
    const source = await this.#text(entry);
    if (source.trim() === '') throw invalid(entry, null, 'the file is empty');
    return source;
  }

  async schema(file: string): Promise<Json> {
    if (!this.has(file)) return true;
    const value = parseJson(file, await this.#text(file));
    return checked(file, () => schemaValue.parse(value));
  }

  async tests(): Promise<readonly TaskTest[]> {
    if (!this.has('tests')) return [];
    const found = await readdir(join(this.#folder, 'tests')).catch(() => []);
    const files = found.filter((name) => name.endsWith('.json') && !name.startsWith('.')).sort();
    if (files.length > MAX_TESTS) throw invalid('tests', null, `more than ${MAX_TESTS} files`);
    const tests: TaskTest[] = [];
    for (const name of files) {
      const file = `tests/${name}`;
      const value = parseJson(file, await this.#text(file));
      tests.push(checked(file, () => parseTest(value, basename(name, '.json'))));
    }
    return tests;
  }

  async #text(file: string): Promise<string> {
    try {
      const bytes = await readRegularFile(join(this.#folder, file), this.#roots, MAX_FILE_BYTES, file);
      return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    } catch (error) {
      if (error instanceof TypeError) throw invalid(file, null, 'the file is not UTF-8 text');
      if (isRatchetError(error, 'not_found')) throw invalid(file, null, 'the file is missing');
      if (isRatchetError(error, 'body_too_large')) throw invalid(file, null, 'the file is larger than 5 MiB');
      if (isRatchetError(error)) throw invalid(file, null, error.message);
      throw error;
    }
  }
}

function parseJson(file: string, source: string): unknown {
  try {
    return JSON.parse(source);
  } catch (error) {
    throw invalid(file, null, `not valid JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function parseYaml(file: string, source: string): unknown {
  const document = parseDocument(source, { lineCounter: new LineCounter(), prettyErrors: true });
  const [problem] = document.errors;
  if (problem !== undefined) throw invalid(file, null, `not valid YAML: ${problem.message.split('\n')[0] ?? ''}`);
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    throw invalid(file, null, `not valid YAML: ${error instanceof Error ? error.message : String(error)}`);
  }
  // An unquoted 1.10 is a number to YAML, but a version to its author.
  const version: unknown = document.get('version', true);
  const written = isScalar(version) && typeof version.value === 'number' ? version.source : undefined;
  return written === undefined || typeof value !== 'object' ? value : { ...value, version: written };
}

/** Runs a parse of one file's content and says, on failure, at which field it fails. */
function checked<Result>(file: string, parse: () => Result, base: readonly PropertyKey[] = []): Result {
  try {
    return parse();
  } catch (error) {
    if (error instanceof RangeError) throw invalid(file, null, 'nested too deeply');
    if (!(error instanceof z.ZodError)) throw error;
    const { path, message } = deepest(error.issues);
    const field = [...base, ...path].map(String).join('.');
    throw invalid(file, field === '' ? null : field, message.replace(/^Invalid input: /, ''));
  }
}

interface Finding {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  /** False when not even the kind of value fits. */
  readonly fits: boolean;
}

/** A union reports only that no branch fits; the branch that got furthest tells what the author meant. */
function deepest(issues: readonly z.core.$ZodIssue[]): Finding {
  const [issue] = issues;
  if (issue === undefined) return { path: [], message: 'not valid', fits: false };
  if (issue.code !== 'invalid_union') {
    return { path: issue.path, message: issue.message, fits: issue.code !== 'invalid_type' };
  }
  const branches = issue.errors.filter((branch) => branch.length > 0).map(deepest);
  const depth = (finding: Finding): number => finding.path.length * 2 + Number(finding.fits);
  const best = branches.reduce((a, b) => (depth(b) > depth(a) ? b : a), {
    path: [],
    message: issue.message,
    fits: false,
  });
  return { ...best, path: [...issue.path, ...best.path] };
}

function invalid(file: string, field: string | null, reason: string): RatchetError {
  const place = field === null ? file : `${file}: ${field}`;
  return new RatchetError('invalid_task', `${place}: ${reason}`, { details: { file, field } });
}

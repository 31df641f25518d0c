/** Fits a merged tree onto the schema: unknown keys are named, values are parsed, and every value keeps its origin. */
import type { z } from 'zod';
import type { ConfigProblem } from './error.ts';
import { isAddress, locate } from './locations.ts';
import { nearest } from './nearest.ts';
import { schema, type Config } from './schema.ts';
import { SPELLINGS } from './spellings.ts';
import { join, problemAt, type Origin, type Place, type Tree } from './tree.ts';
import { documentation, knownKeys, look, type SectionField } from './walk.ts';

export interface Assembled {
  readonly config: Config | null;
  /** By path in the file, such as `mcp.api_keys[0].key`. */
  readonly origins: ReadonlyMap<string, Origin>;
  readonly problems: readonly ConfigProblem[];
}

interface Assembly {
  readonly origins: Map<string, Origin>;
  /** By internal path, to find the place of what the schema refuses. */
  readonly places: Map<string, Place>;
  readonly problems: ConfigProblem[];
  /** Internal paths already complained about. */
  readonly told: Set<string>;
}

/** Checks everything and reports all problems at once. */
export function assemble(tree: Tree): Assembled {
  const assembly: Assembly = { origins: new Map(), places: new Map(), problems: [], told: new Set() };
  const raw = shape(assembly, schema, tree, '', []);
  const parsed = schema.safeParse(raw);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) report(assembly, issue);
  }
  return {
    config: parsed.success ? parsed.data : null,
    origins: assembly.origins,
    problems: assembly.problems,
  };
}

type InternalPath = readonly (string | number)[];

/** @returns the value in internal keys, every absent section filled with nothing so that the schema sees all its keys. */
function shape(
  assembly: Assembly,
  node: z.core.$ZodType,
  tree: Tree | undefined,
  path: string,
  internal: InternalPath,
): unknown {
  const seen = look(node);
  if (tree !== undefined) assembly.places.set(JSON.stringify(internal), tree.place);
  switch (seen.kind) {
    case 'section': {
      if (tree === undefined && seen.absent === 'null') return null;
      const given = expect(assembly, tree, 'section', internal);
      if (given !== undefined) refuseUnknown(assembly, seen.fields, given.entries, path);
      const pairs = seen.fields.map((field): [string, unknown] => {
        const below = given?.entries.get(field.key);
        return [
          field.internal,
          shape(assembly, field.schema, below, join(path, field.key), [...internal, field.internal]),
        ];
      });
      return Object.fromEntries(pairs);
    }
    case 'list': {
      if (tree === undefined) return seen.absent === 'null' ? null : [];
      assembly.origins.set(path, tree.place.origin);
      const given = expect(assembly, tree, 'list', internal);
      return (given?.items ?? []).map((item, index) =>
        shape(assembly, seen.item, item, `${path}[${index}]`, [...internal, index]),
      );
    }
    case 'named': {
      const given = expect(assembly, tree, 'section', internal);
      const pairs = [...(given?.entries ?? [])].map(([key, item]): [string, unknown] => [
        key,
        shape(assembly, seen.value, item, join(path, key), [...internal, key]),
      ]);
      return Object.fromEntries(pairs);
    }
    case 'value':
      return leafValue(assembly, node, tree, path, internal);
  }
}

function leafValue(
  assembly: Assembly,
  node: z.core.$ZodType,
  tree: Tree | undefined,
  path: string,
  internal: InternalPath,
): unknown {
  const leaf = expect(assembly, tree, 'leaf', internal);
  if (leaf === undefined) return undefined;
  assembly.origins.set(path, leaf.place.origin);
  const kind = documentation(node)?.locates;
  if (kind === undefined || typeof leaf.value !== 'string' || (kind === 'source' && isAddress(leaf.value)))
    return leaf.value;
  return locate(kind, leaf.value, leaf.place.folder);
}

const WORDS = { section: 'a section of keys', list: 'a list', leaf: 'a single value' } as const;

function expect<K extends Tree['kind']>(
  assembly: Assembly,
  tree: Tree | undefined,
  kind: K,
  internal: InternalPath,
): Extract<Tree, { kind: K }> | undefined {
  if (tree === undefined || isKind(tree, kind)) return tree;
  assembly.problems.push({ message: `expected ${WORDS[kind]}, got ${WORDS[tree.kind]}`, ...problemAt(tree.place) });
  assembly.told.add(JSON.stringify(internal));
  return undefined;
}

function isKind<K extends Tree['kind']>(tree: Tree, kind: K): tree is Extract<Tree, { kind: K }> {
  return tree.kind === kind;
}

function refuseUnknown(
  assembly: Assembly,
  fields: readonly SectionField[],
  given: ReadonlyMap<string, Tree>,
  path: string,
): void {
  for (const [key, tree] of given) {
    const field = fields.find((known) => known.key === key);
    const internalOnly = field !== undefined && documentation(field.schema)?.internal === true && fromFile(tree);
    if (field !== undefined && !internalOnly) continue;
    // Of a section that exists only in another spelling, what is left over are its mistyped keys.
    if (tree.kind === 'section' && spelledBelow(pattern(join(path, key))).length > 0) {
      refuseUnknown(assembly, [], tree.entries, join(path, key));
      continue;
    }
    const message = `this key is not known; ${advice(key, tree.place.written, path, fields)}`;
    assembly.problems.push({ message, ...problemAt(tree.place) });
  }
}

/** @returns the last keys of all spellings directly below a section. */
function spelledBelow(section: string): readonly string[] {
  return Object.keys(SPELLINGS)
    .filter((spelling) => section !== '' && spelling.startsWith(`${section}.`))
    .map((spelling) => spelling.slice(section.length + 1))
    .filter((key) => !key.includes('.'));
}

function pattern(path: string): string {
  return path.replace(/\[\d+\]/g, '[]');
}

function fromFile(tree: Tree): boolean {
  return tree.place.origin.kind === 'file' || tree.place.origin.kind === 'overlay';
}

/** First the keys beside it, in the author's own spelling of the section; then the same key elsewhere; then what may stand here. */
function advice(key: string, written: string, path: string, fields: readonly SectionField[]): string {
  const visible = fields.filter((field) => documentation(field.schema)?.internal !== true).map((field) => field.key);
  const section = written.slice(0, Math.max(0, written.length - key.length - 1));
  const spelled = [section, path].flatMap((place) => spelledBelow(pattern(place)));
  const near = nearest(key, [...visible, ...spelled]);
  if (near !== undefined) return `did you mean ${join(section, near)}?`;
  const paths = [...knownKeys(schema)].map((known) => known.path);
  const elsewhere = paths.find((known) => known.endsWith(`.${key}`)) ?? nearest(pattern(join(path, key)), paths);
  if (elsewhere !== undefined) return `did you mean ${elsewhere}?`;
  return `known here are ${[...new Set([...visible, ...spelled])].join(', ')}`;
}

function report(assembly: Assembly, issue: z.core.$ZodIssue): void {
  const internal = issue.path.map((key) => (typeof key === 'number' ? key : String(key)));
  for (let length = internal.length; length >= 0; length -= 1) {
    if (assembly.told.has(JSON.stringify(internal.slice(0, length)))) return;
  }
  for (let length = internal.length; length >= 0; length -= 1) {
    const place = assembly.places.get(JSON.stringify(internal.slice(0, length)));
    if (place === undefined) continue;
    const missing = internal.slice(length).map(String).join('.');
    const at = problemAt(place);
    assembly.problems.push({ message: issue.message, ...at, path: missing === '' ? at.path : join(at.path, missing) });
    return;
  }
}

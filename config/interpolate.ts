/** Fills `${NAME}` and `${NAME:-default}` in from the environment; an API key whose variable is missing is left out, never empty. */
import type { ConfigProblem } from './error.ts';
import { problemAt, type Leaf, type Section, type Tree } from './tree.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Interpolated {
  readonly tree: Section;
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly string[];
}

const REFERENCE = /\$\$\{|\$\{([^}]*)\}/g;
const NAME = /^([A-Za-z_][A-Za-z0-9_]*)(?::-([^]*))?$/;

interface Filling {
  readonly env: Environment;
  readonly problems: ConfigProblem[];
  readonly warnings: string[];
}

/** Only text from files is filled in; `$${` stands for a literal `${`. */
export function interpolate(tree: Section, env: Environment): Interpolated {
  const filling: Filling = { env, problems: [], warnings: [] };
  return { tree: fillSection(filling, tree), problems: filling.problems, warnings: filling.warnings };
}

/** What `${NAME:-}` leaves empty counts as not written. */
function fillSection(filling: Filling, section: Section): Section {
  const entries = new Map<string, Tree>();
  for (const [key, value] of section.entries) {
    const filled = key === 'api_keys' ? fillKeys(filling, value) : fill(filling, value);
    const emptied = filled.kind === 'leaf' && filled.value === '' && value.kind === 'leaf' && value.value !== '';
    if (!emptied) entries.set(key, filled);
  }
  return { ...section, entries };
}

function fill(filling: Filling, tree: Tree): Tree {
  switch (tree.kind) {
    case 'section':
      return fillSection(filling, tree);
    case 'list':
      return { ...tree, items: tree.items.map((item) => fill(filling, item)) };
    case 'leaf':
      return fillLeaf(filling, tree);
  }
}

function fillKeys(filling: Filling, tree: Tree): Tree {
  if (tree.kind !== 'list') return fill(filling, tree);
  const items = tree.items.flatMap((item): Tree[] => {
    const missing = unsetVariables(item, filling.env);
    const [name] = missing;
    if (name === undefined) return [withKeySource(filling.env, item, fill(filling, item))];
    const { file = '', line = 0, path } = problemAt(item.place);
    filling.warnings.push(
      `${file}:${line} ${path}: this key is disabled because ${name} is not set in the environment`,
    );
    return [];
  });
  return { ...tree, items };
}

/** Over stdio the caller may be known by the one variable that is set, so each key remembers its own. */
function withKeySource(env: Environment, before: Tree, after: Tree): Tree {
  if (before.kind !== 'section' || after.kind !== 'section') return after;
  const key = before.entries.get('key');
  if (key?.kind !== 'leaf' || !fromFile(key)) return after;
  const name = NAME.exec(/^\$\{([^}]*)\}$/.exec(String(key.value))?.[1] ?? '')?.[1];
  if (name === undefined || !env[name]) return after;
  const source: Leaf = {
    kind: 'leaf',
    value: name,
    place: { ...key.place, origin: { kind: 'environment', name } },
  };
  return { ...after, entries: new Map([...after.entries, ['key_from', source]]) };
}

/** In an API key, an empty variable is as good as none. */
function unsetVariables(tree: Tree, env: Environment): readonly string[] {
  switch (tree.kind) {
    case 'section':
      return [...tree.entries.values()].flatMap((value) => unsetVariables(value, env));
    case 'list':
      return tree.items.flatMap((item) => unsetVariables(item, env));
    case 'leaf':
      if (typeof tree.value !== 'string' || !fromFile(tree)) return [];
      return [...tree.value.matchAll(REFERENCE)].flatMap(([, inner]) => {
        const match = NAME.exec(inner ?? '');
        return match?.[1] === undefined || env[match[1]] || match[2] ? [] : [match[1]];
      });
  }
}

function fillLeaf(filling: Filling, leaf: Leaf): Leaf {
  if (typeof leaf.value !== 'string' || !fromFile(leaf)) return leaf;
  const value = leaf.value.replace(REFERENCE, (whole: string, inner: string | undefined) => {
    if (inner === undefined) return '${';
    const match = NAME.exec(inner);
    const name = match?.[1];
    if (name === undefined) {
      filling.problems.push({
        message: `${whole} is not a reference; write \${NAME} or \${NAME:-default}`,
        ...problemAt(leaf.place),
      });
      return '';
    }
    const set = filling.env[name];
    const fallback = match?.[2];
    if (fallback !== undefined) return set || fallback;
    if (set === undefined) {
      const message = `the environment variable ${name} is not set; set it, or write \${${name}:-default}`;
      filling.problems.push({ message, ...problemAt(leaf.place) });
      return whole;
    }
    return set;
  });
  return { ...leaf, value };
}

function fromFile(leaf: Leaf): boolean {
  return leaf.place.origin.kind === 'file' || leaf.place.origin.kind === 'overlay';
}

/** Values with their whereabouts: what every source of configuration is turned into before it is merged and checked. */

/** Where a value came from. */
export type Origin =
  | { readonly kind: 'flag' }
  | { readonly kind: 'environment'; readonly name: string }
  | { readonly kind: 'file' | 'overlay'; readonly file: string; readonly line: number }
  | { readonly kind: 'default' };

export interface Place {
  readonly origin: Origin;
  /** Folder that relative paths start from. */
  readonly folder: string;
  /** Path of the key as its author spelled it. */
  readonly written: string;
}

export type Scalar = string | number | boolean;
export type Leaf = { readonly kind: 'leaf'; readonly value: Scalar; readonly place: Place };
export type List = { readonly kind: 'list'; readonly items: readonly Tree[]; readonly place: Place };
export type Section = { readonly kind: 'section'; readonly entries: ReadonlyMap<string, Tree>; readonly place: Place };
export type Tree = Leaf | List | Section;

/** @returns the origin as people read it: `flag`, `environment NAME`, `file:line`, `default`. */
export function describeOrigin(origin: Origin): string {
  switch (origin.kind) {
    case 'flag':
      return 'flag';
    case 'environment':
      return `environment ${origin.name}`;
    case 'file':
      return `${origin.file}:${origin.line}`;
    case 'overlay':
      return `overlay ${origin.file}:${origin.line}`;
    case 'default':
      return 'default';
  }
}

/** @returns the place as an addition to a problem. */
export function problemAt(place: Place): { path: string; file?: string; line?: number } {
  const { origin, written } = place;
  switch (origin.kind) {
    case 'file':
    case 'overlay':
      return { path: written, file: origin.file, line: origin.line };
    case 'environment':
      return { path: `${written} (from ${origin.name})` };
    case 'flag':
      return { path: `${written} (from a flag)` };
    case 'default':
      return { path: written };
  }
}

/** Sections are joined key by key, everything else is replaced. */
function overlay(lower: Tree, upper: Tree): Tree {
  return lower.kind === 'section' && upper.kind === 'section' ? overlaySection(lower, upper) : upper;
}

/** Lays `upper` over `lower`, key by key; lists and values are replaced as a whole. */
export function overlaySection(lower: Section, upper: Section): Section {
  const entries = new Map(lower.entries);
  for (const [key, value] of upper.entries) {
    const below = entries.get(key);
    entries.set(key, below === undefined ? value : overlay(below, value));
  }
  return { kind: 'section', entries, place: upper.place };
}

/** @returns what stands at a dotted path of section keys. */
export function find(tree: Tree, path: string): Tree | undefined {
  let at: Tree | undefined = tree;
  for (const key of path.split('.')) {
    at = at?.kind === 'section' ? at.entries.get(key) : undefined;
  }
  return at;
}

/** @returns the plain value as a tree whose every node has the same origin. */
export function fromValue(value: unknown, place: Place): Tree | undefined {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
    return { kind: 'leaf', value, place };
  }
  if (Array.isArray(value)) {
    return {
      kind: 'list',
      items: value.map((item) => fromValue(item, place)).filter((item) => item !== undefined),
      place,
    };
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const entries = new Map<string, Tree>();
  for (const [key, item] of Object.entries(value)) {
    const tree = fromValue(item, { ...place, written: join(place.written, key) });
    if (tree !== undefined) entries.set(key, tree);
  }
  return { kind: 'section', entries, place };
}

/** @returns `root` with `value` put at a dotted path, sections made on the way. */
export function put(root: Section, path: string, value: Tree): Section {
  const [key = '', ...rest] = path.split('.');
  const entries = new Map(root.entries);
  if (rest.length === 0) {
    entries.set(key, value);
  } else {
    const below = entries.get(key);
    const base: Section =
      below?.kind === 'section' ? below : { kind: 'section', entries: new Map(), place: value.place };
    entries.set(key, put(base, rest.join('.'), value));
  }
  return { ...root, entries };
}

/** @returns `parent.key`, without the dot at the top. */
export function join(parent: string, key: string): string {
  return parent === '' ? key : `${parent}.${key}`;
}

/** Shows the part of a tree that says most: from the roots on, the best branch first. */
import { fitItems, type Payload } from './fit.ts';

export interface Branch {
  readonly node: Readonly<Record<string, unknown>>;
  readonly children: readonly Branch[];
  /** How much there is to say of it; of two, the higher one is shown first. */
  readonly score: number;
}

interface Entry {
  readonly branch: Branch;
  /** Place of its parent among the entries; null for roots. */
  readonly parent: number | null;
}

/** @returns the answer with as much of the trees as fits; a node tells in `children_omitted` how many nodes below it are left out. */
export function fitTrees(
  maxTokens: number,
  roots: readonly Branch[],
  build: (trees: readonly object[], shown: number, total: number) => Payload,
): Payload {
  const entries = flattened(roots);
  const counts = below(entries);
  return fitItems(maxTokens, {
    items: entries.map((entry, index) => ({ ...entry, index })),
    ranked: bestFirst(entries),
    tell: ({ branch }) => branch.node,
    build: (kept) => build(treesOf(kept, counts), kept.length, entries.length),
  });
}

function flattened(roots: readonly Branch[]): readonly Entry[] {
  const entries: Entry[] = [];
  const open: Entry[] = roots.toReversed().map((branch) => ({ branch, parent: null }));
  for (let entry = open.pop(); entry !== undefined; entry = open.pop()) {
    const parent = entries.length;
    entries.push(entry);
    for (const branch of entry.branch.children.toReversed()) open.push({ branch, parent });
  }
  return entries;
}

/** @returns how many nodes are below each. */
function below(entries: readonly Entry[]): readonly number[] {
  const counts = entries.map(() => 0);
  for (const [index, { parent }] of [...entries.entries()].toReversed()) {
    if (parent !== null) counts[parent] = (counts[parent] ?? 0) + 1 + (counts[index] ?? 0);
  }
  return counts;
}

/** A parent stands before its children; a branch is as good as the best node in it. */
function bestFirst(entries: readonly Entry[]): readonly number[] {
  const best = entries.map(({ branch }) => branch.score);
  for (const [index, { parent }] of [...entries.entries()].toReversed()) {
    if (parent !== null) best[parent] = Math.max(best[parent] ?? 0, best[index] ?? 0);
  }
  const places = entries.map((_, index) => index);
  // Ancestors score no less than what is below them, and stand before it.
  return places.toSorted((a, b) => (best[b] ?? 0) - (best[a] ?? 0) || a - b);
}

function treesOf(kept: readonly (Entry & { readonly index: number })[], counts: readonly number[]): readonly object[] {
  const nodes = new Map<number, { told: Record<string, unknown>; children: object[]; shown: number }>();
  const roots: object[] = [];
  for (const { branch, index } of kept) {
    const children: object[] = [];
    nodes.set(index, { told: { ...branch.node, children }, children, shown: 0 });
  }
  for (const { index, parent } of kept.toReversed()) {
    const node = nodes.get(index);
    const above = parent === null ? undefined : nodes.get(parent);
    if (node === undefined) continue;
    const left = (counts[index] ?? 0) - node.shown;
    if (left > 0) node.told['children_omitted'] = left;
    node.children.reverse();
    if (above === undefined) roots.unshift(node.told);
    else {
      above.children.push(node.told);
      above.shown += 1 + node.shown;
    }
  }
  return roots;
}

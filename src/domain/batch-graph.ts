/** What makes the items of a batch a graph that can be carried out: ids of their own, known dependencies, and no cycle. */
import { RatchetError } from './errors.ts';

/** An item, and the ids of those that must be completed before it. */
export interface Node {
  readonly id: string;
  readonly dependsOn: readonly string[];
}

/** Fails with `invalid_batch` for a duplicate id, an unknown dependency, an item that depends on itself, or a cycle, by its items. */
export function checkGraph(nodes: readonly Node[]): void {
  const byId = new Map<string, Node>();
  for (const node of nodes) {
    if (byId.has(node.id)) throw invalid(`two items have the id ${node.id}`, { item: node.id });
    byId.set(node.id, node);
  }
  for (const { id, dependsOn } of nodes) {
    for (const dependency of dependsOn) {
      if (dependency === id) throw invalid(`item ${id} depends on itself`, { item: id });
      if (byId.has(dependency)) continue;
      throw invalid(`item ${id} depends on ${dependency}, which is no item of this batch`, { item: id, dependency });
    }
  }
  const cycle = cycleIn(byId);
  if (cycle !== null) throw invalid(`the items wait for each other: ${cycle.join(' → ')}`, { cycle });
}

/** @returns the items of a cycle, the first one again at its end; null when there is none. */
function cycleIn(byId: ReadonlyMap<string, Node>): readonly string[] | null {
  const left = new Map([...byId].map(([id, { dependsOn }]) => [id, new Set(dependsOn)]));
  const dependents = new Map<string, string[]>();
  for (const { id, dependsOn } of byId.values()) {
    for (const dependency of new Set(dependsOn)) {
      dependents.set(dependency, [...(dependents.get(dependency) ?? []), id]);
    }
  }
  const free = [...left].flatMap(([id, waits]) => (waits.size === 0 ? [id] : []));
  for (let id = free.pop(); id !== undefined; id = free.pop()) {
    left.delete(id);
    for (const dependent of dependents.get(id) ?? []) {
      const waits = left.get(dependent);
      waits?.delete(id);
      if (waits?.size === 0) free.push(dependent);
    }
  }
  return left.size === 0 ? null : walked(left);
}

/** Each item that is left waits for another that is left: so a walk comes back to where it was. */
function walked(left: ReadonlyMap<string, ReadonlySet<string>>): readonly string[] {
  const path: string[] = [];
  const seen = new Set<string>();
  let [at] = left.keys();
  while (at !== undefined && !seen.has(at)) {
    seen.add(at);
    path.push(at);
    [at] = left.get(at) ?? [];
  }
  return at === undefined ? path : [...path.slice(path.indexOf(at)), at];
}

function invalid(message: string, details: Readonly<Record<string, unknown>>): RatchetError {
  return new RatchetError('invalid_batch', message, { details });
}

/** The chain of spans that fixed when an execution ended: making anything on it quicker makes the whole quicker. */
import type { TraceNode } from './trace-tree.ts';

/** A stretch of time in which the end waited for exactly this span's own doing. */
export interface PathSegment {
  readonly node: TraceNode;
  readonly startedAt: number;
  readonly endedAt: number;
}

/** A child as far as its time lies inside the part of the parent that is looked at. */
interface Seen {
  readonly node: TraceNode;
  readonly startedAt: number;
  readonly endedAt: number;
}

interface Walked {
  readonly node: TraceNode;
  readonly from: number;
  /** Everything after it is on the path already. */
  cursor: number;
  readonly byEnd: readonly Seen[];
  next: number;
}

/**
 * Walks back from the end of the root: through the child that ended last, then through the one that had ended last when
 * that one began, and so on; what lies between is the parent's own. Children that ran beside a chosen one are not on the
 * path. The algorithm is that of Z. Zhang et al., "CRISP: Critical Path Analysis of Large-Scale Microservice
 * Architectures", USENIX ATC 2022.
 * @returns segments in order of time, without gap or overlap, from the start of the root to its end
 */
export function criticalPath(root: TraceNode): readonly PathSegment[] {
  const backwards: PathSegment[] = [];
  const tell = (node: TraceNode, startedAt: number, endedAt: number): void => {
    if (endedAt > startedAt) backwards.push({ node, startedAt, endedAt });
  };
  const open: Walked[] = [walked({ node: root, startedAt: root.startedAt, endedAt: root.endedAt })];
  for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
    const child = nextOf(top);
    tell(top.node, child?.endedAt ?? top.from, top.cursor);
    if (child === undefined) {
      open.pop();
      continue;
    }
    top.cursor = child.startedAt;
    open.push(walked(child));
  }
  return joined(backwards.reverse());
}

/** Of children that end together the longest comes first, then the one with the least id. */
function walked({ node, startedAt, endedAt }: Seen): Walked {
  const byEnd = node.children
    .map((child) => ({
      node: child,
      startedAt: Math.max(startedAt, child.startedAt),
      endedAt: Math.min(endedAt, child.endedAt),
    }))
    .filter((child) => child.endedAt > child.startedAt)
    .sort(
      (a, b) => b.endedAt - a.endedAt || a.startedAt - b.startedAt || ((a.node.id ?? '') < (b.node.id ?? '') ? -1 : 1),
    );
  return { node, from: startedAt, cursor: endedAt, byEnd, next: 0 };
}

function nextOf(walk: Walked): Seen | undefined {
  for (; walk.next < walk.byEnd.length; walk.next += 1) {
    const child = walk.byEnd[walk.next];
    if (child === undefined || child.endedAt > walk.cursor) continue;
    walk.next += 1;
    return child;
  }
  return undefined;
}

/** Neighbouring segments of one span are one. */
function joined(segments: readonly PathSegment[]): readonly PathSegment[] {
  const path: PathSegment[] = [];
  for (const segment of segments) {
    const last = path.at(-1);
    if (last?.node === segment.node) path[path.length - 1] = { ...last, endedAt: segment.endedAt };
    else path.push(segment);
  }
  return path;
}

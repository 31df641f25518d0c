/** The spans of an execution as flamegraph, folded stacks, speedscope file and SVG. */
import { formatMs } from './duration.ts';
import { type Flame, FlameBuilder, type FlameFrame, foldedStacks } from './flamegraph.ts';
import { flamegraphSvg } from './flamegraph-svg.ts';
import { type EventedProfile, FrameTable, type SpeedscopeFile, speedscopeFile } from './speedscope.ts';
import { frameName } from './trace-calls.ts';
import type { TraceNode, TraceTree } from './trace-tree.ts';

/** Spans that run at once beyond this many are left out of a speedscope file. */
const MAX_LANES = 64;

/**
 * Own times of spans in milliseconds, added up by name; calls that differ only in ids have one name. Spans that run at
 * once each count their time, so that the root can be larger than the execution took.
 */
export function traceFlame({ root }: TraceTree): Flame {
  const builder = new FlameBuilder(root.name);
  const walk = (node: TraceNode, frame: FlameFrame): void => {
    builder.add(frame, node.selfMs);
    for (const child of node.children) walk(child, builder.enter(frame, frameName(child)));
  };
  walk(root, builder.root);
  return builder.build();
}

/** Milliseconds. */
export function traceFolded(tree: TraceTree): string {
  return foldedStacks(traceFlame(tree));
}

export function traceSvg(tree: TraceTree): string {
  return flamegraphSvg(traceFlame(tree), { title: `${tree.root.name}: time in steps and spans`, format: formatMs });
}

interface Lane {
  readonly events: { readonly type: 'O' | 'C'; readonly frame: number; readonly at: number }[];
  until: number;
}

/**
 * One profile for what runs one after another, and a further one for each that runs at the same time, because frames of a
 * profile must be nested. Times are milliseconds from the start of the execution.
 */
export function traceSpeedscope({ root }: TraceTree): SpeedscopeFile {
  const table = new FrameTable();
  const lanes: Lane[] = [];
  const place = (node: TraceNode, lane: Lane, from: number, to: number): void => {
    const frame = table.indexOf({ name: node.name });
    lane.events.push({ type: 'O', frame, at: from - root.startedAt });
    lane.until = from;
    for (const child of node.children) {
      const start = Math.min(to, Math.max(from, child.startedAt));
      const end = Math.max(start, Math.min(to, child.endedAt));
      const free = lane.until <= start ? lane : freeLane(lanes, start);
      if (free !== null) place(child, free, start, end);
    }
    lane.events.push({ type: 'C', frame, at: to - root.startedAt });
    lane.until = to;
  };
  const first: Lane = { events: [], until: root.startedAt };
  lanes.push(first);
  place(root, first, root.startedAt, root.endedAt);
  const endValue = root.endedAt - root.startedAt;
  const profiles = lanes.map(({ events }, index): EventedProfile => {
    const name = index === 0 ? root.name : `${root.name}, at the same time (${index})`;
    return { type: 'evented', name, unit: 'milliseconds', startValue: 0, endValue, events };
  });
  return speedscopeFile(root.name, table.frames, profiles);
}

/** Not the first one, in which the root is open all the time. */
function freeLane(lanes: Lane[], start: number): Lane | null {
  const free = lanes.find((lane, index) => index > 0 && lane.until <= start);
  if (free !== undefined) return free;
  if (lanes.length >= MAX_LANES) return null;
  const lane: Lane = { events: [], until: start };
  lanes.push(lane);
  return lane;
}

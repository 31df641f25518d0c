/** A processor-time profile in the forms that tools read: V8's own, folded stacks, speedscope, SVG. */
import { type CpuFrame, type CpuProfile, IDLE } from './cpu-profile.ts';
import { formatMs } from './duration.ts';
import { type Flame, FlameBuilder, foldedStacks } from './flamegraph.ts';
import { flamegraphSvg } from './flamegraph-svg.ts';
import { FrameTable, type SpeedscopeFile, type SpeedscopeFrame, speedscopeFile } from './speedscope.ts';

/** The `.cpuprofile` file of V8. Times are microseconds from the start; lines and columns count from 0, -1 for none. */
export interface CpuProfileFile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: {
      readonly functionName: string;
      readonly scriptId: string;
      readonly url: string;
      readonly lineNumber: number;
      readonly columnNumber: number;
    };
    readonly hitCount: number;
    readonly children: readonly number[];
  }[];
  readonly startTime: number;
  readonly endTime: number;
  readonly samples: readonly number[];
  /** Since the sample before; the first since the start. */
  readonly timeDeltas: readonly number[];
}

export function cpuProfileFile({ nodes, samples, weights }: CpuProfile): CpuProfileFile {
  const hits = counts(samples, nodes.length);
  const children = nodes.map((): number[] => []);
  for (const [index, { parent }] of nodes.entries()) if (parent !== null) children[parent]?.push(index + 1);
  return {
    nodes: nodes.map(({ frame }, index) => ({
      id: index + 1,
      callFrame: {
        functionName: frame.name,
        scriptId: frame.file === null ? '0' : '1',
        url: frame.file ?? '',
        lineNumber: frame.line - 1,
        columnNumber: frame.column - 1,
      },
      hitCount: hits[index] ?? 0,
      children: children[index] ?? [],
    })),
    startTime: 0,
    endTime: weights.reduce((sum, weight) => sum + weight, 0),
    samples: samples.map((index) => index + 1),
    timeDeltas: samples.map((_, index) => (index === 0 ? 0 : (weights[index - 1] ?? 0))),
  };
}

function counts(samples: readonly number[], size: number): readonly number[] {
  const found = Array.from({ length: size }, () => 0);
  for (const index of samples) found[index] = (found[index] ?? 0) + 1;
  return found;
}

/** Microseconds, idle time left out; functions of one name in different places of the file are told apart. */
export function cpuFlame({ nodes, samples, weights }: CpuProfile, root: string): Flame {
  const builder = new FlameBuilder(root);
  const frames = [builder.root];
  for (const [index, { frame, parent }] of nodes.entries()) {
    const above = parent === null ? undefined : frames[parent];
    if (above !== undefined) frames[index] = builder.enter(above, labelOf(frame));
  }
  for (const [at, index] of samples.entries()) {
    const frame = frames[index];
    if (frame !== undefined && nodes[index]?.frame.name !== IDLE) builder.add(frame, weights[at] ?? 0);
  }
  return builder.build();
}

function labelOf({ name, file, line }: CpuFrame): string {
  return file === null ? name : `${name} ${file}:${line}`;
}

/** Microseconds. */
export function cpuFolded(profile: CpuProfile, root: string): string {
  return foldedStacks(cpuFlame(profile, root));
}

export function cpuSvg(profile: CpuProfile, root: string): string {
  return flamegraphSvg(cpuFlame(profile, root), {
    title: `${root}: processor time`,
    format: (us) => formatMs(us / 1_000),
  });
}

export function cpuSpeedscope({ nodes, samples, weights }: CpuProfile, name: string): SpeedscopeFile {
  const table = new FrameTable();
  const stacks: (readonly number[])[] = [];
  for (const [index, { frame, parent }] of nodes.entries()) {
    stacks[index] = parent === null ? [] : [...(stacks[parent] ?? []), table.indexOf(speedscopeFrame(frame))];
  }
  const endValue = weights.reduce((sum, weight) => sum + weight, 0);
  const told = samples.map((index) => stacks[index] ?? []);
  return speedscopeFile(name, table.frames, [
    { type: 'sampled', name, unit: 'microseconds', startValue: 0, endValue, samples: told, weights },
  ]);
}

function speedscopeFrame({ name, file, line, column }: CpuFrame): SpeedscopeFrame {
  return file === null ? { name } : { name, file, line, col: column };
}

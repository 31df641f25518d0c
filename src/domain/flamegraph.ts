/** Where time went, as stacks of names added up: the shape behind every flamegraph, whatever the time was taken from. */

/** A name and all the time in it, with what it was spent in; the form that d3-flamegraph reads. */
export interface Flame {
  readonly name: string;
  /** Its own and that of all below it. */
  readonly value: number;
  readonly children: readonly Flame[];
}

interface Growing {
  readonly name: string;
  value: number;
  readonly children: Growing[];
  readonly below: Map<string, Growing>;
  readonly above: Growing | null;
  readonly depth: number;
}

/** Stacks deeper than this are added to their frame at this depth. */
export const MAX_FLAME_DEPTH = 250;

/** A frame of a {@link FlameBuilder}; equal names below one frame are one frame. */
export type FlameFrame = Growing;

/** Adds stacks up. */
export class FlameBuilder {
  readonly root: FlameFrame;

  constructor(name: string) {
    this.root = grown(name, null, 0);
  }

  /** @returns the frame of that name below `frame`. */
  enter(frame: FlameFrame, name: string): FlameFrame {
    if (frame.depth >= MAX_FLAME_DEPTH) return frame;
    const known = frame.below.get(name);
    if (known !== undefined) return known;
    const entered = grown(name, frame, frame.depth + 1);
    frame.below.set(name, entered);
    frame.children.push(entered);
    return entered;
  }

  /** Gives `frame` time of its own. */
  add(frame: FlameFrame, value: number): void {
    for (let at: FlameFrame | null = frame; at !== null; at = at.above) at.value += value;
  }

  build(): Flame {
    return plain(this.root);
  }
}

function grown(name: string, above: Growing | null, depth: number): Growing {
  return { name, value: 0, children: [], below: new Map(), above, depth };
}

function plain({ name, value, children }: Growing): Flame {
  return { name, value, children: children.map(plain) };
}

/**
 * One line for each stack that has time of its own: its names from the root, separated by semicolons, and that time as a
 * whole number. The form of Brendan Gregg's stackcollapse programs.
 */
export function foldedStacks(flame: Flame): string {
  const lines: string[] = [];
  const walk = (frame: Flame, above: string): void => {
    const stack = above === '' ? oneWord(frame.name) : `${above};${oneWord(frame.name)}`;
    const own = Math.round(frame.value - frame.children.reduce((sum, { value }) => sum + value, 0));
    if (own > 0) lines.push(`${stack} ${own}`);
    for (const child of frame.children) walk(child, stack);
  };
  walk(flame, '');
  return lines.map((line) => `${line}\n`).join('');
}

/** Semicolons and line ends have a meaning there. */
function oneWord(name: string): string {
  return name.replaceAll(';', ',').replaceAll(/\s+/g, ' ').trim() || '(no name)';
}

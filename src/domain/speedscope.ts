/** The file format of speedscope (https://www.speedscope.app/file-format-schema.json), in which traces and profiles can be looked at there. */

export interface SpeedscopeFrame {
  readonly name: string;
  readonly file?: string;
  /** From 1. */
  readonly line?: number;
  readonly col?: number;
}

interface Common {
  readonly name: string;
  readonly unit: 'milliseconds' | 'microseconds';
  readonly startValue: number;
  readonly endValue: number;
}

/** Frames that open and close, properly nested, in order of time. */
export interface EventedProfile extends Common {
  readonly type: 'evented';
  readonly events: readonly { readonly type: 'O' | 'C'; readonly frame: number; readonly at: number }[];
}

/** Stacks, from the outermost frame in, and how long each lasted. */
export interface SampledProfile extends Common {
  readonly type: 'sampled';
  readonly samples: readonly (readonly number[])[];
  readonly weights: readonly number[];
}

export interface SpeedscopeFile {
  readonly $schema: 'https://www.speedscope.app/file-format-schema.json';
  readonly shared: { readonly frames: readonly SpeedscopeFrame[] };
  readonly profiles: readonly (EventedProfile | SampledProfile)[];
  readonly name: string;
  readonly activeProfileIndex: number;
  readonly exporter: string;
}

/** @returns the file around profiles whose frames are indexes into `frames`. */
export function speedscopeFile(
  name: string,
  frames: readonly SpeedscopeFrame[],
  profiles: SpeedscopeFile['profiles'],
): SpeedscopeFile {
  return {
    $schema: 'https://www.speedscope.app/file-format-schema.json',
    shared: { frames },
    profiles,
    name,
    activeProfileIndex: 0,
    exporter: 'ratchet',
  };
}

/** Numbers frames: the same frame has the same index. */
export class FrameTable {
  readonly frames: SpeedscopeFrame[] = [];
  readonly #known = new Map<string, number>();

  indexOf(frame: SpeedscopeFrame): number {
    const key = `${frame.name}\n${frame.file ?? ''}\n${frame.line ?? ''}\n${frame.col ?? ''}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    this.#known.set(key, this.frames.length);
    return this.frames.push(frame) - 1;
  }
}

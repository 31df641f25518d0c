/** A processor-time profile of task code: what the engine sampled, without what belongs to the sandbox and its machine. */
import { type Json, objectOf } from './event.ts';

/** A function of the task, or in parentheses what was going on instead. */
export interface CpuFrame {
  readonly name: string;
  /** Name of the task's file, or of the one it was compiled from; null for what is not the task's. */
  readonly file: string | null;
  /** From 1; 0 for what is not the task's. */
  readonly line: number;
  /** From 1; 0 for what is not the task's. */
  readonly column: number;
}

export interface CpuNode {
  readonly frame: CpuFrame;
  /** Index of the calling node; null for the root, which is the first one. */
  readonly parent: number | null;
}

export interface CpuProfile {
  readonly nodes: readonly CpuNode[];
  /** Indexes of nodes, in order of time. */
  readonly samples: readonly number[];
  /** Microseconds that each sample stands for. */
  readonly weights: readonly number[];
}

export const MAX_SAMPLES = 200_000;
export const SANDBOX = '(sandbox)';
export const IDLE = '(idle)';
/** Names that the engine gives to what is no function; they stay. */
const ENGINE: ReadonlySet<string> = new Set(['(program)', '(garbage collector)', IDLE]);
const ROOT: CpuNode = { frame: outside('(root)'), parent: null };

export interface OwnCode {
  /** Name that the task's script has in the engine. */
  readonly file: string;
  /** Function of the sandbox in which a task's process waits; time in it is told as idle. */
  readonly waitsIn: string;
  /** Where the author of code that a compiler wrote had it; null where the code is as it was written. Counts from 1. */
  readonly authored: (place: { readonly line: number; readonly column: number }) => Omit<CpuFrame, 'name'> | null;
}

/** Where a node of the engine went: who gets its samples, and below what its calls stand. */
interface Place {
  readonly own: number;
  readonly calls: number;
}

/** Takes what the engine sampled, piece by piece, and keeps of it what concerns the task. */
export class CpuProfileBuilder {
  readonly #code: OwnCode;
  readonly #nodes: CpuNode[] = [ROOT];
  readonly #known = new Map<string, number>();
  #samples: number[] = [];
  #weights: number[] = [];
  #halved = 0;

  constructor(code: OwnCode) {
    this.#code = code;
  }

  /** @param profile of the protocol's `Profiler.stop`; what is not of its form is passed over */
  add(profile: Json | undefined): void {
    const { nodes, samples, timeDeltas, startTime, endTime } = objectOf(profile);
    const places = this.#places(
      listOf(nodes)
        .map(engineNode)
        .filter(({ id }) => id > 0),
    );
    const taken = listOf(samples);
    const deltas = listOf(timeDeltas).map(numberOf);
    const whole = numberOf(endTime) - numberOf(startTime);
    const last = Math.max(0, whole - deltas.reduce((sum, delta) => sum + delta, 0));
    for (const [index, id] of taken.entries()) {
      const place = places.get(numberOf(id));
      if (place === undefined) continue;
      // A sample stands for the time until the next one.
      this.#samples.push(place.own);
      this.#weights.push(Math.max(0, index + 1 < taken.length ? (deltas[index + 1] ?? 0) : last));
    }
    while (this.#samples.length > MAX_SAMPLES) this.#halve();
  }

  /** How often every second sample was left out, its time given to the one before. */
  get halved(): number {
    return this.#halved;
  }

  build(): CpuProfile {
    return { nodes: this.#nodes, samples: this.#samples, weights: this.#weights };
  }

  #halve(): void {
    const weights = this.#weights;
    this.#samples = this.#samples.filter((_, index) => index % 2 === 0);
    this.#weights = this.#samples.map((_, index) => (weights[2 * index] ?? 0) + (weights[2 * index + 1] ?? 0));
    this.#halved += 1;
  }

  #places(nodes: readonly EngineNode[]): ReadonlyMap<number, Place> {
    const byId = new Map(nodes.map((node) => [node.id, node]));
    const called = new Set(nodes.flatMap(({ children }) => children));
    const places = new Map<number, Place>();
    const open = nodes
      .filter(({ id }) => !called.has(id))
      .map((node) => ({ node, above: { own: this.#enter(0, outside(SANDBOX)), calls: 0 } }));
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      const place = this.#placeOf(next.node, next.above);
      places.set(next.node.id, place);
      for (const id of next.node.children) {
        const node = byId.get(id);
        if (node !== undefined && !places.has(id)) open.push({ node, above: place });
      }
    }
    return places;
  }

  #placeOf({ name, url, line, column }: EngineNode, above: Place): Place {
    if (name === '(root)') return above;
    if (url === this.#code.file) {
      const place = this.#code.authored({ line, column }) ?? { file: url, line, column };
      const own = this.#enter(above.calls, { name: name || '(anonymous)', ...place });
      return { own, calls: own };
    }
    if (ENGINE.has(name) || name === this.#code.waitsIn) {
      const frame = outside(ENGINE.has(name) ? name : IDLE);
      return { own: this.#enter(frame.name === IDLE ? 0 : above.calls, frame), calls: above.calls };
    }
    // What the sandbox does around the task is told apart; what the task calls in it stands below the caller.
    if (above.calls === 0) return { own: this.#enter(0, outside(SANDBOX)), calls: 0 };
    const isInSandbox = this.#nodes[above.calls]?.frame.name === SANDBOX;
    if (isInSandbox) return { own: above.calls, calls: above.calls };
    // Functions of the engine itself, such as regular expressions, have no address.
    const own = this.#enter(above.calls, outside(url === '' && name !== '' ? name : SANDBOX));
    return { own, calls: own };
  }

  #enter(parent: number, frame: CpuFrame): number {
    const key = `${parent} ${frame.line}:${frame.column} ${frame.name}\n${frame.file ?? ''}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    this.#known.set(key, this.#nodes.length);
    return this.#nodes.push({ frame, parent }) - 1;
  }
}

function outside(name: string): CpuFrame {
  return { name, file: null, line: 0, column: 0 };
}

interface EngineNode {
  readonly id: number;
  readonly name: string;
  readonly url: string;
  readonly line: number;
  readonly column: number;
  readonly children: readonly number[];
}

/** The engine counts lines and columns from 0. */
function engineNode(node: Json): EngineNode {
  const { id, callFrame, children } = objectOf(node);
  const { functionName, url, lineNumber, columnNumber } = objectOf(callFrame);
  return {
    id: numberOf(id),
    name: typeof functionName === 'string' ? functionName : '',
    url: typeof url === 'string' ? url : '',
    line: numberOf(lineNumber) + 1,
    column: numberOf(columnNumber) + 1,
    children: listOf(children).map(numberOf),
  };
}

function listOf(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? value : [];
}

function numberOf(value: Json | undefined): number {
  return typeof value === 'number' ? value : 0;
}

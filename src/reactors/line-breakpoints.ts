/** Breakpoints as they were asked for: where each came to lie, and whether it stops the task this time. */
import type { Breakpoint, DebugReport } from '../domain/debugging.ts';
import type { AuthoredCode } from './authored-code.ts';
import type { EngineFrame, EnginePlace, RemoteValue } from './inspected.ts';
import type { TaskDebugger } from './task-debugger.ts';

interface Bound {
  readonly asked: Breakpoint;
  line: number | null;
  conditionError: string | null;
  /** How often it was reached with its condition true. */
  passed: number;
}

export class Breakpoints {
  readonly #debugger: TaskDebugger;
  readonly #code: AuthoredCode;
  readonly #all: readonly Bound[];
  /** By the engine's id: several may lie on one place. */
  readonly #atPlaces = new Map<string, Bound[]>();
  readonly #taken = new Set<string>();
  readonly #lineStarts = new Set<string>();

  constructor(asked: readonly Breakpoint[], taskDebugger: TaskDebugger, code: AuthoredCode) {
    this.#debugger = taskDebugger;
    this.#code = code;
    this.#all = asked.map((one) => ({ asked: one, line: null, conditionError: null, passed: 0 }));
  }

  /** Paths of the steps to pause at. */
  get steps(): readonly string[] {
    return this.#all.flatMap(({ asked }) => asked.step ?? []);
  }

  /** Lays those of lines; a line without code moves on to the next one with code. */
  async bind(places: readonly EnginePlace[]): Promise<void> {
    const byPlace = new Map<string, { at: EnginePlace; bound: Bound[] }>();
    for (const bound of this.#all) {
      if (bound.asked.line === null) continue;
      const found = this.#code.firstAt(bound.asked.line, places);
      if (found === null) continue;
      bound.line = found.line;
      const here = byPlace.get(keyOf(found.at)) ?? { at: found.at, bound: [] };
      here.bound.push(bound);
      byPlace.set(keyOf(found.at), here);
    }
    for (const [key, { at, bound }] of byPlace) {
      this.#atPlaces.set(await this.#debugger.breakAt(at), bound);
      this.#taken.add(key);
    }
  }

  /** Lays one on every line that has none. */
  async bindAllLines(places: readonly EnginePlace[]): Promise<void> {
    const free = this.#code.lineStarts(places).filter((at) => !this.#taken.has(keyOf(at)));
    const ids = await Promise.all(free.map((at) => this.#debugger.breakAt(at)));
    for (const id of ids) this.#lineStarts.add(id);
    // A line that has a breakpoint stops there also when that one does not.
    for (const id of this.#atPlaces.keys()) this.#lineStarts.add(id);
  }

  /** @returns why the task stops at these places, null when it does not. */
  async reasonAt(hit: readonly string[], frame: EngineFrame | undefined): Promise<'breakpoint' | 'line' | null> {
    let stops = false;
    for (const bound of hit.flatMap((id) => this.#atPlaces.get(id) ?? [])) {
      if (await this.#applies(bound, frame)) stops = true;
    }
    if (stops) return 'breakpoint';
    return hit.some((id) => this.#lineStarts.has(id)) ? 'line' : null;
  }

  /** @returns true when the task stops in the call that asks for this step. */
  async stopsAtStep(path: string, frame: EngineFrame | undefined): Promise<boolean> {
    let stops = false;
    for (const bound of this.#all) {
      if (bound.asked.step === path && (await this.#applies(bound, frame))) stops = true;
    }
    return stops;
  }

  report(): DebugReport['breakpoints'] {
    return this.#all.map(({ asked, line, conditionError }) => {
      const moved = line !== null && line !== asked.line;
      return { asked, line, moved, conditionError };
    });
  }

  async #applies(bound: Bound, frame: EngineFrame | undefined): Promise<boolean> {
    const { condition, hitCount } = bound.asked;
    if (condition !== null) {
      if (frame === undefined) return false;
      const evaluated = await this.#debugger.evaluate(frame, condition);
      if (!evaluated.ok) bound.conditionError ??= evaluated.error;
      if (!evaluated.ok || !isTruthy(evaluated.value)) return false;
    }
    bound.passed += 1;
    return bound.passed >= hitCount;
  }
}

function keyOf({ line, column }: EnginePlace): string {
  return `${line}:${column}`;
}

function isTruthy({ objectId, value, unserializable }: RemoteValue): boolean {
  if (objectId !== null) return true;
  if (unserializable !== null) return !['NaN', '-0', '0n'].includes(unserializable);
  return Boolean(value);
}

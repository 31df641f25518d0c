/** Breakpoints as they were asked for: where each came to lie, and whether it stops the task this time. */
import type { Breakpoint, DebugReport } from '../domain/debugging.ts';
import type { AuthoredCode } from './authored-code.ts';
import type { EngineFrame, EnginePlace, RemoteValue } from './inspected.ts';
import { engineCondition, isPlainCondition } from './plain-condition.ts';
import type { TaskDebugger } from './task-debugger.ts';

interface Bound {
  readonly asked: Breakpoint;
  line: number | null;
  conditionError: string | null;
  /** Where it lies while nothing else lies there and its condition could be tried by the engine. */
  alone: EnginePlace | null;
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
    this.#all = asked.map((one) => ({ asked: one, line: null, conditionError: null, alone: null, passed: 0 }));
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
      const [first] = bound;
      if (bound.length === 1 && first !== undefined) first.alone = at;
    }
  }

  /** Lays one on every line that has none, as far as functions hold it: what stands outside has run when main is called. */
  async bindAllLines(places: readonly EnginePlace[]): Promise<void> {
    const outside = new Set((await this.#debugger.placesOutsideFunctions()).map(keyOf));
    if (outside.size === 0) outside.add(places.slice(0, 1).map(keyOf).join());
    const inside = places.filter((at) => !outside.has(keyOf(at)));
    const free = this.#code.lineStarts(inside).filter((at) => !this.#taken.has(keyOf(at)));
    const ids = await Promise.all(free.map((at) => this.#debugger.breakAt(at)));
    for (const id of ids) this.#lineStarts.add(id);
    // A line that has a breakpoint stops there also when that one does not.
    for (const id of this.#atPlaces.keys()) this.#lineStarts.add(id);
    for (const bound of this.#all) bound.alone = null;
  }

  /** @returns why the task stops at these places, null when it does not. */
  async reasonAt(hit: readonly string[], frame: EngineFrame | undefined): Promise<'breakpoint' | 'line' | null> {
    let stops = false;
    for (const id of hit) {
      for (const bound of this.#atPlaces.get(id) ?? []) {
        if (await this.#applies(bound, frame)) stops = true;
        await this.#leaveToEngine(id, bound);
      }
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

  /** A condition that was tried once without side effects is left to the engine, which does not stop to try it. */
  async #leaveToEngine(id: string, bound: Bound): Promise<void> {
    const { alone, conditionError } = bound;
    const { condition } = bound.asked;
    bound.alone = null;
    if (alone === null || condition === null || conditionError !== null || !isPlainCondition(condition)) return;
    await this.#debugger.removeBreakpoint(id);
    this.#atPlaces.delete(id);
    this.#atPlaces.set(await this.#debugger.breakAt(alone, engineCondition(condition)), [bound]);
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

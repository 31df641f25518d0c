/** Whether the task stops where a breakpoint of a session lies: its condition, tried without side effects, and how often it is passed first. */
import { type JsonObject, objectOf } from '../domain/event.ts';
import { textOf } from './inspected.ts';
import { engineCondition, isPlainCondition } from './plain-condition.ts';

/** Sends a command to the engine. */
export type Send = (method: string, params: JsonObject) => Promise<JsonObject>;

/** Milliseconds that a condition may take. */
const CONDITION_MS = 500;

export interface BreakJudgement {
  readonly stops: boolean;
  /** Why a condition could not be tried; the task stops there, so that it is not silently passed. */
  readonly error: string | null;
}

export class BreakConditions {
  readonly #send: Send;
  /** Conditions by breakpoint: the engine only leaves out what is surely false. */
  readonly #conditions = new Map<string, string>();
  /** How often breakpoints are still passed before the task stops at them. */
  readonly #passes = new Map<string, number>();

  constructor(send: Send) {
    this.#send = send;
  }

  /** Sets a breakpoint. The engine tries first those that can change nothing; where it stops, all are tried here. */
  async lay(method: string, params: JsonObject, hitCount: number): Promise<JsonObject> {
    const { condition, ...rest } = params;
    const asked = typeof condition === 'string' && condition !== '' ? condition : null;
    const isPlain = asked !== null && isPlainCondition(asked);
    const result = await this.#send(method, isPlain ? { ...rest, condition: engineCondition(asked) } : rest);
    const id = textOf(result['breakpointId']);
    if (asked !== null) this.#conditions.set(id, asked);
    if (hitCount > 1) this.#passes.set(id, hitCount - 1);
    return result;
  }

  /** @param hit breakpoints that the task stands at; without any it stops for another reason */
  async judge(hit: readonly string[], callFrameId: string): Promise<BreakJudgement> {
    const held: string[] = [];
    let error: string | null = null;
    for (const id of hit) {
      const tried = await this.#tried(id, callFrameId);
      error ??= tried.error;
      if (tried.holds) held.push(id);
    }
    if (hit.length === 0) return { stops: true, error };
    const left = held.map((id) => this.#passes.get(id) ?? 0);
    for (const id of held) this.#passes.set(id, Math.max(0, (this.#passes.get(id) ?? 0) - 1));
    return { stops: left.some((count) => count === 0), error };
  }

  async #tried(id: string, callFrameId: string): Promise<{ holds: boolean; error: string | null }> {
    const condition = this.#conditions.get(id);
    if (condition === undefined) return { holds: true, error: null };
    const params = { callFrameId, expression: `!!(${condition})`, throwOnSideEffect: true, timeout: CONDITION_MS };
    const { result, exceptionDetails } = await this.#send('Debugger.evaluateOnCallFrame', params);
    if (exceptionDetails === undefined) return { holds: objectOf(result)['value'] === true, error: null };
    const described = textOf(objectOf(objectOf(exceptionDetails)['exception'])['description']);
    return { holds: true, error: described.split('\n')[0] || 'the condition throws' };
  }
}

/** Keeps answers that cannot change any more for a while, so that an agent that asks again is answered at once. */
import type { Payload } from './fit.ts';

/** Answers are bounded by their budget of tokens, so this bounds the memory too. */
const MAX_KEPT = 200;

export class AnswerCache {
  readonly #kept = new Map<string, { readonly answer: Payload; readonly until: number }>();

  /** @param now milliseconds since the epoch */
  get(key: string, now: number): Payload | null {
    const kept = this.#kept.get(key);
    if (kept === undefined) return null;
    if (kept.until > now) return kept.answer;
    this.#kept.delete(key);
    return null;
  }

  /** @param until milliseconds since the epoch */
  put(key: string, answer: Payload, until: number): void {
    const [oldest] = this.#kept.keys();
    if (this.#kept.size >= MAX_KEPT && oldest !== undefined) this.#kept.delete(oldest);
    this.#kept.set(key, { answer, until });
  }
}

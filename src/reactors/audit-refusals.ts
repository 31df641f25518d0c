/** Writes refusals into the audit trail, coalesced, so that a flood of them costs no flood of writes. */
import { type Deps, envelopes } from '../../commands/handle.ts';
import { type AccessEvent, systemPrincipal } from '../domain/access.ts';
import { streamName } from '../domain/event.ts';

/** Who was refused what, and why. */
export interface Refusal {
  readonly principal: string;
  readonly operation: string;
  /** Code of the error that was answered. */
  readonly reason: string;
}

interface Counted {
  readonly refusal: Refusal;
  count: number;
}

const WINDOW_MS = 60_000;
/** Different refusals kept in one window; more are counted together, whoever asked. */
const MAX_KEPT = 1_000;

export class RefusalAudit {
  readonly #deps: Deps;
  readonly #onTrouble: (error: unknown) => void;
  #window = new Map<string, Counted>();
  #timer: NodeJS.Timeout | null = null;

  constructor(deps: Deps, onTrouble: (error: unknown) => void) {
    this.#deps = deps;
    this.#onTrouble = onTrouble;
  }

  /** The first of its kind in a minute is written at once, the others as one count at the end of the minute. */
  note(refusal: Refusal): void {
    const known = this.#window.get(keyOf(refusal));
    if (known !== undefined) {
      known.count += 1;
      return;
    }
    const kept = this.#window.size < MAX_KEPT ? refusal : { ...refusal, principal: '(many)', operation: '(many)' };
    if (kept !== refusal) {
      const many = this.#window.get(keyOf(kept)) ?? { refusal: kept, count: 0 };
      many.count += 1;
      this.#window.set(keyOf(kept), many);
      return;
    }
    this.#window.set(keyOf(refusal), { refusal, count: 0 });
    void this.#append([{ refusal, count: 1 }]);
    this.#timer ??= setTimeout(() => void this.#close(), WINDOW_MS).unref();
  }

  /** Writes what is counted so far. */
  async flush(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#close();
  }

  #close(): Promise<void> {
    this.#timer = null;
    const counted = [...this.#window.values()].filter(({ count }) => count > 0);
    this.#window = new Map();
    return this.#append(counted);
  }

  async #append(counted: readonly Counted[]): Promise<void> {
    if (counted.length === 0) return;
    const { store, runtime } = this.#deps;
    const facts = counted.map(
      ({ refusal, count }): AccessEvent => ({ type: 'AccessRefused', data: { ...refusal, count } }),
    );
    const meta = {
      principal: systemPrincipal('access'),
      commandId: runtime.newId(),
      correlationId: 'refusals',
      causationId: null,
      traceparent: null,
      now: runtime.now(),
    };
    try {
      await store.append(streamName('access', 'refusals'), 'any', envelopes(runtime, facts, meta));
    } catch (error) {
      this.#onTrouble(error);
    }
  }
}

function keyOf({ principal, operation, reason }: Refusal): string {
  return `${principal}\n${operation}\n${reason}`;
}

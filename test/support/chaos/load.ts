/** Honest clients: each asks under its own key until some node says that the request is stored, and then for its end. */
import type { Json } from '../../../src/domain/event.ts';
import type { Told } from '../history/known.ts';
import type { ChaosNode } from './nodes.ts';
import type { Random } from './random.ts';
import type { Wish } from './tasks.ts';

/** A node that does not answer within this time is given up for another one. */
const PATIENCE_MS = 8_000;
const PAUSE_MS = 100;
/** What says that the request may be repeated, here or elsewhere. */
const REPEATABLE: ReadonlySet<number> = new Set([429, 502, 503, 504]);

export interface Load {
  /** Every answer of a node about an execution, in the order in which they came. */
  readonly told: readonly Told[];
  readonly acknowledged: () => number;
  /** What no honest client should be told. */
  readonly surprises: readonly string[];
  /** Lets the first `count` wishes be asked for; the clients wait before the next one. */
  admit(count: number): void;
  /** Resolves when every wish is acknowledged. */
  readonly done: Promise<void>;
}

/** Lets `clients` work through the wishes. Every third request waits for the end; the others only for the acknowledgement. */
export function startLoad(nodes: readonly ChaosNode[], wishes: readonly Wish[], clients: number, random: Random): Load {
  const told: Told[] = [];
  const surprises: string[] = [];
  const acknowledged = new Set<string>();
  const rest = wishes.entries();
  let admitted = 0;
  let more = Promise.withResolvers<void>();

  async function work(): Promise<void> {
    for (const [index, wish] of rest) {
      while (index >= admitted) await more.promise;
      await acknowledge(wish, random.below(3) === 0);
      acknowledged.add(wish.key);
    }
  }

  async function acknowledge(wish: Wish, waits: boolean): Promise<void> {
    for (;;) {
      const { url, name } = random.pick(nodes);
      const answer = await ask(`${url}/api/v1/${waits ? 'tasks/execute' : 'executions'}`, wish);
      if (answer === null || REPEATABLE.has(answer.status)) {
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
        continue;
      }
      if (answer.status < 300) return void told.push(toldOf(wish.key, answer.body));
      surprises.push(`${name} answered ${answer.status} for ${wish.key}: ${JSON.stringify(answer.body)}`);
      return;
    }
  }

  return {
    told,
    surprises,
    acknowledged: () => acknowledged.size,
    admit: (count) => {
      admitted = Math.max(admitted, count);
      more.resolve();
      more = Promise.withResolvers();
    },
    done: Promise.all(Array.from({ length: clients }, work)).then(() => undefined),
  };
}

type Body = Readonly<Record<string, Json>>;

/** Null where there was no answer. */
async function ask(
  url: string,
  { key, request }: Wish,
): Promise<{ readonly status: number; readonly body: Body } | null> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': key },
      body: JSON.stringify(request),
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    return { status: response.status, body: (await response.json()) as Body };
  } catch {
    return null;
  }
}

/** @returns what an answer about an execution says. */
export function toldOf(key: string, body: Body): Told {
  const { output } = body;
  const base = { key, executionId: String(body['execution_id']), status: String(body['status']) };
  return output === undefined || base.status !== 'completed' ? base : { ...base, output };
}

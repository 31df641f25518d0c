/** Honest clients: each asks under its own key until some node says that the request is stored, and then for its end. */
import type { Json, JsonObject } from '../../../src/domain/event.ts';
import type { Told } from '../history/known.ts';
import type { ChaosNode } from './nodes.ts';
import type { Random } from './random.ts';
import type { Wish } from './tasks.ts';

/** A node that does not answer within this time is given up for another one. */
const PATIENCE_MS = 8_000;
const PAUSE_MS = 100;
/** What is told about a question that has not been asked yet, and about an execution that has ended already. */
const UNASKED = 'no_open_question';
const ENDED = 'execution_finished';
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
  /** Resolves when every wish is acknowledged, and what follows from it. */
  readonly done: Promise<void>;
}

/** Lets `clients` work through the wishes. Every third request or so waits for the end; the others only for the acknowledgement. */
export function startLoad(nodes: readonly ChaosNode[], wishes: readonly Wish[], clients: number, random: Random): Load {
  const told: Told[] = [];
  const surprises: string[] = [];
  const acknowledged = new Set<string>();
  const rest = wishes.entries();
  let admitted = 0;
  let more = Promise.withResolvers<void>();

  async function work(): Promise<void> {
    const follows: Promise<void>[] = [];
    for (const [index, wish] of rest) {
      while (index >= admitted) await more.promise;
      const path = random.below(3) === 0 && wish.follow === null ? 'tasks/execute' : 'executions';
      const body = await insist(wish.key, path, wish.request);
      acknowledged.add(wish.key);
      if (body === null) continue;
      const answer = toldOf(wish.key, body);
      told.push(answer);
      if (wish.follow !== null) follows.push(follow(wish.key, answer.executionId, wish.follow));
    }
    await Promise.all(follows);
  }

  async function follow(key: string, executionId: string, { path, body }: NonNullable<Wish['follow']>): Promise<void> {
    await insist(`${key}-${path}`, `executions/${executionId}/${path}`, body, path === 'cancel' ? ENDED : '');
  }

  /** Asks until it is told a good answer, or the error that is `expected`; null for that, and for one that is not. */
  async function insist(key: string, path: string, request: JsonObject, expected = ''): Promise<Body | null> {
    for (;;) {
      const { url, name } = random.pick(nodes);
      const answer = await ask(`${url}/api/v1/${path}`, key, request);
      const code = answer?.body['code'];
      if (answer === null || REPEATABLE.has(answer.status) || code === UNASKED) {
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
        continue;
      }
      if (answer.status < 300) return answer.body;
      if (code !== expected)
        surprises.push(`${name} answered ${answer.status} for ${key}: ${JSON.stringify(answer.body)}`);
      return null;
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
  key: string,
  request: JsonObject,
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

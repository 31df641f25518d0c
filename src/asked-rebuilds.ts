/** Rebuilds are asked for anywhere, and done by the process that projects; when that one ends midway, by its successor. */
import { setTimeout as pause } from 'node:timers/promises';
import { asRatchetError, RatchetError } from './domain/errors.ts';
import type { InterruptiblePause } from './interruptible-pause.ts';
import type { RebuildRequest, RebuildRequests, Refusal } from './ports/rebuild-requests.ts';

const LOOK_FOR_END_MS = 100;
const LOOK_FOR_NEW_MS = 1_000;
/** A request that nobody has seen for so long has nobody to do it. */
const UNSEEN_MS = 30_000;

/**
 * Has projections rebuilt, and resolves when they are. Fails as the rebuild does, and with `store_unavailable` when
 * nobody projects, or `signal` aborts; the request is then withdrawn.
 */
export async function askRebuild(
  { requests, onAsked }: { readonly requests: RebuildRequests; readonly onAsked: () => void },
  names: readonly string[] | null,
  signal: AbortSignal,
): Promise<void> {
  const id = await requests.ask(names);
  onAsked();
  const askedAt = performance.now();
  try {
    while (!(await hasEnded(requests, id, performance.now() - askedAt))) {
      await pause(LOOK_FOR_END_MS, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) throw new RatchetError('store_unavailable', 'the projector is closed');
    }
  } finally {
    await requests.forget(id).catch(() => undefined);
  }
}

async function hasEnded(requests: RebuildRequests, id: string, waitedMs: number): Promise<boolean> {
  const state = await requests.state(id);
  switch (state?.status) {
    case 'done':
      return true;
    case 'failed':
      throw new RatchetError(state.error.code, state.error.message);
    case 'taken':
      return false;
    case 'asked':
      if (waitedMs < UNSEEN_MS) return false;
      throw new RatchetError('store_unavailable', 'no process projects: start a node with the role projector');
    case undefined:
      throw new RatchetError('store_unavailable', 'the request for a rebuild was deleted');
    default:
      return state satisfies never;
  }
}

export interface Serving {
  readonly requests: RebuildRequests;
  readonly rebuild: (names: readonly string[] | undefined) => Promise<void>;
  /** Between two looks for new requests. */
  readonly rest: InterruptiblePause;
  readonly onTrouble: (error: unknown) => void;
}

/** Does what is asked for, one after the other, until `signal` aborts; what is under way then is left to the next. Never rejects. */
export async function serveRebuilds(
  { requests, rebuild, rest, onTrouble }: Serving,
  signal: AbortSignal,
): Promise<void> {
  const known = new Set<string>();
  let turn: Promise<void> = Promise.resolve();
  const carryOut = async ({ id, names }: RebuildRequest): Promise<void> => {
    try {
      if (signal.aborted || (await requests.state(id)) === null) return;
      const error = await rebuild(names ?? undefined).then(() => null, told);
      if (!signal.aborted) await requests.end(id, error);
    } catch (error) {
      onTrouble(error);
    } finally {
      known.delete(id);
    }
  };
  while (!signal.aborted) {
    try {
      for (const request of await requests.take()) {
        if (known.has(request.id)) continue;
        known.add(request.id);
        turn = turn.then(() => carryOut(request));
      }
    } catch (error) {
      onTrouble(error);
    }
    await rest.wait(LOOK_FOR_NEW_MS, signal);
  }
  await turn;
}

/** What is not ours keeps its words, which name the event or the row that does not fit. */
export function told(error: unknown): Refusal {
  const { code, message, cause } = asRatchetError(error);
  return { code, message: cause instanceof Error ? `${message}: ${cause.message}` : message };
}

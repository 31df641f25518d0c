/** What a delivery means for the task source that it is to sync: which ones count, and that each counts once. */
import { z } from 'zod';
import { RatchetError } from '../domain/errors.ts';
import type { Json } from '../domain/event.ts';
import { canonicalJson } from '../domain/journal.ts';
import type { Core } from './operation.ts';

/** One webhook as it came, its signature checked. */
export interface Delivery {
  readonly id: string;
  /** What kind it is of, where its sender says so. */
  readonly event: string | null;
  readonly payload: Json;
}

interface SyncSender {
  readonly name: string;
  readonly provider: string;
  readonly source: string;
}

/** What the sender is told; the sync itself comes after the answer. */
export type SyncAnswer =
  | { readonly status: 'syncing' | 'duplicate' | 'pong'; readonly source: string }
  | { readonly status: 'ignored'; readonly source: string; readonly reason: string };

/** Deliveries that are remembered; a sync too many does no harm. */
const REMEMBERED = 10_000;

/** Ids of deliveries with the hash of what they said, the oldest forgotten first. */
export class SeenDeliveries {
  readonly #hashes = new Map<string, string>();

  /** @returns whether it came before. Fails with `idempotency_mismatch` when it said something else then. */
  note(key: string, contentHash: string): boolean {
    const before = this.#hashes.get(key);
    if (before !== undefined && before !== contentHash) {
      throw new RatchetError('idempotency_mismatch', 'a delivery with this id said something else');
    }
    this.#hashes.set(key, contentHash);
    const [oldest] = this.#hashes.keys();
    if (this.#hashes.size > REMEMBERED && oldest !== undefined) this.#hashes.delete(oldest);
    return before !== undefined;
  }
}

/** Asks for a sync if the delivery is a reason for one. Fails with `idempotency_mismatch` or `not_found` (no such source). */
export function syncBy(core: Core, sender: SyncSender, delivery: Delivery, seen: SeenDeliveries): SyncAnswer {
  const { name, provider, source } = sender;
  if (seen.note(`${name}:${delivery.id}`, core.execute.runtime.sha256(canonicalJson(delivery.payload)))) {
    return { status: 'duplicate', source };
  }
  if (provider === 'github') {
    if (delivery.event === 'ping') return { status: 'pong', source };
    const branch = core.sources.list().find((status) => status.source === source)?.branch ?? null;
    const reason = reasonAgainst(delivery, branch);
    if (reason !== null) return { status: 'ignored', source, reason };
  }
  core.sources.request(source);
  return { status: 'syncing', source };
}

const push = z.looseObject({ ref: z.string(), deleted: z.boolean().optional() });

/** @param branch that is followed; null: whatever moved may matter */
function reasonAgainst({ event, payload }: Delivery, branch: string | null): string | null {
  if (event !== 'push') return `only push syncs, not ${event ?? 'a delivery without an event'}`;
  const told = push.safeParse(payload);
  if (!told.success) return 'the push names no ref';
  const { ref, deleted = false } = told.data;
  if (branch !== null && ref !== `refs/heads/${branch}`)
    return `${ref} was pushed, and refs/heads/${branch} is followed`;
  return deleted ? `${ref} was deleted` : null;
}

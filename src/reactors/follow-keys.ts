/** Keeps all API keys in memory, folded from their events, so that a key is known, and one that was revoked refused, without a query. */
import type { Principal } from '../domain/access.ts';
import {
  accessKey,
  type ExistingKey,
  KEY_EVENT_TYPES,
  type KeyEvent,
  type KeyGrant,
  type KeyState,
  keyPrincipal,
} from '../domain/access-key.ts';
import { idOf, type Position, START } from '../domain/event.ts';
import { decode } from '../domain/history.ts';
import { timeOf } from '../domain/time.ts';
import type { Credentials } from '../ports/credentials.ts';
import type { EventPage, EventStore } from '../ports/event-store.ts';
import type { Admission, ConfiguredKey, KeyDirectory, KeyHolder } from '../ports/key-directory.ts';
import type { Runtime } from '../ports/runtime.ts';
import { keepFollowing } from './keep-following.ts';

const FILTER = { categories: ['access'], types: [...KEY_EVENT_TYPES] } as const;

/** One secret that lets somebody in. */
interface Entry {
  readonly hash: string;
  readonly grant: KeyGrant;
  readonly active: boolean;
  /** Milliseconds since the epoch; null: does not end by itself. */
  readonly until: number | null;
}

/** Somebody who came with a key, and stays. */
interface Watch {
  readonly hash: string;
  /** When the key ended as it was known then. */
  readonly until: number | null;
  readonly onEnd: () => void;
}

export interface FollowedKeysDeps {
  readonly store: EventStore;
  readonly runtime: Pick<Runtime, 'now' | 'sha256'>;
  readonly credentials: Credentials;
}

export class FollowedKeys implements KeyDirectory {
  readonly #deps: FollowedKeysDeps;
  readonly #configured: readonly Entry[];
  readonly #byId = new Map<string, KeyState>();
  #position: Position = START;
  /** By the beginning of their hash, which tells nothing about the key. */
  #entries = new Map<string, readonly Entry[]>();
  #byName = new Map<string, readonly Entry[]>();
  /** What each principal came with, as it was then. */
  readonly #cameWith = new WeakMap<Principal, Entry>();
  readonly #watches = new Set<Watch>();

  constructor(deps: FollowedKeysDeps, configured: readonly ConfiguredKey[]) {
    this.#deps = deps;
    this.#configured = configured.map(({ hash, active, ...grant }) => ({ hash, active, grant, until: null }));
    this.#index();
  }

  admit(key: string, address: string): Admission {
    return this.#enter(this.#find(this.#deps.runtime.sha256(key)), address, null);
  }

  proofOf(principal: Principal): string | null {
    return this.#cameWith.get(principal)?.hash ?? null;
  }

  admitHolder({ name, isProof, until }: KeyHolder, address: string): Admission {
    const entry = this.#byName.get(name)?.find(({ hash }) => isProof(hash));
    return this.#enter(entry, address, until);
  }

  #enter(entry: Entry | undefined, address: string, latest: number | null): Admission {
    const { runtime, credentials } = this.#deps;
    if (entry === undefined) return { refused: 'nobody has this key' };
    const { name, allowedIps } = entry.grant;
    if (!entry.active) return { refused: `the key ${name} is not active` };
    if (entry.until !== null && entry.until <= runtime.now()) return { refused: `the key ${name} has expired` };
    if (allowedIps.length > 0 && !credentials.isWithin(address, allowedIps)) {
      return { refused: `the key ${name} may not come from ${address}` };
    }
    const principal = keyPrincipal(entry.grant, earlier(entry.until, latest));
    this.#cameWith.set(principal, entry);
    return { principal };
  }

  isConfigured(name: string): boolean {
    return this.#configured.some(({ grant }) => grant.name === name);
  }

  /** Folds everything that is stored; resolves at the head. */
  async refresh(): Promise<void> {
    for (;;) {
      const page = await this.#deps.store.readAll(this.#position, FILTER, 1_000);
      this.#fold(page);
      if (page.atHead) return;
    }
  }

  /** Goes on folding until `signal` aborts. */
  follow(onTrouble: (error: unknown) => void, signal: AbortSignal): Promise<void> {
    const onPage = (page: EventPage): void => this.#fold(page);
    return keepFollowing(this.#deps.store, { from: this.#position, filter: FILTER, onPage, onTrouble }, signal);
  }

  watch(principal: Principal, onEnd: () => void): () => void {
    const entry = this.#cameWith.get(principal);
    if (entry === undefined) return () => undefined;
    const watch = { hash: entry.hash, until: entry.until, onEnd };
    this.#watches.add(watch);
    this.#check(watch);
    return () => void this.#watches.delete(watch);
  }

  #find(hash: string): Entry | undefined {
    const candidates = this.#entries.get(beginning(hash)) ?? [];
    return candidates.find((entry) => this.#deps.credentials.isSame(entry.hash, hash));
  }

  #fold(page: EventPage): void {
    // Two readers may bring the same page.
    const fresh = page.events.filter(({ position }) => position > this.#position);
    const decoded = fresh.map((stored) => ({ id: idOf(stored.stream), event: decode<KeyEvent>(stored) }));
    for (const { id, event } of decoded) {
      this.#byId.set(id, accessKey.evolve(this.#byId.get(id) ?? accessKey.initial, event));
    }
    if (page.position > this.#position) this.#position = page.position;
    if (decoded.length === 0) return;
    this.#index();
    for (const watch of this.#watches) this.#check(watch);
  }

  /** A key that now ends sooner than was known ends the watch, too: who comes again with it is told until when. */
  #check(watch: Watch): void {
    const entry = this.#find(watch.hash);
    if (entry?.active === true && entry.until === watch.until) return;
    this.#watches.delete(watch);
    watch.onEnd();
  }

  #index(): void {
    const issued = [...this.#byId.values()].flatMap((state) => (state.status === 'active' ? entriesOf(state) : []));
    const all = [...this.#configured, ...issued];
    this.#entries = Map.groupBy(all, ({ hash }) => beginning(hash));
    this.#byName = Map.groupBy(all, ({ grant }) => grant.name);
  }
}

function entriesOf(key: ExistingKey): readonly Entry[] {
  const end = key.expiresAt === null ? null : timeOf(key.expiresAt);
  const now: Entry = { hash: key.hash, grant: key, active: true, until: end };
  if (key.previous === null) return [now];
  const until = timeOf(key.previous.until);
  return [now, { ...now, hash: key.previous.hash, until: end === null ? until : Math.min(end, until) }];
}

function earlier(one: number | null, other: number | null): number | null {
  if (one === null || other === null) return one ?? other;
  return Math.min(one, other);
}

function beginning(hash: string): string {
  return hash.slice(0, 8);
}

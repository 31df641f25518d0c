/** Facts about API keys: made, replaced, revoked. The key itself is in none of them, only its hash. */
import type { CallerLimits, Permission, Principal, TaskPatterns } from './access.ts';
import type { Evolution, Fact } from './event.ts';

/** What the holder of a key may do, and from where. */
export interface KeyGrant {
  readonly name: string;
  readonly permissions: readonly Permission[];
  readonly tasks: TaskPatterns;
  readonly limits: CallerLimits;
  /** Addresses and networks it may come from; empty: any. */
  readonly allowedIps: readonly string[];
}

/** The secret part, as it is kept. */
export interface KeyPrint {
  /** SHA-256 of the key, lower-case hex. */
  readonly hash: string;
  /** First characters of the key, so that people tell keys apart. */
  readonly prefix: string;
}

export type KeyEvent =
  | Fact<
      'KeyCreated',
      KeyGrant &
        KeyPrint & {
          readonly keyId: string;
          readonly description: string | null;
          /** ISO 8601; null: does not expire. */
          readonly expiresAt: string | null;
        }
    >
  /** `previousUntil`: the key before counts until then; null: no longer. */
  | Fact<'KeyRotated', KeyPrint & { readonly previousUntil: string | null }>
  | Fact<'KeyRevoked', { readonly reason: string | null }>;

export const KEY_EVENT_TYPES = [
  'KeyCreated',
  'KeyRotated',
  'KeyRevoked',
] as const satisfies readonly KeyEvent['type'][];

export interface ExistingKey extends KeyGrant, KeyPrint {
  readonly status: 'active' | 'revoked';
  readonly keyId: string;
  readonly expiresAt: string | null;
  /** The key that was replaced last, while it still counts. */
  readonly previous: { readonly hash: string; readonly until: string } | null;
}

export type KeyState = { readonly status: 'none' } | ExistingKey;

export const accessKey: Evolution<KeyState, KeyEvent> = { initial: { status: 'none' }, evolve };

function evolve(state: KeyState, event: KeyEvent): KeyState {
  if (event.type === 'KeyCreated') {
    const { description: _, ...facts } = event.data;
    return { ...facts, status: 'active', previous: null };
  }
  if (state.status === 'none') return state;
  switch (event.type) {
    case 'KeyRotated': {
      const { hash, prefix, previousUntil } = event.data;
      return {
        ...state,
        hash,
        prefix,
        previous: previousUntil === null ? null : { hash: state.hash, until: previousUntil },
      };
    }
    case 'KeyRevoked':
      return { ...state, status: 'revoked', previous: null };
    default:
      return event satisfies never;
  }
}

/** @returns who holds a key. `until`: when it stops to count, in milliseconds since the epoch; null: never. */
export function keyPrincipal({ name, permissions, tasks, limits }: KeyGrant, until: number | null): Principal {
  const principal = { id: `key:${name}`, kind: 'key', name, permissions: new Set(permissions), tasks, limits } as const;
  return until === null ? principal : { ...principal, until };
}

/** Facts about people who logged in from a browser: opened, used, ended. The secret of a session is in none of them, only hashes. */
import type { Evolution, Fact } from './event.ts';
import type { KeptCaller } from './mcp-session.ts';

/** What a session stands on, as long as that counts: a key, a token, or a server that asks this caller for neither. */
export type LoginBasis =
  | { readonly kind: 'key'; readonly name: string }
  | { readonly kind: 'token'; readonly caller: KeptCaller }
  | { readonly kind: 'entrance' };

export interface OpenLogin {
  readonly loginId: string;
  /** SHA-256 of the secret in the cookie, lower-case hex. */
  readonly hash: string;
  /** SHA-256 of that secret together with what proves the basis: tells whether it is the same key still, and not which one. */
  readonly bond: string;
  readonly basis: LoginBasis;
  /** ISO 8601. */
  readonly openedAt: string;
  /** ISO 8601; it ends then at the latest. */
  readonly endsAt: string;
}

/** `displaced`: the caller opened more than it may have. `expired`: it had ended by itself, and made room. */
export type LoginEnd = 'caller' | 'displaced' | 'expired';

export type LoginEvent =
  | Fact<'LoggedIn', OpenLogin>
  | Fact<'LoggedOut', { readonly loginId: string; readonly reason: LoginEnd }>
  /** Was used; in a stream of its own, and told a few times in an idle time-out only. */
  | Fact<'LoginSeen', { readonly at: string }>;

export const LOGIN_EVENT_TYPES = [
  'LoggedIn',
  'LoggedOut',
  'LoginSeen',
] as const satisfies readonly LoginEvent['type'][];

/** Sessions that one caller may have open at once. */
export const MAX_LOGINS = 20;

/** All sessions of one caller. */
export interface CallerLogins {
  /** The oldest first. */
  readonly open: readonly OpenLogin[];
  /** Those that ended last, so that their cookies are not taken for guesses. */
  readonly ended: readonly Pick<OpenLogin, 'loginId' | 'hash'>[];
}

export const callerLogins: Evolution<CallerLogins, LoginEvent> = {
  initial: { open: [], ended: [] },
  evolve: (state, event) => {
    switch (event.type) {
      case 'LoggedIn':
        return { ...state, open: [...state.open, event.data] };
      case 'LoggedOut': {
        const isMeant = ({ loginId }: OpenLogin): boolean => loginId === event.data.loginId;
        const ended = state.open.filter(isMeant).map(({ loginId, hash }) => ({ loginId, hash }));
        return {
          open: state.open.filter((login) => !isMeant(login)),
          ended: [...state.ended, ...ended].slice(-MAX_LOGINS),
        };
      }
      case 'LoginSeen':
        return state;
      default:
        return event satisfies never;
    }
  },
};

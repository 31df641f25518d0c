/** Keeps the sessions of browsers that were asked for lately in memory, as the log has them, so that one that ends anywhere ends here. */
import { type Deps, envelopes } from '../../commands/handle.ts';
import { type Principal, systemPrincipal } from '../domain/access.ts';
import { idOf, type Position, type StoredEvent, streamName } from '../domain/event.ts';
import { decode } from '../domain/history.ts';
import {
  type CallerLogins,
  callerLogins,
  LOGIN_EVENT_TYPES,
  type LoginEvent,
  type OpenLogin,
} from '../domain/login.ts';
import { isoTime, timeOf } from '../domain/time.ts';
import type { Credentials } from '../ports/credentials.ts';
import type { EventPage } from '../ports/event-store.ts';
import type { FoundLogin, Login, Logins, NewLogin } from '../ports/logins.ts';
import { keepFollowing } from './keep-following.ts';

const FILTER = { categories: ['access'], types: [...LOGIN_EVENT_TYPES] } as const;
const COOKIE =
  /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.([0-9a-f]{64})$/;
const SECRET_BYTES = 32;
/** How many times in an idle time-out its use is told to the log, where other nodes and the next start see it. */
const TOLD_PER_IDLE = 5;
/** Callers kept before those without an open session are forgotten. */
const MAX_IDLE_CALLERS = 1_000;
/** Timers of the runtime reach no further; what lasts longer is looked at again then. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** All in milliseconds. */
export interface SessionTimes {
  /** Without a request, a session ends after this. */
  readonly idleMs: number;
  /** However much it is used, it ends after this. */
  readonly maxAgeMs: number;
}

export interface FollowedLoginsDeps extends Deps {
  readonly credentials: Credentials;
  readonly onTrouble: (error: unknown) => void;
}

/** The sessions of one caller, up to a version of their stream. */
interface Known {
  readonly version: number;
  readonly logins: CallerLogins;
}

/** When a session was used last, in milliseconds since the epoch: as this node knows, and as the log does. */
interface Use {
  seenAt: number;
  toldAt: number;
}

/** Somebody who came with a session, and stays. */
interface Watch {
  readonly accountId: string;
  readonly loginId: string;
  readonly onEnd: () => void;
  timer: NodeJS.Timeout | undefined;
}

export class FollowedLogins implements Logins {
  readonly #deps: FollowedLoginsDeps;
  readonly #times: SessionTimes;
  readonly #known = new Map<string, Known>();
  readonly #uses = new Map<string, Use>();
  readonly #cameWith = new WeakMap<Principal, Login>();
  readonly #watches = new Set<Watch>();
  #telling: Promise<void> = Promise.resolve();

  constructor(deps: FollowedLoginsDeps, times: SessionTimes) {
    this.#deps = deps;
    this.#times = times;
  }

  begin(principal: Principal, proof: string): NewLogin {
    const { runtime } = this.#deps;
    const now = runtime.now();
    const secret = runtime.randomHex(SECRET_BYTES);
    const endsAt = Math.min(now + this.#times.maxAgeMs, principal.until ?? Number.POSITIVE_INFINITY);
    const facts = {
      accountId: runtime.uuidOf(`logins\n${principal.id}`),
      loginId: runtime.newId(),
      hash: runtime.sha256(secret),
      bond: this.#bond(secret, proof),
      openedAt: isoTime(now),
      endsAt: isoTime(endsAt),
    };
    return { cookie: `${facts.accountId}.${facts.loginId}.${secret}`, csrfToken: this.#csrfToken(secret), facts };
  }

  async find(cookie: string): Promise<FoundLogin> {
    const { runtime, credentials } = this.#deps;
    const [, accountId, loginId, secret] = COOKIE.exec(cookie) ?? [];
    if (accountId === undefined || loginId === undefined || secret === undefined)
      return { refused: 'the cookie is none of ours', isGuess: true };
    const { open, ended } = await this.#loginsWith(accountId, loginId);
    const hash = runtime.sha256(secret);
    const isMeant = (one: Pick<OpenLogin, 'loginId' | 'hash'>): boolean =>
      one.loginId === loginId && credentials.isSame(one.hash, hash);
    const login = open.find(isMeant);
    if (login === undefined) return { refused: 'the session has ended', isGuess: !ended.some(isMeant) };
    if (this.#endOf(login, await this.#useOf(login)) <= runtime.now())
      return { refused: 'the time of the session is over', isGuess: false };
    const csrfToken = this.#csrfToken(secret);
    return {
      login: {
        accountId,
        loginId,
        basis: login.basis,
        until: timeOf(login.endsAt),
        csrfToken,
        isCsrfToken: (given) => credentials.isSame(given, csrfToken),
        standsOn: (proof) => credentials.isSame(login.bond, this.#bond(secret, proof)),
      },
    };
  }

  async refresh(accountId: string): Promise<void> {
    this.#forget();
    const history = await this.#deps.store.readStream(streamName('access', accountId));
    this.#fold(accountId, history);
  }

  admitted(principal: Principal, login: Login): void {
    this.#cameWith.set(principal, login);
    this.used(principal);
  }

  of(principal: Principal): Login | null {
    return this.#cameWith.get(principal) ?? null;
  }

  used(principal: Principal): void {
    const login = this.#cameWith.get(principal);
    const use = login === undefined ? undefined : this.#uses.get(login.loginId);
    if (login === undefined || use === undefined) return;
    const now = this.#deps.runtime.now();
    use.seenAt = Math.max(use.seenAt, now);
    if (now - use.toldAt < this.#times.idleMs / TOLD_PER_IDLE) return;
    use.toldAt = now;
    this.#telling = this.#telling.then(() => this.#tellUse(login.loginId, principal, now));
  }

  watch(principal: Principal, onEnd: () => void): () => void {
    const login = this.#cameWith.get(principal);
    if (login === undefined) return () => undefined;
    const { accountId, loginId } = login;
    const watch: Watch = { accountId, loginId, onEnd, timer: undefined };
    this.#watches.add(watch);
    this.#check(watch);
    return () => this.#stop(watch);
  }

  /** Takes in what is stored after `from`, until `signal` aborts. */
  follow(from: Position, signal: AbortSignal): Promise<void> {
    const { store, onTrouble } = this.#deps;
    const onPage = ({ events }: EventPage): void => {
      for (const stored of events) this.#take(stored);
    };
    return keepFollowing(store, { from, filter: FILTER, onPage, onTrouble }, signal);
  }

  /** Resolves when everything that was to be stored is. Never rejects. */
  settled(): Promise<void> {
    return this.#telling;
  }

  #take(stored: StoredEvent): void {
    const id = idOf(stored.stream);
    const event = decode<LoginEvent>(stored);
    if (event.type === 'LoginSeen') this.#see(id, timeOf(event.data.at));
    else if (this.#known.has(id)) this.#fold(id, [stored]);
  }

  /** Whoever reads and whoever follows may bring the same events. */
  #fold(accountId: string, history: readonly StoredEvent[]): void {
    const known = this.#known.get(accountId) ?? { version: -1, logins: callerLogins.initial };
    const isOfLogins = ({ type }: StoredEvent): boolean => LOGIN_EVENT_TYPES.some((own) => own === type);
    const fresh = history.filter((stored) => stored.version > known.version && isOfLogins(stored));
    const last = fresh.at(-1);
    if (last === undefined) return;
    const logins = fresh.reduce(
      (state, stored) => callerLogins.evolve(state, decode<LoginEvent>(stored)),
      known.logins,
    );
    this.#known.set(accountId, { version: last.version, logins });
    for (const { loginId } of logins.ended) this.#uses.delete(loginId);
    for (const watch of this.#watches) if (watch.accountId === accountId) this.#check(watch);
  }

  /** What is stored is asked once more for a session that is not known: it may have been opened just now, elsewhere. */
  async #loginsWith(accountId: string, loginId: string): Promise<CallerLogins> {
    const isKnown = [...this.#of(accountId).open, ...this.#of(accountId).ended].some((one) => one.loginId === loginId);
    if (!isKnown) await this.refresh(accountId);
    return this.#of(accountId);
  }

  #of(accountId: string): CallerLogins {
    return this.#known.get(accountId)?.logins ?? callerLogins.initial;
  }

  async #useOf({ loginId, openedAt }: OpenLogin): Promise<Use> {
    const known = this.#uses.get(loginId);
    if (known !== undefined) return known;
    const use = { seenAt: timeOf(openedAt), toldAt: timeOf(openedAt) };
    const history = await this.#deps.store.readStream(streamName('access', loginId));
    const kept = this.#uses.get(loginId) ?? use;
    this.#uses.set(loginId, kept);
    for (const stored of history) this.#take(stored);
    return kept;
  }

  #see(loginId: string, at: number): void {
    const use = this.#uses.get(loginId);
    if (use === undefined) return;
    use.seenAt = Math.max(use.seenAt, at);
    use.toldAt = Math.max(use.toldAt, at);
  }

  #endOf({ openedAt, endsAt }: OpenLogin, use: Use | undefined): number {
    return Math.min(timeOf(endsAt), (use?.seenAt ?? timeOf(openedAt)) + this.#times.idleMs);
  }

  #check(watch: Watch): void {
    clearTimeout(watch.timer);
    const login = this.#of(watch.accountId).open.find(({ loginId }) => loginId === watch.loginId);
    const left = login === undefined ? 0 : this.#endOf(login, this.#uses.get(watch.loginId)) - this.#deps.runtime.now();
    if (left > 0) {
      watch.timer = setTimeout(() => this.#check(watch), Math.min(left, MAX_TIMER_MS)).unref();
      return;
    }
    this.#stop(watch);
    watch.onEnd();
  }

  #stop(watch: Watch): void {
    clearTimeout(watch.timer);
    this.#watches.delete(watch);
  }

  async #tellUse(loginId: string, { id }: Principal, at: number): Promise<void> {
    const { store, runtime, onTrouble } = this.#deps;
    const fact: LoginEvent = { type: 'LoginSeen', data: { at: isoTime(at) } };
    const meta = {
      principal: { ...systemPrincipal('access'), id },
      commandId: runtime.newId(),
      correlationId: loginId,
      causationId: null,
      traceparent: null,
      now: at,
    };
    try {
      await store.append(streamName('access', loginId), 'any', envelopes(runtime, [fact], meta));
    } catch (error) {
      onTrouble(error);
    }
  }

  #forget(): void {
    if (this.#known.size < MAX_IDLE_CALLERS) return;
    const now = this.#deps.runtime.now();
    for (const [accountId, { logins }] of this.#known) {
      if (logins.open.some(({ endsAt }) => timeOf(endsAt) > now)) continue;
      this.#known.delete(accountId);
      for (const { loginId } of logins.open) this.#uses.delete(loginId);
    }
  }

  #bond(secret: string, proof: string): string {
    return this.#deps.runtime.sha256(`bond\n${secret}\n${proof}`);
  }

  #csrfToken(secret: string): string {
    return this.#deps.runtime.sha256(`csrf\n${secret}`);
  }
}

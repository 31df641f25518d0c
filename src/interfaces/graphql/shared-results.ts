/** Equal subscriptions of one caller are carried out once: what one of them is told, all are, made into text once. */
import { type ExecutionResult, GraphQLError } from 'graphql';
import { asRatchetError } from '../../domain/errors.ts';
import type { Position } from '../../domain/event.ts';
import { SocketFrames } from './socket-frames.ts';

type Results = AsyncGenerator<ExecutionResult, void>;

/** A subscription that has been begun. */
export interface Begun {
  readonly results: Results | ExecutionResult;
  /** Whether it tells what happens from now on, and where each result stands; else it is for one listener only. */
  readonly isFromNow: boolean;
  /** Of the event that the last result tells. */
  readonly position: () => Position;
  /** A result as listeners see it. */
  readonly tell: (result: ExecutionResult) => unknown;
}

/** Who is told. */
export interface Listener {
  /** Of the subscription, on its socket. */
  readonly id: string;
  /** Sends frames. Answers false, and sends nothing, when too much waits for the listener already. */
  send(frames: Buffer): boolean;
}

export interface Wanted {
  /** The same for subscriptions that are equal. */
  readonly key: string;
  /** The end of the log now. */
  readonly head: () => Promise<Position>;
  /** Begins it; after a position, for one that goes on alone. */
  readonly begin: (after: Position | null) => Promise<Begun>;
}

export class SharedResults {
  readonly #feeds = new Map<string, Promise<Feed | null>>();

  /**
   * @returns what the listener is to be told beside the frames that are sent to it: nothing while it shares, everything
   * where it can not. One that is too slow for the others goes on alone, from where it was. Fails as `begin` does.
   */
  async join(wanted: Wanted, listener: Listener): Promise<Results | ExecutionResult> {
    const known = this.#feeds.get(wanted.key);
    const feed = known === undefined ? undefined : await known.catch(() => null);
    if (feed !== undefined) return feed?.isOpen === true ? feed.take(wanted, listener) : alone(wanted, null);
    const beginning = wanted.begin(null);
    const opening = beginning.then((begun) => this.#opened(wanted.key, begun));
    this.#feeds.set(wanted.key, opening);
    const opened = await opening.catch((error: unknown) => {
      this.#feeds.delete(wanted.key);
      throw error;
    });
    if (opened !== null) return opened.take(wanted, listener);
    this.#feeds.delete(wanted.key);
    return (await beginning).results;
  }

  #opened(key: string, begun: Begun): Feed | null {
    const { results, isFromNow } = begun;
    if (!(Symbol.asyncIterator in results) || !isFromNow) return null;
    const feed = new Feed(begun, results, () => this.#feeds.delete(key));
    void feed.run();
    return feed;
  }
}

async function alone({ begin }: Wanted, after: Position | null): Promise<Results | ExecutionResult> {
  return (await begin(after)).results;
}

interface Told {
  readonly text: string;
  readonly position: Position;
}

/** Why a listener is told nothing more with the others. */
type End =
  | { readonly kind: 'over' }
  | { readonly kind: 'behind'; readonly after: Position }
  | { readonly kind: 'failed'; readonly result: ExecutionResult };

interface Member {
  readonly listener: Listener;
  /** Nothing up to here is for it. Null: not known yet, and meanwhile kept. */
  after: Position | null;
  kept: Told[];
  readonly end: (end: End) => void;
}

/** One subscription with all who listen to it. */
class Feed {
  readonly #begun: Begun;
  readonly #results: Results;
  readonly #onClosed: () => void;
  readonly #members = new Set<Member>();
  #waiting: Told[] = [];
  isOpen = true;

  constructor(begun: Begun, results: Results, onClosed: () => void) {
    this.#begun = begun;
    this.#results = results;
    this.#onClosed = onClosed;
  }

  /** Reads to the end, and tells everybody. */
  async run(): Promise<void> {
    let end: End = { kind: 'over' };
    try {
      for await (const result of this.#results) {
        if (result.data === undefined) end = { kind: 'failed', result };
        else this.#gather({ text: JSON.stringify(this.#begun.tell(result)), position: this.#begun.position() });
      }
    } catch (error) {
      end = failed(error);
    }
    this.#flush();
    for (const member of this.#members) member.end(end);
    this.#members.clear();
    this.#close();
  }

  /** Lets a listener listen from now on. */
  take(wanted: Wanted, listener: Listener): Results {
    const { promise, resolve } = Promise.withResolvers<End>();
    const member: Member = { listener, after: null, kept: [], end: resolve };
    this.#members.add(member);
    wanted.head().then(
      (head) => this.#release(member, head),
      (error: unknown) => resolve(failed(error)),
    );
    let own: Results | null = null;
    const results = (async function* (): Results {
      const end = await promise;
      if (end.kind === 'failed') yield end.result;
      if (end.kind !== 'behind') return;
      const begun = await alone(wanted, end.after);
      if (!(Symbol.asyncIterator in begun)) return yield begun;
      own = begun;
      yield* begun;
    })();
    return leaving(results, async () => {
      this.#drop(member, { kind: 'over' });
      await own?.return();
    });
  }

  #gather(told: Told): void {
    if (this.#waiting.length === 0) setImmediate(() => this.#flush());
    this.#waiting.push(told);
  }

  /** Tells all members what has come in this turn of the loop. */
  #flush(): void {
    const told = this.#waiting;
    const [first] = told;
    if (first === undefined) return;
    this.#waiting = [];
    const frames = new SocketFrames(told.map(({ text }) => text));
    for (const member of this.#members) {
      if (member.after === null) member.kept.push(...told);
      else if (member.after < first.position) this.#send(member, member.after, told, frames);
      else this.#sendNews(member, member.after, told);
    }
  }

  /** What was there before it came is not for it. */
  #release(member: Member, head: Position): void {
    const { kept } = member;
    member.after = head;
    member.kept = [];
    if (this.#members.has(member)) this.#sendNews(member, head, kept);
  }

  #sendNews(member: Member, after: Position, told: readonly Told[]): void {
    const news = told.filter(({ position }) => position > after);
    if (news.length > 0) this.#send(member, after, news, new SocketFrames(news.map(({ text }) => text)));
  }

  #send(member: Member, after: Position, told: readonly Told[], frames: SocketFrames): void {
    const { listener } = member;
    if (listener.send(frames.for(listener.id))) member.after = told.at(-1)?.position ?? after;
    else this.#drop(member, { kind: 'behind', after });
  }

  #drop(member: Member, end: End): void {
    member.end(end);
    if (this.#members.delete(member) && this.#members.size === 0) this.#close();
  }

  #close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#onClosed();
    void this.#results.return();
  }
}

function failed(error: unknown): End {
  const originalError = asRatchetError(error);
  return { kind: 'failed', result: { errors: [new GraphQLError(originalError.message, { originalError })] } };
}

/** Who ends it early need not wait for the next result. */
function leaving(results: Results, leave: () => Promise<void>): Results {
  return {
    next: () => results.next(),
    return: async (value) => {
      await leave();
      return results.return(value);
    },
    throw: async (error) => {
      await leave();
      return results.throw(error);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
    [Symbol.asyncDispose]: async () => {
      await leave();
      await results.return();
    },
  };
}

/** Debug sessions: each a replay that somebody leads through the protocol; few, owned, and never without end. */
import type { Principal } from '../domain/access.ts';
import type {
  Breakpoint,
  Debugging,
  DebugSessionInfo,
  DebugSessionView,
  ProtocolMessage,
} from '../domain/debugging.ts';
import { asRatchetError, RatchetError } from '../domain/errors.ts';
import type { JsonObject } from '../domain/event.ts';
import type { DebugSandbox } from '../ports/debug-sandbox.ts';
import { DebugSession } from './debug-session.ts';
import { type RecordReplayDeps, recordReplay } from './record-replay.ts';
import { type RecordedRun, type RecordedRunDeps, recordedRun } from './recorded-run.ts';

export interface DebugSessionsDeps extends RecordedRunDeps, RecordReplayDeps {
  readonly debugSandbox: DebugSandbox;
  /** Sessions at once. */
  readonly maxDebugSessions: number;
}

const MAX_OF_ONE = 2;

type Request = Parameters<Debugging['open']>[0];

export class DebugSessions {
  readonly #deps: DebugSessionsDeps;
  readonly #open = new Map<string, DebugSession>();
  readonly #over = new Set<Promise<unknown>>();
  /** Being opened, by principal. */
  #opening: string[] = [];

  constructor(deps: DebugSessionsDeps) {
    this.#deps = deps;
  }

  /** Opens a session that stands before the first line of `main`, or at its first breakpoint of a step. */
  async open(request: Request, by: Principal): Promise<DebugSessionInfo> {
    this.#checkRoom(by);
    this.#opening.push(by.id);
    try {
      const recorded = await recordedRun(this.#deps, request.executionId, request.attempt);
      const session = await this.#record(recorded, request.breakpoints, by);
      await session.settled(FIRST_STOP_MS);
      return session.info();
    } finally {
      this.#opening = this.#opening.toSpliced(this.#opening.indexOf(by.id), 1);
    }
  }

  sessions(by: Principal): readonly DebugSessionInfo[] {
    return [...this.#open.values()].filter((session) => isFor(session, by)).map((session) => session.info());
  }

  async close(sessionId: string, by: Principal): Promise<void> {
    await this.#find(sessionId, by).close();
  }

  command(sessionId: string, method: string, params: JsonObject, by: Principal): Promise<JsonObject> {
    return this.#find(sessionId, by).command(method, params);
  }

  settled(sessionId: string, ms: number, by: Principal): Promise<DebugSessionView> {
    return this.#find(sessionId, by).settled(ms);
  }

  listen(sessionId: string, listener: (message: ProtocolMessage) => void, by: Principal): () => void {
    return this.#find(sessionId, by).listen(listener);
  }

  /** Ends all sessions; resolves when that is recorded. */
  async closeAll(): Promise<void> {
    await Promise.all([...this.#open.values()].map((session) => session.close()));
    await Promise.allSettled(this.#over);
  }

  #checkRoom(by: Principal): void {
    const open = [...this.#open.values()].map((session) => session.principal);
    const all = [...open, ...this.#opening];
    const own = all.filter((principal) => principal === by.id).length;
    const limit = own >= MAX_OF_ONE ? MAX_OF_ONE : this.#deps.maxDebugSessions;
    if (own < MAX_OF_ONE && all.length < this.#deps.maxDebugSessions) return;
    const whose = own >= MAX_OF_ONE ? 'you have' : 'there are';
    throw new RatchetError('debug_session_limit', `${whose} ${limit} debug sessions open already`, {
      details: { limit, retryAfterSeconds: 60 },
    });
  }

  /** The session's whole life lies between the two facts of its replay. */
  async #record(recorded: RecordedRun, breakpoints: readonly Breakpoint[], by: Principal): Promise<DebugSession> {
    const opened = Promise.withResolvers<DebugSession>();
    const { id, name, version } = recorded.state.request.task;
    const start = {
      mode: 'debug' as const,
      executionId: recorded.executionId,
      attempt: recorded.start.attempt,
      task: { id, name, version },
      code: null,
      input: null,
      stubs: 0,
      allowLive: false,
    };
    const life = async (replayId: string): Promise<DebugSession> => {
      const sessionId = this.#deps.runtime.newId();
      const session = new DebugSession(this.#deps, { sessionId, replayId, principal: by.id, recorded }, breakpoints);
      this.#open.set(sessionId, session);
      opened.resolve(session);
      await session.over.finally(() => this.#open.delete(sessionId));
      return session;
    };
    const recording = recordReplay(this.#deps, start, by, life, (session) => ({
      verdict: 'ended',
      told: { commands: session.commands, runs: session.runs },
    }));
    this.#over.add(recording);
    recording
      .catch((error: unknown) => opened.reject(asRatchetError(error)))
      .finally(() => this.#over.delete(recording));
    return opened.promise;
  }

  #find(sessionId: string, by: Principal): DebugSession {
    const session = this.#open.get(sessionId);
    if (session !== undefined && isFor(session, by)) return session;
    throw new RatchetError('debug_session_not_found', `there is no debug session ${sessionId.slice(0, 64)}`);
  }
}

/** How long an opened session is waited for until it stands. */
const FIRST_STOP_MS = 10_000;

function isFor(session: DebugSession, by: Principal): boolean {
  return session.principal === by.id || by.permissions.has('administer');
}

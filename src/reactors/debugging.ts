/** The debugger as interfaces ask for it: sessions and one-shot runs on replays, bounded in number and time. */
import type { Debugging } from '../domain/debugging.ts';
import { type DebugOnceDeps, debugOnce } from './debug-once.ts';
import { DebugSessions, type DebugSessionsDeps } from './debug-sessions.ts';

export type DebuggingDeps = DebugSessionsDeps & DebugOnceDeps;

export interface OpenDebugging extends Debugging {
  /** Ends all sessions; resolves when that is recorded. */
  closeAll(): Promise<void>;
}

export function debuggingOf(deps: DebuggingDeps): OpenDebugging {
  const sessions = new DebugSessions(deps);
  return {
    once: (request, by) => debugOnce(deps, request, by),
    open: (request, by) => sessions.open(request, by),
    sessions: (by) => sessions.sessions(by),
    close: (sessionId, by) => sessions.close(sessionId, by),
    command: (sessionId, method, params, by) => sessions.command(sessionId, method, params, by),
    settled: (sessionId, ms, by) => sessions.settled(sessionId, ms, by),
    listen: (sessionId, listener, by) => sessions.listen(sessionId, listener, by),
    closeAll: () => sessions.closeAll(),
  };
}

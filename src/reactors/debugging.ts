/** The debugger as interfaces ask for it: sessions and one-shot runs on replays, bounded in number and time. */
import type { Debugging } from '../domain/debugging.ts';
import { RatchetError } from '../domain/errors.ts';
import type { DebugSandbox } from '../ports/debug-sandbox.ts';
import type { RecordReplayDeps } from './record-replay.ts';
import type { RecordedRunDeps } from './recorded-run.ts';

export interface DebuggingDeps extends RecordedRunDeps, RecordReplayDeps {
  readonly debugSandbox: DebugSandbox;
}

export function debuggingOf(_deps: DebuggingDeps): Debugging {
  const notBuilt = () => new RatchetError('unsupported', 'debugging can not be done yet');
  return {
    once: () => Promise.reject(notBuilt()),
    open: () => Promise.reject(notBuilt()),
    sessions: () => [],
    close: () => Promise.reject(notBuilt()),
    command: () => Promise.reject(notBuilt()),
    listen: () => {
      throw notBuilt();
    },
  };
}

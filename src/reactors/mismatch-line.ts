/** Finds the line of a call that the journal does not expect, by letting the code run up to it once more and tell where it is. */
import { isRatchetError, type RatchetError } from '../domain/errors.ts';
import type { Telemetry } from '../domain/journal.ts';
import type { Blobs } from '../ports/blobs.ts';
import type { Delivery, Sandbox, SandboxSession, Turn } from '../ports/sandbox.ts';
import type { RecordedRun } from './recorded-run.ts';
import { inReplaySession } from './replay-session.ts';

interface PlaceDeps {
  readonly sandbox: Sandbox;
  readonly blobs: Blobs;
}

/** Where a call stands in the task's code. */
export interface CallPlace {
  /** From 1. */
  readonly line: number;
  readonly lineText: string;
}

/** Starts the log line by which a call tells its stack. */
const MARK = 'ratchet-call-at ';
const MAX_LINE = 500;

/**
 * Stands before the code, on its first line, so that every line keeps its number. It asks for nothing: the calls that it wraps
 * are the same, in the same order.
 */
const SHIM =
  `(() => { const { console, Error } = globalThis; const log = console.log.bind(console); const wrap = (owner, name) => {
const inner = owner[name]; if (typeof inner !== 'function') return;
owner[name] = function (...given) { log('${MARK}' + new Error().stack); return inner.apply(this, given); }; };
for (const name of ['fetch', 'sleep', 'runTask', 'readFile', 'hmac', 'ask']) wrap(globalThis, name);
wrap(globalThis.mcp, 'call'); wrap(globalThis.llm, 'complete'); })();`.replaceAll('\n', ' ');

/** @returns a session that does as `session` and remembers what was delivered into it. */
export function remembering(session: SandboxSession, deliveries: Delivery[]): SandboxSession {
  return {
    start: (start, onTelemetry) => session.start(start, onTelemetry),
    deliver: (delivery) => {
      deliveries.push(delivery);
      return session.deliver(delivery);
    },
    kill: (error) => session.kill(error),
    release: () => session.release(),
  };
}

/**
 * @param deliveries all that the run was given before it went another way
 * @returns the place of the actual call that a `replay_mismatch` names; null where it names none, or it can not be known.
 */
export async function placeOfMismatch(
  deps: PlaceDeps,
  run: RecordedRun,
  mismatch: RatchetError,
  deliveries: readonly Delivery[],
): Promise<CallPlace | null> {
  const path = /^(?:waiting for )?step (\S+) /.exec(String(mismatch.details['actual']))?.[1];
  if (path === undefined) return null;
  try {
    const code = String(await deps.blobs.get(run.version.code));
    const prepared = deps.sandbox.prepare(`${SHIM}${code}`, run.version.file);
    const line = await lineOfCall(deps, { ...run, taskStart: { ...run.taskStart, code: prepared } }, path, deliveries);
    const text = line === null ? undefined : code.split('\n')[line - 1];
    return line === null || text === undefined ? null : { line, lineText: text.trim().slice(0, MAX_LINE) };
  } catch (error) {
    // The mismatch is what is told; without a place, where the code can not be led there once more.
    if (!isRatchetError(error)) throw error;
    return null;
  }
}

function lineOfCall(
  deps: PlaceDeps,
  run: RecordedRun,
  path: string,
  deliveries: readonly Delivery[],
): Promise<number | null> {
  const bounds = { limits: run.limits, timeoutMs: run.state.request.options.timeoutMs, what: 'the replay' };
  return inReplaySession(deps.sandbox, bounds, async (session) => {
    let stacks: string[] = [];
    const listen = (records: readonly Telemetry[]): void => {
      for (const record of records) {
        if (record.kind === 'log' && record.message.startsWith(MARK)) stacks.push(record.message.slice(MARK.length));
      }
    };
    const found = (turn: Turn): string | undefined => {
      // A call that was refused before it was made has told its stack too: then nobody knows which is whose.
      const place = turn.calls.length === stacks.length ? turn.calls.findIndex((call) => call.path === path) : -1;
      const stack = stacks[place];
      stacks = [];
      return stack;
    };
    let stack = found(await session.start(run.taskStart, listen));
    for (const delivery of deliveries) {
      if (stack !== undefined) break;
      stack = found(await session.deliver(delivery));
    }
    return stack === undefined ? null : callerLine(stack, run.version.file);
  });
}

/** The first frame of the task's file is the shim's own. */
function callerLine(stack: string, file: string): number | null {
  const frames = stack.split('\n').filter((line) => line.includes(`${file}:`));
  const [, line] = /:(\d+):\d+\)?$/.exec(frames[1] ?? '') ?? [];
  return line === undefined ? null : Number(line);
}

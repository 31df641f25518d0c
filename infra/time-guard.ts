/** Bounds the time of synchronous work that follows what others wrote, such as patterns that backtrack without end. */
import { createContext, Script } from 'node:vm';
import { type ErrorCode, RatchetError } from '../src/domain/errors.ts';

export type TimeGuard = <Result>(what: string, work: () => Result) => Result;

/**
 * Runs synchronous work and stops it after `timeoutMs`; it then fails with `code`, as it does for work that is nested too deeply.
 *
 * Measured with `^(a+)+$` on 32 letters: the engine's switch that falls back to linear matching answers in 1 ms for a plain
 * pattern, but not at all for the flags `u` (which JSON Schema needs) and `i`, nor for back-references. The time limit of a
 * script stops all of them; it costs 0.12 ms a call, so only schemas that can be slow pay it.
 */
export function timeGuard(timeoutMs: number, code: ErrorCode): TimeGuard {
  const context = createContext(Object.create(null));
  const script = new Script('work()');
  return (what, work) => {
    let outcome: { value: ReturnType<typeof work> } | undefined;
    context['work'] = () => {
      outcome = { value: work() };
    };
    try {
      script.runInContext(context, { timeout: timeoutMs });
    } catch (error) {
      if (error instanceof RangeError) throw new RatchetError(code, `${what}: nested too deeply`, { cause: error });
      if (!isTimeout(error)) throw error;
      throw new RatchetError(code, `${what} takes longer than ${timeoutMs} ms; simplify its patterns`, {
        details: { limit: timeoutMs },
      });
    } finally {
      context['work'] = undefined;
    }
    if (outcome === undefined) throw new RatchetError('internal', 'a guarded computation gave no result');
    return outcome.value;
  };
}

/** The error comes from the other context, so it is no instance of this one's `Error`. */
function isTimeout(error: unknown): boolean {
  return (
    typeof error === 'object' && error !== null && 'code' in error && error.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT'
  );
}

/** Patterns of tests beside tasks, which their authors write: checked, and stopped when they take too long. */
import { RatchetError } from '../src/domain/errors.ts';
import type { PatternCheck } from '../src/ports/pattern-check.ts';
import { timeGuard } from './time-guard.ts';

/** @param timeoutMs for one check; 1,000 when left out */
export function openPatternCheck(timeoutMs = 1_000): PatternCheck {
  const within = timeGuard(timeoutMs, 'invalid_task');
  return {
    matches: (pattern, text) => {
      const compiled = compile(pattern);
      return within('the pattern', () => compiled.test(text));
    },
  };
}

function compile(pattern: string): RegExp {
  try {
    return new RegExp(pattern);
  } catch (cause) {
    throw new RatchetError('invalid_task', cause instanceof Error ? cause.message : 'the pattern is not valid', {
      cause,
    });
  }
}

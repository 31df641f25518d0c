/** Exit codes and first words of errors, so that scripts and people can tell what kind of trouble it is. */
import { asRatchetError, ERRORS, RatchetError } from '../domain/errors.ts';

/** 0 done, 1 the task (or a check) failed, 2 wrong use, 3 the environment is not as it must be. */
export type ExitCode = 0 | 1 | 2 | 3;

/** Wrong use of the command line. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** What to print, and the code to exit with, for an error that ended a command. */
export function explainExit(error: unknown): { readonly text: string; readonly code: ExitCode } {
  if (error instanceof UsageError) return { text: error.message, code: 2 };
  if (error instanceof Error && error.name === 'ConfigError') return { text: error.message, code: 2 };
  const ours = error instanceof RatchetError ? error : fromSystem(error);
  const rule = ERRORS[ours.code];
  const reason = ours.cause instanceof Error && ours.code !== 'internal' ? ours.cause.message : '';
  const cause = ours.message.includes(reason) ? '' : ` (${reason})`;
  const detail =
    ours.code === 'internal' && ours.cause instanceof Error ? `: ${ours.cause.stack ?? ours.cause.message}` : '';
  const code = rule.fault === 'caller' ? 2 : rule.fault === 'task' ? 1 : 3;
  return { text: `${ours.message}${cause}${detail}\n${rule.remedy}`, code };
}

/** The words that the documents promise for trouble at start. */
function fromSystem(error: unknown): RatchetError {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const message = error instanceof Error ? error.message : String(error);
  if (code === 'EADDRINUSE') {
    return new RatchetError(
      'unsupported',
      `Port already in use: ${message.replace(/^.*EADDRINUSE: /, '')}. Stop the other program, or choose another port with --port`,
    );
  }
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
    return new RatchetError(
      'unsupported',
      `the address can not be bound: ${message}. Choose one of this machine with --host`,
    );
  }
  if (code === 'EACCES' || code === 'EPERM') return new RatchetError('unsupported', `Permission denied: ${message}`);
  return asRatchetError(error);
}

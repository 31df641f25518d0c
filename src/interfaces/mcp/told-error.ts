/** Errors of executions, marked as what they are: text that a task or a server it called has written. */
import { z } from 'zod';

const known = z.looseObject({}).nullable();

/** @returns the error with its provenance; null when there is none. */
export function toldError(error: unknown): object | null {
  const told = known.parse(error ?? null);
  return told === null ? null : { ...told, provenance: 'task' };
}

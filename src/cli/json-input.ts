/** The input of a task as the command line gives it: written there, in a file, or on standard input. */
import { readFileSync } from 'node:fs';
import type { Json } from '../domain/event.ts';
import { UsageError } from './exit.ts';

export interface InputOptions {
  readonly inputJson?: string | undefined;
  /** `-` for standard input. */
  readonly inputFile?: string | undefined;
}

/** @returns the input, `{}` where none is given. Fails with a {@link UsageError} for two of them, no file, or no JSON. */
export function jsonInput({ inputJson, inputFile }: InputOptions): Json {
  if (inputJson !== undefined && inputFile !== undefined)
    throw new UsageError('give --input-json or --input-file, not both');
  const text = inputFile === undefined ? (inputJson ?? '{}') : readInput(inputFile);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new UsageError(`the input is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
}

function readInput(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (cause) {
    const isMissing = cause instanceof Error && 'code' in cause && (cause.code === 'ENOENT' || cause.code === 'EISDIR');
    if (isMissing) throw new UsageError(`there is no file ${file}`);
    throw cause;
  }
}

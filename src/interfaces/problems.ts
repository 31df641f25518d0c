/** Tells what is wrong with an input, field by field: what was expected there, and what came. */
import type { z } from 'zod';
import { isRatchetError, RatchetError } from '../domain/errors.ts';
import type { Position } from '../domain/event.ts';
import type { EventStore } from '../ports/event-store.ts';

interface Problem {
  readonly field: string;
  readonly message: string;
}

const MOST = 20;

/** @returns the error for issues that were found with `reportInput`. */
export function invalidRequest(issues: readonly z.core.$ZodIssue[]): RatchetError {
  const problems = issues.flatMap(problemsOf).slice(0, MOST);
  const first = problems[0];
  return new RatchetError('invalid_request', `${first?.field}: ${first?.message}`, { details: { problems } });
}

function problemsOf(issue: z.core.$ZodIssue): readonly Problem[] {
  const fieldOf = (path: readonly PropertyKey[]): string => path.map(String).join('.') || '(body)';
  if (issue.code !== 'unrecognized_keys') return [{ field: fieldOf(issue.path), message: messageOf(issue) }];
  return issue.keys.map((key) => ({ field: fieldOf([...issue.path, key]), message: 'there is no such field' }));
}

function messageOf(issue: z.core.$ZodIssue): string {
  const { message, input } = issue;
  if (issue.code === 'invalid_union') {
    const expected = new Set(issue.errors.flatMap((ways) => ways.flatMap(expectedIn)));
    return expected.size === 0 ? message : `${message}: expected ${[...expected].join(' or ')}; ${cameOf(input)}`;
  }
  if (issue.code === 'custom' || message.includes('received')) return message;
  return `${message}; ${cameOf(input)}`;
}

function expectedIn(issue: z.core.$ZodIssue): readonly string[] {
  if (issue.code === 'invalid_type') return [issue.expected];
  if (issue.code === 'invalid_value')
    return [`one of ${issue.values.map((value) => JSON.stringify(value)).join(', ')}`];
  return [];
}

/** Text itself is not told: it may be one that nobody else should read. */
function cameOf(input: unknown): string {
  if (typeof input === 'string') return `text of ${input.length} characters came`;
  if (Array.isArray(input)) return `a list of ${input.length} came`;
  if (typeof input === 'object' && input !== null) return 'an object came';
  return `${String(input)} came`;
}

/** Fails with `invalid_request` naming `field` for text that is no position of the log, and as the log does. */
export async function assertPosition(
  store: Pick<EventStore, 'readAll'>,
  position: Position,
  field: string,
): Promise<void> {
  try {
    await store.readAll(position, {}, 1);
  } catch (error) {
    throw positionProblem(error, position, field);
  }
}

/** @returns an error about a position with the name of the field of `input` that it came from; others as they are. */
export function namingField(error: unknown, input: unknown): unknown {
  if (!isRatchetError(error) || typeof input !== 'object' || input === null) return error;
  const { position } = error.details;
  const field = Object.entries(input).find(([, value]) => value === position)?.[0];
  return typeof position === 'string' && field !== undefined ? positionProblem(error, position, field) : error;
}

function positionProblem(error: unknown, position: Position, field: string): unknown {
  if (!isRatchetError(error, 'invalid_request')) return error;
  const message = `expected a position that an answer told; ${cameOf(position)}`;
  const details = { ...error.details, problems: [{ field, message }] };
  return new RatchetError('invalid_request', `${field}: ${message}`, { details, cause: error });
}

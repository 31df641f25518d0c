/** Fields that run an operation: arguments in, its answer out, errors in the names that the caller used. */
import { Document } from '../../domain/document.ts';
import { isRatchetError, RatchetError } from '../../domain/errors.ts';
import type { Operation } from '../operation.ts';
import { OPERATIONS } from '../operations.ts';
import { type Connection, connectionOf } from './connections.ts';
import type { GraphqlContext } from './context.ts';
import { camelCase } from './names.ts';
import { type OperationField, type Output, queryFieldOf } from './operation-fields.ts';
import type { Entries } from './resolver.ts';
import { record, records, textOf } from './values.ts';

/**
 * @param input as the operation takes it
 * @returns what a field answers. Fails as the operation does.
 */
export async function answerOf(
  operation: Operation,
  { output, fixed, renamed }: OperationField,
  input: Entries,
  context: GraphqlContext,
  keySuffix: string | null = null,
): Promise<unknown> {
  const given = { ...input, ...fixed };
  const answer = await context.run(operation, given, keySuffix).catch((error: unknown) => {
    throw inTermsOfCaller(error, renamed);
  });
  return shaped(answer, output, given);
}

/** @returns what the query field of a known operation answers. Fails as the operation does. */
export function ask(name: string, input: Entries, context: GraphqlContext): Promise<unknown> {
  const operation = OPERATIONS.find((candidate) => candidate.name === name);
  const field = operation === undefined ? null : queryFieldOf(operation);
  if (operation === undefined || field === null) throw new Error(`there is no operation ${name} to read with`);
  const given = Object.entries(input).filter(([, value]) => value !== undefined && value !== null);
  return answerOf(operation, field, Object.fromEntries(given), context);
}

function shaped(answer: unknown, output: Output, input: Entries): unknown {
  switch (output.kind) {
    case 'json':
      return answer instanceof Document ? { media_type: answer.mediaType, body: answer.body } : answer;
    case 'object':
      return answer;
    case 'list':
      return records(record(answer)[output.rows]);
    case 'connection':
      return pageOf(record(answer), output, input);
    default:
      return output satisfies never;
  }
}

/** Lists go on after a cursor; events go on after a position, which may lie behind the last one that was told. */
function pageOf(
  answer: Entries,
  { rows, cursorOf }: Extract<Output, { kind: 'connection' }>,
  input: Entries,
): Connection<Entries> & { readonly summary: string | null } {
  const position = textOf(answer['position']);
  const next = textOf(answer['next_cursor']);
  const { edges, pageInfo } = connectionOf(records(answer[rows]), (row) => cursorOf(row, input), {
    hasMore: position === null ? next !== null : answer['at_head'] !== true,
    isAfter: 'cursor' in input || 'after' in input,
  });
  const endCursor = position ?? next ?? pageInfo.endCursor;
  return { edges, summary: textOf(answer['summary']), pageInfo: { ...pageInfo, endCursor } };
}

/** Which field is wrong is told by the name that the caller knows it by. */
function inTermsOfCaller(error: unknown, renamed: OperationField['renamed']): unknown {
  if (!isRatchetError(error, 'invalid_request')) return error;
  const problems = records(error.details['problems']).map(({ field, message }) => {
    const path = String(field).split('.');
    return { field: path.map((part) => renamed[part] ?? camelCase(part)).join('.'), message: String(message) };
  });
  const [first] = problems;
  if (first === undefined) return error;
  const details = { ...error.details, problems };
  return new RatchetError('invalid_request', `${first.field}: ${first.message}`, { details, cause: error });
}

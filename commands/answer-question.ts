/** Takes the answer to a question that a task asked: the question found, the answer checked against its schema, then stored. */
import { RatchetError } from '../src/domain/errors.ts';
import { type Json, type JsonObject, streamName } from '../src/domain/event.ts';
import { type ExecutionState, execution, openQuestions } from '../src/domain/execution.ts';
import { fold } from '../src/domain/history.ts';
import type { Blobs } from '../src/ports/blobs.ts';
import type { SchemaCheck } from '../src/ports/schema-check.ts';
import type { CommandMeta } from './command.ts';
import { answerQuestion, known } from './execution.ts';
import { type Deps, type Handled, handle } from './handle.ts';

export interface AnswerDeps extends Deps {
  readonly blobs: Blobs;
  readonly schemas: SchemaCheck;
}

export interface Answer {
  readonly executionId: string;
  /** Path of the question's step; null where only one is open. */
  readonly path: string | null;
  readonly answer: Json;
}

/**
 * The execution goes on soon after. Fails with `permission_denied`, `execution_not_found`, `no_open_question`, or
 * `invalid_answer` (details: path in the answer).
 */
export async function giveAnswer(
  deps: AnswerDeps,
  { executionId, path, answer }: Answer,
  meta: CommandMeta,
): Promise<Handled<ExecutionState>> {
  const history = await deps.store.readStream(streamName('execution', executionId));
  const state = known(fold(execution, history), executionId);
  const asked = openQuestions(state).filter((question) => path === null || question.path === path);
  // None, or several: the decision says so, unless this very answer was given before.
  const [question] = asked;
  const isOne = asked.length === 1 && question !== undefined;
  if (isOne) check(deps, await deps.blobs.get(question.request), answer);
  // The question that was meant and checked, whatever else happens meanwhile.
  const meant = isOne ? question.path : path;
  return handle(deps, answerQuestion, { executionId, path: meant, answer: await deps.blobs.put(answer) }, meta);
}

function check(deps: AnswerDeps, request: Json, answer: Json): void {
  const schema = request === null || typeof request !== 'object' ? true : ((request as JsonObject)['schema'] ?? true);
  const problem = deps.schemas.compile(schema).check(answer)[0];
  if (problem === undefined) return;
  throw new RatchetError('invalid_answer', `answer${problem.path}: ${problem.message}`, {
    details: { path: problem.path },
  });
}

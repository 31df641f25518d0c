/** Takes an execution for this node: by one append at the version that was read, so that of all who try one wins. */
import { startAttempt } from '../../commands/execution.ts';
import { type Deps, envelopes } from '../../commands/handle.ts';
import { workerPrincipal } from '../domain/access.ts';
import { RatchetError } from '../domain/errors.ts';
import { type StoredEvent, streamName } from '../domain/event.ts';
import { type ExistingExecution, execution, isFinished } from '../domain/execution.ts';
import { fold } from '../domain/history.ts';
import { type AttemptBirth, nextStart } from '../domain/next-attempt.ts';
import type { TaskVersion } from '../domain/task.ts';
import { timeOf } from '../domain/time.ts';
import type { EventStore } from '../ports/event-store.ts';
import type { TaskDirectory } from '../ports/task-directory.ts';
import type { Sessions } from '../ports/worker-sessions.ts';
import type { Completions } from './completions.ts';
import type { Claimed } from './live-attempt.ts';

/** An own claim that runs nowhere is taken up again after this long: no append takes longer to answer. */
const LOST_ANSWER_MS = 30_000;

export interface ClaimDeps extends Deps {
  readonly sessions: Sessions;
  readonly directory: TaskDirectory;
  readonly completions: Completions;
}

/** An execution that has not ended, as it is stored, and who asked for it. */
export interface Unfinished {
  readonly history: readonly StoredEvent[];
  readonly state: ExistingExecution;
  readonly client: string;
}

/** Whoever claims. */
export interface Claimant {
  /** Version of Node, recorded with each attempt. */
  readonly node: string;
  /** Whether an attempt broke off here without a recorded end. */
  readonly hasBrokenOff: boolean;
}

/** @returns null when it has ended. */
export async function readUnfinished(store: EventStore, executionId: string): Promise<Unfinished | null> {
  const history = await store.readStream(streamName('execution', executionId));
  const state = fold(execution, history);
  if (state.status === 'none' || isFinished(state.status)) return null;
  return { history, state, client: history[0]?.principal ?? '' };
}

/** What an attempt that begins now is born with. */
export function birth({ runtime, sessions }: Pick<ClaimDeps, 'runtime' | 'sessions'>, node: string): AttemptBirth {
  return { worker: sessions.own, node, clock: runtime.now(), seed: runtime.randomHex(32) };
}

/**
 * @returns null where it runs elsewhere, or where the claim has ended it.
 * Fails with `version_conflict` when something has come in between, `task_not_found`, or an error of the store.
 */
export async function claim(
  deps: ClaimDeps,
  { history, state }: Unfinished,
  claimant: Claimant,
): Promise<Omit<Claimed, 'crashes'> | null> {
  const { store, runtime, sessions, completions } = deps;
  const { executionId, parent } = state.request;
  const takeOverFrom = state.status === 'running' ? (state.attempts.at(-1)?.worker ?? null) : null;
  const startedAt = timeOf(history.findLast((event) => event.type === 'ExecutionStarted')?.occurredAt ?? '');
  if (takeOverFrom !== null && !(await mayTakeOver(deps, claimant, takeOverFrom, startedAt))) return null;
  const version = await versionOf(deps, state);
  const start = nextStart(state, birth(deps, claimant.node));
  const meta = {
    principal: workerPrincipal(sessions.own),
    commandId: `claim:${executionId}:${start.attempt}:${sessions.own}`,
    correlationId: parent?.executionId ?? executionId,
    causationId: executionId,
    traceparent: null,
    now: runtime.now(),
  };
  const facts = startAttempt.decide(state, { executionId, start, takeOverFrom }, meta);
  const expected = history.at(-1)?.version ?? 'no-stream';
  const stream = streamName('execution', executionId);
  const appended = await store.append(stream, expected, envelopes(runtime, facts, meta));
  const after = facts.reduce(execution.evolve, state);
  if (after.status === 'none') return null;
  if (after.end !== null) {
    completions.settle(executionId, { event: after.end, position: appended.position });
    return null;
  }
  return { request: state.request, version, start, state: after, streamVersion: appended.version };
}

/** From a session that is gone; and from our own, when the attempt broke off, or was claimed by an append whose answer got lost. */
async function mayTakeOver(
  { sessions, runtime }: ClaimDeps,
  { hasBrokenOff }: Claimant,
  worker: string,
  startedAt: number,
): Promise<boolean> {
  if (worker !== sessions.own) return await sessions.isGone(worker);
  return hasBrokenOff || runtime.now() - startedAt > LOST_ANSWER_MS;
}

/** A version that another process has just published may not have come here yet. */
async function versionOf({ directory, store }: ClaimDeps, { request }: ExistingExecution): Promise<TaskVersion> {
  const { id, name, version } = request.task;
  const find = () => directory.find(id)?.versions.find((candidate) => candidate.version === version);
  const known = find();
  if (known !== undefined) return known;
  await directory.reach(await store.head());
  const found = find();
  if (found !== undefined) return found;
  throw new RatchetError('task_not_found', `version ${version} of ${name} is gone`, {
    details: { task: name, version },
  });
}

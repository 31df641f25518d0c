/** Turns ends of executions into deliveries, each asked for once: it follows the log, and records from time to time how far it is. */
import type { CommandMeta } from '../../commands/command.ts';
import { requestDelivery } from '../../commands/delivery.ts';
import { type Deps, envelopes, handleNew } from '../../commands/handle.ts';
import { workerPrincipal } from '../domain/access.ts';
import type { ResultKind } from '../domain/delivery.ts';
import { isRatchetError } from '../domain/errors.ts';
import { type StoredEvent, streamName } from '../domain/event.ts';
import { type ExecutionEvent, TERMINAL_EVENT_TYPES } from '../domain/execution.ts';
import { decode, fold } from '../domain/history.ts';
import { type ResultProgress, resultProgress, resumedWith } from '../domain/result-progress.ts';
import { deliveriesOf, type ResultTargets } from '../domain/result-target.ts';
import type { EventPage, Expected } from '../ports/event-store.ts';
import { keepFollowing } from './keep-following.ts';

const ENDS = { categories: ['execution'], types: TERMINAL_EVENT_TYPES } as const;
const PROGRESS = streamName('results', 'progress');
/** Ends after which the progress is recorded: as many are looked at again after a crash. */
const RECORD_AFTER = 1_000;

export interface RequestDeps extends Deps {
  readonly sessions: { readonly own: string };
  readonly onTrouble: (error: unknown) => void;
  /** Told of each delivery that was asked for here. */
  readonly onRequested: (deliveryId: string, target: string) => void;
}

export class DeliveryRequests {
  readonly #deps: RequestDeps;
  readonly #targets: ResultTargets;
  #progress: ResultProgress | null = null;
  #unrecorded = 0;
  #following: Promise<void> = Promise.resolve();

  constructor(deps: RequestDeps, targets: ResultTargets) {
    this.#deps = deps;
    this.#targets = targets;
  }

  /** Goes on where each target was left, until `signal` aborts. Resolves once it is known where that is. */
  async start(signal: AbortSignal): Promise<void> {
    // Who has no targets knows nothing about any, and records nothing.
    if (this.#targets.size === 0) return;
    const { store, onTrouble } = this.#deps;
    const progress = await this.#resumed();
    this.#progress = progress;
    const onPage = (page: EventPage): Promise<void> => this.#take(page);
    this.#following = keepFollowing(store, { from: progress.position, filter: ENDS, onPage, onTrouble }, signal);
  }

  /** Records how far it is; its signal must have been aborted. */
  async close(): Promise<void> {
    await this.#following;
    if (this.#progress !== null && this.#unrecorded > 0) await this.#record(this.#progress);
  }

  /** Where new targets begin is recorded before anything is asked for: of two nodes that begin with one, the first decides. */
  async #resumed(): Promise<ResultProgress> {
    const { store } = this.#deps;
    const names = [...this.#targets.keys()];
    for (;;) {
      const history = await store.readStream(PROGRESS);
      const reached = fold(resultProgress, history);
      const progress = resumedWith(reached, names, await store.head());
      if (names.every((name) => reached.has(name))) return progress;
      try {
        await this.#record(progress, history.at(-1)?.version ?? 'no-stream');
        return progress;
      } catch (error) {
        if (!isRatchetError(error, 'version_conflict')) throw error;
      }
    }
  }

  async #take({ events, position }: EventPage): Promise<void> {
    if (this.#progress === null) return;
    await Promise.all(events.map((end) => this.#request(end)));
    this.#progress = { ...this.#progress, position };
    this.#unrecorded += events.length;
    if (this.#unrecorded >= RECORD_AFTER) await this.#record(this.#progress);
  }

  async #request(end: StoredEvent): Promise<void> {
    const targets = [...this.#targets.values()].filter(
      ({ name }) => (this.#progress?.since[name] ?? '') < end.position,
    );
    const result = RESULTS[end.type];
    if (targets.length === 0) return;
    const [first] = await this.#deps.store.readStream(end.stream, { limit: 1 });
    const asked = first === undefined ? undefined : decode<ExecutionEvent>(first);
    if (asked?.type !== 'ExecutionRequested' || result === undefined) return;
    for (const wanted of deliveriesOf(targets, asked.data, { result, endVersion: end.version })) {
      const made = await handleNew(this.#deps, requestDelivery, wanted, this.#meta(end));
      if (made !== null) this.#deps.onRequested(wanted.deliveryId, wanted.target);
    }
  }

  async #record(progress: ResultProgress, expected: Expected = 'any'): Promise<void> {
    const facts = [{ type: 'ResultsFollowed', data: progress } as const];
    await this.#deps.store.append(PROGRESS, expected, envelopes(this.#deps.runtime, facts, this.#meta(null)));
    this.#unrecorded = 0;
  }

  /** A command of its own for each process: of two that ask for the same delivery, one alone has made it. */
  #meta(cause: StoredEvent | null): CommandMeta {
    const { runtime, sessions } = this.#deps;
    const commandId = runtime.newId();
    return {
      principal: workerPrincipal(sessions.own),
      commandId,
      correlationId: cause?.correlationId ?? commandId,
      causationId: cause?.eventId ?? null,
      traceparent: cause?.traceparent ?? null,
      now: runtime.now(),
    };
  }
}

const RESULTS: Readonly<Record<string, ResultKind>> = {
  ExecutionCompleted: 'completed',
  ExecutionFailed: 'failed',
  ExecutionCancelled: 'cancelled',
};

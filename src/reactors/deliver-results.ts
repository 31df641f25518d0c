/**
 * Brings results to their targets: claims what is due, each target in a lane of its own, so that one that hangs holds up no other.
 * The durable order is a read model that may lag: whatever it says, the claim decides on the stream itself.
 */
import type { CommandMeta } from '../../commands/command.ts';
import { recordAttempt, startDelivery } from '../../commands/delivery.ts';
import { handle } from '../../commands/handle.ts';
import { workerPrincipal } from '../domain/access.ts';
import { RatchetError } from '../domain/errors.ts';
import type { ResultTarget, ResultTargets } from '../domain/result-target.ts';
import type { DeliveryTable } from '../ports/delivery-table.ts';
import type { Sessions } from '../ports/worker-sessions.ts';
import { type SendDeps, sendResult } from './send-result.ts';

export interface DeliverDeps extends SendDeps {
  readonly table: DeliveryTable;
  readonly sessions: Sessions;
  /** Told of what is no receiver's fault. */
  readonly onTrouble: (error: unknown) => void;
}

/** Milliseconds between looks at the table. */
const LOOK_MS = 500;
/** Deliveries remembered for each lane; others stay in the table until there is room. */
const MAX_WAITING = 1_000;

/** What goes to one target. */
interface Lane {
  readonly target: ResultTarget;
  readonly places: number;
  /** By delivery, in the order in which they came: the session that sent it and is gone, null where nobody does. */
  readonly waiting: Map<string, string | null>;
  readonly sending: Map<string, Promise<void>>;
}

export class ResultDeliverer {
  readonly #deps: DeliverDeps;
  readonly #lanes: ReadonlyMap<string, Lane>;
  readonly #stop = new AbortController();
  #timer: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(deps: DeliverDeps, targets: ResultTargets) {
    this.#deps = deps;
    this.#lanes = new Map(
      [...targets].map(([name, target]) => {
        // Lines are written one after the other.
        const places = target.reach.kind === 'webhook' ? target.reach.concurrency : 1;
        return [name, { target, places, waiting: new Map(), sending: new Map() }];
      }),
    );
  }

  /** Delivers what is due or was left behind, now and from then on. */
  async start(): Promise<void> {
    await this.look();
    if (!this.#closed) this.#timer = setTimeout(() => void this.start(), LOOK_MS);
  }

  /** Delivers one that was just asked for, without waiting for the table to show it. */
  offer(deliveryId: string, target: string, takeOverFrom: string | null = null): void {
    const lane = this.#lanes.get(target);
    if (lane === undefined || lane.waiting.size >= MAX_WAITING || lane.sending.has(deliveryId)) return;
    lane.waiting.set(deliveryId, takeOverFrom);
    this.#pump(lane);
  }

  /** Looks at the table once. Errors are told, and it is looked at again later. */
  async look(): Promise<void> {
    const { table, sessions, runtime, onTrouble } = this.#deps;
    try {
      // Own ones too: a claim whose answer was lost is sent by nobody, under a session that is alive.
      const others = (await sessions.alive()).filter((session) => session !== sessions.own);
      for (const { target, places } of this.#lanes.values()) {
        const lost = await table.sentElsewhere(target.name, others, places);
        for (const { deliveryId, worker } of lost) {
          if (worker === sessions.own || (await sessions.isGone(worker))) this.offer(deliveryId, target.name, worker);
        }
        const due = await table.due(target.name, runtime.now(), places * 4);
        for (const deliveryId of due) this.offer(deliveryId, target.name);
      }
    } catch (error) {
      if (!this.#closed) onTrouble(error);
    }
  }

  /** Claims nothing more, waits up to `graceMs` for what is under way, then leaves it to be sent again at the next start. */
  async close(graceMs: number): Promise<void> {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    const reason = new RatchetError('shutting_down', 'the server is shutting down');
    const timer = setTimeout(() => this.#stop.abort(reason), graceMs);
    await Promise.all([...this.#lanes.values()].flatMap(({ sending }) => [...sending.values()]));
    clearTimeout(timer);
  }

  #pump(lane: Lane): void {
    for (const [deliveryId, takeOverFrom] of lane.waiting) {
      if (this.#closed || lane.sending.size >= lane.places) return;
      lane.waiting.delete(deliveryId);
      const sent = this.#deliver(lane.target, deliveryId, takeOverFrom)
        .catch((error: unknown) => {
          if (!this.#stop.signal.aborted) this.#deps.onTrouble(error);
        })
        .then(() => {
          lane.sending.delete(deliveryId);
          this.#pump(lane);
        });
      lane.sending.set(deliveryId, sent);
    }
  }

  async #deliver(target: ResultTarget, deliveryId: string, takeOverFrom: string | null): Promise<void> {
    const deps = this.#deps;
    const worker = deps.sessions.own;
    const claim = await handle(deps, startDelivery, { deliveryId, worker, takeOverFrom }, this.#meta(deliveryId));
    if (!claim.changed || claim.state.status === 'none') return;
    const { request, claims: attempt } = claim.state;
    const report = await sendResult(deps, request, target, this.#stop.signal);
    const { patience } = target;
    const outcome = { deliveryId, attempt, report, patience, random: deps.runtime.random() };
    await handle(deps, recordAttempt, outcome, this.#meta(request.executionId));
  }

  #meta(correlationId: string): CommandMeta {
    const { runtime, sessions } = this.#deps;
    return {
      principal: workerPrincipal(sessions.own),
      commandId: runtime.newId(),
      correlationId,
      causationId: null,
      traceparent: null,
      now: runtime.now(),
    };
  }
}

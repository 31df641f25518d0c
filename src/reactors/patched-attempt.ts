/** Drives task code by logical time alone, so that code which is not the recorded one can be run on recorded outcomes. */
import { RatchetError } from '../domain/errors.ts';
import {
  type CustomOutcome,
  canonicalJson,
  type Outcome,
  type StepCall,
  type TaskErrorData,
  type Telemetry,
} from '../domain/journal.ts';
import type { Runtime } from '../ports/runtime.ts';
import type { Delivery, SandboxSession, TaskStart, Turn } from '../ports/sandbox.ts';
import type { OpenCall } from './attempt-plan.ts';
import { Mailbox } from './mailbox.ts';

/** What a call gets. */
export type Answer =
  /** `afterMs` later by the clock of the task; of answers that come at the same time, the lowest `order` is first. */
  | { readonly kind: 'outcome'; readonly outcome: Outcome; readonly afterMs: number; readonly order: number }
  /** What the world says, as late by the clock of the task as it really took. */
  | { readonly kind: 'live'; readonly perform: (signal: AbortSignal) => Promise<Outcome> }
  | { readonly kind: 'none' };

/** The order of answers that no record puts in one. */
export const UNORDERED: number = Number.MAX_SAFE_INTEGER;

/** Who answers what the code does. Calls and memos are told in the order in which they were made. */
export interface Answers {
  answer(call: OpenCall): Answer;
  memo(memo: CustomOutcome, argsHash: string): void;
  /** Told of each delivery, an outcome or a timer: all that is still open had no answer at that clock. Not told when left out. */
  moved?(clock: number): void;
  delivered(path: string, outcome: Outcome, clock: number): void;
}

export interface PatchedPlan {
  readonly session: SandboxSession;
  readonly start: TaskStart;
  readonly runtime: Runtime;
  readonly answers: Answers;
  readonly telemetry: (records: readonly Telemetry[]) => void;
  /** Ends the attempt at once; {@link runPatched} rejects with the reason. */
  readonly abort: AbortSignal;
}

export type PatchedEnd = { readonly turn: number; readonly clock: number } & (
  | { readonly kind: 'returned'; readonly output: string }
  | { readonly kind: 'threw'; readonly error: TaskErrorData }
  /** It can only go on with the outcome of these calls, which nobody answers. */
  | { readonly kind: 'blocked'; readonly paths: readonly string[] }
  /** It awaits something that never settles. */
  | { readonly kind: 'stalled' }
);

/** Runs code to its end, or until nothing can be delivered. Rejects with an error of the sandbox, or the reason of `abort`. */
export async function runPatched(plan: PatchedPlan): Promise<PatchedEnd> {
  const attempt = new PatchedAttempt(plan);
  try {
    return await attempt.run();
  } finally {
    attempt.end();
  }
}

/** Timers that fire one after the other while only calls are open that nobody answers. */
const MAX_TIMERS_IN_ROW = 1_000;

/** An answer on its way. */
interface Pending {
  readonly outcome: Outcome;
  /** Logical clock of its arrival. */
  readonly at: number;
  readonly order: number;
}

interface Arrival {
  readonly path: string;
  readonly outcome: Outcome;
  readonly tookMs: number;
}

class PatchedAttempt {
  readonly #plan: PatchedPlan;
  readonly #open = new Map<string, OpenCall>();
  readonly #pending = new Map<string, Pending>();
  /** Live calls under way, and when they left by the real clock. */
  readonly #flying = new Map<string, number>();
  readonly #mail: Mailbox<Arrival>;
  readonly #over = new AbortController();
  #timersInRow = 0;

  constructor(plan: PatchedPlan) {
    this.#plan = plan;
    this.#mail = new Mailbox([plan.abort]);
  }

  async run(): Promise<PatchedEnd> {
    const { session, start, telemetry } = this.#plan;
    let turn = await session.start(start, telemetry);
    for (;;) {
      this.#note(turn);
      const { status, turn: number, clock } = turn;
      if (status.kind !== 'waiting') await this.#finishLive();
      if (status.kind === 'returned') return { kind: 'returned', output: status.output, turn: number, clock };
      if (status.kind === 'threw') return { kind: 'threw', error: status.error, turn: number, clock };
      const next = await this.#next(turn);
      if (next === null) return { ...this.#stuck(status.blockedOn), turn: number, clock };
      this.#plan.answers.moved?.(next.clock);
      turn = await session.deliver(next);
    }
  }

  /** Ends what is under way. */
  end(): void {
    this.#over.abort(new RatchetError('cancelled', 'the replay is over'));
  }

  #note(turn: Turn): void {
    for (const call of turn.calls) this.#ask(call, turn);
    for (const memo of turn.customs) this.#plan.answers.memo(memo, this.#hash(memo.kind, memo.name));
  }

  #hash(kind: string, text: string): string {
    return this.#plan.runtime.sha256(`${kind}\n${text}`);
  }

  #ask(call: StepCall, turn: Turn): void {
    const argsHash = this.#hash(call.kind, canonicalJson(call.request));
    const open: OpenCall = { ...call, argsHash, turn: turn.turn, startedAt: turn.clock };
    this.#open.set(call.path, open);
    const answer = this.#plan.answers.answer(open);
    switch (answer.kind) {
      case 'outcome': {
        const { outcome, afterMs, order } = answer;
        this.#pending.set(call.path, { outcome, at: open.startedAt + afterMs, order });
        return;
      }
      case 'live':
        return this.#launch(open, answer.perform);
      case 'none':
        return;
      default:
        return answer satisfies never;
    }
  }

  #launch({ path }: OpenCall, perform: (signal: AbortSignal) => Promise<Outcome>): void {
    const { runtime, abort } = this.#plan;
    const left = runtime.now();
    this.#flying.set(path, left);
    void perform(AbortSignal.any([abort, this.#over.signal])).then(
      (outcome) => this.#mail.put({ path, outcome, tookMs: Math.max(0, runtime.now() - left) }),
      (error: unknown) => this.#mail.fail(error),
    );
  }

  /** Live calls that came back get their place in time. */
  #takeArrivals(): void {
    for (const { path, outcome, tookMs } of this.#arrivals()) {
      const call = this.#open.get(path);
      if (call !== undefined) this.#pending.set(path, { outcome, at: call.startedAt + tookMs, order: UNORDERED });
    }
  }

  /** What is delivered next, null when there is nothing. Of what comes at the same time, timers are first. */
  async #next(turn: Turn): Promise<Delivery | null> {
    const { abort } = this.#plan;
    const { nextTimer, blockedOn } =
      turn.status.kind === 'waiting' ? turn.status : { nextTimer: null, blockedOn: null };
    for (;;) {
      abort.throwIfAborted();
      this.#takeArrivals();
      const answer = this.#firstAnswer(turn.clock, blockedOn);
      const timerAt = nextTimer === null ? null : Math.max(nextTimer, turn.clock);
      const isTimer = timerAt !== null && (answer === null || timerAt <= answer.at);
      const at = isTimer ? timerAt : (answer?.at ?? null);
      const liveAt = this.#earliestLive(turn.clock, blockedOn);
      if (liveAt !== null && (at === null || liveAt < at)) {
        await this.#mail.wait(at === null ? null : Math.max(1, at - liveAt));
        continue;
      }
      if (isTimer) return this.#onlyTimers() ? null : { type: 'timer', clock: timerAt };
      if (answer === null) return null;
      this.#timersInRow = 0;
      const { path, outcome } = answer;
      this.#open.delete(path);
      this.#pending.delete(path);
      this.#plan.answers.delivered(path, outcome, answer.at);
      return { type: 'outcome', path, clock: answer.at, outcome };
    }
  }

  /** Code that asks a timer again and again whether an answer is there would do so for ever when nobody answers. */
  #onlyTimers(): boolean {
    const waits = this.#flying.size === 0 && this.#pending.size === 0 && this.#open.size > 0;
    this.#timersInRow = waits ? this.#timersInRow + 1 : 0;
    return this.#timersInRow > MAX_TIMERS_IN_ROW;
  }

  #firstAnswer(clock: number, blockedOn: string | null): (Pending & { readonly path: string }) | null {
    let first: (Pending & { readonly path: string }) | null = null;
    for (const [path, pending] of this.#pending) {
      if (blockedOn !== null && path !== blockedOn) continue;
      const at = Math.max(pending.at, clock);
      if (first === null || at < first.at || (at === first.at && pending.order < first.order)) {
        first = { ...pending, path, at };
      }
    }
    return first;
  }

  /** The earliest logical time at which a call under way can still come back; null when none is. */
  #earliestLive(clock: number, blockedOn: string | null): number | null {
    const now = this.#plan.runtime.now();
    let first: number | null = null;
    for (const [path, left] of this.#flying) {
      const call = this.#open.get(path);
      if (call === undefined || (blockedOn !== null && path !== blockedOn)) continue;
      const at = Math.max(call.startedAt + Math.max(0, now - left), clock);
      if (first === null || at < first) first = at;
    }
    return first;
  }

  #stuck(blockedOn: string | null): { kind: 'stalled' } | { kind: 'blocked'; paths: readonly string[] } {
    const open = [...this.#open.keys()].filter((path) => !this.#pending.has(path));
    const paths = blockedOn === null ? open : [blockedOn];
    return paths.length === 0 ? { kind: 'stalled' } : { kind: 'blocked', paths };
  }

  /** What was really sent and is not awaited by the code still has its outcome told. */
  async #finishLive(): Promise<void> {
    while (this.#flying.size > 0) {
      this.#plan.abort.throwIfAborted();
      for (const { path, outcome, tookMs } of this.#arrivals()) {
        this.#plan.answers.delivered(path, outcome, (this.#open.get(path)?.startedAt ?? 0) + tookMs);
      }
      if (this.#flying.size > 0) await this.#mail.wait(null);
    }
  }

  *#arrivals(): Generator<Arrival> {
    for (let mail = this.#mail.peek(() => true); mail !== undefined; mail = this.#mail.peek(() => true)) {
      this.#mail.take(mail);
      this.#flying.delete(mail.path);
      yield mail;
    }
  }
}

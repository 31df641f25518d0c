/** Drives one attempt: serves steps from the journal while it lasts, then from the world, turn by turn (journal-protocol). */
import { RatchetError } from '../domain/errors.ts';
import type { JsonObject } from '../domain/event.ts';
import type { WaitReason } from '../domain/execution.ts';
import {
  type CustomOutcome,
  canonicalJson,
  type JournalEntry,
  type Outcome,
  type StepCall,
} from '../domain/journal.ts';
import type { Delivery, Turn } from '../ports/sandbox.ts';
import type { AttemptPlan, AttemptResult, LivePlan, OpenCall, World } from './attempt-plan.ts';
import { rootSpan, stepSpan } from './attempt-spans.ts';
import { Mailbox } from './mailbox.ts';

/** A wait longer than this holds no process. */
const HOLD_MS = 5_000;
/** How long an attempt that waits for other executions stays parked before it looks again, should it not be woken. */
const TASK_POLL_MS = 30_000;
const MAX_NAME = 256;
/** How long a busy turn may go on after a cancellation. */
const CANCEL_GRACE_MS = 50;

/**
 * Runs an attempt to its end, or until it can be parked.
 * Rejects with `replay_mismatch` (details: expected, actual), `task_stalled`, an error of the sandbox, or the reason of `abort`.
 */
export function runAttempt(plan: AttemptPlan): Promise<AttemptResult> {
  return new Attempt(plan).run();
}

/** What comes after a turn. */
type Next =
  | Delivery
  | { readonly type: 'park'; readonly reason: WaitReason; readonly until: number | null }
  | { readonly type: 'exhausted' };

class Attempt {
  readonly #plan: AttemptPlan;
  readonly #open = new Map<string, OpenCall>();
  readonly #flying = new Set<string>();
  readonly #mail: Mailbox<{ path: string; outcome: Outcome; clock: number }>;
  readonly #outcomes: readonly JournalEntry[];
  readonly #memos: ReadonlyMap<string, JournalEntry>;
  /** Aborts what is under way when the attempt is over, however it ended; most attempts of plain code never need it. */
  #over: AbortController | null = null;
  #stop: AbortSignal | null = null;
  #cursor = 0;
  #idleSince: number | null = null;

  constructor(plan: AttemptPlan) {
    this.#plan = plan;
    this.#mail = new Mailbox([plan.cancel, plan.abort]);
    this.#outcomes = plan.journal.filter((entry) => entry.kind !== 'custom');
    this.#memos = new Map(plan.journal.filter((entry) => entry.kind === 'custom').map((entry) => [entry.path, entry]));
  }

  async run(): Promise<AttemptResult> {
    try {
      return await this.#turns();
    } finally {
      this.#over?.abort(new RatchetError('cancelled', 'the attempt is over'));
    }
  }

  async #turns(): Promise<AttemptResult> {
    const { session, start, recorder, cancel } = this.#plan;
    let last = { turn: 0, clock: start.clock };
    let turn = await this.#guarded(session.start(start, (records) => recorder.telemetry(records)));
    while (turn !== null) {
      last = turn;
      await this.#note(turn);
      if (turn.status.kind !== 'waiting') this.#checkLeft(turn);
      if (turn.status.kind === 'returned') await this.#finishLeft(turn);
      if (turn.status.kind !== 'waiting') return this.#ended(turn);
      const next = await this.#next(turn);
      if (next.type === 'exhausted') return { kind: 'exhausted', ...last };
      if (next.type === 'park') return { kind: 'parked', reason: next.reason, until: next.until, ...last };
      if (next.type === 'cancel') return await this.#cancelled(turn, next);
      turn = await this.#guarded(session.deliver(next));
    }
    if (!cancel.aborted) throw new RatchetError('internal', 'a turn was lost');
    this.#tellRoot(last.clock, false);
    return { kind: 'cancelled', seen: false, ...last };
  }

  /** Waits for a turn; null when a cancellation had to kill it. */
  async #guarded(turn: Promise<Turn>): Promise<Turn | null> {
    const { cancel, session } = this.#plan;
    let killed: RatchetError | null = null;
    let timer: NodeJS.Timeout | undefined;
    const onCancel = (): void => {
      timer = setTimeout(() => {
        killed = new RatchetError('cancelled', 'the task did not end by itself');
        session.kill(killed);
      }, CANCEL_GRACE_MS);
    };
    if (cancel.aborted) onCancel();
    else cancel.addEventListener('abort', onCancel, { once: true });
    try {
      return await turn;
    } catch (error) {
      if (killed !== null && error === killed) return null;
      throw error;
    } finally {
      clearTimeout(timer);
      cancel.removeEventListener('abort', onCancel);
    }
  }

  async #note(turn: Turn): Promise<void> {
    for (const call of turn.calls) {
      const argsHash = this.#plan.runtime.sha256(`${call.kind}\n${canonicalJson(call.request)}`);
      const name = shortName(call.name);
      this.#open.set(call.path, { ...call, name, argsHash, turn: turn.turn, startedAt: turn.clock });
    }
    for (const memo of turn.customs) await this.#noteMemo(turn, memo);
  }

  async #noteMemo(turn: Turn, memo: CustomOutcome): Promise<void> {
    const { path, kind, request, outcome } = memo;
    const argsHash = this.#plan.runtime.sha256(`${kind}\n${memo.name}`);
    const name = shortName(memo.name);
    const entry: JournalEntry = { path, kind, name, argsHash, request, outcome, turn: turn.turn, clock: turn.clock };
    this.#tellStep({ ...memo, name }, memo.startedAt, turn.clock, outcome);
    const recorded = this.#memos.get(path);
    if (recorded === undefined) return this.#plan.recorder.stepCompleted(entry, memo.startedAt);
    if (
      recorded.argsHash !== argsHash ||
      canonicalJson(forCompare(recorded.outcome)) !== canonicalJson(forCompare(outcome))
    ) {
      throw mismatch(describe(recorded), describe(entry));
    }
  }

  async #next(turn: Turn): Promise<Next> {
    const entry = this.#outcomes[this.#cursor];
    if (entry !== undefined)
      return entry.turn > turn.turn + 1 ? this.#timer(turn, describe(entry)) : this.#recorded(entry);
    const { then } = this.#plan;
    if (then.kind === 'live') return this.#live(turn, then);
    const { ending } = then;
    if (ending === null) return { type: 'exhausted' };
    if (ending.kind === 'cancelled' && ending.turn === turn.turn + 1) {
      return { type: 'cancel', clock: ending.clock, reason: 'cancelled' };
    }
    if (ending.turn > turn.turn) return this.#timer(turn, `the end of the run at turn ${ending.turn}`);
    throw mismatch(`the end of the run at turn ${ending.turn}`, this.#waitsFor(turn));
  }

  #recorded(entry: JournalEntry): Delivery {
    const call = this.#open.get(entry.path);
    if (call === undefined || call.kind !== entry.kind || call.argsHash !== entry.argsHash) {
      throw call === undefined ? mismatch(describe(entry), 'no such call') : otherCall(entry, call);
    }
    this.#cursor += 1;
    return this.#outcome(call, entry.clock, entry.outcome);
  }

  #outcome(call: OpenCall, clock: number, outcome: Outcome): Delivery {
    this.#open.delete(call.path);
    this.#flying.delete(call.path);
    this.#tellStep(call, call.startedAt, clock, outcome);
    return { type: 'outcome', path: call.path, clock, outcome };
  }

  #timer(turn: Turn, expected: string): Delivery {
    const due = turn.status.kind === 'waiting' ? turn.status.nextTimer : null;
    if (due === null) throw mismatch(expected, this.#waitsFor(turn));
    return { type: 'timer', clock: Math.max(due, turn.clock) };
  }

  async #live(turn: Turn, { world, parks = true }: LivePlan): Promise<Next> {
    const { runtime, abort, cancel } = this.#plan;
    const status = turn.status.kind === 'waiting' ? turn.status : { nextTimer: null, blockedOn: null };
    if (status.nextTimer === null && this.#open.size === 0) throw stalled();
    const isWanted = ({ path }: { path: string }) => status.blockedOn === null || path === status.blockedOn;
    this.#launch(world);
    for (;;) {
      abort.throwIfAborted();
      const now = Math.max(turn.clock, runtime.now());
      if (cancel.aborted) return { type: 'cancel', clock: now, reason: 'cancelled' };
      const arrival = this.#mail.peek(isWanted);
      const sleeper = this.#sleeper(status.blockedOn);
      const due = [
        ...(status.nextTimer === null ? [] : [{ at: Math.max(status.nextTimer, turn.clock), is: 'timer' as const }]),
        ...(sleeper === null ? [] : [{ at: Math.max(sleeper.at, turn.clock), is: sleeper.call }]),
      ].sort((a, b) => a.at - b.at)[0];
      const arrivedAt = arrival === undefined ? Number.POSITIVE_INFINITY : Math.max(arrival.clock, turn.clock);
      if (due !== undefined && due.at <= Math.min(now, arrivedAt)) {
        this.#setIdle(false);
        if (due.is === 'timer') return { type: 'timer', clock: due.at };
        return await this.#complete(turn, due.is, due.at, { ok: true, value: null });
      }
      if (arrival !== undefined) {
        this.#setIdle(false);
        this.#mail.take(arrival);
        const call = this.#open.get(arrival.path);
        if (call !== undefined) return await this.#complete(turn, call, arrivedAt, arrival.outcome);
        continue;
      }
      const park = this.#parking(world, parks, due, now);
      if (park.now !== null) {
        // What is waited for must be durably asked for before the process is given up.
        await Promise.all([...this.#open.keys()].map((path) => world.asked(path)));
        if (this.#mail.peek(isWanted) === undefined) return park.now;
        continue;
      }
      await this.#mail.wait(park.lookAgainIn);
    }
  }

  /** The outcome is durable before the task sees it. */
  async #complete(turn: Turn, call: OpenCall, clock: number, outcome: Outcome): Promise<Delivery> {
    const { path, kind, name, argsHash, request } = call;
    const entry: JournalEntry = { path, kind, name, argsHash, request, outcome, turn: turn.turn + 1, clock };
    await this.#plan.recorder.stepCompleted(entry, call.startedAt);
    return this.#outcome(call, clock, outcome);
  }

  #launch(world: World): void {
    for (const call of this.#open.values()) {
      if (call.kind === 'sleep' || this.#flying.has(call.path)) continue;
      this.#flying.add(call.path);
      this.#over ??= new AbortController();
      this.#stop ??= AbortSignal.any([this.#plan.abort, this.#over.signal]);
      void world.perform(call, this.#stop).then(
        (outcome) => this.#mail.put({ path: call.path, outcome, clock: this.#plan.runtime.now() }),
        (error: unknown) => this.#mail.fail(error),
      );
    }
  }

  #sleeper(blockedOn: string | null): { at: number; call: OpenCall } | null {
    let first: { at: number; call: OpenCall } | null = null;
    for (const call of this.#open.values()) {
      if (call.kind !== 'sleep' || (blockedOn !== null && call.path !== blockedOn)) continue;
      const at = call.startedAt + Number(call.request['ms']);
      if (first === null || at < first.at) first = { at, call };
    }
    return first;
  }

  #parking(world: World, parks: boolean, due: { at: number; is: 'timer' | OpenCall } | undefined, now: number) {
    const calls = [...this.#open.values()];
    const isQuestion = (call: OpenCall) => call.kind === 'ask' && (world.isUnanswered?.(call) ?? false);
    const busy = calls.some((call) => call.kind !== 'sleep' && call.kind !== 'task' && !isQuestion(call));
    const forTasks = !busy && calls.some((call) => call.kind === 'task');
    this.#setIdle(forTasks);
    const in_ = due === undefined ? null : Math.max(0, due.at - now);
    if (busy || !parks) return { now: null, lookAgainIn: in_ };
    if (!forTasks && calls.some(isQuestion)) {
      if (in_ !== null && in_ <= HOLD_MS) return { now: null, lookAgainIn: in_ };
      return { now: { type: 'park' as const, reason: 'input' as const, until: due?.at ?? null }, lookAgainIn: null };
    }
    if (forTasks) {
      const held = now - (this.#idleSince ?? now);
      const until = Math.min(due?.at ?? Number.POSITIVE_INFINITY, now + TASK_POLL_MS);
      if (held >= HOLD_MS && (in_ === null || in_ > HOLD_MS))
        return { now: { type: 'park' as const, reason: 'task' as const, until }, lookAgainIn: null };
      return { now: null, lookAgainIn: Math.min(in_ ?? HOLD_MS, Math.max(1, HOLD_MS - held)) };
    }
    if (due !== undefined && in_ !== null && in_ > HOLD_MS) {
      const reason = due.is === 'timer' ? ('timer' as const) : ('sleep' as const);
      return { now: { type: 'park' as const, reason, until: due.at }, lookAgainIn: null };
    }
    return { now: null, lookAgainIn: in_ };
  }

  #setIdle(idle: boolean): void {
    if (idle === (this.#idleSince !== null)) return;
    this.#idleSince = idle ? this.#plan.runtime.now() : null;
    this.#plan.onIdle(idle);
  }

  async #cancelled(turn: Turn, delivery: Delivery): Promise<AttemptResult> {
    const after = await this.#guarded(this.#plan.session.deliver(delivery));
    const clock = after?.clock ?? delivery.clock;
    this.#tellRoot(clock, false);
    return { kind: 'cancelled', seen: after !== null, turn: turn.turn + 1, clock };
  }

  /**
   * Calls that nobody awaits when the task returns still go out, as its author meant them to. Their outcomes are recorded under
   * a turn that never comes. Subtasks and questions are asked and not waited for.
   */
  async #finishLeft({ turn, clock }: Turn): Promise<void> {
    const { then, abort, cancel, recorder } = this.#plan;
    if (then.kind === 'replay') return;
    for (const done of this.#outcomes.slice(this.#cursor)) this.#open.delete(done.path);
    this.#launch(then.world);
    const isAwaited = ({ kind }: OpenCall): boolean => kind !== 'sleep' && kind !== 'task' && kind !== 'ask';
    await Promise.all([...this.#open.keys()].map((path) => then.world.asked(path)));
    while (!cancel.aborted && [...this.#open.values()].some(isAwaited)) {
      abort.throwIfAborted();
      const arrival = this.#mail.peek(() => true);
      if (arrival === undefined) {
        await this.#mail.wait(null);
        continue;
      }
      this.#mail.take(arrival);
      const call = this.#open.get(arrival.path);
      if (call === undefined) continue;
      this.#open.delete(call.path);
      const { path, kind, name, argsHash, request, startedAt } = call;
      const at = { turn: turn + 1, clock: Math.max(clock, arrival.clock) };
      await recorder.stepCompleted({ path, kind, name, argsHash, request, outcome: arrival.outcome, ...at }, startedAt);
    }
  }

  /** What the journal still holds at the end must be calls that the task left behind. */
  #checkLeft({ turn }: Turn): void {
    for (const entry of this.#outcomes.slice(this.#cursor)) {
      const call = this.#open.get(entry.path);
      if (call === undefined || entry.turn <= turn)
        throw mismatch(describe(entry), `the end of the run at turn ${turn}`);
      if (call.kind !== entry.kind || call.argsHash !== entry.argsHash) throw otherCall(entry, call);
    }
  }

  #ended(turn: Turn): AttemptResult {
    const { then } = this.#plan;
    const kind = turn.status.kind;
    if (
      then.kind === 'replay' &&
      then.ending !== null &&
      (then.ending.turn !== turn.turn || then.ending.kind !== kind)
    ) {
      throw mismatch(`${then.ending.kind} at turn ${then.ending.turn}`, `${kind} at turn ${turn.turn}`);
    }
    this.#tellRoot(turn.clock, kind === 'returned');
    const place = { turn: turn.turn, clock: turn.clock };
    if (turn.status.kind === 'returned') return { kind: 'returned', output: turn.status.output, ...place };
    if (turn.status.kind === 'threw') return { kind: 'threw', error: turn.status.error, ...place };
    throw new RatchetError('internal', 'a waiting turn was taken for the last one');
  }

  #tellRoot(endedAt: number, ok: boolean): void {
    this.#plan.recorder.telemetry([rootSpan(this.#plan.start, endedAt, ok)]);
  }

  #tellStep(call: StepCall, startedAt: number, endedAt: number, outcome: Outcome): void {
    this.#plan.recorder.telemetry([stepSpan(call, startedAt, endedAt, outcome)]);
  }

  #waitsFor(turn: Turn): string {
    const calls = [...this.#open.values()].map(describe);
    if (turn.status.kind === 'waiting' && turn.status.nextTimer !== null) calls.push('a timer');
    return calls.length === 0 ? 'nothing' : `waiting for ${calls.join(', ')}`;
  }
}

/** Stacks may differ between versions of the engine; what an error is does not. */
function forCompare(outcome: Outcome) {
  return outcome.ok ? { value: outcome.value } : { name: outcome.error.name, message: outcome.error.message };
}

function describe(step: { path: string; kind: string; name: string; request: JsonObject }): string {
  return `step ${step.path} ${step.kind} ${step.name}`;
}

/** Calls of one name differ in what they ask for, so that is told too. */
function otherCall(entry: JournalEntry, call: OpenCall): RatchetError {
  const [expected, actual] = [describe(entry), describe(call)];
  if (expected !== actual) return mismatch(expected, actual);
  return mismatch(`${expected} with ${asked(entry)}`, `${actual} with ${asked(call)}`);
}

/** Longest request that is told in full. */
const MAX_ASKED = 500;

function asked({ request }: { request: JsonObject }): string {
  const text = canonicalJson(request);
  return text.length > MAX_ASKED ? `${text.slice(0, MAX_ASKED)}…` : text;
}

function mismatch(expected: string, actual: string): RatchetError {
  return new RatchetError('replay_mismatch', `the journal expects ${expected}, the code does: ${actual}`, {
    details: { expected, actual },
  });
}

function stalled(): RatchetError {
  return new RatchetError('task_stalled', 'the task awaits something that never settles: no step and no timer is left');
}

/** Names are for people; what was asked for in full stands in the request. */
function shortName(name: string): string {
  return name.length <= MAX_NAME ? name : `${name.slice(0, MAX_NAME)}…`;
}

/** Answers the calls of a patched replay, by the journal first, and keeps account of what was reused, changed, new and missing. */
import type { CustomOutcome, Outcome } from '../domain/journal.ts';
import type { AnsweredBy, PatchedStep, StepChange, Stub } from '../domain/replay.ts';
import type { OpenCall } from './attempt-plan.ts';
import { type Answer, type Answers, type PatchedEnd, UNORDERED } from './patched-attempt.ts';
import { JournalMatch, mayReuse, type RecordedCall } from './patched-match.ts';
import { type MadeMemo, pairMemos } from './patched-memos.ts';
import { Stubs } from './patched-stubs.ts';

export interface AnswerRules {
  /** Calls of the recorded run, also those that nobody answered. */
  readonly calls: readonly RecordedCall[];
  /** `step()` memos of the recorded run. */
  readonly memos: readonly RecordedCall[];
  readonly stubs: readonly Stub[];
  readonly changed: 'block' | 'reuse';
  /** Carries out a call for real; null for one that must not leave. */
  readonly live: (call: OpenCall) => ((signal: AbortSignal) => Promise<Outcome>) | null;
}

/** How the run of the code ended; `killed`: by a limit or the deadline. */
export type EndKind = PatchedEnd['kind'] | 'killed';

/** One call of the replay. */
export interface AnsweredCall {
  readonly call: OpenCall;
  /** The entry it was matched with, and whether it is an equal one. Of a memo not known before {@link PatchedAnswers.steps}. */
  readonly entry: RecordedCall | null;
  readonly isEqual: boolean;
  readonly by: AnsweredBy;
  /** What was, or would have been, delivered, and after how many logical milliseconds. */
  readonly answer: Extract<Answer, { kind: 'outcome' }> | null;
  /** Null while it has not been delivered. */
  outcome: Outcome | null;
  /** Logical clock of the delivery, and its place among all. */
  delivered: { readonly at: number; readonly place: number } | null;
  readonly isMemo: boolean;
  /** How many deliveries there were before it was made. */
  readonly after: number;
}

export class PatchedAnswers implements Answers {
  readonly #rules: AnswerRules;
  readonly #calls: JournalMatch;
  readonly #stubs: Stubs;
  readonly #asked: AnsweredCall[] = [];
  readonly #byPath = new Map<string, AnsweredCall>();
  #deliveries = 0;
  /** Deliveries of outcomes and timers, and the logical clock of the last one. */
  #moves = { count: 0, clock: 0 };

  constructor(rules: AnswerRules) {
    this.#rules = rules;
    this.#calls = new JournalMatch(rules.calls);
    this.#stubs = new Stubs(rules.stubs);
  }

  /** Every call so far, memos included, in order. */
  get asked(): readonly AnsweredCall[] {
    return this.#asked;
  }

  get unusedStubs(): readonly number[] {
    return this.#stubs.unused();
  }

  answer(call: OpenCall): Answer {
    const equal = this.#calls.exact(call);
    const entry = equal ?? this.#calls.like(call);
    const { by, answer } = this.#decide(call, equal, entry);
    const kept = answer.kind === 'outcome' ? answer : null;
    this.#keep({
      call,
      entry,
      isEqual: equal !== null,
      by,
      answer: kept,
      outcome: null,
      delivered: null,
      isMemo: false,
      after: this.#moves.count,
    });
    return answer;
  }

  #decide(
    call: OpenCall,
    equal: RecordedCall | null,
    entry: RecordedCall | null,
  ): { readonly by: AnsweredBy; readonly answer: Answer } {
    const order = entry?.order ?? UNORDERED;
    if (call.kind === 'sleep') {
      const afterMs = Number(call.request['ms']);
      return { by: 'clock', answer: { kind: 'outcome', outcome: { ok: true, value: null }, afterMs, order } };
    }
    if (equal !== null && equal.outcome !== null) {
      return { by: 'journal', answer: { kind: 'outcome', outcome: equal.outcome, afterMs: equal.durationMs, order } };
    }
    const stub = this.#stubs.take(call);
    if (stub !== null) {
      return { by: 'stub', answer: { kind: 'outcome', outcome: stub, afterMs: entry?.durationMs ?? 0, order } };
    }
    if (this.#rules.changed === 'reuse' && entry !== null && entry.outcome !== null && mayReuse(entry, call)) {
      const { outcome, durationMs } = entry;
      return { by: 'journal', answer: { kind: 'outcome', outcome, afterMs: durationMs, order } };
    }
    const perform = this.#rules.live(call);
    if (perform !== null) return { by: 'live', answer: { kind: 'live', perform } };
    return { by: 'blocked', answer: { kind: 'none' } };
  }

  memo(memo: CustomOutcome, argsHash: string): void {
    const { outcome, startedAt } = memo;
    const call: OpenCall = { ...memo, argsHash, turn: 0, startedAt };
    const after = this.#moves.count;
    // Which recorded one it is shows only when all are known: see steps().
    const unpaired = { entry: null, isEqual: false };
    this.#keep({ call, ...unpaired, by: 'code', answer: null, outcome, delivered: null, isMemo: true, after });
  }

  #keep(asked: AnsweredCall): void {
    this.#asked.push(asked);
    if (!asked.isMemo) this.#byPath.set(asked.call.path, asked);
  }

  moved(clock: number): void {
    this.#moves = { count: this.#moves.count + 1, clock };
  }

  delivered(path: string, outcome: Outcome, clock: number): void {
    const asked = this.#byPath.get(path);
    if (asked === undefined) return;
    asked.outcome = outcome;
    this.#deliveries += 1;
    asked.delivered = { at: clock, place: this.#deliveries };
  }

  /** @returns blocked calls whose answers the end may hang on. */
  decisive(end: EndKind): readonly OpenCall[] {
    return this.#asked.filter((asked) => this.#isDecisive(asked, end)).map(({ call }) => call);
  }

  /**
   * An answer could only have changed the end had it come before the last delivery. So a blocked call decides nothing when
   * nothing was delivered after it, or only what came within the time for which the record shows that it had no answer.
   */
  #isDecisive({ call, entry, isEqual, by, after }: AnsweredCall, end: EndKind): boolean {
    if (by !== 'blocked') return false;
    if (end === 'blocked' || (end === 'killed' && this.#isLiveOpen())) return true;
    const { count, clock } = this.#moves;
    if (count === after) return false;
    return !(isEqual && entry !== null && clock - call.startedAt <= entry.silentMs);
  }

  /** Then the deadline may have come in the wait for it, later than the last delivery. */
  #isLiveOpen(): boolean {
    return this.#asked.some(({ by, outcome }) => by === 'live' && outcome === null);
  }

  steps(end: EndKind): readonly PatchedStep[] {
    const claimed = new Set<RecordedCall>();
    const made = this.#paired().map((asked): PatchedStep => {
      const change = this.#changeOf(asked, end);
      const recorded = change === 'new' ? null : asked.entry;
      if (recorded !== null) claimed.add(recorded);
      const { path, kind, name, request } = asked.call;
      const isLeft = end !== 'blocked' && asked.outcome === null && (change === 'reused' || asked.by !== 'blocked');
      const answeredBy = isLeft ? 'nobody' : asked.by;
      const was = recorded === null ? null : toldEntry(recorded);
      return { change, path, kind, name, answeredBy, request, recorded: was, outcome: asked.outcome };
    });
    const unused = [...this.#calls.unused(), ...this.#rules.memos].filter((entry) => !claimed.has(entry));
    return [...made, ...unused.flatMap((entry) => missing(entry))];
  }

  #paired(): readonly AnsweredCall[] {
    const made = this.#asked.flatMap(({ isMemo, call: { path, argsHash }, outcome }): readonly MadeMemo[] =>
      isMemo && outcome !== null ? [{ path, argsHash, outcome }] : [],
    );
    const pairs = pairMemos(this.#rules.memos, made);
    return this.#asked.map((asked) => (asked.isMemo ? { ...asked, ...pairs.get(asked.call.path) } : asked));
  }

  #changeOf(asked: AnsweredCall, end: EndKind): StepChange {
    const { entry, isEqual, by, isMemo, outcome } = asked;
    if (entry === null) return 'new';
    if (isMemo) return isEqual ? 'reused' : 'changed';
    if (isEqual && entry.outcome !== null) return 'reused';
    // The record has such a call without an outcome: the same only where this run needed none either.
    if (isEqual && by === 'clock') return 'reused';
    if (isEqual) return outcome === null && !this.#isDecisive(asked, end) ? 'reused' : 'new';
    // An entry that an equal call took later was not what this one came from.
    return this.#calls.isUsed(entry) && by !== 'journal' ? 'new' : 'changed';
  }
}

function toldEntry({ path, request, outcome }: RecordedCall): PatchedStep['recorded'] {
  return outcome === null ? null : { path, request, outcome };
}

function missing(entry: RecordedCall): readonly PatchedStep[] {
  if (entry.outcome === null) return [];
  const { path, kind, name, request } = entry;
  const recorded = { path, request, outcome: entry.outcome };
  return [{ change: 'missing', path, kind, name, answeredBy: 'nobody', request: null, recorded, outcome: null }];
}

/** All that an analysis rests on, gathered from the events before any rule looks at it. */
import type { Json, JsonObject, Position } from '../event.ts';
import type { ExecutionRequest, Failure } from '../execution.ts';
import type { JournalEntry, StepKind } from '../journal.ts';
import type { ParsedCode } from './syntax.ts';

/** One step of the journal with the place of its event. */
export interface RecordedStep extends JournalEntry {
  readonly position: Position;
  /** Logical clock at the call. */
  readonly startedAt: number;
}

/** A call that was made and has no outcome. */
export interface OpenStep {
  readonly path: string;
  readonly kind: StepKind;
  readonly name: string;
  readonly request: JsonObject;
  /** Event that recorded the call; null for one that a replay of the journal showed, as calls that change nothing leave none. */
  readonly position: Position | null;
}

/** How the analysed attempt ended. */
export type CaseEnd =
  | { readonly is: 'failed'; readonly failure: Failure; readonly turn: number }
  | {
      readonly is: 'cancelled';
      readonly reason: string | null;
      readonly endedAt: string;
      /** Who asked for it and when; null when the record does not hold the request. */
      readonly asked: { readonly by: string; readonly at: string; readonly position: Position } | null;
      /** True when it had not begun. */
      readonly neverStarted: boolean;
    };

/** What the code was doing when an attempt was ended from outside. */
export interface Waiting {
  readonly doing: 'waiting' | 'computing';
  readonly open: readonly OpenStep[];
  /** True when a timer was set. */
  readonly timer: boolean;
}

/** One variable as the debugger saw it, cut to size. */
export interface SeenVariable {
  readonly name: string;
  readonly type: string;
  readonly value: Json;
  readonly preview: string;
}

/** Variables at the failing line, or why there are none. */
export type Variables = { readonly seen: readonly SeenVariable[] } | { readonly unavailable: string };

/** How often this failure happens. */
export interface FailureHistory {
  readonly count: number;
  readonly firstSeen: string;
  readonly lastSeen: string;
  readonly versions: readonly number[];
  /** Among the newest executions of the task, at most 100. */
  readonly recent: { readonly executions: number; readonly withThisFailure: number; readonly completed: number };
}

/** One execution's run: what it worked on and what it did. */
export interface Run {
  readonly executionId: string;
  readonly task: ExecutionRequest['task'];
  readonly input: Json;
  readonly steps: readonly RecordedStep[];
  readonly requestedPosition: Position;
}

/** What the author wrote, where the code that runs was made from it. */
export interface AuthoredCode {
  readonly file: string;
  /** Null where the source map does not carry it. */
  readonly text: string | null;
  /** Lines and columns from 1; null for code that no author wrote. */
  original(place: {
    readonly line: number;
    readonly column: number;
  }): { readonly file: string; readonly line: number; readonly column: number } | null;
}

/** The recorded version of the code. */
export interface RecordedCode extends ParsedCode {
  readonly file: string;
  readonly authored: AuthoredCode | null;
}

export interface FailureCase {
  readonly run: Run;
  readonly request: ExecutionRequest;
  readonly attempt: number;
  readonly attempts: number;
  readonly end: CaseEnd;
  /** Steps of the other attempts. */
  readonly earlier: readonly RecordedStep[];
  /** Events that began and ended the analysed attempt. */
  readonly startPosition: Position | null;
  readonly endPosition: Position;
  /** Calls of the attempt whose outcome is not recorded. */
  readonly open: readonly OpenStep[];
  /** The recorded version; null with the reason where it is gone. */
  readonly code: RecordedCode | null;
  readonly codeUnavailable: string | null;
  readonly waiting: Waiting | null;
  readonly variables: Variables;
  readonly history: FailureHistory | null;
  /** The newest execution of the task that completed before this one. */
  readonly lastSuccess: Run | null;
  /** Names of tasks that exist. */
  readonly taskNames: readonly string[];
  /** The execution that the failing step asked for through `runTask`. */
  readonly subtask: { readonly executionId: string; readonly analysis: Subanalysis | null } | null;
}

/** What the analysis of a failed subtask says, as far as its parent repeats it. */
export interface Subanalysis {
  readonly execution_id: string;
  readonly task: string;
  readonly kind: string;
  readonly summary: string;
  readonly failing_line: { readonly file: string; readonly line: number; readonly function: string | null } | null;
}

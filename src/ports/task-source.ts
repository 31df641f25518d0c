/** What the core asks of a place where tasks are kept as files: list them, tell about changes, report what is broken. */
import type { Json, JsonObject } from '../domain/event.ts';
import type { StepKind } from '../domain/journal.ts';
import type { TaskStart } from './sandbox.ts';

/** A test that stands beside a task (task-format: Test file). What may be absent is so in most tests, and was in older ones. */
export interface TaskTest {
  readonly name: string;
  readonly description: string | null;
  readonly input: Json;
  readonly expectation:
    | { readonly kind: 'output'; readonly value: Json }
    | { readonly kind: 'error'; readonly contains: string }
    | { readonly kind: 'any-error' }
    /** Only the assertions, or that it does not throw. */
    | { readonly kind: 'none' };
  readonly mocks: readonly HttpMock[];
  readonly stepMocks?: readonly StepMock[] | undefined;
  readonly assertions: readonly TestAssertion[];
  /** Milliseconds since the epoch at the start: time then goes on by sleeps, timers and delays alone, and nothing goes out. */
  readonly clock?: number | undefined;
  /** 32 bytes in hex, from which all randomness of the task comes. */
  readonly seed?: string | undefined;
  /** Members of `context` that are not as in any other test. */
  readonly context?: Partial<TaskStart['context']> | undefined;
}

/** How often a mock answers, and when. */
interface Mock {
  /** Calls it answers; absent: any number. */
  readonly times?: number | undefined;
  /** Until it answers, by the clock of the task; without a `clock` it answers at once. */
  readonly delayMs?: number | undefined;
  /** It never answers. */
  readonly never?: true | undefined;
  /** Of answers at the same time the lowest is first; absent: in the order of the calls. */
  readonly order?: number | undefined;
  /** What the call throws instead. */
  readonly error?: { readonly name: string; readonly message: string; readonly data: JsonObject } | undefined;
}

export interface HttpMock extends Mock {
  readonly url: string;
  readonly method: string | null;
  readonly response: {
    readonly ok: boolean | null;
    readonly status: number | null;
    readonly statusText: string | null;
    readonly headers: Readonly<Record<string, string>> | readonly (readonly [string, string])[];
    readonly body: Json;
    readonly bodyEncoding?: 'utf8' | 'base64' | undefined;
    readonly url?: string | undefined;
    readonly redirected?: boolean | undefined;
  };
}

/** Stands for a step of any other kind. */
export interface StepMock extends Mock {
  readonly kind: StepKind;
  /** Absent: any. */
  readonly name?: string | undefined;
  readonly value: Json;
}

export interface TestAssertion {
  readonly path: string;
  readonly operator: 'equals' | 'contains' | 'matches' | 'gt' | 'gte' | 'lt' | 'lte' | 'exists' | 'type';
  readonly expected: Json;
}

/** A task as read from files, in one shape whatever its layout. */
export interface TaskDefinition {
  readonly name: string;
  /** Id the author gave it, if any; an alias by which it can be found. */
  readonly uuid: string | null;
  /** The author's version label, such as `1.2.0`. */
  readonly version: string;
  readonly label: string | null;
  readonly description: string;
  readonly tags: readonly string[];
  readonly category: string | null;
  readonly author: string | null;
  readonly license: string | null;
  readonly dangerous: boolean;
  readonly timeoutMs: number | null;
  readonly memoryMb: number | null;
  readonly style: 'auto' | 'blocking' | 'promise';
  readonly code: string;
  /** File name shown in stacks: `<name>/main.js`. */
  readonly file: string;
  readonly inputSchema: Json;
  readonly outputSchema: Json;
  readonly tests: readonly TaskTest[];
  /** Keys of the metadata file that mean nothing to us, kept as they came. */
  readonly metadata: JsonObject;
}

/** A place in a source that could not be read as a task. */
export interface BrokenTask {
  readonly path: string;
  readonly reason: string;
}

/** Why the last good copy is told, and when it was last known to be what is there. */
export interface StaleCopy {
  readonly reason: string;
  /** ISO 8601. */
  readonly since: string;
}

export interface SourceListing {
  readonly tasks: readonly TaskDefinition[];
  readonly broken: readonly BrokenTask[];
  /** Commit, or SHA-256 of the archive, that the tasks are of; null for a folder. */
  readonly revision: string | null;
  /** Branch of the repository that is followed; null for anything that no push moves. */
  readonly branch: string | null;
  /** Set when this is the last good copy, because what is there now could not be had. */
  readonly stale: StaleCopy | null;
}

export interface TaskSource {
  readonly name: string;
  /** Where it is, as it may be told: without credentials. */
  readonly address: string;
  /** Branch, tag or commit that is asked for; null: the default branch, or none at all. */
  readonly ref: string | null;
  /** Whether reading it asks another machine. */
  readonly isRemote: boolean;
  /**
   * Reads everything that is there now.
   * Fails with `not_found` when the place itself is missing; a remote one without a good copy also with
   * `source_unavailable`, `source_refused` or `address_refused`.
   */
  list(): Promise<SourceListing>;
  /** Calls `onChange` after files changed and came to rest, until the signal aborts. */
  watch(onChange: () => void, signal: AbortSignal): Promise<void>;
}

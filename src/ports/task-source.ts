/** What the core asks of a place where tasks are kept as files: list them, tell about changes, report what is broken. */
import type { Json, JsonObject } from '../domain/event.ts';

/** A test that stands beside a task (task-format: Test file). */
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
  readonly assertions: readonly TestAssertion[];
}

export interface HttpMock {
  readonly url: string;
  readonly method: string | null;
  readonly response: {
    readonly ok: boolean | null;
    readonly status: number | null;
    readonly statusText: string | null;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: Json;
  };
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

export interface SourceListing {
  readonly tasks: readonly TaskDefinition[];
  readonly broken: readonly BrokenTask[];
}

export interface TaskSource {
  readonly name: string;
  /** Reads everything that is there now. Fails with `not_found` when the place itself is missing. */
  list(): Promise<SourceListing>;
  /** Calls `onChange` after files changed and came to rest, until the signal aborts. */
  watch(onChange: () => void, signal: AbortSignal): Promise<void>;
}

/** Finds for the calls of changed code their entries in the journal: by key, then by content, then by likeness. */
import type { JsonObject } from '../domain/event.ts';
import type { Outcome, StepKind } from '../domain/journal.ts';
import type { OpenCall } from './attempt-plan.ts';

/** A call of the recorded run. */
export interface RecordedCall {
  readonly path: string;
  readonly kind: StepKind;
  readonly name: string;
  readonly argsHash: string;
  readonly request: JsonObject;
  /** Null where the run was over before an outcome came. */
  readonly outcome: Outcome | null;
  /** Logical milliseconds from call to delivery. */
  readonly durationMs: number;
  /** Place among the outcomes in the order of their delivery. */
  readonly order: number;
  /** Without an outcome: for how many logical milliseconds the record shows that none came. 0 with one. */
  readonly silentMs: number;
}

type Asked = Pick<OpenCall, 'path' | 'kind' | 'argsHash' | 'request'>;

export class JournalMatch {
  readonly #calls: readonly RecordedCall[];
  readonly #byPath: ReadonlyMap<string, RecordedCall>;
  readonly #byContent: ReadonlyMap<string, readonly RecordedCall[]>;
  readonly #byAddress: ReadonlyMap<string, readonly RecordedCall[]>;
  /** Equal calls of one scope by their numbers; the front is dropped when it is used or has been left out. */
  readonly #inTurn = new Map<string, RecordedCall[]>();
  readonly #used = new Set<RecordedCall>();
  readonly #likened = new Set<RecordedCall>();
  /** By scope, the number of the last call that stands where the record has it. */
  readonly #inStep = new Map<string, number>();

  constructor(calls: readonly RecordedCall[]) {
    this.#calls = calls;
    this.#byPath = new Map(calls.map((call) => [call.path, call]));
    this.#byContent = Map.groupBy(calls, contentOf);
    this.#byAddress = Map.groupBy(
      calls.filter(({ kind }) => kind === 'http'),
      ({ request }) => addressOf(request),
    );
    for (const [key, equal] of Map.groupBy(calls, (call) => `${placeOf(call.path).scope} ${contentOf(call)}`)) {
      this.#inTurn.set(key, [...inPathOrder(equal)]);
    }
  }

  /**
   * Takes the entry of an equal call: at the same place, or, where calls were put in or left out before it, the first of that
   * content that is left. Equal calls in a row keep the order of their outcomes although all their numbers have moved.
   */
  exact(call: Asked): RecordedCall | null {
    const { scope, number } = placeOf(call.path);
    const here = this.#byPath.get(call.path);
    const atPlace = here !== undefined && contentOf(here) === contentOf(call) && !this.#used.has(here) ? here : null;
    const found = this.#passed(call, scope, number) ?? atPlace ?? this.#nearest(call, scope);
    if (found === null) return null;
    if (found === atPlace) this.#inStep.set(scope, number);
    this.#used.add(found);
    return found;
  }

  /** An equal call that the record has before this place, after the last one that stood where it stands there. */
  #passed(call: Asked, scope: string, number: number): RecordedCall | null {
    const equal = this.#inTurn.get(`${scope} ${contentOf(call)}`) ?? [];
    const after = this.#inStep.get(scope) ?? 0;
    for (let first = equal[0]; first !== undefined; first = equal[0]) {
      const at = placeOf(first.path).number;
      if (!this.#used.has(first) && at > after) return at < number ? first : null;
      equal.shift();
    }
    return null;
  }

  /** Of what is left of this content, entries that hold an outcome first, and of those the ones of the same scope. */
  #nearest(call: Asked, scope: string): RecordedCall | null {
    const left = (this.#byContent.get(contentOf(call)) ?? []).filter((entry) => !this.#used.has(entry));
    const answered = left.filter(({ outcome }) => outcome !== null);
    return answered.find(({ path }) => placeOf(path).scope === scope) ?? answered[0] ?? left[0] ?? null;
  }

  /** An entry that the call may have come from: at its place and of its kind, else one of the same method and URL. An equal call may still take it. */
  like(call: Asked): RecordedCall | null {
    const isFree = (entry: RecordedCall): boolean => !this.#used.has(entry) && !this.#likened.has(entry);
    const here = this.#byPath.get(call.path);
    const isHere = here !== undefined && here.kind === call.kind && isFree(here);
    const sameAddress = call.kind === 'http' ? this.#byAddress.get(addressOf(call.request)) : undefined;
    const found = isHere ? here : sameAddress?.find(isFree);
    if (found !== undefined) this.#likened.add(found);
    return found ?? null;
  }

  isUsed(entry: RecordedCall): boolean {
    return this.#used.has(entry);
  }

  /** Entries that no call took, in recorded order. */
  unused(): readonly RecordedCall[] {
    return this.#calls.filter((entry) => !this.#used.has(entry));
  }
}

/** @returns true when the outcome of `entry` may stand for that of a changed call: HTTP by method and path of the URL. */
export function mayReuse(entry: RecordedCall, call: Asked): boolean {
  if (entry.kind !== call.kind) return false;
  if (entry.kind !== 'http') return true;
  return methodOf(entry.request) === methodOf(call.request) && pathnameOf(entry.request) === pathnameOf(call.request);
}

function contentOf({ kind, argsHash }: Pick<RecordedCall, 'kind' | 'argsHash'>): string {
  return `${kind} ${argsHash}`;
}

/** `4/2` is number 2 in the scope `4`. */
function placeOf(path: string): { readonly scope: string; readonly number: number } {
  return { scope: scopeOf(path), number: Number(path.slice(path.lastIndexOf('/') + 1)) };
}

/** @returns the path of the step in which the call was made; empty outside of any. */
export function scopeOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

/** @returns the calls of each scope in the order of their numbers. */
export function inPathOrder<Call extends Pick<Asked, 'path'>>(calls: readonly Call[]): readonly Call[] {
  return calls.toSorted((a, b) => placeOf(a.path).number - placeOf(b.path).number);
}

function methodOf(request: JsonObject): string {
  return String(request['method'] ?? 'GET').toUpperCase();
}

function addressOf(request: JsonObject): string {
  return `${methodOf(request)} ${String(request['url'])}`;
}

function pathnameOf(request: JsonObject): string {
  const url = String(request['url']);
  return URL.parse(url)?.pathname ?? url;
}

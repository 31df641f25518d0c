/** Gives out the outcomes that whoever replays has made up, each as often as it may be given. */
import { isHttpValue, writtenHttpValue } from '../domain/http-value.ts';
import type { Outcome } from '../domain/journal.ts';
import type { Stub } from '../domain/replay.ts';
import type { OpenCall } from './attempt-plan.ts';

export class Stubs {
  readonly #stubs: readonly Stub[];
  readonly #given: number[];

  constructor(stubs: readonly Stub[]) {
    this.#stubs = stubs;
    this.#given = stubs.map(() => 0);
  }

  /** @returns the outcome of the first stub that fits and is not used up; null when there is none. */
  take(call: OpenCall): Outcome | null {
    const index = this.#stubs.findIndex(
      (stub, at) => (stub.times === null || (this.#given[at] ?? 0) < stub.times) && fits(stub, call),
    );
    const stub = this.#stubs[index];
    if (stub === undefined) return null;
    this.#given[index] = (this.#given[index] ?? 0) + 1;
    return shaped(stub.outcome, call);
  }

  /** Stubs that answered no call, counted from 0. */
  unused(): readonly number[] {
    return this.#given.flatMap((count, index) => (count === 0 ? [index] : []));
  }
}

function fits({ match }: Stub, call: OpenCall): boolean {
  const { path, kind, method, url, name } = match;
  if (path !== undefined && path !== call.path) return false;
  if (kind !== undefined && kind !== call.kind) return false;
  if (method !== undefined && method.toUpperCase() !== String(call.request['method'] ?? '').toUpperCase()) return false;
  if (url !== undefined && !(call.kind === 'http' && String(call.request['url']).includes(url))) return false;
  return name === undefined || call.name.includes(name);
}

/** Task code is given an answer of a server where it asked for one: a bare value becomes its body. */
function shaped(outcome: Outcome, { kind, request }: OpenCall): Outcome {
  if (kind !== 'http' || !outcome.ok) return outcome;
  const asked = String(request['url']);
  if (!isHttpValue(outcome.value)) return { ok: true, value: writtenHttpValue({ body: outcome.value }, asked) };
  const { url } = outcome.value;
  return typeof url === 'string' && url !== '' ? outcome : { ok: true, value: { ...outcome.value, url: asked } };
}

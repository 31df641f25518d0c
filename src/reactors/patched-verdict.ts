/** Judges a patched replay: what became of the recorded failure, in one word and one sentence. */

import type { Json } from '../domain/event.ts';
import type { Failure } from '../domain/execution.ts';
import { fingerprintOf } from '../domain/fingerprint.ts';
import { jsonDifferences, MAX_DIFFERENCES } from '../domain/json-difference.ts';
import type { JsonDifference, PatchedStep, PatchVerdict, StepChange } from '../domain/replay.ts';

/** How the recorded run ended. */
export interface RecordedEnd {
  readonly status: 'completed' | 'failed' | 'cancelled';
  readonly output: Json;
  readonly failure: Failure | null;
}

/** How the replay ended: with an output, a failure, or with calls that nobody was allowed to answer. */
export type ReplayedEnd =
  | { readonly kind: 'output'; readonly output: Json }
  | { readonly kind: 'failure'; readonly failure: Failure }
  | { readonly kind: 'blocked' };

export interface Judgement {
  readonly verdict: PatchVerdict;
  readonly summary: string;
  readonly outputDiff: readonly JsonDifference[];
}

/** Longest message that is quoted. */
const MAX_QUOTED = 300;
/** Blocked calls that are named. */
const MAX_NAMED = 3;

/** A blocked call, as it is named. */
type Blocked = Pick<PatchedStep, 'path' | 'kind' | 'name'>;

/**
 * @param decisive blocked calls whose answers the end may hang on; with any, nothing is decided
 * @returns the verdict, a sentence, and where the outputs of two good runs differ.
 */
export function judge(
  was: RecordedEnd,
  is: ReplayedEnd,
  steps: readonly PatchedStep[],
  decisive: readonly Blocked[],
): Judgement {
  const paths = new Set(decisive.map(({ path }) => path));
  const harmless = steps.filter(({ answeredBy, path }) => answeredBy === 'blocked' && !paths.has(path));
  const told = (verdict: PatchVerdict, words: string, outputDiff: readonly JsonDifference[] = []): Judgement => {
    const left = harmless.length === 0 ? '' : `; ${unsentWords(harmless)}`;
    return { verdict, summary: `${words}${left}; ${countsOf(steps)}.`, outputDiff };
  };
  switch (is.kind) {
    case 'blocked':
      return told('undecided', `It can not be told: ${blockedWords(decisive)}`);
    case 'failure': {
      const said = quoted(is.failure);
      // Without the answer that it was denied, the code may have come to another end.
      if (decisive.length > 0) return told('undecided', `It failed with ${said}, but ${blockedWords(decisive)}`);
      if (was.failure !== null && isSame(was.failure, is.failure))
        return told('fails_same', `It fails as before: ${said}`);
      return told('fails_otherwise', `It fails otherwise: ${said}`);
    }
    case 'output': {
      const diff = was.status === 'completed' ? jsonDifferences(was.output, is.output) : [];
      if (decisive.length > 0) return told('undecided', `It returned, but ${blockedWords(decisive)}`, diff);
      return told('succeeds', `It succeeds ${successWords(was, diff.length)}`, diff);
    }
    default:
      return is satisfies never;
  }
}

function successWords({ status, failure }: RecordedEnd, differences: number): string {
  if (failure !== null) return `where the recorded run failed with ${quoted(failure)}`;
  return status === 'cancelled' ? 'where the recorded run was cancelled' : `with ${outputWords(differences)}`;
}

/** A failure of the process has one cause whatever its words; one of the code is known by its fingerprint. */
function isSame(was: Failure, is: Failure): boolean {
  if (was.code !== is.code) return false;
  if (is.code !== 'task_failed' && is.code !== 'output_schema_violation') return true;
  return was.error.name === is.error.name && fingerprintOf(was) === fingerprintOf(is);
}

function quoted({ error }: Failure): string {
  const text = `${error.name}: ${error.message}`;
  return text.length <= MAX_QUOTED ? text : `${text.slice(0, MAX_QUOTED)}…`;
}

function outputWords(differences: number): string {
  if (differences === 0) return 'the recorded output';
  const places = differences === 1 ? 'one place' : `${differences} places`;
  return `an output that differs from the recorded one in ${differences >= MAX_DIFFERENCES ? 'at least ' : ''}${places}`;
}

function blockedWords(blocked: readonly Blocked[]): string {
  const canBeLive = blocked.some(({ kind }) => kind === 'http' || kind === 'file' || kind === 'hmac');
  return `${named(blocked)} not answered by the record: stub it${canBeLive ? ', or allow live calls' : ''}`;
}

function unsentWords(blocked: readonly Blocked[]): string {
  return `${named(blocked)} not sent, and nothing waits for it`;
}

/** @returns the first of them by name, and the verb. */
function named(blocked: readonly Blocked[]): string {
  const first = blocked.slice(0, MAX_NAMED).map(({ path, name }) => `${name.slice(0, MAX_QUOTED)} (step ${path})`);
  const more = blocked.length > MAX_NAMED ? ` and ${blocked.length - MAX_NAMED} more` : '';
  return `${first.join(', ')}${more} ${blocked.length > 1 ? 'are' : 'is'}`;
}

/** @returns how many steps were reused, changed, new and missing. */
export function countSteps(steps: readonly PatchedStep[]): Readonly<Record<StepChange, number>> {
  const counts = { reused: 0, changed: 0, new: 0, missing: 0 };
  for (const { change } of steps) counts[change] += 1;
  return counts;
}

function countsOf(steps: readonly PatchedStep[]): string {
  const counts = Object.entries(countSteps(steps)).filter(([, count]) => count > 0);
  if (counts.length === 0) return 'no steps';
  return `steps: ${counts.map(([change, count]) => `${count} ${change}`).join(', ')}`;
}

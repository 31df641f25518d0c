/** Pairs the `step()` memos of changed code with the recorded ones after its end, because a memo is told when its work is done, not when it began. */
import { canonicalJson, type Outcome } from '../domain/journal.ts';
import { inPathOrder, type RecordedCall, scopeOf } from './patched-match.ts';

/** A memo of the changed code. */
export interface MadeMemo {
  readonly path: string;
  readonly argsHash: string;
  readonly outcome: Outcome;
}

export interface MemoPair {
  readonly entry: RecordedCall;
  /** Whether both have the same name and outcome. */
  readonly isEqual: boolean;
}

interface Compared<Memo> {
  readonly memo: Memo;
  readonly path: string;
  readonly name: string;
  readonly outcome: string;
}

/** What two memos have in common to be a pair, the surest sign first. */
const SIGNS: readonly ((memo: Compared<unknown>) => readonly string[])[] = [
  ({ path, name, outcome }) => [path, name, outcome],
  ({ path, name, outcome }) => [scopeOf(path), name, outcome],
  ({ name, outcome }) => [name, outcome],
  ({ path, name }) => [path, name],
  ({ path, name }) => [scopeOf(path), name],
  ({ name }) => [name],
  ({ path }) => [path],
];

/** @returns by the path of a made memo what it was in the record; each recorded memo is given once. */
export function pairMemos(recorded: readonly RecordedCall[], made: readonly MadeMemo[]): ReadonlyMap<string, MemoPair> {
  const pairs = new Map<string, MemoPair>();
  let entries = inPathOrder(recorded).map(compared);
  let memos = inPathOrder(made).map(compared);
  for (const sign of SIGNS) {
    const keyOf = (memo: Compared<unknown>): string => JSON.stringify(sign(memo));
    const fitting = new Map([...Map.groupBy(entries, keyOf)].map(([key, group]) => [key, group.values()]));
    const taken = new Set<RecordedCall>();
    for (const memo of memos) {
      const found = fitting.get(keyOf(memo))?.next().value;
      if (found === undefined) continue;
      taken.add(found.memo);
      pairs.set(memo.path, { entry: found.memo, isEqual: found.name === memo.name && found.outcome === memo.outcome });
    }
    entries = entries.filter(({ memo }) => !taken.has(memo));
    memos = memos.filter(({ path }) => !pairs.has(path));
  }
  return pairs;
}

function compared<Memo extends MadeMemo | RecordedCall>(memo: Memo): Compared<Memo> {
  const { path, argsHash, outcome } = memo;
  return { memo, path, name: argsHash, outcome: outcome === null ? '' : canonicalJson(comparable(outcome)) };
}

/** Stacks differ between two forms of the code; what an error is does not. */
function comparable(outcome: Outcome) {
  return outcome.ok ? { value: outcome.value } : { name: outcome.error.name, message: outcome.error.message };
}

/** What must hold of the steps of an execution: one stored outcome for each in a chain of attempts, and never begun again. */
import { objectOf } from '../../../src/domain/event.ts';
import { type ExistingExecution, journalOf, type StepEnd, type StepStart } from '../../../src/domain/execution.ts';
import { canonicalJson } from '../../../src/domain/journal.ts';
import type { Payload } from '../../../src/domain/payload.ts';
import { isTerminal, only, type RecordedExecution, type Violation } from './known.ts';

/** @returns an inline value; undefined for one that is kept as a blob. */
export function inline(payload: Payload) {
  return 'value' in payload ? payload.value : undefined;
}

/** @returns the address that an HTTP step asks; null for other steps. */
export function urlOf({ kind, request }: Pick<StepStart, 'kind' | 'request'>): string | null {
  const url = kind === 'http' ? objectOf(inline(request))['url'] : undefined;
  return typeof url === 'string' ? url : null;
}

export function journalViolations({ id, facts, state }: RecordedExecution): readonly Violation[] {
  if (state === null) return [];
  const doubles = state.attempts.flatMap(({ attempt }) =>
    doublesIn(journalOf(state, attempt)).map(
      (path): Violation => ({
        rule: 'one outcome',
        text: `${id}: step ${path} has two in the journal of attempt ${attempt}`,
      }),
    ),
  );
  return [...new Map(doubles.map((one) => [one.text, one])).values(), ...begunAgain(id, facts, state)];
}

function doublesIn(journal: readonly StepEnd[]): readonly string[] {
  const paths = journal.map(({ path }) => path);
  return paths.filter((path, index) => paths.indexOf(path) !== index);
}

function begunAgain(id: string, facts: RecordedExecution['facts'], state: ExistingExecution): readonly Violation[] {
  const storedAt = new Map(only(facts, 'StepCompleted').map(({ stored, fact }) => [keyOf(fact.data), stored.version]));
  return only(facts, 'StepStarted').flatMap(({ stored, fact }): readonly Violation[] => {
    const { attempt, path } = fact.data;
    const known = journalOf(state, attempt).find((step) => step.path === path);
    const since = known === undefined ? undefined : storedAt.get(keyOf(known));
    if (since === undefined || since > stored.version) return [];
    return [
      {
        rule: 'begun again',
        text: `${id}: step ${path} began in attempt ${attempt} (v${stored.version}) after its outcome (v${since})`,
      },
    ];
  });
}

function keyOf({ attempt, path }: { readonly attempt: number; readonly path: string }): string {
  return `${attempt} ${path}`;
}

/** A subtask's outcome is that of an execution which ended before. */
export function subtaskViolations(executions: readonly RecordedExecution[]): readonly Violation[] {
  const children = new Map<string, RecordedExecution[]>();
  for (const child of executions) {
    const parent = child.state?.request.parent ?? null;
    if (parent === null) continue;
    const key = `${parent.executionId} ${parent.path}`;
    children.set(key, [...(children.get(key) ?? []), child]);
  }
  return executions.flatMap(({ id, facts }) =>
    only(facts, 'StepCompleted').flatMap(({ stored, fact }): readonly Violation[] => {
      const { kind, path, outcome } = fact.data;
      if (kind !== 'task' || !outcome.ok) return [];
      const value = inline(outcome.value);
      const isTold = (children.get(`${id} ${path}`) ?? []).some((child) => {
        const end = child.facts.find((one) => isTerminal(one.fact));
        if (end === undefined || end.fact.type !== 'ExecutionCompleted' || end.stored.position > stored.position)
          return false;
        const output = inline(end.fact.data.output);
        return output === undefined || value === undefined || canonicalJson(output) === canonicalJson(value);
      });
      return isTold
        ? []
        : [{ rule: 'subtasks', text: `${id}: step ${path} has an outcome that no subtask had ended with` }];
    }),
  );
}

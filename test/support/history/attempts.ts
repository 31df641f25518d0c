/** What must hold of the attempts of an execution: one at a time, each going on where the one before stopped, one end. */
import type { AttemptStart, ExecutionEvent } from '../../../src/domain/execution.ts';
import { isTerminal, only, type RecordedExecution, type Violation } from './known.ts';

/** One request, one end and nothing after it; attempts from 1 without a gap; nothing of an attempt behind its successor. */
export function attemptViolations(execution: RecordedExecution): readonly Violation[] {
  return [...endViolations(execution), ...orderViolations(execution), ...goingOnViolations(execution)];
}

function endViolations({ id, facts, state }: RecordedExecution): readonly Violation[] {
  const found: Violation[] = [];
  const requests = only(facts, 'ExecutionRequested').length;
  if (state === null || requests !== 1 || facts[0]?.fact.type !== 'ExecutionRequested')
    found.push({ rule: 'one request', text: `${id} begins with ${facts[0]?.fact.type} and has ${requests} requests` });
  const ends = facts.filter(({ fact }) => isTerminal(fact));
  if (ends.length !== 1) {
    const types = ends.map(({ fact }) => fact.type).join(', ');
    found.push({ rule: 'one end', text: `${id} has ${ends.length} ends (${types}) and is ${state?.status}` });
  }
  const [first] = ends;
  const after =
    first === undefined ? [] : facts.slice(facts.indexOf(first) + 1).filter(({ fact }) => !isTerminal(fact));
  for (const { stored, fact } of after)
    found.push({ rule: 'nothing after the end', text: `${id}: ${fact.type} v${stored.version} follows its end` });
  return found;
}

/** Facts of a worker; what others add (a question's answer, a wish to cancel) is no sign of an attempt that is alive. */
function attemptOf(fact: ExecutionEvent): number | null {
  switch (fact.type) {
    case 'StepStarted':
    case 'StepCompleted':
    case 'ExecutionWaiting':
    case 'AttemptFailed':
    case 'ExecutionCompleted':
    case 'ExecutionFailed':
    case 'ExecutionCancelled':
      return fact.data.attempt;
    case 'ExecutionRequested':
    case 'ExecutionStarted':
    case 'QuestionAnswered':
    case 'StepInherited':
    case 'ExecutionCancelRequested':
      return null;
    default:
      return fact satisfies never;
  }
}

function orderViolations({ id, facts }: RecordedExecution): readonly Violation[] {
  const found: Violation[] = [];
  let current = 0;
  let rests = true;
  for (const { stored, fact } of facts) {
    const place = `${id}: ${fact.type} v${stored.version}`;
    if (fact.type === 'ExecutionStarted') {
      const { attempt } = fact.data;
      if (attempt !== current + 1)
        found.push({ rule: 'attempt numbers', text: `${place} is attempt ${attempt} after ${current}` });
      current = attempt;
      rests = false;
      continue;
    }
    const attempt = attemptOf(fact);
    if (attempt === null) continue;
    if (attempt !== current)
      found.push({ rule: 'fencing', text: `${place} of attempt ${attempt} stands behind the start of ${current}` });
    else if (rests && fact.type !== 'ExecutionCancelled')
      found.push({ rule: 'resting attempts', text: `${place} of attempt ${attempt}, which had stopped` });
    rests ||= fact.type === 'ExecutionWaiting' || fact.type === 'AttemptFailed';
  }
  return found;
}

/** An attempt that broke off or waited is resumed on its whole journal, with its clock and seed; one that failed begins anew. */
function goingOnViolations({ id, facts }: RecordedExecution): readonly Violation[] {
  const found: Violation[] = [];
  let last: AttemptStart | null = null;
  let failed = false;
  for (const { fact } of facts) {
    if (fact.type === 'AttemptFailed') failed = true;
    if (fact.type !== 'ExecutionStarted') continue;
    const start = fact.data;
    const problem = last === null ? null : failed ? retryProblem(start) : resumeProblem(start, last);
    if (problem !== null) found.push({ rule: 'going on', text: `${id}: attempt ${start.attempt} ${problem}` });
    last = start;
    failed = false;
  }
  return found;
}

function retryProblem({ mode }: AttemptStart): string | null {
  return mode === 'fresh' ? null : 'resumes one that failed';
}

function resumeProblem(start: AttemptStart, last: AttemptStart): string | null {
  if (start.mode !== 'resume') return `is ${start.mode}, though attempt ${last.attempt} had not failed`;
  if (start.journalFrom !== last.attempt || start.keep !== null) return `does not keep the journal of ${last.attempt}`;
  return start.seed === last.seed && start.clock === last.clock
    ? null
    : `has another clock or seed than ${last.attempt}`;
}

/** Which recorded events prove what an analysis says. */
import type { Position } from '../event.ts';
import { cutText } from './cut-values.ts';
import { answered, called } from './failing-step.ts';
import type { FailureCase, RecordedStep } from './failure-case.ts';
import type { Findings } from './findings.ts';

export interface Evidence {
  readonly statement: string;
  /** Positions of events of the execution's own stream. */
  readonly events: readonly Position[];
}

const MAX_EVENTS = 50;

/** @returns each statement with its proof, in the order of the events. */
export function evidenceOf(subject: FailureCase, findings: Findings): readonly Evidence[] {
  const { run, attempt, end } = subject;
  const said: Evidence[] = [];
  const add = (statement: string, ...events: readonly (Position | null)[]): void => {
    const known = [...new Set(events.filter((position) => position !== null))].slice(0, MAX_EVENTS);
    if (known.length > 0) said.push({ statement: cutText(statement, 500), events: known });
  };
  add(`version ${run.task.version} of ${run.task.name} was asked for with this input`, run.requestedPosition);
  addStep(findings, add);
  addHost(findings, add);
  const origin = findings.missing?.origin;
  if (origin) add(`${origin.said}: that is ${findings.missing?.expression ?? 'what the code reads'}`, ...origin.events);
  for (const { said: what, position } of findings.related) add(what, position);
  addOpen(subject, add);
  if (findings.retry.helps !== 'no') addDone(subject, findings, add);
  const { difference } = findings;
  if (difference?.step)
    add(`first difference of a step from the last success: ${difference.step.sentence}`, difference.position);
  if (end.is === 'failed') {
    const { error, code } = end.failure;
    add(`attempt ${attempt} ended with ${error.name}: ${error.message} (${code})`, subject.endPosition);
  } else {
    if (end.asked !== null) add(`${end.asked.by} asked for the cancellation at ${end.asked.at}`, end.asked.position);
    add(`it was cancelled at ${end.endedAt}`, subject.endPosition);
  }
  return said;
}

type Add = (statement: string, ...events: readonly (Position | null)[]) => void;

function addStep({ failing }: Findings, add: Add): void {
  if (failing === null) return;
  const { step, relation } = failing;
  const words = {
    raised: `${called(step)} ${answered(step)}, and this is the failure`,
    used: `${called(step)} ${answered(step)}, and the failing line used it`,
    failed_earlier: `${called(step)} ${answered(step)} before`,
  };
  add(words[relation], step.position);
}

function addHost({ host, kind }: Findings, add: Add): void {
  if (host === null || kind !== 'dependency_down') return;
  add(`${host.failed.length} calls to ${host.name} failed`, ...host.failed.map(({ position }) => position));
}

/** A call that changes nothing leaves no event when it is made: that its outcome is missing is then proven by where the record ends. */
function addOpen({ open, waiting, startPosition, endPosition, end }: FailureCase, add: Add): void {
  if (end.is !== 'failed') return;
  for (const step of (waiting?.open ?? open).slice(0, 10)) {
    const events = step.position === null ? [startPosition, endPosition] : [step.position, endPosition];
    add(`${called(step)} was under way and got no outcome`, ...events);
  }
  if (waiting?.doing === 'computing')
    add('the code was computing and asked for nothing more', startPosition, endPosition);
}

function addDone({ run }: FailureCase, { retry }: Findings, add: Add): void {
  for (const { path, name } of retry.done_again)
    add(`${called({ path, name })} took effect`, positionOf(run.steps, path));
}

function positionOf(steps: readonly RecordedStep[], path: string): Position | null {
  return steps.find((step) => step.path === path)?.position ?? null;
}

/** Reads a whole history and tells what in it must never happen; it knows the protocol and nothing of the program that ran. */
import { attemptViolations } from './attempts.ts';
import { journalViolations, subtaskViolations } from './journals.ts';
import { executionsOf, type Known, type Violation } from './known.ts';
import { outsideViolations } from './outside.ts';
import { sessionViolations } from './sessions.ts';
import { streamViolations } from './streams.ts';
import { telemetryViolations } from './telemetry.ts';
import { toldViolations } from './told.ts';

/** @returns every violation; none where all executions of the log ended exactly once and nothing was lost, doubled or mixed up. */
export function violationsOf(known: Known): readonly Violation[] {
  const executions = executionsOf(known.events);
  return [
    ...streamViolations(known),
    ...executions.flatMap((execution) => [...attemptViolations(execution), ...journalViolations(execution)]),
    ...subtaskViolations(executions),
    ...outsideViolations(executions, known.arrivals),
    ...sessionViolations(known, executions),
    ...telemetryViolations(known, executions),
    ...toldViolations(executions, known.told),
  ];
}

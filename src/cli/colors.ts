/** Which words of a report have a colour: what is well, what is not, what is in between. */
import picocolors from 'picocolors';

export type Colors = ReturnType<typeof picocolors.createColors>;

/** @returns what puts text in colours, or leaves it as it is where they are not wanted. */
export function colorsFor(areWanted: boolean): Colors {
  return picocolors.createColors(areWanted);
}

const WELL = /^(?:ok|valid|identical|completed|succeeds|= reused)\b/;
const BAD = /^(?:WRONG|FAIL|DIFFERENT|failed|fails_same|fails_otherwise|- missing)\b/;
const BETWEEN = /^(?:undecided|cancelled|running|pending|waiting|~ changed|\+ new)\b/;

/** @returns the report with the word that a line begins with in its colour. */
export function colored(report: string, colors: Colors): string {
  if (!colors.isColorSupported) return report;
  return report
    .split('\n')
    .map((line) => line.replace(WELL, colors.green).replace(BAD, colors.red).replace(BETWEEN, colors.yellow))
    .join('\n');
}

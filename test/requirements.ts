/** Which tests prove which requirement of the product's documents; an empty list means open. */
import { by, type Proof } from './support/proofs.ts';

const LETTERS = { A: 51, B: 64, C: 26, D: 28, E: 23 } as const;

/** Every requirement by its id. */
export const IDS: readonly string[] = Object.entries(LETTERS).flatMap(([letter, count]) =>
  Array.from({ length: count }, (_, index) => `${letter}${index + 1}`),
);

/** Ids that an issue which is done had to prove. */
export const PROVEN: readonly string[] = [
  'A5 A7 A9 A11 A12 A26 A27 A28 A29 A33 A34 A35 A36 A40 A45 A50 A51',
  'B6 B7 B8 B9 B11 B20 B41 B46 B47 B50',
  'C4 C5 C8 C16 C18 C19 C22',
  'E5 E11 E19',
].flatMap((ids) => ids.split(' '));

const VARIABLES = by('config/load.test.ts', 'each environment variable overrides its key');

/** Ids that are not named here are open. */
export const REQUIREMENTS: Readonly<Record<string, readonly Proof[]>> = {
  A5: by('e2e/two-processes.test.ts', 'both answer; each runs and shows what was made through the other'),
  // The MCP command itself comes with its issue; that each command makes the database it needs is proven here.
  A7: by('e2e/cli.test.ts', 'makes the database that it needs, without a server'),
  A9: [
    ...by('infra/event-store/sqlite-file.test.ts', 'what was appended is there when the file is opened again'),
    ...by('config/load.test.ts', 'relative paths start at the folder of the file'),
  ],
  A11: by('infra/logging.test.ts', 'off writes nothing, at the root and in a sink'),
  A12: by(
    'infra/logging.test.ts',
    'rotates at its size into numbered files, keeps as many as asked, and cuts no line',
    'collects lines until there are enough',
    'writes what it has when the interval is over',
  ),
  A26: [
    ...by('e2e/rest.test.ts', 'that are too large are refused'),
    ...by('e2e/execution.test.ts', 'a body that is too large is a typed error that the task can catch'),
    ...by('sandbox/escapes.test.ts', 'memory outside the heap is limited too'),
  ],
  A27: by('config/load.test.ts', 'fills in variables and defaults', 'names every variable that is not set'),
  A28: by('config/values.test.ts', 'durations', 'sizes'),
  A29: by('config/documents.test.ts', '%s loads unchanged'),
  A33: VARIABLES,
  A34: [
    ...VARIABLES,
    ...by('e2e/cli.test.ts', 'takes DATABASE_URL before the file, and a flag for the port before both'),
  ],
  A35: by('e2e/rest.test.ts', 'is short at /health and has every part below the prefix'),
  A36: by('e2e/rest.test.ts', 'is short at /health and has every part below the prefix'),
  A40: by('infra/logging.test.ts', 'writes to stderr where stdout carries something else'),
  A45: by('e2e/fresh.test.ts', 'tasks below ./tasks are found by a server that was told nothing'),
  A50: by('e2e/cli.test.ts', 'Port already in use', 'Permission denied', 'Database connection failed'),
  A51: by('sandbox/escapes.test.ts', 'memory outside the heap is limited too'),
  B6: by('e2e/cli.test.ts', 'find the samples good', 'say where code is broken, and end with 1'),
  B7: by('e2e/cli.test.ts', 'prints the result as JSON when piped and ends with 0'),
  B8: VARIABLES,
  B9: by('e2e/two-processes.test.ts', 'both answer; each runs and shows what was made through the other'),
  B11: by(
    'e2e/sources.test.ts',
    'are published at the start, and again only when their content has changed',
    'keep their last good version when a file breaks, and the reason is told',
  ),
  B20: [
    ...by('config/load.test.ts', 'worker_threads sets the number of workers where that is unset'),
    ...by(
      'e2e/crash.test.ts',
      'again and again has its execution fail with sandbox_crashed, and the next one runs in a new process',
    ),
  ],
  B41: by(
    'sandbox/pool.test.ts',
    'the warm processes are there without being asked for, more come when needed and go when idle',
    'after close nothing is left and nothing can be opened',
  ),
  B46: by('sandbox/escapes.test.ts', 'nothing outside is reachable', 'an endless loop is ended by its caller'),
  B47: by('e2e/samples.test.ts', 'csv-parser reads text and files with quotes, separators and types'),
  B50: by('e2e/samples.test.ts', 'all samples are published from their folder'),
  C4: by('e2e/sources.test.ts', 'records session and client of an agent, and logs debug lines only when traced'),
  C5: by('e2e/telemetry.test.ts', 'progress is seen while the task runs, and stays at its last value'),
  C8: [
    ...by(
      'e2e/trace.test.ts',
      'tells which spans fixed the end, from the start to the end',
      'tells repeated calls, and what follows, with the spans that prove it',
    ),
  ],
  C16: by(
    'e2e/rest.test.ts',
    'that take longer than the caller waits answer 202 with running and where to look, and complete later',
  ),
  C18: by('e2e/sources.test.ts', 'explains an error with its type, whether it can pass, and what to do'),
  C19: by('e2e/sources.test.ts', 'keeps the lineage that a retry names'),
  C22: by('sandbox/pool.test.ts', 'each execution has a context of its own'),
  E5: by('e2e/cli.test.ts', 'reads its configuration at the start, and a changed one at the next'),
  E11: by('infra/logging.test.ts', 'is one object with time, upper-case level, message and fields'),
  E19: by(
    'e2e/package.test.ts',
    'a package contains the bundles, the launcher, samples, configuration and documents, and nothing else',
  ),
};

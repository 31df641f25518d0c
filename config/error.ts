/** The one way in which a configuration is refused: every problem at once, each with its place and what to do. */

export interface ConfigProblem {
  /** What is wrong and what to do about it. */
  readonly message: string;
  /** File the problem stands in. */
  readonly file?: string;
  /** Line in that file, from 1. */
  readonly line?: number;
  /** Key as it was written, such as `mcp.sse.port`. */
  readonly path?: string;
}

export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    const ordered = problems.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0));
    super(describeProblems(ordered));
    this.problems = ordered;
  }
}

function describeProblems(problems: readonly ConfigProblem[]): string {
  const [first] = problems;
  if (problems.length === 1 && first !== undefined) return describeProblem(first);
  const head = `The configuration has ${problems.length} problems:`;
  return [head, ...problems.map((problem) => `  ${describeProblem(problem)}`)].join('\n');
}

/** A file that can not be read speaks first, so that the text begins with the words people look for. */
function describeProblem({ message, file, line, path }: ConfigProblem): string {
  const what = path === undefined ? message : `${path}: ${message}`;
  if (file === undefined || line === undefined) return what;
  return `${file}:${line} ${what}`;
}

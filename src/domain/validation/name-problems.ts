/** Names that code uses and that will not be there when it runs, with what is meant or what to use instead. */
import { nearNames } from '../diagnosis/near-names.ts';
import type { CodeNode } from '../diagnosis/syntax.ts';
import { ABSENT_GLOBALS, REFUSED_GLOBALS, TASK_GLOBALS } from '../task-globals.ts';
import { type FreeName, namesIn } from './free-names.ts';
import type { NumberedText } from './numbered-text.ts';
import type { TaskProblem } from './task-problem.ts';

const KNOWN: ReadonlySet<string> = new Set(TASK_GLOBALS);
/** More names than this are not told. */
const MAX_NAMES = 50;
/** Names of the code that are compared with one that is not known. */
const MAX_DECLARED = 1_500;
/** Longer names are cut. */
const MAX_SHOWN = 80;
/** Further lines that are told of a name. */
const MAX_LINES = 5;

/** @returns one problem a name, at its first place, in the order of the text; at most {@link MAX_NAMES}. */
export function nameProblems(text: NumberedText, tree: CodeNode): readonly TaskProblem[] {
  const { free, declared } = namesIn(tree);
  const asked = new Set(free.filter(({ use }) => use === 'ask').map(({ name }) => name));
  const written = new Set(free.filter(({ use }) => use === 'write').map(({ name }) => name));
  const byName = Map.groupBy(
    free.filter((one) => !asked.has(one.name) && isMissing(one)),
    ({ name }) => name,
  );
  const known = [...[...declared].slice(0, MAX_DECLARED), ...TASK_GLOBALS];
  return [...byName.entries()].slice(0, MAX_NAMES).map(([name, uses]) => {
    const told = written.has(name) ? undeclared(name) : missing(name, known);
    const severity = written.has(name) || uses.every(({ isCaught }) => isCaught) ? 'warning' : 'error';
    return { ...told, ...placed(text, told.message, uses), severity, in: 'code', pointer: null };
  });
}

function isMissing({ name, use }: FreeName): boolean {
  return REFUSED_GLOBALS.has(name) ? use === 'call' : !KNOWN.has(name);
}

type Told = Pick<TaskProblem, 'code' | 'message' | 'suggestions'>;

function undeclared(name: string): Told {
  const message = `${shown(name)} is assigned without being declared; write const or let before its first assignment`;
  return { code: 'undeclared_variable', message, suggestions: [] };
}

function missing(name: string, known: readonly string[]): Told {
  const refused = REFUSED_GLOBALS.get(name);
  if (refused !== undefined) {
    return {
      code: 'forbidden_global',
      message: `${shown(name)} can not be called in a task: ${refused}`,
      suggestions: [],
    };
  }
  const absent = ABSENT_GLOBALS.get(name);
  if (absent !== undefined) {
    return {
      code: 'forbidden_global',
      message: `${shown(name)} is not available in a task: ${absent}`,
      suggestions: [],
    };
  }
  const suggestions = nearNames(name, known);
  const [nearest] = suggestions;
  const hint = nearest === undefined ? '' : `; did you mean ${nearest}?`;
  return {
    code: 'unknown_name',
    message: `${shown(name)} is declared nowhere, and no task has it${hint}`,
    suggestions,
  };
}

function placed(
  text: NumberedText,
  message: string,
  uses: readonly FreeName[],
): Pick<TaskProblem, 'message' | 'line' | 'column' | 'source'> {
  const place = text.at(uses[0]?.start ?? 0);
  const lines = new Set(uses.slice(1, 100).map(({ start }) => text.placeAt(start).line));
  lines.delete(place.line);
  const others = [...lines].slice(0, MAX_LINES);
  const also = others.length === 0 ? '' : ` (also on line ${others.join(', ')})`;
  return { ...place, message: `${message}${also}` };
}

function shown(name: string): string {
  return name.length <= MAX_SHOWN ? name : `${name.slice(0, MAX_SHOWN)}…`;
}

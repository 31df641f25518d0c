/** Changes code by exact replacements, each of which must fit one place only, so that an edit never lands somewhere else. */
import { linesOf, placeOf } from './diagnosis/syntax.ts';
import { RatchetError } from './errors.ts';

/** One replacement: `find` occurs exactly once. */
export interface CodeEdit {
  readonly find: string;
  readonly replace: string;
}

/** Places that are told of a text that occurs more than once. */
const MAX_PLACES = 10;

/**
 * @returns the code after all edits, each made on the result of those before.
 * Fails with `invalid_request` when a `find` does not occur exactly once (details: field, occurrences, lines).
 */
export function patchedCode(code: string, edits: readonly CodeEdit[]): string {
  return edits.reduce((text, { find, replace }, index) => {
    const at = text.indexOf(find);
    if (at < 0) throw refused(index, 0, linesLike(text, find), 'it does not occur in the code');
    const lines = linesWith(text, find);
    if (lines.length > 1)
      throw refused(index, lines.length, lines, 'it must occur exactly once; take in more around it');
    return `${text.slice(0, at)}${replace}${text.slice(at + find.length)}`;
  }, code);
}

function linesWith(text: string, find: string): readonly number[] {
  const lines: number[] = [];
  for (let at = text.indexOf(find); at >= 0; at = text.indexOf(find, at + 1)) {
    lines.push(lines.length < MAX_PLACES ? placeOf(text, at).line : 0);
  }
  return lines;
}

/** Where its first line stands but for blanks: what is most often wrong is the indentation. */
function linesLike(text: string, find: string): readonly number[] {
  const first = linesOf(find)
    .map((line) => line.trim())
    .find((line) => line !== '');
  if (first === undefined) return [];
  return linesOf(text).flatMap((line, index) => (line.includes(first) ? [index + 1] : []));
}

function refused(index: number, occurrences: number, all: readonly number[], reason: string): RatchetError {
  const field = `patch.${index}.find`;
  const lines = all.filter((line) => line > 0).slice(0, MAX_PLACES);
  const places = lines.length === 0 ? '' : ` ${lines.length === 1 ? 'line' : 'lines'} ${lines.join(', ')}`;
  const where =
    occurrences > 0
      ? ` at${places}`
      : places === ''
        ? ''
        : ` (its first line stands, with other blanks or another rest, on${places})`;
  const message = `occurs ${occurrences} times${where}: ${reason}`;
  return new RatchetError('invalid_request', `${field}: ${message}`, {
    details: { problems: [{ field, message }], occurrences, lines },
  });
}

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
    if (at < 0) throw absent(index, linesLike(text, find));
    const { occurrences, lines } = placesOf(text, find);
    if (occurrences > 1) {
      const reason = `occurs ${occurrences} times, on ${said(lines)}: take in more around it, so that it occurs once`;
      throw refused(index, occurrences, lines, reason);
    }
    return `${text.slice(0, at)}${replace}${text.slice(at + find.length)}`;
  }, code);
}

function absent(index: number, like: readonly number[]): RatchetError {
  const hint = like.length === 0 ? '' : `; its first line stands on ${said(like)}, with something else around it`;
  return refused(index, 0, like, `does not occur in the code${hint}`);
}

function said(lines: readonly number[]): string {
  return `${lines.length === 1 ? 'line' : 'lines'} ${lines.join(', ')}`;
}

function placesOf(text: string, find: string): { readonly occurrences: number; readonly lines: readonly number[] } {
  const lines = new Set<number>();
  let occurrences = 0;
  for (let at = text.indexOf(find); at >= 0; at = text.indexOf(find, at + 1)) {
    occurrences += 1;
    if (occurrences <= MAX_PLACES) lines.add(placeOf(text, at).line);
  }
  return { occurrences, lines: [...lines] };
}

/** Where its first line stands but for blanks: what is most often wrong is the indentation. */
function linesLike(text: string, find: string): readonly number[] {
  const first = linesOf(find)
    .map((line) => line.trim())
    .find((line) => line !== '');
  if (first === undefined) return [];
  return linesOf(text)
    .flatMap((line, index) => (line.includes(first) ? [index + 1] : []))
    .slice(0, MAX_PLACES);
}

function refused(index: number, occurrences: number, lines: readonly number[], message: string): RatchetError {
  const field = `patch.${index}.find`;
  return new RatchetError('invalid_request', `${field}: ${message}`, {
    details: { problems: [{ field, message }], occurrences, lines },
  });
}

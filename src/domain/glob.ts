/** Patterns people write for task names: `*` stands for any text, also across `/` and for none; `?` for one character. */

/**
 * @returns whether all of `text` fits `pattern`. Everything but `*` and `?` stands for itself.
 * Goes back to the last star only, so it takes at most pattern × text steps; both are bounded where they come in.
 */
export function matchesGlob(pattern: string, text: string): boolean {
  let at = 0;
  let star = -1;
  let resume = 0;
  let index = 0;
  while (index < text.length) {
    const wanted = pattern[at];
    if (wanted === '*') {
      star = at;
      resume = index;
      at += 1;
    } else if (wanted === '?' || wanted === text[index]) {
      at += 1;
      index += 1;
    } else if (star >= 0) {
      resume += 1;
      index = resume;
      at = star + 1;
    } else {
      return false;
    }
  }
  while (pattern[at] === '*') at += 1;
  return at === pattern.length;
}

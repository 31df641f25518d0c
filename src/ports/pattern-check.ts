/** What the core asks of regular expressions that others wrote. */

export interface PatternCheck {
  /** Fails with `invalid_task` for a pattern that is none, or that takes too long on this text. */
  matches(pattern: string, text: string): boolean;
}

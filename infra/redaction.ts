/** Takes secrets out of text that comes from outside, before it is recorded. */

/** Shorter values are words and numbers that stand in any text. */
const LEAST_LENGTH = 8;

/** @returns the text with `***` for each of the secrets that is long enough to be told from other words. */
export function withoutSecrets(text: string, secrets: readonly string[]): string {
  return secrets
    .filter((secret) => secret.length >= LEAST_LENGTH)
    .reduce((told, secret) => told.replaceAll(secret, '***'), text);
}

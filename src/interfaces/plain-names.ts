/** Names and ids are one line of visible text: control characters in them are refused, whatever surface they come by. */
import { RatchetError } from '../domain/errors.ts';

/** Fields that name something; what tasks take and return is not looked into. */
const NAMING = /(?:^|_)(?:ids?|names?|tags?|keys?|category|status|source|principal|fingerprint|types?)$/;
const CONTROL = /\p{Cc}/u;

/** Fails with `invalid_request` naming the field. */
export function assertPlainNames(input: unknown): void {
  if (typeof input !== 'object' || input === null) return;
  for (const [field, value] of Object.entries(input)) {
    if (!NAMING.test(field)) continue;
    const values: readonly unknown[] = Array.isArray(value) ? value : [value];
    if (!values.some((item) => typeof item === 'string' && CONTROL.test(item))) continue;
    const problem = { field, message: 'control characters are not taken in names and ids' };
    throw new RatchetError('invalid_request', `${field}: ${problem.message}`, { details: { problems: [problem] } });
  }
}

/** Whether text to a stream may have colours, by what people set in the environment. */
import type { Environment } from './interpolate.ts';

/**
 * A non-empty NO_COLOR wins over FORCE_COLOR, which wins over what the stream is; pipes and dumb terminals get none.
 *
 * @param env default: the environment of this process
 */
export function wantsColors(stream: { readonly isTTY?: boolean }, env: Environment = process.env): boolean {
  const { NO_COLOR = '', FORCE_COLOR = '', TERM } = env;
  if (NO_COLOR !== '') return false;
  if (FORCE_COLOR !== '') return FORCE_COLOR !== '0' && FORCE_COLOR !== 'false';
  return stream.isTTY === true && TERM !== 'dumb';
}

/** Reads `RUST_LOG`: a level, levels of single targets, or both, such as `info,ratchet_mcp=trace`. */
import { level as levelKind, LEVELS } from './kinds.ts';

export interface LogFilter {
  readonly level: string | null;
  readonly targets: Readonly<Record<string, string>>;
}

/** @returns null and what is wrong with it when the text is no filter. A target without a level is traced. */
export function readRustLog(filter: string): LogFilter | { readonly wrong: string } {
  let root: string | null = null;
  const targets = new Map<string, string>();
  for (const part of filter.split(',').map((piece) => piece.trim())) {
    if (part === '') continue;
    const [target = '', written, ...rest] = part.split('=');
    const level = levelKind.parse(written ?? target);
    if (written === undefined && level !== undefined) {
      root = level;
    } else if (written === undefined && /^ratchet[\w:]*$/.test(target)) {
      targets.set(target, 'trace');
    } else if (level !== undefined && rest.length === 0 && /^[\w:]+$/.test(target)) {
      targets.set(target, level);
    } else {
      return { wrong: `"${part}" is neither a level (${LEVELS.join(', ')}) nor target=level` };
    }
  }
  return { level: root, targets: Object.fromEntries(targets) };
}

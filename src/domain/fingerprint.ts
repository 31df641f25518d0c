/** One text for all failures of the same cause, so that they can be counted, and a fix tried on all of them. */
import type { Failure } from './execution.ts';

/**
 * @returns 16 hex digits of what stays the same when code moves and data change: error code and name, the message without
 * numbers, ids and quoted values, and the names of the functions of the task's own frames.
 */
export function fingerprintOf({ code, error }: Failure): string {
  return hash64([code, error.name, withoutData(error.message), ...functionsOf(error.stack)].join('\n'));
}

function withoutData(message: string): string {
  return message
    .slice(0, 1_000)
    .replaceAll(/(["'`])(?:(?!\1).){0,200}\1/g, '<text>')
    .replaceAll(/\b[0-9a-f]{8}-[0-9a-f-]{27}\b/gi, '<id>')
    .replaceAll(/\bhttps?:\/\/\S+/g, '<url>')
    .replaceAll(/\b(?:0x)?[0-9a-f]{12,}\b/gi, '<id>')
    .replaceAll(/\d+(?:\.\d+)?/g, '<number>');
}

function functionsOf(stack: string | null): readonly string[] {
  return (stack ?? '')
    .split('\n')
    .filter((line) => line.startsWith('    at '))
    .map((line) => /^ {4}at (?:async )?(?:(.+) \()?/.exec(line)?.[1] ?? '(anonymous)');
}

/** FNV-1a, 64 bit (Fowler, Noll, Vo): enough to tell causes apart, and pure. */
function hash64(text: string): string {
  let hash = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(text)) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return hash.toString(16).padStart(16, '0');
}

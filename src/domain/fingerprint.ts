/** One text for all failures of the same cause, so that they can be counted, and a fix tried on all of them. */
import { complaintOf } from './diagnosis/missing-value.ts';
import { framesOf } from './diagnosis/stack-frames.ts';
import type { Failure } from './execution.ts';
import type { TaskErrorData } from './journal.ts';
import { PASSING_ERRORS } from './retry.ts';

const MAX_MESSAGE = 1_000;

/**
 * @returns 16 hex digits of what stays the same when code moves, variables are renamed and data change: code and name of the
 * error, its message without data, the functions of the task that it passed through, and their file. Errors of the outside
 * that can pass are the same in every file.
 */
export function fingerprintOf({ code, error }: Failure): string {
  const file = PASSING_ERRORS.includes(error.name) ? '' : (framesOf(error.stack)[0]?.file ?? '');
  const status = typeof error.data['status'] === 'number' ? String(error.data['status']) : '';
  return hash64([code, error.name, status, shapeOf(error), file, ...functionsOf(error)].join('\n'));
}

function shapeOf({ name, message }: TaskErrorData): string {
  const complaint = name === 'TypeError' ? complaintOf(message) : null;
  if (complaint !== null) {
    // A variable may be renamed; a property is part of the data's form.
    const member = /[.]([\w$]+)$/.exec(complaint.expression ?? '')?.[1] ?? '';
    const about = complaint.about === 'missing' ? (complaint.property ?? '') : member;
    return [complaint.about, complaint.value ?? '', about].join(' ');
  }
  if (name === 'SyntaxError' && / JSON\b/.test(message)) return 'not JSON';
  // The name that does not exist is the cause itself.
  return /^\S+ is not defined$/.test(message) ? message : withoutData(message.slice(0, MAX_MESSAGE));
}

function withoutData(message: string): string {
  return message
    .replaceAll(/\bhttps?:\/\/[^\s"'`]+/g, placeOf)
    .replaceAll(/(["'`])(?:(?!\1).){0,200}\1/g, '<text>')
    .replaceAll(/\b[0-9a-f]{8}-[0-9a-f-]{27}\b/gi, '<id>')
    .replaceAll(/\b(?:0x)?[0-9a-f]{12,}\b/gi, '<id>')
    .replaceAll(/\b(?=[\w-]*\d)(?=[\w-]*[a-z])[\w-]{6,}\b/gi, '<id>')
    .replaceAll(/(?<!\b(?:HTTP|status) )\d+(?:\.\d+)*/gi, '<number>');
}

/** Host and path of an address, without what differs from call to call. */
function placeOf(url: string): string {
  const [, host = '', path = ''] = /^https?:\/\/(?:[^/@]*@)?([^/?#]*)([^?#]*)/.exec(url) ?? [];
  const segments = path.split('/').map((segment) => (/\d/.test(segment) || segment.length > 24 ? '*' : segment));
  return `<${host.replaceAll(/\d+/g, '*')}${segments.join('/')}>`;
}

/** How deep a recursion went, and where in its circle the stack was full, is no part of the cause. */
function functionsOf({ name, message, stack }: TaskErrorData): readonly string[] {
  const names = framesOf(stack).map((frame) => frame.function ?? '(anonymous)');
  if (name === 'RangeError' && message.startsWith('Maximum call stack')) return [...new Set(names)].sort();
  return names.filter((one, index) => one !== names[index - 1]);
}

/** FNV-1a, 64 bit (Fowler, Noll, Vo): enough to tell causes apart, and pure. */
function hash64(text: string): string {
  let hash = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(text)) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return hash.toString(16).padStart(16, '0');
}

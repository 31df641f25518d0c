/** What a log line says: errors with everything that led to them, no secrets, and the short form that people read. */
import { styleText } from 'node:util';

/** Causes beyond this depth are left out: a chain may be a ring. */
const MAX_CAUSES = 8;

/** An error as the fields of a log line: its words, its code, its stack, and what caused it, all the way down. */
export function describeError(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return error;
  const { name, message, stack, cause } = error;
  const isDeeper = depth < MAX_CAUSES;
  return {
    type: name,
    ...('code' in error ? { code: error.code } : {}),
    message,
    ...('details' in error ? { details: error.details } : {}),
    ...(stack === undefined ? {} : { stack }),
    ...(cause !== undefined && isDeeper ? { cause: describeError(cause, depth + 1) } : {}),
    ...(error instanceof AggregateError && isDeeper
      ? { errors: error.errors.map((each) => describeError(each, depth + 1)) }
      : {}),
  };
}

const SECRET = '(?:authorization|cookie|api[-_]?key|password|passphrase|secret|token)';
const SECRET_NAME = new RegExp(`${SECRET}$`, 'i');
const MENTIONS_SECRET = new RegExp(`${SECRET}":`, 'i');

/**
 * Hides the values of fields whose names end as those of secrets do, at any depth.
 *
 * @param json one line with its end. The finished line is read, so that it does not matter how a value came into it; few need it.
 */
export function withoutSecrets(json: string): string {
  if (!MENTIONS_SECRET.test(json)) return json;
  const hidden: unknown = JSON.parse(json, (name, value: unknown) => {
    return SECRET_NAME.test(name) && value !== null && typeof value !== 'boolean' ? '[redacted]' : value;
  });
  return `${JSON.stringify(hidden)}\n`;
}

const COLORS = {
  TRACE: 'gray',
  DEBUG: 'blue',
  INFO: 'green',
  WARN: 'yellow',
  ERROR: 'red',
  FATAL: 'magenta',
} as const satisfies Record<string, Parameters<typeof styleText>[0]>;

type Paint = (color: Parameters<typeof styleText>[0], text: string) => string;
const plain: Paint = (_color, text) => text;
const painted: Paint = (color, text) => styleText(color, text, { validateStream: false });

/**
 * The text form of a JSON log line: time, level, message, fields; below it the stacks of errors.
 *
 * @param json one line as it stands in a JSON log
 * @returns one line, or more, with its end; nothing in it can pass for another line or steer a terminal
 */
export function textOf(json: string, isColored: boolean): string {
  const paint = isColored ? painted : plain;
  const { timestamp, level, message, ...fields }: Record<string, unknown> = JSON.parse(json);
  const word = String(level);
  const color = Object.entries(COLORS).find(([name]) => name === word)?.[1] ?? 'white';
  const stacks: string[] = [];
  const shown = Object.entries(fields).map(([key, value]) => {
    return ` ${paint('gray', `${visible(key)}=`)}${fieldText(value, stacks)}`;
  });
  const head = `${paint('gray', String(timestamp))} ${paint(color, word.padEnd(5))} ${visible(String(message ?? ''))}`;
  const below = stacks.flatMap((stack) => stack.split('\n')).map((line) => `\n    ${paint('gray', visible(line))}`);
  return `${head}${shown.join('')}${below.join('')}\n`;
}

/** Errors show their words on the line and hand their stacks to `stacks`. */
function fieldText(value: unknown, stacks: string[]): string {
  if (typeof value === 'string') return /^[\w.:/@+-]+$/.test(value) ? value : visible(JSON.stringify(value));
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? '';
  if (!('stack' in value && typeof value.stack === 'string')) return visible(JSON.stringify(value));
  for (let at: unknown = value; typeof at === 'object' && at !== null; at = 'cause' in at ? at.cause : null) {
    if ('stack' in at) stacks.push(`${at === value ? '' : 'caused by '}${String(at.stack)}`);
  }
  return visible(JSON.stringify('message' in value ? value.message : ''));
}

/** Control characters, line ends among them, become their escapes. */
function visible(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (character) => {
    return character === '\t' ? ' ' : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

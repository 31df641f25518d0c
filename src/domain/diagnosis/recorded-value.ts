/** Looks into recorded values for the part that a piece of code worked on, and says what stands there. */
import { isObject, type Json, type JsonObject } from '../event.ts';
import type { JournalEntry } from '../journal.ts';
import type { PathPart } from './bindings.ts';

/** What stands at the end of a path. */
export interface Looked {
  readonly what: 'value' | 'null' | 'absent';
  /** JSON pointer of the place, or of where it would stand. */
  readonly pointer: string;
  readonly value: Json;
  /** Names that stand beside an absent one. */
  readonly beside: readonly string[];
}

const MAX_ELEMENTS = 10_000;

/**
 * Follows a path into a value. Among the elements of a list, the first one where the path ends in nothing.
 * @returns null where the path leads through something that has no parts.
 */
export function look(value: Json, path: readonly PathPart[], pointer = ''): Looked | null {
  const [part, ...rest] = path;
  if (part === undefined) return { what: value === null ? 'null' : 'value', pointer, value, beside: [] };
  if (typeof part !== 'string') return lookIntoElements(value, rest, pointer);
  const here = typeof value === 'string' ? parsed(value) : value;
  if (here === null || typeof here !== 'object') return null;
  const place = `${pointer}/${part.replaceAll('~', '~0').replaceAll('/', '~1')}`;
  // What every list or object has besides its data, such as its methods, is in no record.
  if (Array.isArray(here) ? !/^\d+$/.test(part) : part in Object.prototype) return null;
  const inner = Array.isArray(here) ? (here as readonly Json[])[Number(part)] : ownOf(here as JsonObject, part);
  if (inner !== undefined) return look(inner, rest, place);
  if (rest.length > 0) return null;
  return { what: 'absent', pointer: place, value: null, beside: Object.keys(here).slice(0, 50) };
}

function lookIntoElements(value: Json, rest: readonly PathPart[], pointer: string): Looked | null {
  const list = typeof value === 'string' ? parsed(value) : value;
  if (!Array.isArray(list)) return null;
  for (const [index, element] of (list as readonly Json[]).slice(0, MAX_ELEMENTS).entries()) {
    const found = look(element, rest, `${pointer}/${index}`);
    if (found !== null && found.what !== 'value') return found;
  }
  return null;
}

function ownOf(object: JsonObject, name: string): Json | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

/** @returns the value that a text holds as JSON; the text itself where it is none. */
export function parsed(text: string): Json {
  const first = text.trimStart()[0];
  if (first !== '{' && first !== '[') return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** @returns the outcome of a step as its task saw it; undefined for one that failed. */
export function seenValue({ kind, outcome }: Pick<JournalEntry, 'kind' | 'outcome'>): Json | undefined {
  if (!outcome.ok) return undefined;
  const { value } = outcome;
  if (kind !== 'http' || !isObject(value)) return value;
  const { status, body = null, headers = null } = value;
  const ok = typeof status === 'number' && status >= 200 && status <= 299;
  return { ...value, ok, headers: byName(headers), body: typeof body === 'string' ? parsed(body) : body };
}

function byName(headers: Json): Json {
  if (!Array.isArray(headers)) return headers;
  const pairs = (headers as readonly Json[]).filter((pair) => Array.isArray(pair));
  return Object.fromEntries(pairs.map((pair) => [String(pair[0]).toLowerCase(), pair[1] ?? null]));
}

/** @returns the status of an HTTP answer; null for any other outcome. */
export function statusOf({ kind, outcome }: Pick<JournalEntry, 'kind' | 'outcome'>): number | null {
  if (kind !== 'http' || !outcome.ok || !isObject(outcome.value)) return null;
  const status = outcome.value['status'];
  return typeof status === 'number' ? status : null;
}

/** @returns the value of a header of an HTTP answer; null without one. */
export function headerOf({ kind, outcome }: Pick<JournalEntry, 'kind' | 'outcome'>, name: string): string | null {
  if (kind !== 'http' || !outcome.ok || !isObject(outcome.value)) return null;
  const headers = outcome.value['headers'];
  if (!Array.isArray(headers)) return null;
  for (const pair of headers as readonly Json[]) {
    if (Array.isArray(pair) && String(pair[0]).toLowerCase() === name) return String(pair[1]);
  }
  return null;
}

/** @returns true for an outcome that is a failure: an error, or an HTTP answer of 400 and above. */
export function hasFailed(step: Pick<JournalEntry, 'kind' | 'outcome'>): boolean {
  return !step.outcome.ok || (statusOf(step) ?? 0) >= 400;
}

/** @returns host and port that an `http` step called; null for another kind. */
export function hostOf({ kind, request }: Pick<JournalEntry, 'kind' | 'request'>): string | null {
  if (kind !== 'http') return null;
  return /^[a-z]+:\/\/(?:[^/@]*@)?([^/?#]+)/i.exec(String(request['url']))?.[1] ?? null;
}

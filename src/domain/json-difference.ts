/** Where two JSON values differ, place by place, so that people and programs need not compare whole outputs. */
import { isObject, type Json, type JsonObject } from './event.ts';
import type { JsonDifference } from './replay.ts';

/** More places than this are not told. */
export const MAX_DIFFERENCES = 200;
/** Deeper than this, two values are compared as wholes. */
const MAX_DEPTH = 200;

/** @returns the places where `actual` is not as `expected`, at most {@link MAX_DIFFERENCES}; paths are JSON pointers (RFC 6901). */
export function jsonDifferences(expected: Json, actual: Json): readonly JsonDifference[] {
  const found: JsonDifference[] = [];
  compare({ path: '', expected, actual }, 0, found);
  return found;
}

function compare(place: JsonDifference, depth: number, found: JsonDifference[]): void {
  if (found.length >= MAX_DIFFERENCES) return;
  const { path, expected, actual } = place;
  if (expected === actual) return;
  if (depth < MAX_DEPTH && isList(expected) && isList(actual)) {
    const length = Math.max(expected.length, actual.length);
    for (let index = 0; index < length; index += 1) {
      if (found.length >= MAX_DIFFERENCES) return;
      compare({ path: `${path}/${index}`, expected: expected[index], actual: actual[index] }, depth + 1, found);
    }
    return;
  }
  if (depth < MAX_DEPTH && isObject(expected) && isObject(actual)) {
    for (const key of new Set([...Object.keys(expected), ...Object.keys(actual)])) {
      if (found.length >= MAX_DIFFERENCES) return;
      const inner = { path: `${path}/${escaped(key)}`, expected: own(expected, key), actual: own(actual, key) };
      compare(inner, depth + 1, found);
    }
    return;
  }
  if (depth >= MAX_DEPTH && JSON.stringify(expected) === JSON.stringify(actual)) return;
  found.push(place);
}

function isList(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value);
}

function own(object: JsonObject, key: string): Json | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

function escaped(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1');
}

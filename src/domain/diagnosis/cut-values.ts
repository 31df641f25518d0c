/** Cuts what an answer repeats from the record, so that no answer grows with the record. */
import type { Json, JsonObject } from '../event.ts';

/** A value as it is told: whole, or the beginning of its JSON text. */
export type Told = Json | { readonly truncated: true; readonly characters: number; readonly start: string };

/** @returns a text of at most `max` characters, its end marked where it was cut. */
export function cutText(text: string, max: number): string {
  if (text.length <= max) return text;
  // Half of a surrogate pair is no character.
  const end = /[\uD800-\uDBFF]$/.test(text.slice(0, max - 1)) ? max - 2 : max - 1;
  return `${text.slice(0, end)}…`;
}

/** @returns the value itself while its JSON text has at most `max` characters, else the beginning of that text. */
export function cutJson(value: Json, max: number): Told {
  const text = JSON.stringify(value);
  if (text.length <= max) return value;
  return { truncated: true, characters: text.length, start: cutText(text, max) };
}

/** @returns the fields of an object, each cut to `max` characters of JSON. */
export function cutFields(value: JsonObject, max: number): { readonly [field: string]: Told } {
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [cutText(name, 200), cutJson(field, max)]));
}

/** @returns a value as a sentence shows it. */
export function shortly(value: Json | undefined): string {
  return value === undefined ? 'absent' : cutText(JSON.stringify(value), 80);
}

/** JSON Pointers (RFC 6901): how one place within a JSON value is named. */
import { isObject, type Json } from './event.ts';

const INDEX = /^(?:0|[1-9]\d*)$/;
const BAD_ESCAPE = /~(?![01])/;

/** @returns the parts of a pointer, none for the whole value; null for text that is no pointer. */
export function pointerParts(pointer: string): readonly string[] | null {
  if (pointer === '') return [];
  if (!pointer.startsWith('/') || BAD_ESCAPE.test(pointer)) return null;
  return pointer
    .slice(1)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** @returns the pointer to a member of what another one points to. */
export function pointerTo(pointer: string, member: string | number): string {
  return `${pointer}/${String(member).replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

/** @returns what stands at the place, own members only; undefined where nothing does. */
export function valueAt(value: Json, parts: readonly string[]): Json | undefined {
  return parts.reduce<Json | undefined>(memberOf, value);
}

function memberOf(value: Json | undefined, part: string): Json | undefined {
  if (Array.isArray(value)) return INDEX.test(part) ? value[Number(part)] : undefined;
  return isObject(value) && Object.hasOwn(value, part) ? value[part] : undefined;
}

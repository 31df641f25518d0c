/** Reads values out of a process that stands still: cut in depth and size, running no code of the task, no getter above all. */
import type { SeenValue } from '../domain/debugging.ts';
import { isRatchetError, RatchetError } from '../domain/errors.ts';
import { type Json, type JsonObject, objectOf } from '../domain/event.ts';
import type { Inspector } from '../ports/debug-sandbox.ts';
import { listOf, type RemoteValue, remoteOf, textOf } from './inspected.ts';
import { Inside } from './look-inside.ts';

export interface SeenLimits {
  /** Levels of objects within objects. Default 3. */
  readonly depth: number;
  /** Of one object or array. Default 50. */
  readonly entries: number;
  /** Characters of one text. Default 2,000. */
  readonly text: number;
  /** Characters of everything read by one reader. Default 256 Ki. */
  readonly total: number;
}

const LIMITS: SeenLimits = { depth: 3, entries: 50, text: 2_000, total: 256 * 1024 };
/** Variables of one scope. */
const MAX_VARIABLES = 200;
/** Objects that one reader looks into; each is a question to the process. */
const MAX_OBJECTS = 500;
/** Larger ones are not asked for their properties, because the engine would answer with all of them. */
const MAX_PROPERTIES = 1_000;
const MAX_PREVIEW = 200;

/** Such a value, and what comes after it, where nothing more can be asked. */
const UNREAD = { value: null, preview: '(could not be read)', truncated: true } as const;

interface Seen {
  readonly value: Json;
  readonly preview: string;
  readonly truncated: boolean;
}

interface Property {
  readonly name: string;
  readonly isEnumerable: boolean;
  /** Null for a getter, and for a variable that is not set yet. */
  readonly value: RemoteValue | null;
}

interface Properties {
  readonly own: readonly Property[];
  readonly internal: ReadonlyMap<string, RemoteValue>;
}

const GETTER: Seen = { value: '(getter)', preview: '(getter)', truncated: false };

/** @returns how `typeof` and a little more would name it. */
function typeOf({ type, subtype }: RemoteValue): string {
  if (subtype === null) return type;
  return subtype === 'typedarray' ? 'array' : subtype;
}

/** Reads as much as its limits allow; what comes first gets the room. */
export class SeenValues {
  readonly #inspector: Inspector;
  readonly #inside: Inside;
  readonly #limits: SeenLimits;
  #room: number;
  #objects = 0;
  #ended: Error | null = null;

  /** @param tools objectId of what `TOOLS` in look-inside.ts evaluates to */
  constructor(inspector: Inspector, tools: string, limits: Partial<SeenLimits> = {}) {
    this.#inspector = inspector;
    this.#limits = { ...LIMITS, ...limits };
    this.#inside = new Inside(inspector, tools, this.#limits.text);
    this.#room = this.#limits.total;
  }

  /** Why nothing more can be read, once it is so: the process is gone, or lost in a value. */
  get ended(): Error | null {
    return this.#ended;
  }

  /** Does not fail: what can not be read is told as such. */
  async see(name: string, remote: RemoteValue): Promise<SeenValue> {
    const seen = await this.reading(name, () => this.#seen(remote, this.#limits.depth));
    return { name, type: typeOf(remote), ...(seen ?? UNREAD) };
  }

  /** @returns what `read` answers; null when it can not be had. After {@link ended}, nothing is tried. */
  async reading<T>(what: string, read: () => Promise<T>): Promise<T | null> {
    if (this.#ended !== null) return null;
    try {
      return await read();
    } catch (error) {
      if (!isRatchetError(error)) throw error;
      if (error.code === 'debug_method_refused') return null;
      const isLost = error.code === 'execution_timeout';
      this.#ended ??= isLost ? new RatchetError(error.code, `${what} could not be read: ${error.message}`) : error;
      return null;
    }
  }

  /**
   * @param scope for people, such as `the local variables of main`
   * @param objectId of a scope: an object of the engine's whose properties are the variables
   */
  async variables(scope: string, objectId: string): Promise<readonly SeenValue[]> {
    if (this.#room <= 0) return [];
    const read = await this.reading(scope, async () => await this.#properties(await this.#inside.whole(objectId)));
    if (read === null) return [{ name: `(${scope})`, type: 'object', ...UNREAD }];
    const { own } = read;
    const seen: SeenValue[] = [];
    for (const { name, value } of own.slice(0, MAX_VARIABLES)) {
      const unset = { name, type: 'undefined', value: null, preview: '(not set yet)', truncated: false };
      seen.push(value === null ? unset : await this.see(name, value));
    }
    return seen;
  }

  async #seen(remote: RemoteValue, depth: number): Promise<Seen> {
    const type = typeOf(remote);
    if (remote.objectId === null) return this.#plain(remote);
    const leaf = this.#leaf(remote, type === 'function' || type === 'symbol' || type === 'regexp');
    if (this.#room <= 0 || this.#objects >= MAX_OBJECTS) return { ...leaf, truncated: true };
    switch (type) {
      case 'date':
        return this.#text((await this.#inside.date(remote.objectId)) ?? remote.description);
      case 'array':
        return depth === 0 ? { ...leaf, truncated: true } : await this.#array(remote.objectId, remote, depth);
      case 'object':
      case 'error':
        return depth === 0 ? { ...leaf, truncated: true } : await this.#object(remote.objectId, remote, depth);
      case 'map':
      case 'set':
      case 'promise':
        return depth === 0 ? { ...leaf, truncated: true } : await this.#internal(remote.objectId, remote, depth);
      default:
        return leaf;
    }
  }

  #plain({ type, subtype, value, unserializable, description }: RemoteValue): Seen {
    if (typeof value === 'string') return this.#text(value);
    this.#room -= 8;
    if (unserializable !== null) return { value: null, preview: line(unserializable), truncated: false };
    const isNothing = type === 'undefined' || subtype === 'null';
    const preview = isNothing ? (subtype ?? type) : value === undefined ? description : String(value);
    return { value: value ?? null, preview, truncated: false };
  }

  #text(text: string): Seen {
    const max = Math.max(0, Math.min(this.#limits.text, this.#room));
    const cut = text.length > max ? `${text.slice(0, max)}…` : text;
    this.#room -= cut.length + 2;
    return { value: cut, preview: line(JSON.stringify(cut)), truncated: text.length > max };
  }

  /** What is told of an object that is not looked into. */
  #leaf({ description, className }: RemoteValue, isWhole: boolean): Seen {
    const preview = line(firstLine(description) || className);
    this.#room -= preview.length;
    return { value: isWhole ? null : preview, preview, truncated: false };
  }

  async #array(objectId: string, remote: RemoteValue, depth: number): Promise<Seen> {
    const size = sizeOf(remote);
    const { entries } = this.#limits;
    const taken =
      size > MAX_PROPERTIES
        ? await this.#inside.first(objectId, entries)
        : await this.#inside.atMost(objectId, MAX_PROPERTIES);
    if (taken === null) return { ...this.#leaf(remote, false), truncated: true };
    const { own } = await this.#properties(taken);
    const items: Seen[] = [];
    for (const { name, value } of own) {
      const index = Number(name);
      if (!Number.isInteger(index) || index >= entries) continue;
      while (items.length < index) items.push({ value: null, preview: '', truncated: false });
      items.push(value === null ? GETTER : await this.#seen(value, depth - 1));
    }
    const truncated = size > items.length || items.some((item) => item.truncated);
    const shown = items.map(({ preview }) => preview);
    if (size > items.length) shown.push('…');
    return { value: items.map(({ value }) => value), preview: line(`[${shown.join(', ')}]`), truncated };
  }

  async #object(objectId: string, remote: RemoteValue, depth: number): Promise<Seen> {
    // One that wraps a text has a property for each of its characters.
    const light = remote.className === 'String' ? null : await this.#inside.atMost(objectId, MAX_PROPERTIES);
    if (light === null) return { ...this.#leaf(remote, false), truncated: true };
    const isError = typeOf(remote) === 'error';
    const { own } = await this.#properties(light);
    const told = own.filter(
      ({ name, isEnumerable }) => (isEnumerable || (isError && name === 'message')) && !(isError && name === 'stack'),
    );
    const fields = new Map<string, Seen>();
    if (isError) fields.set('name', this.#text(nameOf(remote)));
    for (const { name, value } of told.slice(0, this.#limits.entries)) {
      if (this.#room <= 0) break;
      this.#room -= name.length + 4;
      fields.set(name, value === null ? GETTER : await this.#seen(value, depth - 1));
    }
    const isWhole = fields.size >= told.length;
    const truncated = !isWhole || [...fields.values()].some((field) => field.truncated);
    const value = Object.fromEntries([...fields].map(([name, field]) => [name, field.value]));
    if (isError) return { value, preview: line(beforeFrames(remote.description)), truncated };
    const shown = [...fields].map(([name, field]) => `${name}: ${field.preview}`);
    if (!isWhole) shown.push('…');
    const prefix = remote.className === 'Object' || remote.className === '' ? '' : `${remote.className} `;
    return { value, preview: line(`${prefix}{${shown.join(', ')}}`), truncated };
  }

  /** What the engine shows of maps, sets and promises. */
  async #internal(objectId: string, remote: RemoteValue, depth: number): Promise<Seen> {
    const size = sizeOf(remote);
    if (size > MAX_PROPERTIES) return { ...this.#leaf(remote, false), truncated: true };
    const { internal } = await this.#properties(objectId);
    const entries = internal.get('[[Entries]]');
    if (entries?.objectId === undefined || entries.objectId === null)
      return await this.#promise(remote, internal, depth);
    const { own } = await this.#properties(entries.objectId);
    const items: Seen[] = [];
    for (const { name, value } of own) {
      if (value?.objectId === undefined || value.objectId === null || Number.isNaN(Number(name))) continue;
      if (items.length >= this.#limits.entries || this.#room <= 0) break;
      const read = await this.#properties(await this.#inside.whole(value.objectId));
      const parts = new Map(read.own.map((part) => [part.name, part.value]));
      items.push(await this.#entry(parts, depth));
    }
    const truncated = size > items.length || items.some((item) => item.truncated);
    const shown = items.map(({ preview }) => preview);
    if (size > items.length) shown.push('…');
    const preview = line(`${remote.description} {${shown.join(', ')}}`);
    return { value: items.map(({ value }) => value), preview, truncated };
  }

  async #entry(parts: ReadonlyMap<string, RemoteValue | null>, depth: number): Promise<Seen> {
    const none: Seen = { value: null, preview: '', truncated: false };
    const read = async (part: RemoteValue | null | undefined): Promise<Seen> =>
      part === null || part === undefined ? none : await this.#seen(part, depth - 1);
    const value = await read(parts.get('value'));
    if (!parts.has('key')) return value;
    const key = await read(parts.get('key'));
    const preview = `${key.preview} => ${value.preview}`;
    return { value: [key.value, value.value], preview, truncated: key.truncated || value.truncated };
  }

  async #promise(remote: RemoteValue, internal: ReadonlyMap<string, RemoteValue>, depth: number): Promise<Seen> {
    const state = internal.get('[[PromiseState]]')?.value;
    if (typeof state !== 'string') return this.#leaf(remote, false);
    const result = internal.get('[[PromiseResult]]');
    if (state === 'pending' || result === undefined)
      return { value: { state }, preview: `Promise {${state}}`, truncated: false };
    const seen = await this.#seen(result, depth - 1);
    const value = { state, value: seen.value };
    return { value, preview: line(`Promise {${state}: ${seen.preview}}`), truncated: seen.truncated };
  }

  async #properties(objectId: string): Promise<Properties> {
    this.#objects += 1;
    const told = await this.#inspector.send('Runtime.getProperties', { objectId, ownProperties: true });
    const named = (list: Json | undefined): readonly JsonObject[] =>
      listOf(list)
        .map(objectOf)
        .filter((property) => property['symbol'] === undefined);
    const own = [...named(told['result']), ...named(told['privateProperties'])].map((property) => ({
      name: textOf(property['name']),
      // Private fields have no such flag.
      isEnumerable: property['enumerable'] !== false,
      value: property['value'] === undefined ? null : remoteOf(objectOf(property['value'])),
    }));
    const internal = named(told['internalProperties']).map(
      (property) => [textOf(property['name']), remoteOf(objectOf(property['value']))] as const,
    );
    return { own, internal: new Map(internal) };
  }
}

/** @returns the error's name and message, without the frames below. */
export function beforeFrames(description: string): string {
  const at = description.indexOf('\n    at ');
  return at < 0 ? description : description.slice(0, at);
}

function nameOf({ description, className }: RemoteValue): string {
  return /^([\w$.]+)(?::|\n|$)/.exec(description)?.[1] ?? className;
}

/** As in `Array(3)`. */
function sizeOf({ description }: RemoteValue): number {
  return Number(/\((\d+)\)$/.exec(description)?.[1] ?? 0);
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}

/** One line for people. */
function line(text: string): string {
  const flat = text.replaceAll(/\s*[\r\n]+\s*/g, ' ');
  return flat.length > MAX_PREVIEW ? `${flat.slice(0, MAX_PREVIEW)}…` : flat;
}

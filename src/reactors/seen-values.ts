/** Reads values out of a process that stands still: cut in depth and size, running no code of the task, no getter above all. */
import type { SeenValue } from '../domain/debugging.ts';
import type { Json, JsonObject } from '../domain/event.ts';
import type { Inspector } from '../ports/debug-sandbox.ts';
import { listOf, objectOf, type RemoteValue, remoteOf, textOf } from './inspected.ts';

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

const COUNT = 'function (max) { let n = 0; for (const _ in this) if (++n > max) break; return n }';
const TAKE = 'function (max) { const taken = []; for (let n = 0; n < max; n++) taken[n] = this[n]; return taken }';
const ISO = 'function () { return this.toISOString() }';

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
  readonly #limits: SeenLimits;
  #room: number;
  #objects = 0;

  constructor(inspector: Inspector, limits: Partial<SeenLimits> = {}) {
    this.#inspector = inspector;
    this.#limits = { ...LIMITS, ...limits };
    this.#room = this.#limits.total;
  }

  async see(name: string, remote: RemoteValue): Promise<SeenValue> {
    return { name, type: typeOf(remote), ...(await this.#seen(remote, this.#limits.depth)) };
  }

  /** @param objectId of a scope: an object of the engine's whose properties are the variables */
  async variables(objectId: string): Promise<readonly SeenValue[]> {
    if (this.#room <= 0) return [];
    const { own } = await this.#properties(objectId);
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
        return this.#text((await this.#call(remote.objectId, ISO)) ?? remote.description);
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
    if (unserializable !== null) return { value: null, preview: unserializable, truncated: false };
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
    const taken = size > MAX_PROPERTIES ? await this.#take(objectId) : objectId;
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
    if (await this.#isLarge(objectId)) return { ...this.#leaf(remote, false), truncated: true };
    const isError = typeOf(remote) === 'error';
    const { own } = await this.#properties(objectId);
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
      const parts = new Map((await this.#properties(value.objectId)).own.map((part) => [part.name, part.value]));
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

  async #isLarge(objectId: string): Promise<boolean> {
    const count = await this.#evaluate(objectId, COUNT, [MAX_PROPERTIES]);
    return typeof count.value !== 'number' || count.value > MAX_PROPERTIES;
  }

  /** @returns the first entries of a large array. */
  async #take(objectId: string): Promise<string | null> {
    return (await this.#evaluate(objectId, TAKE, [this.#limits.entries])).objectId;
  }

  async #call(objectId: string, body: string): Promise<string | null> {
    const { value } = await this.#evaluate(objectId, body, []);
    return typeof value === 'string' ? value : null;
  }

  /** The engine refuses what has side effects; what throws answers like nothing. */
  async #evaluate(objectId: string, functionDeclaration: string, given: readonly number[]): Promise<RemoteValue> {
    this.#objects += 1;
    const told = await this.#inspector.send('Runtime.callFunctionOn', {
      objectId,
      functionDeclaration,
      arguments: given.map((value) => ({ value })),
      throwOnSideEffect: true,
      silent: true,
    });
    return remoteOf(told['exceptionDetails'] === undefined ? objectOf(told['result']) : {});
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

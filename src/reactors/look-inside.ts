/** What runs inside a task's process to look at an object: with built-ins taken before the task's code ran, so that nothing it replaced is called. */

import { RatchetError } from '../domain/errors.ts';
import { objectOf } from '../domain/event.ts';
import type { Inspector } from '../ports/debug-sandbox.ts';
import { type RemoteValue, remoteOf } from './inspected.ts';

/** Texts that are longer than this together are cut in the process: the engine tells them whole. Characters. */
const MOST_TEXT = 1024 * 1024;
/** Of texts that are cut, because the engine has to copy the whole of each. Characters. */
const MOST_CUT = 32 * 1024 * 1024;

/** Evaluates to the built-ins. It names none of them, because the task's file may have taken the names already. */
export const TOOLS = `(() => {
  const object = ({}).constructor;
  const error = (() => { try { null.x; } catch (thrown) { return object.getPrototypeOf(thrown.constructor); } })();
  return { __proto__: null, names: object.getOwnPropertyNames, describe: object.getOwnPropertyDescriptor, define: object.defineProperty,
    bare: object.setPrototypeOf, proto: object.getPrototypeOf,
    isError: error.isError, cut: (() => {}).call.bind(''.slice) };
})()`;

/**
 * Descriptors get no prototype, and nothing is put into an array: setters could lie there. The engine describes an error by its
 * name and message, whatever has to be called for them, so one that computes them is told by a copy of what it holds.
 * Reading a variable that is not set yet throws.
 */
const SHARED = `
  const read = (object, name) => {
    try { return tools.bare(tools.describe(object, name), null); } catch { return { __proto__: null, get: undefined, enumerable: true }; }
  };
  const isComputed = (error, name) => {
    for (let at = error; at !== null; at = tools.proto(at)) {
      if (tools.describe(at, name) === undefined) continue;
      const found = read(at, name);
      return 'get' in found || typeof found.value === 'object' || typeof found.value === 'function';
    }
    return false;
  };
  const isOdd = (value) => tools.isError(value) && (isComputed(value, 'name') || isComputed(value, 'message'));
  const held = (error) => {
    const copy = { __proto__: null };
    const own = tools.names(error);
    for (let n = 0; n < own.length; n++) {
      if (own[n] === 'stack') continue;
      const found = read(error, own[n]);
      found.enumerable ||= own[n] === 'message';
      tools.define(copy, own[n], found);
    }
    return copy;
  };
  let left = ${MOST_CUT};
  const put = (into, name, found) => {
    const { value } = found;
    if (typeof value === 'string' && value.length > text) {
      found.value = value.length <= left ? tools.cut(value, 0, text) : '(a text of ' + value.length + ' characters)';
      left -= value.length;
    } else if (isOdd(value)) found.value = held(value);
    tools.define(into, name, found);
  };`;

/**
 * Called on an object that is no proxy. Answers null when it has more than `most` properties, and a copy with its texts cut to
 * `text` characters when they are too long together, or when an error among them must not be described; else nothing.
 */
const LOOK = `function (tools, most, text) {${SHARED}
  const own = tools.names(this);
  if (own.length > most) return null;
  let sum = 0;
  let odd = false;
  for (let n = 0; n < own.length; n++) {
    const { value } = read(this, own[n]);
    if (typeof value === 'string') sum += value.length;
    else odd ||= isOdd(value);
  }
  if (sum <= ${MOST_TEXT} && !odd) return undefined;
  const copy = { __proto__: null };
  for (let n = 0; n < own.length; n++) put(copy, own[n], read(this, own[n]));
  return copy;
}`;

/** Called on a large array. Answers one with its first `count` items, the texts of them cut to `text` characters. */
const TAKE = `function (tools, count, text) {${SHARED}
  const taken = [];
  for (let n = 0; n < count; n++) if (tools.describe(this, n) !== undefined) put(taken, n, read(this, n));
  return taken;
}`;

const SELF = 'function () { return this }';

/** Looks at objects by their objectIds; none may be of a proxy. */
export class Inside {
  readonly #inspector: Inspector;
  readonly #tools: string;
  readonly #text: number;

  /**
   * @param tools objectId of what {@link TOOLS} evaluates to
   * @param text characters of a text that are told; one more is answered to show that there are more
   */
  constructor(inspector: Inspector, tools: string, text: number) {
    this.#inspector = inspector;
    this.#tools = tools;
    this.#text = text;
  }

  /** @returns the object, or a copy that can be told; null when it has more than `most` properties. */
  async atMost(objectId: string, most: number): Promise<string | null> {
    const looked = await this.#look(objectId, LOOK, most);
    return looked.subtype === 'null' ? null : (looked.objectId ?? objectId);
  }

  /** The same for what the engine made, however much it holds. */
  async whole(objectId: string): Promise<string> {
    return (await this.#look(objectId, LOOK, Number.MAX_SAFE_INTEGER)).objectId ?? objectId;
  }

  /** @returns an array of the first entries of a large one. */
  async first(objectId: string, entries: number): Promise<string | null> {
    return (await this.#look(objectId, TAKE, entries)).objectId;
  }

  /** The engine writes dates in full only when it serializes them; it calls no method of theirs for that. */
  async date(objectId: string): Promise<string | null> {
    const serializationOptions = { serialization: 'deep', maxDepth: 0 };
    const asked = { objectId, functionDeclaration: SELF, serializationOptions, silent: true };
    const { result } = await this.#inspector.send('Runtime.callFunctionOn', asked);
    const { value } = objectOf(objectOf(result)['deepSerializedValue']);
    return typeof value === 'string' ? value : null;
  }

  /** Nothing of the task is called, so nothing has to be refused. */
  async #look(objectId: string, functionDeclaration: string, most: number): Promise<RemoteValue> {
    const given = [{ objectId: this.#tools }, { value: most }, { value: this.#text + 1 }];
    const asked = { objectId, functionDeclaration, arguments: given, silent: true };
    const told = await this.#inspector.send('Runtime.callFunctionOn', asked);
    if (told['exceptionDetails'] === undefined) return remoteOf(objectOf(told['result']));
    throw new RatchetError('debug_method_refused', 'the object could not be looked at');
  }
}

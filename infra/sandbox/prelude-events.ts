/** Events, aborting and structured clones inside a context. */

export const EVENTS_MODULE = String.raw`(function (core) {
'use strict';
const { Error, String, TypeError, now, fail, isObject } = core;
const codes = { __proto__: null, InvalidCharacterError: 5, DataCloneError: 25, AbortError: 20, TimeoutError: 23 };
class DOMException extends Error {
  #name;
  constructor(message = '', name = 'Error') {
    super(String(message));
    this.#name = String(isObject(name) ? (name.name ?? 'Error') : name);
  }
  get name() { return this.#name; }
  get code() { return codes[this.#name] ?? 0; }
}
class Event {
  #state;
  constructor(type, options = {}) {
    this.#state = { type: String(type), cancelable: !!options.cancelable, prevented: false, stopped: false, target: null, at: now() };
  }
  get type() { return this.#state.type; }
  get target() { return this.#state.target; }
  get currentTarget() { return this.#state.target; }
  get cancelable() { return this.#state.cancelable; }
  get defaultPrevented() { return this.#state.prevented; }
  get timeStamp() { return this.#state.at; }
  preventDefault() { if (this.#state.cancelable) this.#state.prevented = true; }
  stopPropagation() {}
  stopImmediatePropagation() { this.#state.stopped = true; }
  static aim(event, target) { event.#state.target = target; }
  static stopped(event) { return event.#state.stopped; }
}
const { aim, stopped } = Event;
delete Event.aim;
delete Event.stopped;
class EventTarget {
  #listeners = [];
  addEventListener(type, listener, options) {
    if (listener === null || listener === undefined) return;
    if (this.#listeners.some((known) => known.type === type && known.listener === listener)) return;
    this.#listeners.push({ type: String(type), listener, once: isObject(options) && !!options.once });
  }
  removeEventListener(type, listener) {
    this.#listeners = this.#listeners.filter((known) => !(known.type === type && known.listener === listener));
  }
  dispatchEvent(event) {
    aim(event, this);
    for (const known of [...this.#listeners]) {
      if (known.type !== event.type) continue;
      if (known.once) this.removeEventListener(known.type, known.listener);
      try {
        if (typeof known.listener === 'function') known.listener.call(this, event);
        else known.listener.handleEvent(event);
      } catch (error) {
        fail(error);
      }
      if (stopped(event)) break;
    }
    return !event.defaultPrevented;
  }
}
const KEY = {};
class AbortSignal extends EventTarget {
  #aborted = false;
  #reason = undefined;
  #handler = null;
  constructor(key) {
    if (key !== KEY) throw new TypeError('Illegal constructor');
    super();
  }
  get aborted() { return this.#aborted; }
  get reason() { return this.#reason; }
  get onabort() { return this.#handler; }
  set onabort(handler) {
    if (this.#handler !== null) this.removeEventListener('abort', this.#handler);
    this.#handler = typeof handler === 'function' ? handler : null;
    if (this.#handler !== null) this.addEventListener('abort', this.#handler);
  }
  throwIfAborted() { if (this.#aborted) throw this.#reason; }
  static trigger(signal, reason) {
    if (signal.#aborted) return;
    signal.#aborted = true;
    signal.#reason = reason === undefined ? new DOMException('This operation was aborted', 'AbortError') : reason;
    signal.dispatchEvent(new Event('abort'));
  }
  static abort(reason) {
    const signal = new AbortSignal(KEY);
    trigger(signal, reason);
    return signal;
  }
  static timeout(ms) {
    const signal = new AbortSignal(KEY);
    core.load('timers').setTimeout(() => trigger(signal, new DOMException('The operation was aborted due to timeout', 'TimeoutError')), ms);
    return signal;
  }
  static any(signals) {
    const joined = new AbortSignal(KEY);
    for (const signal of signals) {
      if (signal.aborted) {
        trigger(joined, signal.reason);
        return joined;
      }
      signal.addEventListener('abort', () => trigger(joined, signal.reason), { once: true });
    }
    return joined;
  }
}
const { trigger } = AbortSignal;
delete AbortSignal.trigger;
class AbortController {
  #signal = new AbortSignal(KEY);
  get signal() { return this.#signal; }
  abort(reason) { trigger(this.#signal, reason); }
}
return { __proto__: null, DOMException, Event, EventTarget, AbortSignal, AbortController };
})`;

export const CLONE_MODULE = String.raw`(function (core) {
'use strict';
const { isArray, keys, Object, Error, RealDate } = core;
const { Map, Set, RegExp, ArrayBuffer, Boolean, Number, String, BigInt } = core.global;
const refuse = (what) => {
  throw new (core.load('events').DOMException)(what + ' could not be cloned', 'DataCloneError');
};
const errorNames = ['Error', 'EvalError', 'RangeError', 'ReferenceError', 'SyntaxError', 'TypeError', 'URIError'];
const cloneError = (value, seen) => {
  const name = errorNames.includes(value.name) ? value.name : 'Error';
  const copy = new core.global[name](String(value.message));
  core.hide(copy, 'stack', value.stack);
  seen.set(value, copy);
  if (Object.hasOwn(value, 'cause')) core.hide(copy, 'cause', clone(value.cause, seen));
  return copy;
};
const clone = (value, seen) => {
  if (typeof value === 'function') refuse('a function');
  if (typeof value === 'symbol') refuse('a symbol');
  if (typeof value !== 'object' || value === null) return value;
  if (seen.has(value)) return seen.get(value);
  const keep = (copy) => {
    seen.set(value, copy);
    return copy;
  };
  if (value instanceof RealDate) return keep(new RealDate(value.getTime()));
  if (value instanceof RegExp) return keep(new RegExp(value.source, value.flags));
  if (value instanceof Boolean || value instanceof Number || value instanceof String || value instanceof BigInt) return keep(Object(value.valueOf()));
  if (value instanceof ArrayBuffer) return keep(value.slice(0));
  if (ArrayBuffer.isView(value)) {
    const buffer = clone(value.buffer, seen);
    return keep(new value.constructor(buffer, value.byteOffset, value.length ?? value.byteLength));
  }
  if (value instanceof Error) return cloneError(value, seen);
  if (value instanceof Map) {
    const copy = keep(new Map());
    for (const [key, item] of [...value]) copy.set(clone(key, seen), clone(item, seen));
    return copy;
  }
  if (value instanceof Set) {
    const copy = keep(new Set());
    for (const item of [...value]) copy.add(clone(item, seen));
    return copy;
  }
  if (value instanceof core.Promise || value instanceof core.global.WeakMap || value instanceof core.global.WeakSet) refuse('the object');
  const copy = keep(isArray(value) ? new core.global.Array(value.length) : {});
  for (const key of keys(value)) {
    core.define(copy, key, { __proto__: null, value: clone(value[key], seen), writable: true, enumerable: true, configurable: true });
  }
  return copy;
};
return { __proto__: null, structuredClone: function structuredClone(value) { return clone(value, new Map()); } };
})`;

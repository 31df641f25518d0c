/** Web globals that are rarely used: text, events and structured clones. Texts cross to the process, objects never do. */

export const URL_MODULE = String.raw`(function (core) {
'use strict';
const { op, String, TypeError, parse, isObject, keys } = core;
const { Symbol } = core.global;
const PARTS = ['href', 'protocol', 'username', 'password', 'host', 'hostname', 'port', 'pathname', 'search', 'hash'];

class URLSearchParams {
  #pairs = [];
  #owner = null;
  constructor(init = '') {
    if (typeof init === 'string') this.#pairs = parse(op('query', init[0] === '?' ? init.slice(1) : init));
    else if (isObject(init) && typeof init[Symbol.iterator] === 'function') {
      for (const pair of init) {
        const [name, value] = pair;
        this.#pairs.push([String(name), String(value)]);
      }
    } else if (isObject(init)) {
      for (const name of keys(init)) this.#pairs.push([name, String(init[name])]);
    }
  }
  static own(owner, text) {
    const params = new URLSearchParams(text);
    params.#owner = owner;
    return params;
  }
  static reset(params, text) { params.#pairs = new URLSearchParams(text).#pairs; }
  #changed() {
    if (this.#owner !== null) this.#owner(this.toString());
  }
  get size() { return this.#pairs.length; }
  append(name, value) {
    this.#pairs.push([String(name), String(value)]);
    this.#changed();
  }
  delete(name, value) {
    this.#pairs = this.#pairs.filter((pair) => !(pair[0] === String(name) && (value === undefined || pair[1] === String(value))));
    this.#changed();
  }
  get(name) { return this.#pairs.find((pair) => pair[0] === String(name))?.[1] ?? null; }
  getAll(name) { return this.#pairs.filter((pair) => pair[0] === String(name)).map((pair) => pair[1]); }
  has(name, value) { return this.#pairs.some((pair) => pair[0] === String(name) && (value === undefined || pair[1] === String(value))); }
  set(name, value) {
    const at = this.#pairs.findIndex((pair) => pair[0] === String(name));
    if (at < 0) return this.append(name, value);
    this.#pairs[at][1] = String(value);
    this.#pairs = this.#pairs.filter((pair, index) => index <= at || pair[0] !== String(name));
    this.#changed();
  }
  sort() {
    this.#pairs.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
    this.#changed();
  }
  *entries() { for (const pair of this.#pairs) yield [pair[0], pair[1]]; }
  *keys() { for (const pair of this.#pairs) yield pair[0]; }
  *values() { for (const pair of this.#pairs) yield pair[1]; }
  [Symbol.iterator]() { return this.entries(); }
  forEach(callback, self) { for (const pair of this.#pairs) callback.call(self, pair[1], pair[0], this); }
  toString() { return op('queryText', core.json(this.#pairs)); }
  get [Symbol.toStringTag]() { return 'URLSearchParams'; }
}
const { own, reset } = URLSearchParams;
delete URLSearchParams.own;
delete URLSearchParams.reset;

class URL {
  #parts;
  #params = null;
  constructor(input, base) {
    const text = op('url', String(input), base === undefined ? '' : String(base));
    if (text === '') {
      const error = new TypeError('Invalid URL');
      error.code = 'ERR_INVALID_URL';
      error.input = String(input);
      throw error;
    }
    this.#parts = parse(text);
  }
  static canParse(input, base) { return op('url', String(input), base === undefined ? '' : String(base)) !== ''; }
  static parse(input, base) { return URL.canParse(input, base) ? new URL(input, base) : null; }
  static part(url, name) { return url.#parts[name]; }
  static change(url, name, value) {
    const text = op('urlSet', url.#parts.href, name, String(value));
    if (text === '') throw new TypeError('Invalid URL');
    url.#parts = parse(text);
    if (url.#params !== null && (name === 'search' || name === 'href')) reset(url.#params, url.#parts.search);
  }
  get origin() { return this.#parts.origin; }
  get searchParams() {
    this.#params ??= own((text) => {
      this.#parts = parse(op('urlSet', this.#parts.href, 'search', text));
    }, this.#parts.search);
    return this.#params;
  }
  toString() { return this.#parts.href; }
  toJSON() { return this.#parts.href; }
  get [Symbol.toStringTag]() { return 'URL'; }
}
const { part, change } = URL;
delete URL.part;
delete URL.change;
for (let i = 0; i < PARTS.length; i++) {
  const name = PARTS[i];
  core.define(URL.prototype, name, {
    __proto__: null, configurable: true, enumerable: true,
    get() { return part(this, name); },
    set(value) { change(this, name, value); },
  });
}
return { __proto__: null, URL, URLSearchParams };
})`;

export const TEXT_MODULE = String.raw`(function (core) {
'use strict';
const { apply, op, String, TypeError, RangeError, Uint8Array, fromBase64, toBase64, isObject } = core;
const { ArrayBuffer } = core.global;
const viewOf = (value) => {
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  throw new TypeError('TextDecoder.decode needs bytes');
};
class TextEncoder {
  get encoding() { return 'utf-8'; }
  encode(text = '') { return apply(fromBase64, Uint8Array, [op('encode', String(text))]); }
  encodeInto(text, target) {
    let read = 0, written = 0;
    for (const character of String(text)) {
      const bytes = this.encode(character);
      if (written + bytes.length > target.length) break;
      target.set(bytes, written);
      written += bytes.length;
      read += character.length;
    }
    return { read, written };
  }
}
const incomplete = (bytes) => {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back];
    if (byte >= 0xc0) return (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) > back ? back : 0;
    if (byte < 0x80) return 0;
  }
  return 0;
};
class TextDecoder {
  #label;
  #fatal;
  #ignoreBOM;
  #held = new Uint8Array(0);
  #begun = false;
  constructor(label = 'utf-8', options = {}) {
    this.#label = op('encoding', String(label));
    if (this.#label === '') throw new RangeError('the encoding is not known: ' + label);
    this.#fatal = !!options?.fatal;
    this.#ignoreBOM = !!options?.ignoreBOM;
  }
  get encoding() { return this.#label; }
  get fatal() { return this.#fatal; }
  get ignoreBOM() { return this.#ignoreBOM; }
  decode(input, options) {
    let bytes = input === undefined ? new Uint8Array(0) : viewOf(input);
    if (this.#held.length > 0) {
      const joined = new Uint8Array(this.#held.length + bytes.length);
      joined.set(this.#held);
      joined.set(bytes, this.#held.length);
      bytes = joined;
    }
    const stream = isObject(options) && !!options.stream;
    const kept = stream && this.#label === 'utf-8' ? incomplete(bytes) : 0;
    this.#held = bytes.slice(bytes.length - kept);
    const whole = kept === 0 ? bytes : bytes.subarray(0, bytes.length - kept);
    const text = op('decode', apply(toBase64, whole, []), this.#label, this.#fatal, this.#ignoreBOM || this.#begun);
    this.#begun = stream && (this.#begun || whole.length > 0);
    if (text === null) throw new TypeError('the bytes are not valid ' + this.#label);
    return text;
  }
}
const wrong = (message) => new (core.load('events').DOMException)(message, 'InvalidCharacterError');
const atob = (text) => {
  const decoded = op('atob', String(text));
  if (decoded === null) throw wrong('the text is not base64');
  return decoded;
};
const btoa = (text) => {
  const encoded = op('btoa', String(text));
  if (encoded === null) throw wrong('the text holds characters above U+00FF');
  return encoded;
};
return { __proto__: null, TextEncoder, TextDecoder, atob, btoa };
})`;

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

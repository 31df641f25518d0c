/** URLs and text encodings inside a context. Texts cross to the process, which knows how; objects never do. */

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

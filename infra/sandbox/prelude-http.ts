/** `fetch` in both forms, with the `Headers`, `Request` and `Response` of its standard form. */

export const HTTP_MODULE = String.raw`(function (core) {
'use strict';
const { apply, isObject, keys, op, lower, upper, String, Number, TypeError, Promise, parse, Object } = core;
const { Symbol, Uint8Array, ArrayBuffer } = core.global;
const { fromBase64, toBase64 } = core;
const lowered = (name) => apply(lower, String(name), []);
const raised = (name) => apply(upper, String(name), []);
const TOKEN = /^[!#$%&'*+\-.^_|~0-9A-Za-z\x60]+$/, UNSAFE = /[\0\r\n]/;
const matches = TOKEN.test;
const is = (pattern, text) => apply(matches, pattern, [text]);
const trim = String.prototype.trim;
const compare = (a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0);
const sort = core.global.Array.prototype.sort;

const headerName = (name) => {
  const text = String(name);
  if (!is(TOKEN, text)) throw new TypeError('not a header name: ' + text);
  return apply(lower, text, []);
};
const headerValue = (value) => {
  const text = apply(trim, String(value), []);
  if (is(UNSAFE, text)) throw new TypeError('a header value holds no line breaks');
  return text;
};
class Headers {
  #pairs = [];
  constructor(init) {
    if (init === undefined || init === null) return;
    if (init instanceof Headers) {
      for (let i = 0; i < init.#pairs.length; i++) this.#add(init.#pairs[i][0], init.#pairs[i][1]);
    } else if (core.isArray(init)) {
      for (let i = 0; i < init.length; i++) this.append(init[i][0], init[i][1]);
    } else if (typeof init[Symbol.iterator] === 'function') {
      for (const pair of init) {
        const [name, value] = pair;
        this.append(name, value);
      }
    } else {
      const names = keys(init);
      for (let i = 0; i < names.length; i++) this.append(names[i], init[names[i]]);
    }
  }
  #add(name, value) { this.#pairs[this.#pairs.length] = [name, value]; }
  append(name, value) { this.#add(headerName(name), headerValue(value)); }
  delete(name) {
    const wanted = headerName(name), kept = [];
    for (let i = 0; i < this.#pairs.length; i++) if (this.#pairs[i][0] !== wanted) kept[kept.length] = this.#pairs[i];
    this.#pairs = kept;
  }
  get(name) {
    const wanted = headerName(name);
    let text = null;
    for (let i = 0; i < this.#pairs.length; i++) {
      if (this.#pairs[i][0] === wanted) text = text === null ? this.#pairs[i][1] : text + ', ' + this.#pairs[i][1];
    }
    return text;
  }
  has(name) { return this.get(name) !== null; }
  set(name, value) {
    this.delete(name);
    this.append(name, value);
  }
  getSetCookie() {
    const found = [];
    for (let i = 0; i < this.#pairs.length; i++) if (this.#pairs[i][0] === 'set-cookie') found[found.length] = this.#pairs[i][1];
    return found;
  }
  static pairs(headers) {
    const merged = [], seen = { __proto__: null };
    for (let i = 0; i < headers.#pairs.length; i++) {
      const pair = headers.#pairs[i];
      if (pair[0] === 'set-cookie' || seen[pair[0]] === undefined) {
        seen[pair[0]] = merged.length;
        merged[merged.length] = [pair[0], pair[1]];
      } else {
        merged[seen[pair[0]]][1] += ', ' + pair[1];
      }
    }
    return merged;
  }
  *entries() { yield* apply(sort, pairsOf(this), [compare]); }
  *keys() { for (const pair of this.entries()) yield pair[0]; }
  *values() { for (const pair of this.entries()) yield pair[1]; }
  [Symbol.iterator]() { return this.entries(); }
  forEach(callback, self) { for (const pair of this.entries()) apply(callback, self, [pair[1], pair[0], this]); }
  get [Symbol.toStringTag]() { return 'Headers'; }
}
const pairsOf = Headers.pairs;
delete Headers.pairs;

const viewOf = (value) =>
  value instanceof ArrayBuffer ? new Uint8Array(value) : new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
const bodyOf = (value) => {
  if (value === undefined || value === null) return { __proto__: null, text: null, encoding: 'utf8', type: null };
  if (typeof value === 'string') return { __proto__: null, text: value, encoding: 'utf8', type: 'text/plain;charset=UTF-8' };
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) {
    return { __proto__: null, text: apply(toBase64, viewOf(value), []), encoding: 'base64', type: null };
  }
  if (value instanceof core.load('url').URLSearchParams) {
    return { __proto__: null, text: String(value), encoding: 'utf8', type: 'application/x-www-form-urlencoded;charset=UTF-8' };
  }
  return { __proto__: null, text: String(value), encoding: 'utf8', type: 'text/plain;charset=UTF-8' };
};
const EMPTY = bodyOf(null);
class Body {
  #body;
  #used = false;
  constructor(body) { this.#body = body; }
  #take() {
    if (this.#used) throw new TypeError('the body was read already');
    if (this.#body.text !== null) this.#used = true;
    return this.#body;
  }
  get bodyUsed() { return this.#used; }
  async text() {
    const { text, encoding } = this.#take();
    return text === null ? '' : encoding === 'utf8' ? text : op('decode', text, 'utf-8', false, false);
  }
  async json() { return parse(await this.text()); }
  async bytes() {
    const { text, encoding } = this.#take();
    return apply(fromBase64, Uint8Array, [text === null ? '' : encoding === 'utf8' ? op('encode', text) : text]);
  }
  async arrayBuffer() { return (await this.bytes()).buffer; }
  static peek(owner) {
    if (owner.#used) throw new TypeError('the body was read already');
    return owner.#body;
  }
  static fill(owner, body) { owner.#body = body; }
}
const { peek, fill } = Body;
delete Body.peek;
delete Body.fill;

const METHODS = { __proto__: null, DELETE: 1, GET: 1, HEAD: 1, OPTIONS: 1, POST: 1, PUT: 1, PATCH: 1 };
const methodOf = (value) => {
  const method = String(value ?? 'GET');
  if (!is(TOKEN, method)) throw new TypeError('not an HTTP method: ' + method);
  const high = raised(method);
  return METHODS[high] === 1 ? high : method;
};
class Request extends Body {
  #state;
  constructor(resource, init = {}) {
    const from = resource instanceof Request ? resource : undefined;
    const given = init.body !== undefined && init.body !== null ? bodyOf(init.body) : from === undefined ? EMPTY : peek(from);
    super(given);
    const method = methodOf(init.method ?? from?.method);
    if (given.text !== null && (method === 'GET' || method === 'HEAD')) throw new TypeError(method + ' has no body');
    const headers = new Headers(init.headers ?? from?.headers);
    if (given.type !== null && !headers.has('content-type')) headers.set('content-type', given.type);
    const signal = init.signal === undefined ? (from?.signal ?? null) : init.signal;
    const redirect = init.redirect ?? from?.redirect ?? 'follow';
    const url = from === undefined ? new (core.load('url').URL)(String(resource)).href : from.url;
    this.#state = { __proto__: null, method, url, headers, redirect, signal };
  }
  get method() { return this.#state.method; }
  get url() { return this.#state.url; }
  get headers() { return this.#state.headers; }
  get redirect() { return this.#state.redirect; }
  get signal() { return this.#state.signal; }
  clone() { return new Request(this); }
  get [Symbol.toStringTag]() { return 'Request'; }
}
class Response extends Body {
  #state;
  constructor(body, init = {}) {
    const given = bodyOf(body);
    super(given);
    const status = init.status === undefined ? 200 : Number(init.status);
    if (!(status >= 200 && status <= 599)) throw new core.RangeError('a status lies between 200 and 599');
    const headers = new Headers(init.headers);
    if (given.type !== null && !headers.has('content-type')) headers.set('content-type', given.type);
    this.#state = { __proto__: null, status, statusText: String(init.statusText ?? ''), headers, url: '', redirected: false, type: 'default' };
  }
  get ok() { return this.#state.status >= 200 && this.#state.status <= 299; }
  get status() { return this.#state.status; }
  get statusText() { return this.#state.statusText; }
  get headers() { return this.#state.headers; }
  get url() { return this.#state.url; }
  get redirected() { return this.#state.redirected; }
  get type() { return this.#state.type; }
  clone() { return make(peek(this), this.#state); }
  static json(value, init = {}) {
    const headers = new Headers(init.headers);
    if (!headers.has('content-type')) headers.set('content-type', 'application/json');
    return new Response(core.carried('the body', value), { ...init, headers });
  }
  static error() { return make(EMPTY, { __proto__: null, status: 0, statusText: '', headers: new Headers(), url: '', redirected: false, type: 'error' }); }
  static make(body, state) {
    const response = new Response(null);
    fill(response, body);
    response.#state = { __proto__: null, ...state, headers: new Headers(state.headers) };
    return response;
  }
  get [Symbol.toStringTag]() { return 'Response'; }
}
const { make } = Response;
delete Response.make;

const bare = (url) => {
  for (let i = 0; i < url.length; i++) if (url[i] === '?' || url[i] === '#') return apply(core.slice, url, [0, i]);
  return url;
};
const httpRequest = (method, url, headers, body, timeout, redirect) => ({
  __proto__: null, method, url, headers, body: body.text, bodyEncoding: body.encoding, timeoutMs: timeout, redirect,
});
const timeoutOf = (value) => {
  if (value === undefined || value === null) return null;
  const ms = Number(value);
  if (!(ms > 0)) throw new TypeError('a timeout is a positive number of milliseconds');
  return ms;
};
const toResponse = (value) =>
  make({ __proto__: null, text: value.body, encoding: value.bodyEncoding, type: null }, {
    __proto__: null, status: value.status, statusText: value.statusText, headers: new Headers(value.headers), url: value.url,
    redirected: value.redirected, type: 'basic',
  });

const aborting = (promise, signal) =>
  new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort);
    apply(core.then, promise, [
      (value) => { signal.removeEventListener('abort', abort); resolve(value); },
      (error) => { signal.removeEventListener('abort', abort); reject(error); },
    ]);
  });
const fetchLater = async (resource, init = {}) => {
  const request = new Request(resource, init ?? {});
  const { method, url, signal, redirect } = request;
  if (signal?.aborted) throw signal.reason;
  const shape = httpRequest(method, url, pairsOf(request.headers), peek(request), timeoutOf(init?.timeout), redirect);
  const promise = core.promiseStep('http', method + ' ' + bare(url), shape, toResponse);
  return await (signal ? aborting(promise, signal) : promise);
};

const isJsonType = (type) => is(/[/+]json\b/i, type);
const parsed = (value, headers) => {
  const text = value.body ?? '';
  if (value.bodyEncoding !== 'utf8' || text === '') return text;
  const first = apply(trim, text, [])[0];
  if (!isJsonType(headers['content-type'] ?? '') && first !== '{' && first !== '[') return text;
  try {
    return parse(text);
  } catch {
    return text;
  }
};
const headersObject = (pairs) => {
  const object = {};
  for (let i = 0; i < pairs.length; i++) {
    const name = lowered(pairs[i][0]);
    const before = Object.hasOwn(object, name) ? object[name] + ', ' : '';
    core.define(object, name, { __proto__: null, value: before + pairs[i][1], writable: true, enumerable: true, configurable: true });
  }
  return object;
};
const blockingBody = (value, headers) => {
  if (!isObject(value) || value instanceof ArrayBuffer || ArrayBuffer.isView(value) || value instanceof core.load('url').URLSearchParams) {
    return bodyOf(value);
  }
  if (!headers.has('content-type')) headers.set('content-type', 'application/json');
  return { __proto__: null, text: core.carried('a body', value), encoding: 'utf8', type: null };
};
const fetchNow = (resource, init, third) => {
  const settings = isObject(init) ? init : {};
  const method = methodOf(settings.method);
  const url = new (core.load('url').URL)(String(resource)).href;
  const headers = new Headers(settings.headers);
  const body = blockingBody(third ?? settings.body, headers);
  if (body.type !== null && !headers.has('content-type')) headers.set('content-type', body.type);
  const value = core.blockingStep('http', method + ' ' + bare(url),
    httpRequest(method, url, pairsOf(headers), body, timeoutOf(settings.timeout), settings.redirect ?? 'follow'));
  const received = headersObject(value.headers);
  const response = { ok: value.status >= 200 && value.status <= 299, status: value.status, statusText: value.statusText, headers: received, body: parsed(value, received) };
  if (!response.ok) throw core.load('errors').httpError(response, method, bare(url));
  return response;
};
return { __proto__: null, Headers, Request, Response, fetchNow, fetchLater };
})`;

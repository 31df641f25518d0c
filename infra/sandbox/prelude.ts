/**
 * The first code in each fresh context, as text, because it must belong to the context and not to the process.
 *
 * It captures what it needs before task code can change it, wraps the one host function so that no host object and no
 * host error reaches task code, and leaves everything rarely used to modules that are run on first use.
 */
export const PRELUDE = String.raw`(function (host) {
'use strict';
const global = globalThis;
const { Object, Error, RangeError, TypeError, Promise, String, Number, Date, Reflect } = global;
const { apply, construct } = Reflect;
const define = Object.defineProperty;
const prototypeOf = Object.getPrototypeOf;
const parse = global.JSON.parse, stringify = global.JSON.stringify;
const isArray = global.Array.isArray;
const then = Promise.prototype.then;
const asyncPrototype = prototypeOf(async function () {});

const op = (name, a, b, c, d) => {
  try {
    return host(name, a, b, c, d);
  } catch {}
  throw new RangeError('out of stack or memory');
};
const hide = (target, name, value) =>
  define(target, name, { __proto__: null, value, writable: true, configurable: true, enumerable: false });
const isObject = (value) => (typeof value === 'object' && value !== null) || typeof value === 'function';
const json = (value) => {
  const text = stringify(value);
  return text === undefined ? 'null' : text;
};
const carried = (what, value) => {
  try {
    return json(value);
  } catch (error) {
    const reason = isObject(error) ? error.message : error;
    throw new TypeError(what + ' must be a value that JSON can carry: ' + reason);
  }
};

const modules = { __proto__: null };
const load = (name) => modules[name] ?? (modules[name] = op('load', name)(core));
const lazy = (module, names) => {
  for (let i = 0; i < names.length; i++) {
    const name = names[i];
    define(global, name, {
      __proto__: null,
      configurable: true,
      enumerable: false,
      get() {
        const value = load(module)[name];
        hide(global, name, value);
        return value;
      },
      set(value) {
        hide(global, name, value);
      },
    });
  }
};

const waiting = { __proto__: null };
const timers = { __proto__: null };
let style = 'blocking';
let over = false;
let cancelReason = '';

const now = () => op('now');
const cancelled = () => new (load('errors').CancelledError)(cancelReason);
const settle = (outcome, resolve, reject, convert) => {
  if (!outcome.ok) return reject(load('errors').revive(outcome.error));
  let value;
  try {
    value = convert === undefined ? outcome.value : convert(outcome.value);
  } catch (error) {
    return reject(error);
  }
  resolve(value);
};
const call = (kind, name, request) => op('call', kind, name, carried('a request', request));
const blockingStep = (kind, name, request) => {
  const path = call(kind, name, request);
  const text = path === '' ? '' : op('block', path);
  if (text === '') throw cancelled();
  const outcome = parse(text);
  if (outcome.ok) return outcome.value;
  throw load('errors').revive(outcome.error);
};
const promiseStep = (kind, name, request, convert) =>
  new Promise((resolve, reject) => {
    const path = call(kind, name, request);
    if (path === '') reject(cancelled());
    else waiting[path] = { __proto__: null, resolve, reject, convert };
  });
const step = (kind, name, request) =>
  style === 'promise' ? promiseStep(kind, name, request) : blockingStep(kind, name, request);

const fail = (error) => {
  if (over) return;
  over = true;
  op('settle', false, load('describe').errorText(error));
};
const succeed = (value) => {
  if (over) return;
  let text;
  try {
    text = carried('the result of main', value);
  } catch (error) {
    return fail(error);
  }
  over = true;
  op('settle', true, text);
};
const watch = async (promise) => {
  let value;
  try {
    value = await promise;
  } catch (error) {
    return fail(error);
  }
  succeed(value);
};

const core = {
  __proto__: null, global, Object, Error, TypeError, RangeError, Promise, String, Number,
  keys: Object.keys, slice: String.prototype.slice, push: global.Array.prototype.push, charCodeAt: String.prototype.charCodeAt,
  fromCharCode: String.fromCharCode, lower: String.prototype.toLowerCase, upper: String.prototype.toUpperCase,
  Uint8Array: global.Uint8Array, fromBase64: global.Uint8Array.fromBase64, toBase64: global.Uint8Array.prototype.toBase64,
  apply, construct, define, prototypeOf, parse, stringify, isArray, then, op, hide, isObject, json,
  carried, load, now, step, blockingStep, promiseStep, cancelled, fail, timers, isCancelled: () => cancelReason !== '',
  isBlocking: () => style !== 'promise', context: null,
};

const RealDate = Date;
const LogicalDate = function Date(...parts) {
  if (new.target === undefined) return new RealDate(now()).toString();
  return construct(RealDate, parts.length === 0 ? [now()] : parts, new.target);
};
define(LogicalDate, 'length', { __proto__: null, value: 7, configurable: true });
define(LogicalDate, 'prototype', { __proto__: null, value: RealDate.prototype, writable: false });
hide(RealDate.prototype, 'constructor', LogicalDate);
hide(LogicalDate, 'now', function () { return now(); });
hide(LogicalDate, 'parse', RealDate.parse);
hide(LogicalDate, 'UTC', RealDate.UTC);
hide(global, 'Date', LogicalDate);
hide(global.Math, 'random', function random() { return op('random'); });
hide(global, 'global', global);
// Node asks whatever stands under this name for a formatter of stacks, and would hand it the frames of the process.
define(global, 'Error', { __proto__: null, value: Error, writable: false, configurable: false, enumerable: false });
define(Error, 'prepareStackTrace', { __proto__: null, get() {}, set() {}, configurable: false, enumerable: false });

core.RealDate = RealDate;
core.Intl = global.Intl;
// Reading Temporal would build all of it for each context; deleted unread it costs nothing and is put together on first use.
delete global.Temporal;
delete global.WeakRef;
delete global.FinalizationRegistry;
delete global.SharedArrayBuffer;
delete global.WebAssembly;
delete global.Atomics.wait;
delete global.Atomics.waitAsync;
delete global.Atomics.pause;

lazy('console', ['console']);
lazy('steps', ['fetch', 'sleep', 'runTask', 'readFile', 'hmac', 'ask', 'mcp', 'llm', 'secret', 'step', 'span', 'reportProgress', 'require']);
lazy('timers', ['setTimeout', 'setInterval', 'setImmediate', 'clearTimeout', 'clearInterval', 'clearImmediate', 'queueMicrotask']);
lazy('errors', ['AuthenticationError', 'AuthorizationError', 'NetworkError', 'HttpError', 'ValidationError', 'ConfigurationError',
  'RateLimitError', 'ServiceUnavailableError', 'TimeoutError', 'DataError', 'CancelledError']);
lazy('time', ['Intl', 'Temporal', 'performance']);
lazy('random', ['crypto']);
lazy('url', ['URL', 'URLSearchParams']);
lazy('text', ['TextEncoder', 'TextDecoder', 'atob', 'btoa']);
lazy('events', ['Event', 'EventTarget', 'AbortController', 'AbortSignal', 'DOMException']);
lazy('http', ['Headers', 'Request', 'Response']);
lazy('clone', ['structuredClone']);

let input, moduleObject, exportsAtStart;
const begin = (inputText, contextText, wanted) => {
  if (wanted === 'promise') style = wanted;
  input = parse(inputText);
  core.context = parse(contextText);
  exportsAtStart = {};
  moduleObject = { exports: exportsAtStart };
  hide(global, 'input', input);
  hide(global, 'context', core.context);
  hide(global, 'module', moduleObject);
  hide(global, 'exports', exportsAtStart);
};
const mainOf = (exported) => {
  if (typeof exported === 'function') return exported;
  if (!isObject(exported)) return undefined;
  return typeof exported.main === 'function' ? exported.main : exported.default;
};
const run = (completion, lexical, wanted) => {
  let result, main;
  try {
    main = mainOf(moduleObject.exports) ?? mainOf(exportsAtStart);
    if (typeof main !== 'function') main = typeof completion === 'function' ? completion : lexical;
    if (typeof main !== 'function') throw load('errors').noEntryPoint();
    style = wanted === 'auto' ? (prototypeOf(main) === asyncPrototype ? 'promise' : 'blocking') : wanted;
    result = apply(main, undefined, [input, core.context]);
    if (isObject(result) && typeof result.then === 'function') return void watch(result);
  } catch (error) {
    return fail(error);
  }
  succeed(result);
};
const fire = (id) => {
  const timer = timers[id];
  if (timer === undefined) return;
  if (!timer.repeats) delete timers[id];
  try {
    apply(timer.callback, undefined, timer.parts);
  } catch (error) {
    fail(error);
  }
};
const arrive = (path, text) => {
  const step = waiting[path];
  if (step === undefined) return;
  delete waiting[path];
  settle(parse(text), step.resolve, step.reject, step.convert);
};
const cancel = (reason) => {
  cancelReason = reason === '' ? 'the execution was cancelled' : reason;
  for (const path in waiting) {
    waiting[path].reject(cancelled());
    delete waiting[path];
  }
};

return (kind, a, b, c) => {
  if (kind === 'begin') begin(a, b, c);
  else if (kind === 'syntax') fail(new global.SyntaxError(a));
  else if (kind === 'run') run(a, b, c);
  else if (kind === 'fail') fail(a);
  else if (kind === 'arrive') arrive(a, b);
  else if (kind === 'fire') fire(a);
  else if (kind === 'cancel') cancel(a);
};
})`;

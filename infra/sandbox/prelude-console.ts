/** `console` inside a context: readable, bounded text of any value, and structured fields beside a message. */

export const CONSOLE_MODULE = String.raw`(function (core) {
'use strict';
const { apply, isObject, isArray, keys, op, stringify, prototypeOf, Object, define } = core;
const { Map, Set, Symbol, RegExp } = core.global;
const mapForEach = Map.prototype.forEach, setForEach = Set.prototype.forEach;
const mapSize = Object.getOwnPropertyDescriptor(Map.prototype, 'size').get;
const setSize = Object.getOwnPropertyDescriptor(Set.prototype, 'size').get;
const toISO = core.RealDate.prototype.toISOString, symbolText = Symbol.prototype.toString, regText = RegExp.prototype.toString;
const objectPrototype = Object.prototype;
const isView = core.global.ArrayBuffer.isView;
const MAX_TEXT = 16384, MAX_ITEMS = 100, MAX_DEPTH = 5, MAX_FIELDS = 16384;
const { cut, read, plain, nameOf } = core.load('describe');

const attempt = (fn, self, parts) => {
  try {
    return apply(fn, self, parts);
  } catch {
    return undefined;
  }
};
const list = (open, close, parts, more) => {
  let text = open;
  for (let i = 0; i < parts.length; i++) text += (i === 0 ? '' : ', ') + parts[i];
  if (more > 0) text += (parts.length === 0 ? '' : ', ') + '… ' + more + ' more';
  return text + close;
};
const errorLine = (error) => {
  const stack = read(error, 'stack');
  return typeof stack === 'string' && stack !== '' ? stack : nameOf(error) + ': ' + plain(read(error, 'message'));
};
const show = (value, state) => {
  if (typeof value === 'string') return state.depth === 0 ? value : stringify(cut(value, 1000));
  if (typeof value === 'bigint') return plain(value) + 'n';
  if (typeof value === 'symbol') return attempt(symbolText, value, []) ?? 'Symbol()';
  if (typeof value === 'function') return '[function ' + (plain(read(value, 'name')) || 'anonymous') + ']';
  if (!isObject(value)) return plain(value);
  for (let i = 0; i < state.path.length; i++) if (state.path[i] === value) return '[circular]';
  if (state.depth >= MAX_DEPTH || state.budget <= 0) return isArray(value) ? '[…]' : '{…}';
  define(state.path, state.path.length, { __proto__: null, value, configurable: true, writable: true, enumerable: true });
  state.depth++;
  const text = showObject(value, state);
  state.depth--;
  state.path.length--;
  state.budget -= text.length;
  return text;
};
const gather = (each, self, size, state, pairs) => {
  const parts = [];
  apply(each, self, [(value, key) => {
    if (parts.length >= MAX_ITEMS) return;
    parts[parts.length] = pairs ? show(key, state) + ' => ' + show(value, state) : show(value, state);
  }]);
  return list((pairs ? 'Map(' : 'Set(') + size + ') {', '}', parts, size - parts.length);
};
const showObject = (value, state) => {
  if (value instanceof core.Error) return errorLine(value);
  const mapped = attempt(mapSize, value, []);
  if (mapped !== undefined) return gather(mapForEach, value, mapped, state, true);
  const settled = attempt(setSize, value, []);
  if (settled !== undefined) return gather(setForEach, value, settled, state, false);
  const date = attempt(toISO, value, []);
  if (date !== undefined) return date;
  if (value instanceof core.Promise) return '[promise]';
  if (value instanceof RegExp) return attempt(regText, value, []) ?? '[regexp]';
  const parts = [];
  if (isArray(value) || (isView(value) && typeof value.length === 'number')) {
    const shown = value.length < MAX_ITEMS ? value.length : MAX_ITEMS;
    for (let i = 0; i < shown && state.budget > 0; i++) parts[i] = show(value[i], state);
    return list('[', ']', parts, value.length - parts.length);
  }
  const names = keys(value);
  for (let i = 0; i < names.length && i < MAX_ITEMS && state.budget > 0; i++) {
    parts[i] = cut(names[i], 200) + ': ' + show(read(value, names[i]), state);
  }
  const made = read(read(value, 'constructor') ?? {}, 'name');
  const label = typeof made === 'string' && made !== '' && made !== 'Object' ? cut(made, 100) + ' ' : '';
  return list(label + '{', '}', parts, names.length - parts.length);
};
const inspect = (value) => {
  try {
    return cut(show(value, { __proto__: null, depth: 0, budget: MAX_TEXT, path: [] }), MAX_TEXT);
  } catch {
    return 'a value that cannot be shown';
  }
};
const isPlain = (value) => {
  if (typeof value !== 'object' || value === null || isArray(value)) return false;
  const prototype = prototypeOf(value);
  return prototype === objectPrototype || prototype === null;
};
const fieldsOf = (value) => {
  try {
    const text = stringify(value);
    return typeof text === 'string' && text.length <= MAX_FIELDS && text[0] === '{' ? text : '';
  } catch {
    return '';
  }
};
const write = (level) =>
  function (...parts) {
    let fields = '', count = parts.length;
    if (count === 2 && typeof parts[0] === 'string' && isPlain(parts[1])) fields = fieldsOf(parts[1]);
    if (fields !== '') count = 1;
    let text = '';
    for (let i = 0; i < count && text.length <= MAX_TEXT; i++) {
      text += (i === 0 ? '' : ' ') + (typeof parts[i] === 'string' ? parts[i] : inspect(parts[i]));
    }
    op('log', level, cut(text, MAX_TEXT), fields);
  };
const info = write('info');
const console = {
  log: info, info, warn: write('warn'), error: write('error'), debug: write('debug'), trace: write('trace'),
  dir: (value) => info(inspect(value)), table: (value) => info(inspect(value)),
  group() {}, groupEnd() {}, groupCollapsed() {},
  assert(condition, ...parts) {
    if (!condition) apply(console.error, console, parts.length === 0 ? ['assertion failed'] : parts);
  },
};
return { __proto__: null, console, inspect };
})`;

/** Errors inside a context: the classes tasks use, errors rebuilt from data, and errors told as data. */

export const ERRORS_MODULE = String.raw`(function (core) {
'use strict';
const { Error, hide, keys, String, Number } = core;
const classes = { __proto__: null };
const derive = (name, message, extra) => {
  const Class = {
    [name]: class extends Error {
      constructor(first, second) {
        const leads = typeof first === 'number';
        const options = leads ? undefined : second;
        super(String((leads ? second : first) ?? message), typeof options === 'object' && options !== null ? options : undefined);
        if (extra === undefined) return;
        if (leads) this[extra] = first;
        else if (typeof options === 'number') this[extra] = options;
        else if (typeof options === 'object' && options !== null && options[extra] !== undefined) this[extra] = options[extra];
      }
    },
  }[name];
  hide(Class.prototype, 'name', name);
  classes[name] = Class;
};
derive('AuthenticationError', 'authentication failed', 'status');
derive('AuthorizationError', 'not authorized', 'status');
derive('NetworkError', 'the network failed');
derive('HttpError', 'the HTTP request failed', 'status');
derive('ValidationError', 'the value is not valid');
derive('ConfigurationError', 'the configuration is not valid');
derive('RateLimitError', 'too many requests', 'retryAfter');
derive('ServiceUnavailableError', 'the service is unavailable', 'status');
derive('TimeoutError', 'the time is over');
derive('DataError', 'the data is not usable');
derive('CancelledError', 'the execution was cancelled');
const builtIn = { __proto__: null, Error, TypeError: core.TypeError, RangeError: core.RangeError };

const revive = (data) => {
  const Class = classes[data.name] ?? builtIn[data.name] ?? Error;
  const error = new Class(data.message);
  if (error.name !== data.name) hide(error, 'name', data.name);
  const names = keys(data.data ?? {});
  for (let i = 0; i < names.length; i++) {
    core.define(error, names[i], {
      __proto__: null, value: data.data[names[i]], writable: true, configurable: true, enumerable: true,
    });
  }
  if (data.cause) hide(error, 'cause', revive(data.cause));
  return error;
};
const noEntryPoint = () => {
  const error = new Error(
    'the file has no main function; accepted are: (function (input) { ... }), function main(input, context) { ... }, ' +
      'const main = ..., async function main(input), module.exports = { main } or module.exports = main, ' +
      'export default or export function main',
  );
  hide(error, 'name', 'EntryPointError');
  error.code = 'invalid_entry_point';
  return error;
};
const httpError = (response, method, url) => {
  const { status } = response;
  const message = 'HTTP ' + status + (response.statusText ? ' ' + response.statusText : '') + ' from ' + method + ' ' + url;
  const name = status === 401 ? 'AuthenticationError' : status === 403 ? 'AuthorizationError' : status === 429 ? 'RateLimitError'
    : status >= 500 ? 'ServiceUnavailableError' : 'HttpError';
  const error = new classes[name](message);
  error.status = status;
  error.statusText = response.statusText;
  error.body = response.body;
  const after = response.headers['retry-after'];
  if (after !== undefined) {
    const seconds = Number(after);
    error.retryAfter = seconds === seconds ? seconds : after;
  }
  return error;
};
return { __proto__: null, ...classes, revive, noEntryPoint, httpError };
})`;

export const DESCRIBE_MODULE = String.raw`(function (core) {
'use strict';
const { apply, isObject, keys, slice, stringify, String, Error } = core;
const MAX_TEXT = 16384, MAX_FIELD = 8192, MAX_FIELDS = 50, MAX_DEPTH = 5;
const cut = (text, max) => (text.length > max ? apply(slice, text, [0, max]) + '…' : text);
const read = (object, key) => {
  try {
    return object[key];
  } catch {
    return undefined;
  }
};
const plain = (value) => {
  try {
    return typeof value === 'symbol' ? 'a symbol' : String(value);
  } catch {
    return 'a value that cannot be shown';
  }
};
const nameOf = (error) => {
  const own = read(error, 'name');
  if (typeof own === 'string' && own !== '' && own !== 'Error') return own;
  const made = read(read(error, 'constructor') ?? {}, 'name');
  return typeof made === 'string' && made !== '' && made !== 'Object' ? made : 'Error';
};
const dataOf = (error) => {
  let text = '', count = 0, names;
  try {
    names = keys(error);
  } catch {
    return '{}';
  }
  for (let i = 0; i < names.length && count < MAX_FIELDS; i++) {
    const name = names[i];
    if (name === 'name' || name === 'message' || name === 'stack' || name === 'cause' || name === '__proto__') continue;
    let value;
    try {
      value = stringify(error[name]);
    } catch {
      continue;
    }
    if (typeof value !== 'string' || value.length > MAX_FIELD) continue;
    text += (count++ === 0 ? '' : ',') + stringify(cut(name, 200)) + ':' + value;
  }
  return '{' + text + '}';
};
const record = (name, message, stack, data, cause) =>
  '{"name":' + stringify(cut(name, 200)) + ',"message":' + stringify(cut(message, MAX_TEXT)) +
  ',"stack":' + (stack === null ? 'null' : stringify(cut(stack, MAX_TEXT))) + ',"data":' + data + ',"cause":' + cause + '}';
const describe = (error, depth) => {
  if (!isObject(error)) return record('Error', plain(error), null, '{}', 'null');
  const message = read(error, 'message');
  const stack = read(error, 'stack');
  const cause = read(error, 'cause');
  return record(
    nameOf(error),
    typeof message === 'string' ? message : core.load('console').inspect(error),
    typeof stack === 'string' ? stack : null,
    dataOf(error),
    cause === undefined || cause === null || depth >= MAX_DEPTH ? 'null' : describe(cause, depth + 1),
  );
};
const errorText = (error) => {
  try {
    return describe(error, 1);
  } catch {
    return '{"name":"Error","message":"an error that cannot be described","stack":null,"data":{},"cause":null}';
  }
};
return { __proto__: null, errorText, cut, read, plain, nameOf };
})`;

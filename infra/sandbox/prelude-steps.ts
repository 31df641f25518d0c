/** The steps a task may ask for, each as a small wrapper that shapes a request and converts its outcome. */

export const STEPS_MODULE = String.raw`(function (core) {
'use strict';
const { apply, op, step, isObject, carried, cancelled, String, Number, TypeError, Promise } = core;
const text = (what, value) => {
  if (typeof value === 'string' && value !== '') return value;
  throw new TypeError(what + ' must be a text that is not empty');
};
const jsonValue = (what, value) => core.parse(carried(what, value));
const errorText = (error) => core.load('describe').errorText(error);

const finish = (path, value) => {
  let result;
  try {
    result = carried('the result of step()', value);
  } catch (error) {
    op('close', path, false, errorText(error));
    throw error;
  }
  op('close', path, true, result);
  return value;
};
const finishLater = async (path, promise) => {
  let value;
  try {
    value = await promise;
  } catch (error) {
    op('close', path, false, errorText(error));
    throw error;
  }
  return finish(path, value);
};
const isThenable = (value) => isObject(value) && typeof value.then === 'function';
const enterStep = (name, fn) => {
  const label = text('the name of a step', name);
  if (typeof fn !== 'function') throw new TypeError('step(name, fn) needs a function');
  const outer = op('scope');
  const path = op('open', label);
  if (path === '') throw cancelled();
  let result, later;
  try {
    result = fn();
    later = isThenable(result);
  } catch (error) {
    op('enter', outer);
    op('close', path, false, errorText(error));
    throw error;
  }
  op('enter', outer);
  return later ? finishLater(path, result) : finish(path, result);
};
const closeSpanLater = async (number, promise) => {
  let value;
  try {
    value = await promise;
  } catch (error) {
    op('closeSpan', number, false);
    throw error;
  }
  op('closeSpan', number, true);
  return value;
};
const enterSpan = (name, fn, attributes) => {
  const label = text('the name of a span', name);
  if (typeof fn !== 'function') throw new TypeError('span(name, fn) needs a function');
  const outer = op('scope');
  const number = op('openSpan', label, isObject(attributes) ? carried('the attributes of a span', attributes) : '{}');
  let result, later;
  try {
    result = fn();
    later = isThenable(result);
  } catch (error) {
    op('enter', outer);
    op('closeSpan', number, false);
    throw error;
  }
  op('enter', outer);
  if (later) return closeSpanLater(number, result);
  op('closeSpan', number, true);
  return result;
};
const later = async (enter, parts) => await apply(enter, undefined, parts);
const inStyle = (enter, parts) => (core.isBlocking() ? apply(enter, undefined, parts) : later(enter, parts));

const progress = (first, second) => {
  const report = isObject(first) ? first : { __proto__: null, progress: first, message: second };
  const fraction = Number(report.progress);
  const words = (value) => (value === undefined || value === null ? '' : String(value));
  op(
    'progress',
    fraction > 0 ? (fraction < 1 ? fraction : 1) : 0,
    report.step === undefined || report.step === null ? null : words(report.step),
    report.message === undefined || report.message === null ? null : words(report.message),
    carried('the data of a progress report', report.data),
  );
};
const milliseconds = (value) => {
  const ms = Number(value);
  if (!(ms >= 0 && ms <= 8.64e15)) throw new TypeError('sleep(ms) needs a number of milliseconds that is not negative');
  return ms - (ms % 1);
};
const SECRET_NAME = /^[A-Za-z_][A-Za-z0-9_.-]{0,127}$/;
const regexTest = SECRET_NAME.test;
const validName = (name) => {
  if (typeof name === 'string' && apply(regexTest, SECRET_NAME, [name])) return name;
  throw new TypeError('a secret is named by letters, digits, "_", "." and "-", at most 128 of them');
};
const options = (value) => (isObject(value) ? value : {});

return {
  __proto__: null,
  fetch: function fetch(resource, init, body) {
    const http = core.load('http');
    return core.isBlocking() ? http.fetchNow(resource, init, body) : http.fetchLater(resource, init);
  },
  sleep: function sleep(ms) {
    const request = { __proto__: null, ms: milliseconds(ms) };
    return step('sleep', 'sleep ' + request.ms + ' ms', request);
  },
  runTask: function runTask(task, input) {
    const name = text('the name of a task', task);
    return step('task', name, { __proto__: null, task: name, input: jsonValue('the input of a task', input) });
  },
  readFile: function readFile(path, settings) {
    const name = text('a path', path);
    const encoding = typeof settings === 'string' ? settings : options(settings).encoding ?? 'utf8';
    if (encoding !== 'utf8' && encoding !== 'base64') throw new TypeError('the encoding of a file is utf8 or base64');
    return step('file', name, { __proto__: null, path: name, encoding });
  },
  hmac: function hmac(secretName, data, settings) {
    const { algorithm = 'sha256', encoding = 'hex' } = options(settings);
    if (typeof data !== 'string') throw new TypeError('hmac(secret, data) signs a text');
    const secret = validName(secretName);
    return step('hmac', 'hmac ' + secret, { __proto__: null, secret, data, algorithm: String(algorithm), encoding: String(encoding) });
  },
  ask: function ask(question, schema) {
    const asked = text('a question', question);
    return step('ask', asked, { __proto__: null, question: asked, schema: jsonValue('the schema of an answer', schema ?? true) });
  },
  mcp: {
    call(server, tool, parts) {
      const to = text('the name of a server', server), name = text('the name of a tool', tool);
      return step('mcp', to + ' ' + name, { __proto__: null, server: to, tool: name, arguments: jsonValue('the arguments', parts ?? {}) });
    },
  },
  llm: {
    complete(request) {
      return step('llm', 'complete', { __proto__: null, request: jsonValue('the request', request) });
    },
  },
  secret: function secret(name) {
    return '{{secret:' + validName(name) + '}}';
  },
  step: function (name, fn) { return inStyle(enterStep, [name, fn]); },
  span: function span(name, fn, attributes) { return inStyle(enterSpan, [name, fn, attributes]); },
  reportProgress: function reportProgress(first, second) { progress(first, second); },
  require: function require(name) {
    throw new core.global.ReferenceError(
      'require is not available in a task (asked for ' + name + '); use fetch, crypto, URL, TextEncoder, readFile, hmac or runTask instead',
    );
  },
};
})`;

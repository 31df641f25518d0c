/** Time and randomness inside a context: everything that would show the real clock shows the logical one. */

export const TIMERS_MODULE = String.raw`(function (core) {
'use strict';
const { apply, op, timers, fail, TypeError, Number, then, Promise } = core;
const resolved = Promise.resolve();
const add = (callback, delay, repeats, parts) => {
  if (typeof callback !== 'function') throw new TypeError('a timer needs a function');
  const id = op('timer', delay, repeats);
  timers[id] = { __proto__: null, callback, parts, repeats };
  return id;
};
const delayOf = (value) => {
  const delay = Number(value);
  return delay >= 1 ? (delay < 8.64e15 ? delay - (delay % 1) : 8.64e15) : 1;
};
const clear = (id) => {
  const number = Number(id);
  if (timers[number] === undefined) return;
  delete timers[number];
  op('clear', number);
};
return {
  __proto__: null,
  setTimeout: function setTimeout(callback, delay, ...parts) { return add(callback, delayOf(delay), false, parts); },
  setInterval: function setInterval(callback, delay, ...parts) { return add(callback, delayOf(delay), true, parts); },
  setImmediate: function setImmediate(callback, ...parts) { return add(callback, 0, false, parts); },
  clearTimeout: function clearTimeout(id) { clear(id); },
  clearInterval: function clearInterval(id) { clear(id); },
  clearImmediate: function clearImmediate(id) { clear(id); },
  queueMicrotask: function queueMicrotask(callback) {
    if (typeof callback !== 'function') throw new TypeError('queueMicrotask needs a function');
    apply(then, resolved, [() => {
      try {
        callback();
      } catch (error) {
        fail(error);
      }
    }]);
  },
};
})`;

export const TIME_MODULE = String.raw`(function (core) {
'use strict';
const { apply, define, hide, now, op, Object } = core;
const { WeakMap } = core.global;

const { Intl } = core;
const Format = Intl.DateTimeFormat;
const getter = Object.getOwnPropertyDescriptor(Format.prototype, 'format').get;
const bound = new WeakMap();
const weakGet = bound.get, weakSet = bound.set;
define(Format.prototype, 'format', {
  __proto__: null,
  configurable: true,
  enumerable: false,
  get() {
    const real = apply(getter, this, []);
    let logical = apply(weakGet, bound, [real]);
    if (logical === undefined) {
      logical = (date) => real(date === undefined ? now() : date);
      apply(weakSet, bound, [real, logical]);
    }
    return logical;
  },
});
const toParts = Format.prototype.formatToParts;
hide(Format.prototype, 'formatToParts', function formatToParts(date) {
  return apply(toParts, this, [date === undefined ? now() : date]);
});

let temporal;
const makeTemporal = () => {
  const epoch = new core.RealDate(0).toTemporalInstant();
  const Instant = epoch.constructor;
  const zonedEpoch = epoch.toZonedDateTimeISO('UTC');
  const dateEpoch = zonedEpoch.toPlainDate();
  const zoned = zonedEpoch.constructor.prototype;
  const fromMilliseconds = Instant.fromEpochMilliseconds, toZone = Instant.prototype.toZonedDateTimeISO;
  const toDate = zoned.toPlainDate, toTime = zoned.toPlainTime, toDateTime = zoned.toPlainDateTime;
  const instant = () => apply(fromMilliseconds, Instant, [now()]);
  const at = (zone) => apply(toZone, instant(), [zone === undefined ? 'UTC' : zone]);
  const Now = {};
  tag(Now, 'Temporal.Now');
  hide(Now, 'timeZoneId', function timeZoneId() { return 'UTC'; });
  hide(Now, 'instant', function () { return instant(); });
  hide(Now, 'zonedDateTimeISO', function zonedDateTimeISO(zone) { return at(zone); });
  hide(Now, 'plainDateISO', function plainDateISO(zone) { return apply(toDate, at(zone), []); });
  hide(Now, 'plainTimeISO', function plainTimeISO(zone) { return apply(toTime, at(zone), []); });
  hide(Now, 'plainDateTimeISO', function plainDateTimeISO(zone) { return apply(toDateTime, at(zone), []); });
  const Temporal = {};
  tag(Temporal, 'Temporal');
  hide(Temporal, 'Now', Now);
  hide(Temporal, 'Instant', Instant);
  hide(Temporal, 'ZonedDateTime', zonedEpoch.constructor);
  hide(Temporal, 'PlainDate', dateEpoch.constructor);
  hide(Temporal, 'PlainTime', zonedEpoch.toPlainTime().constructor);
  hide(Temporal, 'PlainDateTime', zonedEpoch.toPlainDateTime().constructor);
  hide(Temporal, 'PlainYearMonth', dateEpoch.toPlainYearMonth().constructor);
  hide(Temporal, 'PlainMonthDay', dateEpoch.toPlainMonthDay().constructor);
  hide(Temporal, 'Duration', epoch.since(epoch).constructor);
  return Temporal;
};
const tag = (target, name) =>
  define(target, core.global.Symbol.toStringTag, { __proto__: null, value: name, configurable: true });

const origin = op('startedAt');
const performance = { timeOrigin: origin, now: () => now() - origin, mark() {}, measure() {}, toJSON: () => ({ timeOrigin: origin }) };
return { __proto__: null, Intl, performance, get Temporal() { return (temporal ??= makeTemporal()); } };
})`;

export const RANDOM_MODULE = String.raw`(function (core) {
'use strict';
const { apply, charCodeAt, op, TypeError, RangeError, Object, Uint8Array } = core;
const typed = core.prototypeOf(Uint8Array.prototype);
const read = (name) => Object.getOwnPropertyDescriptor(typed, name).get;
const bufferOf = read('buffer'), offsetOf = read('byteOffset'), lengthOf = read('byteLength'), tagOf = Object.getOwnPropertyDescriptor(typed, core.global.Symbol.toStringTag).get;
const MAX_BYTES = 65536;
const hex = '0123456789abcdef';
const crypto = {
  getRandomValues(array) {
    const tag = core.isObject(array) ? apply(tagOf, array, []) : undefined;
    if (tag === undefined || tag === 'Float32Array' || tag === 'Float64Array' || tag === 'Float16Array') {
      throw new TypeError('getRandomValues needs an integer typed array');
    }
    const length = apply(lengthOf, array, []);
    if (length > MAX_BYTES) throw new RangeError('getRandomValues gives at most ' + MAX_BYTES + ' bytes at once');
    const bytes = new Uint8Array(apply(bufferOf, array, []), apply(offsetOf, array, []), length);
    const random = op('bytes', length);
    for (let i = 0; i < length; i++) bytes[i] = apply(charCodeAt, random, [i]);
    return array;
  },
  randomUUID() {
    const random = op('bytes', 16);
    let text = '';
    for (let i = 0; i < 16; i++) {
      let byte = apply(charCodeAt, random, [i]);
      if (i === 6) byte = (byte & 15) | 64;
      if (i === 8) byte = (byte & 63) | 128;
      if (i === 4 || i === 6 || i === 8 || i === 10) text += '-';
      text += hex[byte >> 4] + hex[byte & 15];
    }
    return text;
  },
};
return { __proto__: null, crypto };
})`;

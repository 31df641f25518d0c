/**
 * Takes the power out of the process's own built-in objects.
 *
 * Near the limit of the stack the engine itself can throw an error of this realm into a context. From such an error the
 * constructors of this realm can be reached; frozen, and without code generation, they lead nowhere.
 */
import { installStackFormat } from './stacks.ts';

const ROOTS: readonly unknown[] = [
  Object,
  Function,
  Array,
  Error,
  AggregateError,
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
  Promise,
  Map,
  Set,
  WeakMap,
  WeakSet,
  WeakRef,
  Symbol,
  String,
  Number,
  Boolean,
  BigInt,
  RegExp,
  Date,
  Reflect.get(globalThis, 'Iterator'),
  ArrayBuffer,
  DataView,
  Uint8Array,
  Proxy,
  Reflect,
  JSON,
  Math,
  [][Symbol.iterator](),
  new Map()[Symbol.iterator](),
  new Set()[Symbol.iterator](),
  ''[Symbol.iterator](),
  ''.matchAll(/./g),
  function* generator(): Generator {},
  async function asynchronous(): Promise<void> {},
  async function* asyncGenerator(): AsyncGenerator {},
];

/** Names that code of the process sets on its own errors; freezing alone would make that assignment fail. */
const OVERRIDDEN = ['name', 'message', 'toString', 'constructor', 'stack', 'code'];

/** Call once, when everything is loaded. */
export function hardenIntrinsics(): void {
  installStackFormat();
  keepAssignable(Error.prototype);
  keepAssignable(RangeError.prototype);
  keepAssignable(TypeError.prototype);
  keepAssignable(Object.prototype);
  const seen = new Set<object>();
  const open: unknown[] = [...ROOTS];
  while (open.length > 0) {
    const value = open.pop();
    if (!isObject(value) || seen.has(value) || value === globalThis) continue;
    seen.add(value);
    open.push(Object.getPrototypeOf(value));
    for (const descriptor of Object.values(Object.getOwnPropertyDescriptors(value))) {
      open.push(descriptor.value, descriptor.get, descriptor.set);
    }
    if (!ArrayBuffer.isView(value)) Object.freeze(value);
  }
}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}

/** Replaces inherited data properties by accessors whose setter defines on the receiver. */
function keepAssignable(prototype: object): void {
  for (const name of OVERRIDDEN) {
    const descriptor = Object.getOwnPropertyDescriptor(prototype, name);
    if (descriptor === undefined || !('value' in descriptor)) continue;
    const { value } = descriptor;
    Object.defineProperty(prototype, name, {
      configurable: false,
      enumerable: false,
      get: () => value,
      set(this: unknown, assigned: unknown) {
        if (!isObject(this) || this === prototype) return;
        Object.defineProperty(this, name, { value: assigned, writable: true, configurable: true, enumerable: true });
      },
    });
  }
}

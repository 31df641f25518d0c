/** One table of the global names of task code: what is there, what is refused, and what people expect of other runtimes. */

/** Names that every task has, those of the language among them. */
export const TASK_GLOBALS: readonly string[] = [
  'input context console fetch sleep runTask readFile hmac secret step span reportProgress ask mcp llm',
  'crypto performance atob btoa structuredClone setTimeout clearTimeout setInterval clearInterval',
  'setImmediate clearImmediate queueMicrotask URL URLSearchParams TextEncoder TextDecoder Headers',
  'Request Response AbortController AbortSignal Event EventTarget DOMException AuthenticationError',
  'AuthorizationError NetworkError HttpError ValidationError ConfigurationError RateLimitError',
  'ServiceUnavailableError TimeoutError DataError CancelledError Array BigInt Boolean Date Error Intl',
  'Infinity JSON Map Math NaN Number Object Promise Proxy RangeError ReferenceError Reflect RegExp Set',
  'String Symbol SyntaxError TypeError Uint8Array WeakMap WeakSet decodeURIComponent',
  'encodeURIComponent globalThis isFinite isNaN module exports parseFloat parseInt undefined',
  'Temporal Iterator Function AggregateError EvalError URIError SuppressedError ArrayBuffer Atomics DataView',
  'Int8Array Int16Array Int32Array Uint8ClampedArray Uint16Array Uint32Array BigInt64Array BigUint64Array',
  'Float16Array Float32Array Float64Array decodeURI encodeURI escape unescape global eval require',
  'DisposableStack AsyncDisposableStack',
].flatMap((line) => line.split(' '));

const NO_MODULES = 'a task is one file; use fetch, crypto, URL, readFile or runTask instead';
const NO_SYSTEM = 'a task sees nothing of the system it runs on';
const NO_FILES = 'a task has no file system; use readFile(path), or take the content as input';
const NO_PAGE = 'a task runs on a server, not in a page';
const NO_CODE = 'code is never made from text in a task; write it down, or look a function up by name';

/** Names that are there, and throw when they are called. */
export const REFUSED_GLOBALS: ReadonlyMap<string, string> = new Map([
  ['require', NO_MODULES],
  ['eval', NO_CODE],
  ['Function', NO_CODE],
]);

/** Names of other runtimes that are not there, with what to use instead. */
export const ABSENT_GLOBALS: ReadonlyMap<string, string> = new Map([
  ['process', `${NO_SYSTEM}; take settings as input, and credentials by secret(name)`],
  ['Buffer', 'use TextEncoder, TextDecoder, Uint8Array, atob and btoa instead'],
  ['__dirname', NO_FILES],
  ['__filename', NO_FILES],
  ['fs', NO_FILES],
  ['path', 'join paths with text, or use URL'],
  ['os', NO_SYSTEM],
  ['child_process', NO_SYSTEM],
  ['http', 'use fetch instead'],
  ['https', 'use fetch instead'],
  ['axios', 'use fetch instead'],
  ['XMLHttpRequest', 'use fetch instead'],
  ['FormData', 'use URLSearchParams, or write the body as text'],
  ['Blob', 'use text or Uint8Array'],
  ['WebSocket', 'only calls that are answered once can be recorded; use fetch'],
  ['EventSource', 'only calls that are answered once can be recorded; use fetch'],
  ['WebAssembly', NO_CODE],
  ['SharedArrayBuffer', 'a task has one thread; use ArrayBuffer'],
  ['Worker', 'a task has one thread; run another task with runTask'],
  ['importScripts', NO_MODULES],
  ['window', NO_PAGE],
  ['document', NO_PAGE],
  ['navigator', NO_PAGE],
  ['location', NO_PAGE],
  ['localStorage', NO_PAGE],
  ['sessionStorage', NO_PAGE],
  ['alert', 'use console.log, or ask(question) to wait for an answer'],
  ['prompt', 'use ask(question)'],
  ['confirm', 'use ask(question)'],
]);

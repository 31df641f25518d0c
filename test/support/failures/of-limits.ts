/** Tasks that come to no good end: out of time, out of bounds, or with a result that is none. */
import { ASKED, FAILED, type GoldenFailure, REQUESTED, STARTED, url } from './golden.ts';

export const FAILURES_OF_LIMITS: readonly GoldenFailure[] = [
  {
    name: 'output-schema',
    code: `function main() {
  return { list: ["a", 2] };
}`,
    task: { output_schema: { type: 'object', properties: { list: { type: 'array', items: { type: 'string' } } } } },
    expected: {
      kind: 'output_schema_violated',
      line: null,
      summary: 'Output not valid: ValidationError: output/list/1: expected string, got number 2',
      suggestion:
        'Return what the output schema promises at /list/1, or change the schema: output/list/1: expected string, got number 2.',
      next: ['replay_execution', 'get_task'],
      evidence: [[REQUESTED], [FAILED]],
    },
  },
  {
    name: 'waits-for-post',
    code: `function main({ url }) {
  return fetch(url + "/never", { method: "POST", body: "x" }).body;
}`,
    input: url,
    options: { timeout: 0.3 },
    expected: {
      kind: 'attempt_timed_out',
      line: [2, null],
      summary:
        'the attempt did not end within 0.3 s; it waited for step 1 (POST http://API/never) (waits-for-post/main.js:2)',
      suggestion:
        'Give step 1 (POST http://API/never) a timeout of its own, so that the task can react: fetch(url, { timeout: 5000 }).',
      next: ['retry_execution', 'list_steps'],
      evidence: [[REQUESTED], [ASKED, FAILED], [FAILED]],
    },
  },
  {
    name: 'waits-for-get',
    code: `async function main({ url }) {
  await fetch(url + "/json");
  return (await fetch(url + "/never")).status;
}`,
    input: url,
    options: { timeout: 0.3 },
    expected: {
      kind: 'attempt_timed_out',
      line: [3, null],
      summary:
        'the attempt did not end within 0.3 s; it waited for step 2 (GET http://API/never) (waits-for-get/main.js:3)',
      suggestion:
        'Give step 2 (GET http://API/never) a timeout of its own, so that the task can react: fetch(url, { timeout: 5000 }).',
      next: ['retry_execution'],
      evidence: [[REQUESTED], [STARTED, FAILED], [FAILED]],
    },
  },
  {
    name: 'waits-for-sleep',
    code: `async function main() {
  await sleep(4000);
}`,
    options: { timeout: 0.3 },
    expected: {
      kind: 'attempt_timed_out',
      line: [2, null],
      summary: 'the attempt did not end within 0.3 s; it waited for step 1 (sleep 4000 ms) (waits-for-sleep/main.js:2)',
      suggestion: 'Wait less, or give the execution more than 0.3 s: it waited for step 1 (sleep 4000 ms).',
      next: ['retry_execution'],
      evidence: [[REQUESTED], [STARTED, FAILED], [FAILED]],
    },
  },
  {
    name: 'waits-for-timer',
    code: `async function main() {
  await new Promise((resolve) => setTimeout(resolve, 4000));
}`,
    options: { timeout: 0.3 },
    expected: {
      kind: 'attempt_timed_out',
      line: null,
      summary: 'the attempt did not end within 0.3 s; it waited for a timer',
      suggestion: 'Wait less, or give the execution more than 0.3 s: it waited for a timer.',
      next: ['retry_execution'],
      evidence: [[REQUESTED], [FAILED]],
    },
  },
  {
    name: 'computes',
    code: `function main() {
  for (;;);
}`,
    options: { timeout: 0.3 },
    expected: {
      kind: 'attempt_timed_out',
      line: null,
      summary: 'the attempt did not end within 0.3 s; its code was computing, and waited for nothing',
      suggestion: 'Look for a loop that does not end; the attempt had 0.3 s and waited for nothing.',
      next: ['retry_execution'],
      evidence: [[REQUESTED], [STARTED, FAILED], [FAILED]],
    },
  },
  {
    name: 'memory',
    code: `function main() {
  return new ArrayBuffer(1e12).byteLength;
}`,
    expected: {
      kind: 'memory_exhausted',
      line: [2, 'main'],
      summary: 'Memory exhausted: RangeError: Array buffer allocation failed (memory/main.js:2 in main)',
      suggestion: 'Keep less in memory at once, or raise memory_limit above 128 MB.',
      next: ['replay_execution', 'get_task'],
      evidence: [[REQUESTED], [FAILED]],
    },
  },
  {
    name: 'output-size',
    code: `function main() {
  return "x".repeat(3e6);
}`,
    expected: {
      kind: 'output_too_large',
      line: null,
      summary: 'Output too large: SandboxError: the output has 3000002 bytes, more than 1000000',
      suggestion: 'Return less, or raise the output limit: the output has 3000002 bytes, more than 1000000.',
      next: ['get_task'],
      evidence: [[REQUESTED], [FAILED]],
    },
  },
  {
    name: 'logs',
    code: `function main() {
  for (;;) console.log("again");
}`,
    expected: {
      kind: 'too_many_logs',
      line: null,
      summary: 'Too many log lines: SandboxError: the task wrote more than 300 log lines',
      suggestion: 'Write fewer log lines, or raise the limit: the task wrote more than 300 log lines.',
      next: ['get_task'],
      evidence: [[REQUESTED], [FAILED]],
    },
  },
  {
    name: 'steps',
    code: `function main() {
  for (;;) sleep(0);
}`,
    expected: {
      kind: 'too_many_steps',
      line: null,
      summary: 'Too many steps: SandboxError: the task asked for more than 200 steps',
      suggestion:
        'Use fewer steps, or raise the limit; look for a loop that calls without end: the task asked for more than 200 steps.',
      next: ['get_task'],
      evidence: [[REQUESTED], [FAILED]],
    },
  },
  {
    name: 'stalled',
    code: `async function main() {
  await new Promise(() => {});
}`,
    expected: {
      kind: 'stalled',
      line: null,
      summary:
        'Waits for nothing: SandboxError: the task awaits something that never settles: no step and no timer is left',
      suggestion:
        'Await only steps, timers and what comes of them; look for a promise that nobody resolves in the code.',
      next: ['get_task'],
      evidence: [[REQUESTED], [FAILED]],
    },
  },
  {
    name: 'entry',
    code: `const main = 1;`,
    expected: {
      kind: 'entry_point_missing',
      line: null,
      summary:
        'No main function: EntryPointError: the file has no main function; accepted are: (function (input) { ... }), function main(input, context) { ... }, const main = ..., async function main(input), module.exports = { main } or module.exports = main, export default or export function main',
      suggestion: 'Give the file a main function: function main(input) { … }.',
      next: ['replay_execution', 'get_task'],
      evidence: [[REQUESTED], [FAILED]],
    },
  },
  {
    name: 'no-json-output',
    code: `function main() {
  const ring = {};
  ring.self = ring;
  return ring;
}`,
    expected: {
      kind: 'output_not_json',
      line: null,
      summary:
        "Output is no JSON: TypeError: the result of main must be a value that JSON can carry: Converting circular structure to JSON --> starting at object with constructor 'Object' --- property 'self' closes the circle",
      suggestion:
        "Return plain data: the result of main must be a value that JSON can carry: Converting circular structure to JSON --> starting at object with constructor 'Object' --- property 'self' closes the circle.",
      next: ['replay_execution', 'get_task'],
      evidence: [[REQUESTED], [FAILED]],
    },
  },
];

/** Tasks whose own code throws. */
import { FAILED, type GoldenFailure, REQUESTED, STEP, url } from './golden.ts';

export const FAILURES_THROWN: readonly GoldenFailure[] = [
  {
    name: 'validation',
    code: `function check(age) {
  if (age < 0) throw new ValidationError("age must not be negative: " + age);
}
function main({ age }) {
  check(age);
}`,
    input: () => ({ age: -5 }),
    expected: {
      kind: 'validation_failed',
      line: [2, 'check'],
      summary: 'Value not valid: ValidationError: age must not be negative: -5 (validation/main.js:2 in check)',
      suggestion:
        'Correct the value that line 2 refuses: age must not be negative: -5 (age is -5, from the input at /age).',
      next: ['replay_execution', 'get_task'],
      evidence: [[REQUESTED], [REQUESTED], [FAILED]],
    },
  },
  {
    name: 'configuration',
    code: `function main() {
  throw new ConfigurationError("no region is configured");
}`,
    expected: {
      kind: 'configuration_missing',
      line: [2, 'main'],
      summary: 'Configuration missing: ConfigurationError: no region is configured (configuration/main.js:2 in main)',
      suggestion: 'Configure what is missing: no region is configured.',
      next: ['replay_execution', 'get_task'],
      evidence: [[REQUESTED], [FAILED]],
    },
  },
  {
    name: 'data',
    code: `async function main({ url }) {
  const { items } = await (await fetch(url + "/json")).json();
  if (items.length < 5) throw new DataError("too few items: " + items.length);
}`,
    input: url,
    expected: {
      kind: 'data_not_usable',
      line: [3, 'main'],
      step: ['1', 'used'],
      summary: 'Data not usable: DataError: too few items: 3 (data/main.js:3 in main)',
      suggestion:
        'Look at the data that step 1 (GET http://API/json) gave: too few items: 3 (items.length is 3, from the answer of step 1 (GET http://API/json) at /body/items).',
      next: ['replay_execution', 'list_steps', 'get_task'],
      evidence: [[REQUESTED], [STEP], [STEP], [FAILED]],
    },
  },
  {
    name: 'own-class',
    code: `class StockError extends Error {}
function main({ left }) {
  if (left === 0) throw new StockError("nothing left");
}`,
    input: () => ({ left: 0 }),
    expected: {
      kind: 'own_error_class',
      line: [3, 'main'],
      summary: 'the code threw StockError: nothing left (own-class/main.js:3 in main)',
      suggestion: 'See why the code throws StockError on line 3 (left is 0, from the input at /left).',
      next: ['replay_execution', 'retry_execution'],
      evidence: [[REQUESTED], [REQUESTED], [FAILED]],
    },
  },
  {
    name: 'value',
    code: `function main() {
  throw "just text";
}`,
    expected: {
      kind: 'value_thrown',
      line: null,
      summary: 'the code threw a value that is no error: just text',
      suggestion: 'Throw an Error instead of a plain value, so that the failing line is recorded.',
      next: ['replay_execution', 'retry_execution'],
      evidence: [[REQUESTED], [FAILED]],
    },
  },
  {
    name: 'wrapped',
    code: `function load(text) {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Error("the settings can not be read", { cause });
  }
}
function main() {
  return load("{");
}`,
    expected: {
      kind: 'error_thrown',
      line: [5, 'load'],
      summary:
        "the code threw Error: the settings can not be read, caused by SyntaxError: Expected property name or '}' in JSON at position 1 (line 1 column 2) (wrapped/main.js:5 in load)",
      suggestion: 'See why the code throws on line 5: the settings can not be read.',
      next: ['replay_execution', 'retry_execution'],
      evidence: [[REQUESTED], [FAILED]],
    },
  },
  {
    name: 'checked-status',
    code: `async function main({ url }) {
  const response = await fetch(url + "/status/500");
  if (!response.ok) throw new Error("HTTP " + response.status);
  return response.json();
}`,
    input: url,
    expected: {
      kind: 'error_thrown',
      line: [3, 'main'],
      step: ['1', 'used'],
      summary: 'the code threw Error: HTTP 500 (checked-status/main.js:3 in main)',
      suggestion:
        'See why the code throws on line 3: HTTP 500 (response.ok is false, from the answer of step 1 (GET http://API/status/500) at /ok; response.status is 500, from the answer of step 1 (GET http://API/status/500) at /status).',
      next: ['replay_execution', 'retry_execution', 'list_steps'],
      evidence: [[REQUESTED], [STEP], [STEP], [STEP], [FAILED]],
    },
  },
];

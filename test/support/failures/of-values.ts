/** Tasks that fail on a value that is not what their code takes it for. */
import { FAILED, type GoldenFailure, REQUESTED, STEP, url } from './golden.ts';

export const FAILURES_OF_VALUES: readonly GoldenFailure[] = [
  {
    name: 'null-from-answer',
    code: `async function main({ url }) {
  const response = await fetch(url + "/json");
  const body = await response.json();
  return pick(body);
}
function pick(answer) {
  return answer.data.items[0].id;
}`,
    input: url,
    expected: {
      kind: 'null_access',
      line: [7, 'pick'],
      step: ['1', 'used'],
      summary:
        'answer.data is undefined, and the code needs its items: the answer of step 1 (GET http://API/json) has no /body/data, only message, items (null-from-answer/main.js:7 in pick)',
      suggestion:
        'Handle on line 7 that the answer of step 1 (GET http://API/json) has no /body/data, only message, items; check whether the server changed its answers.',
      next: ['replay_execution', 'list_steps', 'get_task'],
      evidence: [[REQUESTED], [STEP], [STEP], [FAILED]],
    },
  },
  {
    name: 'null-from-input',
    code: `function main(input) {
  const { user } = input;
  return user.name.first;
}`,
    input: () => ({ user: { id: 7, nome: 'Ada' } }),
    expected: {
      kind: 'null_access',
      line: [3, 'main'],
      summary:
        'user.name is undefined, and the code needs its first: the input has no /user/name, only id, nome (null-from-input/main.js:3 in main)',
      suggestion: 'Did you mean nome?',
      next: ['replay_execution', 'get_task'],
      evidence: [[REQUESTED], [REQUESTED], [FAILED]],
    },
  },
  {
    name: 'null-blocking',
    code: `function main({ url }) {
  const place = fetch(url + "/v1/search?name=Nowhere").body;
  return place.results[0].latitude;
}`,
    input: url,
    expected: {
      kind: 'null_access',
      line: [3, 'main'],
      step: ['1', 'used'],
      summary:
        'place.results is undefined, and the code needs its 0: the answer of step 1 (GET http://API/v1/search) has no /body/results, only generationtime_ms (null-blocking/main.js:3 in main)',
      suggestion:
        'Handle on line 3 that the answer of step 1 (GET http://API/v1/search) has no /body/results, only generationtime_ms; check whether the server changed its answers.',
      next: ['replay_execution', 'list_steps', 'get_task'],
      evidence: [[REQUESTED], [STEP], [STEP], [FAILED]],
    },
  },
  {
    name: 'null-search',
    code: `function main({ users }) {
  const found = users.find((user) => user.id === 3);
  return found.name;
}`,
    input: () => ({ users: [{ id: 1 }, { id: 2 }] }),
    expected: {
      kind: 'null_access',
      line: [3, 'main'],
      summary:
        'found is undefined, and the code needs its name: find() found nothing: users.find((user) => user.id === 3) (null-search/main.js:3 in main)',
      suggestion:
        'Handle the case that nothing is found before found is used on line 3: find() found nothing: users.find((user) => user.id === 3).',
      next: ['replay_execution', 'get_task'],
      evidence: [[REQUESTED], [FAILED]],
    },
  },
  {
    name: 'null-destructured',
    code: `function show({ city, street }) {
  return city + street;
}
function main(input) {
  return show(input.address);
}`,
    input: () => ({ name: 'Ada', address: null }),
    expected: {
      kind: 'null_access',
      line: [1, 'show'],
      summary:
        'what { city, street } is taken from is null, and the code needs its city: the input has null at /address (null-destructured/main.js:1 in show)',
      suggestion:
        'Give the input /address, or handle its absence on line 1; require it in the input schema to refuse such input at the door.',
      next: ['replay_execution', 'get_task'],
      evidence: [[REQUESTED], [REQUESTED], [FAILED]],
    },
  },
  {
    name: 'null-element',
    code: `function main({ orders }) {
  return orders.map((order) => order.customer.name);
}`,
    input: () => ({ orders: [{ customer: { name: 'a' } }, { customer: null }] }),
    expected: {
      kind: 'null_access',
      line: [2, null],
      summary:
        'order.customer is null, and the code needs its name: the input has null at /orders/1/customer (null-element/main.js:2)',
      suggestion:
        'Give the input /orders/1/customer, or handle its absence on line 2; require it in the input schema to refuse such input at the door.',
      next: ['replay_execution', 'get_task'],
      evidence: [[REQUESTED], [REQUESTED], [FAILED]],
    },
  },
  {
    name: 'null-typo',
    code: `async function main({ url }) {
  const { itms } = await (await fetch(url + "/json")).json();
  return itms.length;
}`,
    input: url,
    expected: {
      kind: 'null_access',
      line: [3, 'main'],
      step: ['1', 'used'],
      summary:
        'itms is undefined, and the code needs its length: the answer of step 1 (GET http://API/json) has no /body/itms, only message, items (null-typo/main.js:3 in main)',
      suggestion: 'Did you mean items?',
      next: ['replay_execution', 'list_steps', 'get_task'],
      evidence: [[REQUESTED], [STEP], [STEP], [FAILED]],
    },
  },
  {
    name: 'null-set',
    code: `function main(input) {
  input.totals.sum = 1;
  return input;
}`,
    input: () => ({ total: {} }),
    expected: {
      kind: 'null_access',
      line: [2, 'main'],
      summary:
        'input.totals is undefined, and the code needs its sum: the input has no /totals, only total (null-set/main.js:2 in main)',
      suggestion: 'Did you mean total?',
      next: ['replay_execution', 'get_task'],
      evidence: [[REQUESTED], [REQUESTED], [FAILED]],
    },
  },
  {
    name: 'null-subtask-value',
    code: `async function main() {
  const found = await runTask("finder", {});
  return found.place.name;
}`,
    expected: {
      kind: 'null_access',
      line: [3, 'main'],
      step: ['1', 'used'],
      summary:
        'found.place is null, and the code needs its name: the answer of step 1 (finder) has null at /place (null-subtask-value/main.js:3 in main)',
      suggestion:
        'Handle on line 3 that the answer of step 1 (finder) has null at /place; check whether the server changed its answers.',
      next: ['replay_execution', 'list_steps', 'get_task'],
      evidence: [[REQUESTED], [STEP], [STEP], [FAILED]],
    },
  },
  {
    name: 'not-a-function',
    code: `function main({ items }) {
  return items.mapp((item) => item + 1);
}`,
    input: () => ({ items: [1, 2] }),
    expected: {
      kind: 'not_a_function',
      line: [2, 'main'],
      summary: 'items.mapp is no function: the input has a list at /items (not-a-function/main.js:2 in main)',
      suggestion: 'Did you mean map?',
      next: ['replay_execution', 'get_task'],
      evidence: [[REQUESTED], [REQUESTED], [FAILED]],
    },
  },
  {
    name: 'not-a-method',
    code: `function main({ name }) {
  return name.trim();
}`,
    input: () => ({ name: 5 }),
    expected: {
      kind: 'not_a_function',
      line: [2, 'main'],
      summary: 'name.trim is no function: the input has a number at /name (not-a-method/main.js:2 in main)',
      suggestion: 'Look at what name.trim is on line 2: the input has a number at /name.',
      next: ['replay_execution', 'get_task'],
      evidence: [[REQUESTED], [REQUESTED], [FAILED]],
    },
  },
  {
    name: 'not-iterable',
    code: `function main({ rows }) {
  for (const row of rows) console.log(row);
}`,
    input: () => ({ rows: 3 }),
    expected: {
      kind: 'not_iterable',
      line: [2, 'main'],
      summary: 'rows can not be gone through: the input has a number at /rows (not-iterable/main.js:2 in main)',
      suggestion: 'Make sure that rows is a list before line 2: the input has a number at /rows.',
      next: ['replay_execution', 'get_task'],
      evidence: [[REQUESTED], [REQUESTED], [FAILED]],
    },
  },
  {
    name: 'unknown-name',
    code: `function main({ items }) {
  const total = items.length;
  return totl + 1;
}`,
    input: () => ({ items: [] }),
    expected: {
      kind: 'unknown_name',
      line: [3, 'main'],
      summary: 'Unknown name: ReferenceError: totl is not defined (unknown-name/main.js:3 in main)',
      suggestion: 'Did you mean total or Intl?',
      next: ['replay_execution', 'get_task'],
      evidence: [[REQUESTED], [FAILED]],
    },
  },
  {
    name: 'unknown-global',
    code: `async function main({ url }) {
  return (await fetcch(url)).status;
}`,
    input: url,
    expected: {
      kind: 'unknown_name',
      line: [2, 'main'],
      summary: 'Unknown name: ReferenceError: fetcch is not defined (unknown-global/main.js:2 in main)',
      suggestion: 'Did you mean fetch?',
      next: ['replay_execution', 'get_task'],
      evidence: [[REQUESTED], [FAILED]],
    },
  },
  {
    name: 'too-early',
    code: `function main() {
  const sum = count + 1;
  const count = 1;
  return sum;
}`,
    expected: {
      kind: 'unknown_name',
      line: [2, 'main'],
      summary:
        "Unknown name: ReferenceError: Cannot access 'count' before initialization (too-early/main.js:2 in main)",
      suggestion: 'Move the declaration before line 2.',
      next: ['replay_execution', 'get_task'],
      evidence: [[REQUESTED], [FAILED]],
    },
  },
  {
    name: 'json-from-input',
    code: `function main({ text }) {
  return JSON.parse(text);
}`,
    input: () => ({ text: '{"a": oops}' }),
    expected: {
      kind: 'json_not_valid',
      line: [2, 'main'],
      summary:
        'Text is no JSON: SyntaxError: Unexpected token \'o\', "{"a": oops}" is not valid JSON (json-from-input/main.js:2 in main)',
      suggestion:
        'Check the text before line 2 parses it: Unexpected token \'o\', "{"a": oops}" is not valid JSON (text is "{\\"a\\": oops}", from the input at /text).',
      next: ['replay_execution', 'get_task'],
      evidence: [[REQUESTED], [REQUESTED], [FAILED]],
    },
  },
  {
    name: 'json-from-answer',
    code: `async function main({ url }) {
  const response = await fetch(url + "/text");
  return await response.json();
}`,
    input: url,
    expected: {
      kind: 'json_not_valid',
      line: [3, 'main'],
      step: ['1', 'used'],
      summary:
        'Text is no JSON: SyntaxError: Unexpected token \'p\', "plain text" is not valid JSON (json-from-answer/main.js:3 in main)',
      suggestion:
        'Check status and content type before the answer of step 1 (GET http://API/text) is parsed: it is no JSON.',
      next: ['replay_execution', 'list_steps', 'get_task'],
      evidence: [[REQUESTED], [STEP], [FAILED]],
    },
  },
  {
    name: 'recursion',
    code: `function depth(n) {
  return depth(n + 1) + 1;
}
function main() {
  return depth(0);
}`,
    expected: {
      kind: 'stack_overflow',
      line: [2, 'depth'],
      summary: 'Endless recursion: RangeError: Maximum call stack size exceeded (recursion/main.js:2 in depth)',
      suggestion: 'Give the recursion through depth an end, or go through the data in a loop.',
      next: ['replay_execution', 'get_task'],
      evidence: [[REQUESTED], [FAILED]],
    },
  },
  {
    name: 'range',
    code: `function main({ size }) {
  return new Array(size);
}`,
    input: () => ({ size: -1 }),
    expected: {
      kind: 'out_of_range',
      line: [2, 'main'],
      summary: 'Out of range: RangeError: Invalid array length (range/main.js:2 in main)',
      suggestion: 'Check the number on line 2: Invalid array length (size is -1, from the input at /size).',
      next: ['replay_execution', 'get_task'],
      evidence: [[REQUESTED], [REQUESTED], [FAILED]],
    },
  },
  {
    name: 'constant',
    code: `function main() {
  const sum = 1;
  sum += 1;
  return sum;
}`,
    expected: {
      kind: 'wrong_type',
      line: [3, 'main'],
      summary: 'Wrong kind of value: TypeError: Assignment to constant variable. (constant/main.js:3 in main)',
      suggestion: 'Look at the values on line 3: Assignment to constant variable.',
      next: ['replay_execution', 'get_task'],
      evidence: [[REQUESTED], [FAILED]],
    },
  },
];

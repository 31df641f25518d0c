/** Tasks that fail because a step fails. */
import { FAILED, type GoldenFailure, REQUESTED, STEP, url } from './golden.ts';

export const FAILURES_OF_STEPS: readonly GoldenFailure[] = [
  {
    name: 'authentication',
    code: `function main({ url }) {
  const headers = { authorization: "Bearer none" };
  return fetch(url + "/status/401", { headers }).body;
}`,
    input: url,
    expected: {
      kind: 'authentication_refused',
      line: [3, 'main'],
      step: ['1', 'raised'],
      summary: 'step 1 (GET http://API/status/401) answered 401 (authentication/main.js:3 in main)',
      suggestion: 'Check the secret that step 1 (GET http://API/status/401) sends: the request carries authorization.',
      next: ['replay_execution', 'list_steps', 'get_task'],
      evidence: [[REQUESTED], [STEP], [FAILED]],
    },
  },
  {
    name: 'authorization',
    code: `function main({ url }) {
  return fetch(url + "/status/403").body;
}`,
    input: url,
    expected: {
      kind: 'authorization_refused',
      line: [2, 'main'],
      step: ['1', 'raised'],
      summary: 'step 1 (GET http://API/status/403) answered 403 (authorization/main.js:2 in main)',
      suggestion:
        'Allow what step 1 (GET http://API/status/403) does to the credentials that it sends: the request carries no credentials.',
      next: ['replay_execution', 'list_steps', 'get_task'],
      evidence: [[REQUESTED], [STEP], [FAILED]],
    },
  },
  {
    name: 'network',
    code: `function main({ url }) {
  return fetch(url + "/drop").body;
}`,
    input: url,
    expected: {
      kind: 'network_failed',
      line: [2, 'main'],
      step: ['1', 'raised'],
      summary:
        'step 1 (GET http://API/drop) failed with NetworkError: cannot call API: the connection was closed before the answer was complete (UND_ERR_SOCKET) (network/main.js:2 in main)',
      suggestion: 'Check that API is up and reachable from here, then retry later.',
      next: ['replay_execution', 'retry_execution', 'list_steps'],
      evidence: [[REQUESTED], [STEP], [FAILED]],
    },
  },
  {
    name: 'network-promise',
    code: `async function main({ url }) {
  const first = await fetch(url + "/json");
  const second = await fetch(url + "/drop");
  return [first.status, second.status];
}`,
    input: url,
    expected: {
      kind: 'network_failed',
      line: [3, null],
      step: ['2', 'raised'],
      summary:
        'step 2 (GET http://API/drop) failed with NetworkError: cannot call API: the connection was closed before the answer was complete (UND_ERR_SOCKET) (network-promise/main.js:3)',
      suggestion: 'Check that API is up and reachable from here, then retry later.',
      next: ['replay_execution', 'retry_execution', 'list_steps'],
      evidence: [[REQUESTED], [STEP], [FAILED]],
    },
  },
  {
    name: 'http',
    code: `function main({ url }) {
  return fetch(\`\${url}/status/404?page=1\`).body;
}`,
    input: url,
    expected: {
      kind: 'http_refused',
      line: [2, 'main'],
      step: ['1', 'raised'],
      summary: 'step 1 (GET http://API/status/404) answered 404 (http/main.js:2 in main)',
      suggestion: 'Correct what step 1 (GET http://API/status/404) asks for.',
      next: ['replay_execution', 'list_steps', 'get_task'],
      evidence: [[REQUESTED], [STEP], [FAILED]],
    },
  },
  {
    name: 'rate-limit',
    code: `function main({ url }) {
  return fetch(url + "/status/429").body;
}`,
    input: url,
    expected: {
      kind: 'rate_limited',
      line: [2, 'main'],
      step: ['1', 'raised'],
      summary: 'step 1 (GET http://API/status/429) answered 429 (rate-limit/main.js:2 in main)',
      suggestion: 'Retry after 1 s; call API less often, or wait between calls with sleep(ms).',
      next: ['replay_execution', 'retry_execution', 'list_steps'],
      evidence: [[REQUESTED], [STEP], [FAILED]],
    },
  },
  {
    name: 'service',
    code: `function main({ url }) {
  return fetch(url + "/status/503").body;
}`,
    input: url,
    expected: {
      kind: 'service_unavailable',
      line: [2, 'main'],
      step: ['1', 'raised'],
      summary: 'step 1 (GET http://API/status/503) answered 503 (service/main.js:2 in main)',
      suggestion: 'Retry after 1 s: API failed by itself.',
      next: ['replay_execution', 'retry_execution', 'list_steps'],
      evidence: [[REQUESTED], [STEP], [FAILED]],
    },
  },
  {
    name: 'dependency',
    code: `function main({ url }) {
  for (let n = 0; n < 2; n += 1) {
    try {
      return fetch(url + "/status/500").body;
    } catch (error) {
      console.warn(error.message);
    }
  }
  return fetch(url + "/status/502").body;
}`,
    input: url,
    expected: {
      kind: 'dependency_down',
      line: [9, 'main'],
      step: ['3', 'raised'],
      summary: 'API is down: 3 steps of this execution failed on it (dependency/main.js:9 in main)',
      suggestion: 'Bring API back before retrying: 3 recorded calls to it failed.',
      next: ['replay_execution', 'retry_execution', 'list_steps'],
      evidence: [[REQUESTED], [STEP], [STEP, STEP, STEP], [FAILED]],
    },
  },
  {
    name: 'step-timeout',
    code: `function main({ url }) {
  return fetch(url + "/never", { timeout: 60 }).body;
}`,
    input: url,
    expected: {
      kind: 'step_timed_out',
      line: [2, 'main'],
      step: ['1', 'raised'],
      summary:
        'step 1 (GET http://API/never) failed with TimeoutError: API did not answer within 60 ms (step-timeout/main.js:2 in main)',
      suggestion: 'Raise the timeout of step 1 (GET http://API/never), or find out why API answers so slowly.',
      next: ['replay_execution', 'retry_execution', 'list_steps'],
      evidence: [[REQUESTED], [STEP], [FAILED]],
    },
  },
  {
    name: 'subtask-input',
    code: `function main() {
  return runTask("strict", { n: "one" });
}`,
    expected: {
      kind: 'input_schema_violated',
      line: [2, 'main'],
      step: ['1', 'raised'],
      summary:
        'step 1 (strict) failed with ValidationError: input/n: expected integer, got string "one" (subtask-input/main.js:2 in main)',
      suggestion:
        'Make the input that step 1 (strict) gives match the schema of that task: input/n: expected integer, got string "one".',
      next: ['replay_execution', 'list_steps', 'get_task'],
      evidence: [[REQUESTED], [STEP], [FAILED]],
    },
  },
  {
    name: 'subtask',
    code: `function main({ user }) {
  return runTask("null-child", { user });
}`,
    input: () => ({ user: { id: 1 } }),
    expected: {
      kind: 'subtask_failed',
      line: [2, 'main'],
      step: ['1', 'raised'],
      summary:
        'step 1 (null-child) failed: input.user.name is undefined, and the code needs its first: the input has no /user/name, only id (null-child/main.js:2 in main) (subtask/main.js:2 in main)',
      suggestion:
        'Look at the subtask ID: input.user.name is undefined, and the code needs its first: the input has no /user/name, only id (null-child/main.js:2 in main).',
      next: ['analyze_execution_error', 'replay_execution', 'retry_execution', 'list_steps'],
      evidence: [[REQUESTED], [STEP], [FAILED]],
    },
  },
  {
    name: 'subtask-name',
    code: `function main() {
  return runTask("findr", {});
}`,
    expected: {
      kind: 'subtask_not_found',
      line: [2, 'main'],
      step: ['1', 'raised'],
      summary: 'step 1 (findr) failed with ConfigurationError: there is no task findr (subtask-name/main.js:2 in main)',
      suggestion: 'Did you mean finder?',
      next: ['replay_execution', 'list_steps', 'get_task'],
      evidence: [[REQUESTED], [STEP], [FAILED]],
    },
  },
  {
    name: 'secret',
    code: `function main({ url }) {
  return fetch(url, { headers: { authorization: "Bearer " + secret("nope") } }).body;
}`,
    input: url,
    expected: {
      kind: 'secret_unavailable',
      line: [2, 'main'],
      step: ['1', 'raised'],
      summary:
        'step 1 (GET http://API/) failed with ConfigurationError: there is no secret named nope (secret/main.js:2 in main)',
      suggestion:
        'Configure the secret, and allow it for the host that step 1 (GET http://API/) calls: there is no secret named nope.',
      next: ['replay_execution', 'list_steps', 'get_task'],
      evidence: [[REQUESTED], [STEP], [FAILED]],
    },
  },
  {
    name: 'file',
    code: `function main() {
  return readFile("/etc/hostname");
}`,
    expected: {
      kind: 'file_refused',
      line: [2, 'main'],
      step: ['1', 'raised'],
      summary:
        'step 1 (/etc/hostname) failed with ConfigurationError: /etc/hostname is not below a folder that may be read (file/main.js:2 in main)',
      suggestion:
        'Put the file that step 1 (/etc/hostname) reads below one of tasks.file_roots: /etc/hostname is not below a folder that may be read.',
      next: ['replay_execution', 'list_steps', 'get_task'],
      evidence: [[REQUESTED], [STEP], [FAILED]],
    },
  },
  {
    name: 'address',
    code: `function main() {
  return fetch("http://10.0.0.1/").body;
}`,
    expected: {
      kind: 'address_refused',
      line: [2, 'main'],
      step: ['1', 'raised'],
      summary:
        'step 1 (GET http://10.0.0.1/) failed with AuthorizationError: the address 10.0.0.1 may not be reached: it is a private address; allow it in outbound.allow if it should be (address/main.js:2 in main)',
      suggestion: 'Allow the address in outbound.allow if step 1 (GET http://10.0.0.1/) should reach it.',
      next: ['replay_execution', 'list_steps', 'get_task'],
      evidence: [[REQUESTED], [STEP], [FAILED]],
    },
  },
  {
    name: 'body-size',
    code: `function main({ url, text }) {
  return fetch(url + "/echo", { method: "POST", body: text }).body;
}`,
    input: (api) => ({ url: api, text: 'x'.repeat(100_000) }),
    expected: {
      kind: 'body_too_large',
      line: [2, 'main'],
      step: ['1', 'raised'],
      summary:
        'step 1 (POST http://API/echo) failed with DataError: the body that API answered is larger than 65536 bytes (body-size/main.js:2 in main)',
      suggestion: 'Ask API for less in step 1 (POST http://API/echo), such as one page, or raise the limit on bodies.',
      next: ['replay_execution', 'list_steps', 'get_task'],
      evidence: [[REQUESTED], [STEP], [FAILED]],
    },
  },
  {
    name: 'posted-then-down',
    code: `function main({ url }) {
  fetch(url + "/echo", { method: "POST", body: "order" });
  return fetch(url + "/status/503").body;
}`,
    input: url,
    expected: {
      kind: 'service_unavailable',
      line: [3, 'main'],
      step: ['2', 'raised'],
      summary: 'step 2 (GET http://API/status/503) answered 503 (posted-then-down/main.js:3 in main)',
      suggestion: 'Retry after 1 s: API failed by itself.',
      next: ['replay_execution', 'fork_execution', 'list_steps'],
      evidence: [[REQUESTED], [STEP], [STEP], [FAILED]],
    },
  },
];

/** What to do about a failure, as it follows from what was found; a general remedy only where nothing more is known. */
import { isObject } from '../event.ts';
import { cutText } from './cut-values.ts';
import { failingFrame } from './failing-line.ts';
import { called } from './failing-step.ts';
import type { FailureCase } from './failure-case.ts';
import type { FailureKind } from './failure-kinds.ts';
import type { Findings } from './findings.ts';
import { seenValue, statusOf } from './recorded-value.ts';
import { waitedFor } from './summary.ts';

type Suggest = (findings: Findings, subject: FailureCase) => readonly (string | null)[];

const MAX_SUGGESTIONS = 8;
const MAX_LENGTH = 500;

/** @returns suggestions, the most to the point first. */
export function suggestionsFor(subject: FailureCase, findings: Findings): readonly string[] {
  const own = BY_KIND[findings.kind](findings, subject);
  const all = [...own, fromCause(findings), fromDifference(findings), fromDoneAgain(findings)];
  return all
    .filter((text) => text !== null)
    .slice(0, MAX_SUGGESTIONS)
    .map((text) => cutText(text, MAX_LENGTH));
}

/** The cause that the code itself named when it threw. */
function fromCause({ error }: Findings): string | null {
  if (error === null || error.cause === null) return null;
  const { name, message } = error.cause;
  const frame = failingFrame(error.cause)?.frame;
  const where = frame === undefined ? '' : `, on line ${frame.line}`;
  return `Look at its cause first: ${name}: ${cutText(message, 200)}${where}.`;
}

function fromDifference({ difference, kind }: Findings): string | null {
  if (difference === null || kind === 'cancelled') return null;
  if (difference.what === 'code') return `Look at what changed in the code: ${difference.sentence}.`;
  if (difference.what === 'nothing' || difference.step?.data_only === true) return null;
  return `Compare with the last success: ${difference.sentence}.`;
}

function fromDoneAgain({ retry }: Findings): string | null {
  const [first] = retry.done_again;
  if (first === undefined || retry.helps === 'no') return null;
  return `Before running it again: ${called(first)} took effect already and would be done a second time; fork from the failed step to keep its outcome.`;
}

const place = ({ line }: Findings): string => (line === null ? 'the code' : `line ${line.line}`);
const step = ({ failing }: Findings): string => (failing === null ? 'the call' : called(failing.step));
const wait = ({ retry }: Findings): string =>
  retry.after_seconds === null ? 'later' : `after ${retry.after_seconds} s`;
/** On one line, without a final stop. */
const messageOf = ({ error }: Findings): string =>
  cutText((error?.message ?? '').replaceAll(/\s+/g, ' ').replace(/[.]$/, ''), 200);
const because = ({ related }: Findings): string =>
  related.length === 0 ? '' : ` (${related.map(({ said }) => said).join('; ')})`;

const before = (f: Findings): string | null =>
  f.failing?.relation === 'failed_earlier' ? `Look at ${step(f)}, which failed before.` : null;

/** What a server said in the body of its answer, shortly. */
function serverSaid({ failing }: Findings): string | null {
  const value = failing === null ? undefined : seenValue(failing.step);
  const body = isObject(value) ? value['body'] : undefined;
  if (failing === null || statusOf(failing.step) === null || body === undefined || body === '' || body === null)
    return null;
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return `The server said: ${cutText(text, 200)}`;
}

function sends({ failing }: Findings): string {
  const headers = failing?.step.request['headers'];
  const names = Array.isArray(headers) ? headers.map((pair) => (Array.isArray(pair) ? String(pair[0]) : '')) : [];
  const credentials = names.filter((name) => /^(authorization|cookie|x-api-key)$/i.test(name));
  return credentials.length === 0
    ? 'the request carries no credentials'
    : `the request carries ${credentials.join(', ')}`;
}

function fixValue(findings: Findings): readonly (string | null)[] {
  const { missing, near } = findings;
  const what = missing?.expression ?? 'the value';
  const origin = missing?.origin;
  const instead = near[0] === undefined ? null : `Did you mean ${near[0]}?`;
  if (origin?.from === 'search')
    return [
      instead,
      `Handle the case that nothing is found before ${what} is used on ${place(findings)}: ${origin.said}.`,
    ];
  if (origin?.from === 'input') {
    return [
      instead,
      `Give the input ${origin.pointer ?? ''}, or handle its absence on ${place(findings)}; require it in the input schema to refuse such input at the door.`,
    ];
  }
  if (origin?.step) {
    return [instead, `Handle on ${place(findings)} that ${origin.said}; check whether the server changed its answers.`];
  }
  return [instead, `Find out where ${what} gets its value before ${place(findings)}: stop there in the debugger.`];
}

function fixWait(_: Findings, subject: FailureCase): readonly (string | null)[] {
  const seconds = subject.request.options.timeoutMs / 1000;
  const [first] = subject.waiting?.open ?? subject.open;
  if (subject.waiting?.doing === 'computing')
    return [`Look for a loop that does not end; the attempt had ${seconds} s and waited for nothing.`];
  if (first?.kind === 'http')
    return [
      `Give ${called(first)} a timeout of its own, so that the task can react: fetch(url, { timeout: 5000 }).`,
      `Give the execution more than ${seconds} s if this call may take that long.`,
    ];
  if (first?.kind === 'task')
    return [`Look at the subtask that ${called(first)} started: it took longer than ${seconds} s.`];
  if (first?.kind === 'sleep' || subject.waiting?.timer === true)
    return [`Wait less, or give the execution more than ${seconds} s: ${waitedFor(subject)}.`];
  return [`Give the execution more than ${seconds} s, or find what takes so long: ${waitedFor(subject)}.`];
}

const limits =
  (what: string): Suggest =>
  (findings) => [`${what}: ${messageOf(findings)}.`];

const BY_KIND: Readonly<Record<FailureKind, Suggest>> = {
  authentication_refused: (f) => [`Check the secret that ${step(f)} sends: ${sends(f)}.`, serverSaid(f)],
  authorization_refused: (f) => [
    `Allow what ${step(f)} does to the credentials that it sends: ${sends(f)}.`,
    serverSaid(f),
  ],
  network_failed: (f) => [
    `Check that ${f.host?.name ?? 'the server'} is up and reachable from here, then retry ${wait(f)}.`,
    "Retry in the task's policy: retry {max_attempts: 3} covers errors that pass.",
  ],
  http_refused: (f) => [`Correct what ${step(f)} asks for.`, serverSaid(f)],
  rate_limited: (f) => [
    `Retry ${wait(f)}; call ${f.host?.name ?? 'the server'} less often, or wait between calls with sleep(ms).`,
  ],
  service_unavailable: (f) => [`Retry ${wait(f)}: ${f.host?.name ?? 'the server'} failed by itself.`, serverSaid(f)],
  dependency_down: (f) => [
    `Bring ${f.host?.name ?? 'the host'} back before retrying: ${f.host?.failed.length ?? 0} recorded calls to it failed.`,
    serverSaid(f),
  ],
  step_timed_out: (f) => [
    `Raise the timeout of ${step(f)}, or find out why ${f.host?.name ?? 'the server'} answers so slowly.`,
  ],
  attempt_timed_out: fixWait,
  validation_failed: (f) => [`Correct the value that ${place(f)} refuses: ${messageOf(f)}${because(f)}.`],
  input_schema_violated: (f) => [
    `Make the input that ${step(f)} gives match the schema of that task: ${messageOf(f)}.`,
  ],
  output_schema_violated: (f) => [
    `Return what the output schema promises at ${String(f.error?.data['path'] ?? '') || 'its root'}, or change the schema: ${messageOf(f)}.`,
  ],
  output_not_json: (f) => [`Return plain data: ${messageOf(f)}.`],
  configuration_missing: (f) => [`Configure what is missing: ${messageOf(f)}${because(f)}.`],
  secret_unavailable: (f) => [
    `Configure the secret, and allow it for the host that ${step(f)} calls: ${messageOf(f)}.`,
  ],
  file_refused: (f) => [`Put the file that ${step(f)} reads below one of tasks.file_roots: ${messageOf(f)}.`],
  address_refused: (f) => [`Allow the address in outbound.allow if ${step(f)} should reach it.`],
  subtask_not_found: (f) => [
    f.near[0] === undefined ? null : `Did you mean ${f.near.join(' or ')}?`,
    `Create or enable the task that ${step(f)} names.`,
  ],
  subtask_failed: (_, s) => [
    s.subtask === null
      ? null
      : `Look at the subtask ${s.subtask.executionId}: ${s.subtask.analysis?.summary ?? 'its own error is the cause'}.`,
    'Catch the error of runTask where the task can go on without it.',
  ],
  data_not_usable: (f) => [
    `Look at the data that ${f.failing === null ? `${place(f)} refuses` : `${step(f)} gave`}: ${messageOf(f)}${because(f)}.`,
    serverSaid(f),
  ],
  body_too_large: (f) => [
    `Ask ${f.host?.name ?? 'the server'} for less in ${step(f)}, such as one page, or raise the limit on bodies.`,
  ],
  json_not_valid: (f) => [
    f.failing?.relation === 'used'
      ? `Check status and content type before the answer of ${step(f)} is parsed: it is no JSON.`
      : `Check the text before ${place(f)} parses it: ${messageOf(f)}${because(f)}.`,
    f.failing?.relation === 'used' ? serverSaid(f) : null,
  ],
  null_access: fixValue,
  not_a_function: (f) => [
    f.near[0] === undefined ? null : `Did you mean ${f.near.join(' or ')}?`,
    `Look at what ${f.missing?.expression ?? 'the value'} is on ${place(f)}${f.missing?.origin ? `: ${f.missing.origin.said}` : ''}.`,
  ],
  not_iterable: (f) => [
    `Make sure that ${f.missing?.expression ?? 'the value'} is a list before ${place(f)}${f.missing?.origin ? `: ${f.missing.origin.said}` : ''}.`,
  ],
  wrong_type: (f) => [`Look at the values on ${place(f)}: ${messageOf(f)}${because(f)}.`],
  unknown_name: (f) => [
    f.near[0] === undefined ? null : `Did you mean ${f.near.join(' or ')}?`,
    /before initialization/.test(messageOf(f))
      ? `Move the declaration before ${place(f)}.`
      : `Declare the name before ${place(f)}; a task has no globals of browsers or of Node besides those documented.`,
  ],
  stack_overflow: (f) => [
    `Give the recursion through ${f.line?.function ?? 'the function'} an end, or go through the data in a loop.`,
  ],
  out_of_range: (f) => [`Check the number on ${place(f)}: ${messageOf(f)}${because(f)}.`],
  error_thrown: (f) => [
    `See why the code throws on ${place(f)}: ${messageOf(f)}${because(f)}.`,
    before(f),
    serverSaid(f),
  ],
  own_error_class: (f) => [`See why the code throws ${f.error?.name} on ${place(f)}${because(f)}.`, before(f)],
  value_thrown: () => ['Throw an Error instead of a plain value, so that the failing line is recorded.'],
  memory_exhausted: (_, s) => [
    `Keep less in memory at once, or raise memory_limit above ${s.request.options.memoryMb} MB.`,
  ],
  output_too_large: limits('Return less, or raise the output limit'),
  too_many_logs: limits('Write fewer log lines, or raise the limit'),
  too_many_steps: limits('Use fewer steps, or raise the limit; look for a loop that calls without end'),
  stalled: (f) => [
    `Await only steps, timers and what comes of them; look for a promise that nobody resolves in ${place(f)}.`,
  ],
  syntax_error: (f) => [`Correct the code: ${messageOf(f)}.`],
  entry_point_missing: () => ['Give the file a main function: function main(input) { … }.'],
  replay_mismatch: (f) => [
    `Keep the code of a version deterministic: ${messageOf(f)}.`,
    'Run it again as a new execution; the old journal can not be continued.',
  ],
  unknown_outcome: (f) => [
    `Ask the server whether ${step(f)} took effect, before it is sent again.`,
    'Set unknown_steps to resend for calls that the server knows by their idempotency key.',
  ],
  sandbox_crashed: (f) => [`Retry; if it happens again, look at the server's log: ${messageOf(f)}.`],
  cancelled: (_, s) => [
    s.end.is === 'cancelled' && s.end.asked !== null ? `Ask ${s.end.asked.by} whether it should run again.` : null,
  ],
};

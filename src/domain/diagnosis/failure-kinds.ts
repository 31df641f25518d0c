/** Every kind of failure once: its title, what it means, and whether trying again can help; docs/diagnosis.md says the same. */

/**
 * Whether trying again can help: `yes`, nothing need change. `later`: when something outside has recovered. `no`: the same
 * would happen again. `maybe`: the record does not tell.
 */
export type RetryHelp = 'yes' | 'later' | 'no' | 'maybe';

interface KindRule {
  readonly title: string;
  readonly meaning: string;
  readonly retry: RetryHelp;
}

const kind = (title: string, retry: RetryHelp, meaning: string): KindRule => ({ title, meaning, retry });

/** The table of kinds. A kind, once released, keeps its meaning. */
export const FAILURE_KINDS = {
  authentication_refused: kind('Credentials refused', 'no', 'A server did not accept who the task says it is.'),
  authorization_refused: kind('Not allowed', 'no', 'The credentials are known, and do not allow this call.'),
  network_failed: kind('Network failed', 'later', 'A server could not be reached, or broke off the exchange.'),
  http_refused: kind('Request refused', 'no', 'A server answered that it will not do what the request asks.'),
  rate_limited: kind('Too many requests', 'later', 'A server asks for fewer calls.'),
  service_unavailable: kind('Service failed', 'later', 'A server answered that it can not do its work now.'),
  dependency_down: kind(
    'Dependency down',
    'later',
    'The same host failed several times, by network or by its own error.',
  ),
  step_timed_out: kind('Call timed out', 'later', 'One call took longer than its timeout.'),
  attempt_timed_out: kind(
    'Execution timed out',
    'maybe',
    'The attempt did not end within the timeout of the execution.',
  ),
  validation_failed: kind('Value not valid', 'no', 'The task, or a subtask, refused a value.'),
  input_schema_violated: kind(
    'Input of a subtask not valid',
    'no',
    'The input given to runTask does not match the schema of that task.',
  ),
  output_schema_violated: kind(
    'Output not valid',
    'no',
    'What main returned does not match the output schema of the task.',
  ),
  output_not_json: kind('Output is no JSON', 'no', 'What main returned can not be carried by JSON.'),
  configuration_missing: kind('Configuration missing', 'no', 'Something that the task needs is not configured.'),
  secret_unavailable: kind(
    'Secret not available',
    'no',
    'The task uses a secret that is not configured, or not for this host.',
  ),
  file_refused: kind('File refused', 'no', 'The task reads a file that it may not read, or that is not there.'),
  address_refused: kind('Address refused', 'no', 'The task calls an address that it may not reach.'),
  subtask_not_found: kind('Subtask not found', 'no', 'runTask names a task that does not exist or is disabled.'),
  subtask_failed: kind(
    'Subtask failed',
    'maybe',
    'A task that was run through runTask failed, and its error was not caught.',
  ),
  data_not_usable: kind('Data not usable', 'no', 'Data is not as the task expects it.'),
  body_too_large: kind('Answer too large', 'no', 'The body of an answer exceeds the limit.'),
  json_not_valid: kind('Text is no JSON', 'no', 'A text was parsed as JSON and is none.'),
  null_access: kind(
    'Nothing where a value was expected',
    'no',
    'The code reads from, writes to, or takes apart null or undefined.',
  ),
  not_a_function: kind('Called what is no function', 'no', 'The code calls something that can not be called.'),
  not_iterable: kind('Not a list', 'no', 'The code goes through something that can not be gone through.'),
  wrong_type: kind(
    'Wrong kind of value',
    'no',
    'An operation of the language got a value of a kind that it does not take.',
  ),
  unknown_name: kind('Unknown name', 'no', 'The code uses a name that does not exist, or not yet.'),
  stack_overflow: kind('Endless recursion', 'no', 'Functions called each other until the stack was full.'),
  out_of_range: kind('Out of range', 'no', 'A number lies outside what an operation of the language takes.'),
  error_thrown: kind('Error thrown by the task', 'maybe', 'The code of the task threw a plain error.'),
  own_error_class: kind('Own error of the task', 'maybe', 'The code of the task threw an error of a class of its own.'),
  value_thrown: kind(
    'Thrown value is no error',
    'maybe',
    'The code threw something that is no Error, so it carries no stack.',
  ),
  memory_exhausted: kind('Memory exhausted', 'no', 'The task needs more memory than it may use.'),
  output_too_large: kind('Output too large', 'no', 'What main returned exceeds the limit.'),
  too_many_logs: kind('Too many log lines', 'no', 'The task wrote more log lines than it may.'),
  too_many_steps: kind('Too many steps', 'no', 'The task asked for more steps than it may.'),
  stalled: kind('Waits for nothing', 'no', 'The task awaits something that no step and no timer will ever settle.'),
  syntax_error: kind(
    'Code can not be read',
    'no',
    'The code is not valid JavaScript, or uses what a task may not use.',
  ),
  entry_point_missing: kind('No main function', 'no', 'The file gives no function to begin with.'),
  replay_mismatch: kind(
    'Code and journal disagree',
    'no',
    'When the execution was resumed, the code did not do what its journal says.',
  ),
  unknown_outcome: kind(
    'Outcome unknown',
    'maybe',
    'A crash hid whether a call took effect, and it is not safe to send again.',
  ),
  sandbox_crashed: kind('Process died', 'yes', 'The process that ran the task ended without an answer.'),
  cancelled: kind('Cancelled', 'maybe', 'Somebody asked for the end of the execution.'),
} as const satisfies Record<string, KindRule>;

export type FailureKind = keyof typeof FAILURE_KINDS;

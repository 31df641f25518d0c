/** Every error code once: what it means, whose fault it is, and what to do, so that all interfaces tell the same. */

/** `caller`: the request can be corrected. `state`: right now it can not be done. `server`: ours. `task`: the task's code. */
export type Fault = 'caller' | 'state' | 'server' | 'task';

interface ErrorRule {
  /** HTTP status that carries this code. */
  readonly status: number;
  readonly fault: Fault;
  /** What a person should do about it. */
  readonly remedy: string;
}

const rule = (status: number, fault: Fault, remedy: string): ErrorRule => ({ status, fault, remedy });

/** The table of codes. A code, once released, keeps its meaning. */
export const ERRORS = {
  invalid_request: rule(400, 'caller', 'Correct the named field and send the request again.'),
  invalid_json: rule(400, 'caller', 'Send a well-formed JSON body.'),
  invalid_cursor: rule(400, 'caller', 'Use a cursor from an answer to the same query, unchanged.'),
  input_schema_violation: rule(422, 'caller', "Make the input match the task's input schema at the named path."),
  output_schema_violation: rule(500, 'task', 'Make the task return what its output schema promises at the named path.'),
  invalid_schema: rule(422, 'caller', 'Correct the JSON Schema at the named place.'),
  invalid_task: rule(422, 'caller', 'Correct the task as described.'),
  syntax_error: rule(422, 'caller', 'Correct the code at the named line and column.'),
  unauthenticated: rule(401, 'caller', 'Send a valid API key or token.'),
  permission_denied: rule(403, 'caller', 'Ask an administrator for the named permission.'),
  not_found: rule(404, 'caller', 'Check the id or name; list what exists.'),
  task_not_found: rule(404, 'caller', 'List the available tasks and use one of their names or ids.'),
  execution_not_found: rule(404, 'caller', 'List the executions and use one of their ids.'),
  method_not_allowed: rule(405, 'caller', 'Use one of the allowed methods.'),
  already_exists: rule(409, 'caller', 'Choose another name, or edit the existing one.'),
  version_conflict: rule(409, 'state', 'Load the current state and decide again.'),
  precondition_failed: rule(412, 'state', 'Load the current state, and send its ETag with the edit.'),
  idempotency_mismatch: rule(409, 'caller', 'Use a new idempotency key for a different request.'),
  task_in_use: rule(409, 'state', 'End or change what uses the task, or delete it with force.'),
  task_disabled: rule(409, 'state', 'Enable the task first.'),
  dangerous_task: rule(403, 'caller', 'Set allow_dangerous_tasks if this task may run here.'),
  execution_finished: rule(409, 'state', 'The execution has ended; nothing more can be done to it. Retry it instead.'),
  execution_running: rule(409, 'state', 'Wait until the execution has ended, or cancel it.'),
  payload_too_large: rule(413, 'caller', 'Send less, or raise the named limit.'),
  unsupported_media_type: rule(415, 'caller', 'Send application/json.'),
  not_acceptable: rule(406, 'caller', 'Accept one of the media types that are offered.'),
  query_too_complex: rule(400, 'caller', 'Ask for less at once: fewer levels, fields, aliases or rows.'),
  slow_reader: rule(
    429,
    'state',
    'Read faster, or ask for less; subscribe again from the last position that was told.',
  ),
  url_too_long: rule(414, 'caller', 'Ask with a shorter address; put long values into the body of a POST.'),
  headers_too_large: rule(431, 'caller', 'Send fewer or shorter headers.'),
  request_timeout: rule(408, 'caller', 'Send the whole request sooner.'),
  response_too_large: rule(
    500,
    'caller',
    'Ask for less at once: a smaller limit, a narrower filter, one thing by its id.',
  ),
  too_many_connections: rule(
    503,
    'state',
    'Close connections that are not needed, and wait for the time given in retry-after.',
  ),
  rate_limited: rule(429, 'state', 'Wait for the time given in retry-after.'),
  queue_full: rule(429, 'state', 'Wait for the time given in retry-after; nothing was stored.'),
  execution_timeout: rule(504, 'task', 'Make the task faster, or give it a longer timeout.'),
  memory_limit_exceeded: rule(500, 'task', 'Use less memory, or raise memory_limit.'),
  output_too_large: rule(500, 'task', 'Return less, or raise the output limit.'),
  log_limit_exceeded: rule(500, 'task', 'Write fewer log lines, or raise the limit.'),
  step_limit_exceeded: rule(500, 'task', 'Use fewer steps, or raise the limit.'),
  body_too_large: rule(500, 'task', 'Ask the server for less, or raise the limit on response bodies.'),
  address_refused: rule(403, 'task', 'Allow the address in outbound.allow, or call another.'),
  secret_unavailable: rule(500, 'task', 'Configure the secret, and allow it for the host that is called.'),
  file_refused: rule(403, 'task', 'Put the file below one of tasks.file_roots.'),
  invalid_entry_point: rule(422, 'task', 'Give the file a main function in one of the accepted forms.'),
  task_failed: rule(500, 'task', 'Read the error of the execution; correct the task or its input.'),
  task_stalled: rule(
    500,
    'task',
    'Something the task awaits never settles: await only steps, timers and their results.',
  ),
  cancelled: rule(409, 'state', 'The execution was cancelled.'),
  sandbox_crashed: rule(500, 'task', 'The process that ran the task died; see its log line for the reason.'),
  sandbox_protocol: rule(500, 'task', "The task's process sent what it may not send and was ended."),
  replay_mismatch: rule(
    409,
    'state',
    'The code does not do what the journal says; compare the expected and the actual step.',
  ),
  not_replayable: rule(409, 'state', 'Replay an execution that has run, with its recorded code version.'),
  code_gone: rule(409, 'state', 'The recorded code version is not in the store; give the code to replay with.'),
  journal_too_new: rule(409, 'state', 'The journal was written by a newer Ratchet; upgrade this one.'),
  delivery_not_found: rule(404, 'caller', 'List the deliveries and use one of their ids.'),
  delivery_running: rule(409, 'state', 'Wait until the attempt under way has ended.'),
  result_target_not_found: rule(422, 'caller', 'Name a target that stands under `results` in the configuration.'),
  schedule_not_found: rule(404, 'caller', 'List the schedules and use one of their ids.'),
  invalid_schedule: rule(422, 'caller', 'Correct the named part of the schedule.'),
  batch_not_found: rule(404, 'caller', 'List the batches and use one of their ids.'),
  invalid_batch: rule(422, 'caller', 'Correct the named item, dependency or reference; nothing was stored.'),
  batch_finished: rule(409, 'state', 'The batch has ended; nothing more can be done to it.'),
  dependency_not_completed: rule(
    409,
    'state',
    'Look at the item that did not complete; correct it, and request the rest again.',
  ),
  unresolved_reference: rule(422, 'caller', 'Refer to something that the other item returns.'),
  replay_not_found: rule(404, 'caller', 'List the replays and use one of their ids.'),
  fork_point_not_found: rule(422, 'caller', 'List the steps of the execution and name one of them.'),
  no_open_question: rule(409, 'state', 'Look at the execution: it asks nothing, or this was answered already.'),
  invalid_answer: rule(422, 'caller', "Make the answer match the question's schema at the named path."),
  not_failed: rule(409, 'state', 'Analyse an execution that has failed.'),
  debug_session_not_found: rule(404, 'caller', 'List the debug sessions; one that is idle ends by itself.'),
  debug_session_limit: rule(429, 'state', 'Close a debug session, or wait until one ends by itself.'),
  debug_not_paused: rule(409, 'state', 'Wait until the session has paused, or set a breakpoint.'),
  debug_method_refused: rule(422, 'caller', 'Use one of the documented methods with the parameters they take.'),
  evaluation_failed: rule(422, 'caller', 'Correct the expression.'),
  evaluation_timeout: rule(504, 'caller', 'Evaluate something that ends.'),
  source_unavailable: rule(
    503,
    'state',
    'Make the task source reachable, then sync it; its last good copy stays in use.',
  ),
  source_refused: rule(
    422,
    'caller',
    'Correct the task source as described, then sync it; its last good copy stays in use.',
  ),
  blob_not_found: rule(404, 'server', 'The payload is missing from the store; restore the database from a backup.'),
  store_unavailable: rule(503, 'server', 'Check that the database can be reached, then try again.'),
  store_full: rule(507, 'server', 'Free space on the disk that holds the database; nothing was stored.'),
  store_corrupt: rule(500, 'server', 'Restore the database from a backup.'),
  log_differs: rule(409, 'state', 'Name a target that is empty, or that holds the beginning of the same log.'),
  read_models_differ: rule(
    500,
    'server',
    'Correct the addresses of log and read models, or upgrade a program that is older than they are; or run `ratchet projections rebuild`, if these read models may go.',
  ),
  clock_differs: rule(500, 'server', 'Let both machines set their clocks over NTP, then start again.'),
  export_damaged: rule(
    422,
    'caller',
    'Export the log again; of a file that was cut off, --resume takes the events that are there.',
  ),
  projection_paused: rule(503, 'server', 'Read the health page; correct the cause, then rebuild or skip the event.'),
  projection_behind: rule(503, 'state', 'The read model has not reached the asked position yet; try again.'),
  shutting_down: rule(503, 'state', 'Send the request to another node, or try again after the restart.'),
  timeout: rule(504, 'state', 'Try again, or ask for less at once.'),
  unsupported: rule(501, 'server', 'Use another way; see the message.'),
  configuration_invalid: rule(500, 'caller', 'Correct the configuration at the named place.'),
  internal: rule(500, 'server', 'Report this with the correlation id.'),
} as const satisfies Record<string, ErrorRule>;

export type ErrorCode = keyof typeof ERRORS;

export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(ERRORS, text);
}

/** Facts about an error that a program can use: field names, paths, limits, ids. Never a secret. */
export type ErrorDetails = Readonly<Record<string, unknown>>;

/** The one error that leaves a module on purpose. Anything else that is thrown is a defect and told as `internal`. */
export class RatchetError extends Error {
  override readonly name = 'RatchetError';
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  /**
   * @param code what went wrong, from the table
   * @param message what happened, with what; a sentence without a final stop is fine
   */
  constructor(code: ErrorCode, message: string, options: { details?: ErrorDetails; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
  }
}

/** @returns true when `error` is a {@link RatchetError}, of that code if one is given. */
export function isRatchetError(error: unknown, code?: ErrorCode): error is RatchetError {
  return error instanceof RatchetError && (code === undefined || error.code === code);
}

/** @returns `error` itself when it is ours, else an `internal` one that keeps it as cause. */
export function asRatchetError(error: unknown): RatchetError {
  if (error instanceof RatchetError) return error;
  return new RatchetError('internal', 'an unexpected error happened', { cause: error });
}

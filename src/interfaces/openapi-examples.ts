/** Examples for the OpenAPI document: a good body for each operation that needs one, and a value for each common parameter. */

const EXECUTION = '0197a3c2-5b1e-7c00-9d3a-2f6f0c1d2e3f';

export const PARAMETER_EXAMPLES: Readonly<Record<string, unknown>> = {
  task_id: 'csv-parser',
  execution_id: EXECUTION,
  other_id: EXECUTION,
  schedule_id: EXECUTION,
  batch_id: EXECUTION,
  replay_id: EXECUTION,
  session_id: EXECUTION,
  key_id: EXECUTION,
  delivery_id: `${EXECUTION}_shop`,
  source: 'tasks',
};

const FILTER = { task_id: 'csv-parser', since: '2026-01-01T00:00:00Z', limit: 1_000, dry_run: false };

export const EXAMPLES: Readonly<Record<string, object>> = {
  create_task: {
    name: 'greeting',
    description: 'Greets by name.',
    code: 'function main({ name }) { return `Hello, ${name}`; }',
    input_schema: { type: 'object', required: ['name'], properties: { name: { type: 'string' } } },
    output_schema: { type: 'string' },
  },
  edit_task: {
    base_version: 1,
    patch: [{ find: 'Hello, ', replace: 'Good day, ' }],
    description: 'Greets politely.',
  },
  validate_task: { code: 'function main({ name }) { return `Hello, ${nmae}`; }' },
  run_task_tests: { stop_on_failure: true, include_traces: false },
  execute_task: { task_id: 'greeting', input: { name: 'Ada' }, wait_seconds: 5 },
  create_execution: { task_id: 'greeting', input: { name: 'Ada' }, priority: 10 },
  cancel_execution: { reason: 'no longer needed' },
  retry_execution: { reason: 'the service is back' },
  fork_execution: { from_step: 'failed' },
  answer_question: { answer: 'yes' },
  cancel_executions: { ...FILTER, reason: 'no longer needed' },
  retry_executions: { ...FILTER, fingerprint: '3f2a9c0d1e4b5a67' },
  batch_execute: {
    tasks: [
      { id: 'fetch', task_id: 'csv-parser', input: { csv_data: 'name\nAda' } },
      { id: 'greet', task_id: 'greeting', input: { name: { $from: 'fetch', path: '/data/0/name' } } },
    ],
    max_parallel: 5,
    fail_fast: true,
  },
  cancel_batch: { reason: 'no longer needed' },
  create_schedule: {
    name: 'nightly report',
    task_id: 'greeting',
    cron: '0 2 * * *',
    timezone: 'Europe/Berlin',
    input: { name: 'Ada' },
    catch_up: 'last',
  },
  edit_schedule: { cron: '30 2 * * 1-5' },
  create_key: { name: 'ci', role: 'operator', expires_at: '2030-01-01T00:00:00Z' },
  create_token: { name: 'ada', role: 'reader', expires_in_seconds: 3_600 },
  replay_failures: { fingerprint: '3f2a9c0d1e4b5a67' },
  open_debug_session: { execution_id: EXECUTION },
  send_debug_command: { method: 'Debugger.resume' },
  rebuild_projections: { names: ['tasks'] },
};

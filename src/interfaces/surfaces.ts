/** The one policy of where an operation is public: its REST route, and the status of a good answer. */

export interface Route {
  readonly operation: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Below the REST prefix. Parameters are input fields. */
  readonly path: string;
  readonly status: number;
  /** Also served without the prefix. */
  readonly bare?: boolean;
}

const get = (operation: string, path: string, bare = false): Route => ({
  operation,
  method: 'GET',
  path,
  status: 200,
  bare,
});
const post = (operation: string, path: string, status = 200): Route => ({ operation, method: 'POST', path, status });

export const ROUTES: readonly Route[] = [
  get('list_available_tasks', '/tasks'),
  post('create_task', '/tasks', 201),
  post('execute_task', '/tasks/execute'),
  get('get_task', '/tasks/:task_id'),
  { operation: 'edit_task', method: 'PUT', path: '/tasks/:task_id', status: 200 },
  { operation: 'edit_task', method: 'PATCH', path: '/tasks/:task_id', status: 200 },
  { operation: 'delete_task', method: 'DELETE', path: '/tasks/:task_id', status: 200 },
  post('enable_task', '/tasks/:task_id/enable'),
  post('disable_task', '/tasks/:task_id/disable'),
  get('list_task_versions', '/tasks/:task_id/versions'),
  get('list_executions', '/executions'),
  post('create_execution', '/executions', 202),
  post('cancel_executions', '/executions/cancel'),
  post('retry_executions', '/executions/retry'),
  get('get_execution_status', '/executions/:execution_id'),
  post('cancel_execution', '/executions/:execution_id/cancel', 202),
  post('retry_execution', '/executions/:execution_id/retry', 202),
  post('fork_execution', '/executions/:execution_id/fork', 202),
  post('answer_question', '/executions/:execution_id/answer', 202),
  post('replay_execution', '/executions/:execution_id/replay'),
  post('profile_execution', '/executions/:execution_id/profile'),
  post('debug_execution', '/executions/:execution_id/debug'),
  post('replay_failures', '/tasks/:task_id/replay-failures'),
  get('list_replays', '/replays'),
  get('get_replay', '/replays/:replay_id'),
  post('open_debug_session', '/debug/sessions', 201),
  get('list_debug_sessions', '/debug/sessions'),
  get('get_debug_session', '/debug/sessions/:session_id'),
  post('send_debug_command', '/debug/sessions/:session_id/commands'),
  { operation: 'close_debug_session', method: 'DELETE', path: '/debug/sessions/:session_id', status: 200 },
  get('get_execution_logs', '/executions/:execution_id/logs'),
  get('get_execution_trace', '/executions/:execution_id/trace'),
  get('list_steps', '/executions/:execution_id/steps'),
  get('list_execution_events', '/executions/:execution_id/events'),
  get('analyze_execution_error', '/executions/:execution_id/analysis'),
  get('compare_executions', '/executions/:execution_id/compare/:other_id'),
  get('list_failures', '/failures'),
  get('get_execution_logs', '/logs/:execution_id', true),
  get('get_execution_trace', '/traces/:execution_id', true),
  get('visualize_execution_trace', '/traces/:execution_id/visualize', true),
  get('list_steps', '/traces/:execution_id/steps', true),
  get('list_schedules', '/schedules'),
  post('create_schedule', '/schedules', 201),
  get('get_schedule', '/schedules/:schedule_id'),
  { operation: 'edit_schedule', method: 'PUT', path: '/schedules/:schedule_id', status: 200 },
  { operation: 'edit_schedule', method: 'PATCH', path: '/schedules/:schedule_id', status: 200 },
  post('enable_schedule', '/schedules/:schedule_id/enable'),
  post('disable_schedule', '/schedules/:schedule_id/disable'),
  post('trigger_schedule', '/schedules/:schedule_id/trigger', 202),
  { operation: 'delete_schedule', method: 'DELETE', path: '/schedules/:schedule_id', status: 200 },
  get('list_batches', '/batches'),
  post('batch_execute', '/batches', 202),
  get('get_batch', '/batches/:batch_id'),
  post('cancel_batch', '/batches/:batch_id/cancel', 202),
  get('list_deliveries', '/deliveries'),
  get('get_delivery', '/deliveries/:delivery_id'),
  post('redeliver', '/deliveries/:delivery_id/redeliver', 202),
  get('list_workers', '/workers'),
  get('list_sources', '/sources'),
  post('sync_source', '/sources/:source/sync'),
  get('get_stats', '/stats'),
  get('list_events', '/events'),
  get('get_audit_trail', '/audit'),
  post('create_key', '/keys', 201),
  get('list_keys', '/keys'),
  get('get_key', '/keys/:key_id'),
  post('rotate_key', '/keys/:key_id/rotate'),
  { operation: 'revoke_key', method: 'DELETE', path: '/keys/:key_id', status: 200 },
  post('create_token', '/tokens', 201),
  get('list_projections', '/projections'),
  post('rebuild_projections', '/projections/rebuild'),
];

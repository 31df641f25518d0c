/** Shapes the facts about replays into one row each. */
import type { ReplayStart } from '../src/domain/replay.ts';
import { insert, type Projection, update } from './projection.ts';

export const replays: Projection = {
  name: 'replays',
  version: 1,
  tables: ['replays'],
  types: ['ReplayStarted', 'ReplayEnded', 'ReplayFailed'],
  apply: (event, { occurredAt, principal, position }) => {
    switch (event.type) {
      case 'ReplayStarted':
        return [insert('replays', startedRow(event.data, { principal, occurredAt, position }))];
      case 'ReplayEnded': {
        const { replayId, verdict, durationMs, result } = event.data;
        const ended = { status: 'ended', verdict, result: JSON.stringify(result), duration_ms: durationMs };
        return [update('replays', { replay_id: replayId }, ended)];
      }
      case 'ReplayFailed': {
        const { replayId, code, message, durationMs } = event.data;
        const failed = { status: 'failed', error_code: code, error_message: message, duration_ms: durationMs };
        return [update('replays', { replay_id: replayId }, failed)];
      }
      default:
        return [];
    }
  },
};

function startedRow(
  start: ReplayStart,
  { principal, occurredAt, position }: { principal: string; occurredAt: string; position: string },
) {
  return {
    replay_id: start.replayId,
    execution_id: start.executionId,
    attempt: start.attempt,
    mode: start.mode,
    status: 'running',
    verdict: null,
    principal,
    task_id: start.task.id,
    task_name: start.task.name,
    task_version: start.task.version,
    patched_code: start.code === null ? 0 : 1,
    patched_input: start.input === null ? 0 : 1,
    stubs: start.stubs,
    allow_live: start.allowLive ? 1 : 0,
    error_code: null,
    error_message: null,
    result: null,
    started_at: occurredAt,
    duration_ms: null,
    position,
  };
}

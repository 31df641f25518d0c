/** What can be asked of debug sessions: open, look, lead by single commands of the DevTools protocol, close. */
import { z } from 'zod';
import type { DebugSessionInfo, DebugSessionView } from '../domain/debugging.ts';
import { breakpointsInput } from './debug-execution.ts';
import { type Caller, type Core, command, type Operation } from './operation.ts';
import { onlyAllowed } from './task-access.ts';

const sessionId = z.string().min(1).max(64);
const MAX_WAIT_SECONDS = 20;

function shown(info: DebugSessionInfo) {
  return {
    session_id: info.sessionId,
    replay_id: info.replayId,
    execution_id: info.executionId,
    attempt: info.attempt,
    principal: info.principal,
    state: info.state,
    file: info.file,
    started_at: info.startedAt,
    ends_at: info.endsAt,
    websocket: `/api/v1/debug/sessions/${info.sessionId}/socket`,
  };
}

function shownView(view: DebugSessionView) {
  return {
    ...shown(view),
    breakpoints: view.breakpoints,
    steps_done: view.stepsDone,
    paused: view.paused,
    end: view.end,
  };
}

const viewOf = async (core: Core, id: string, seconds: number, caller: Caller) =>
  shownView(await core.debugging.settled(id, seconds * 1_000, caller.principal));

export const DEBUG_SESSION_OPERATIONS: readonly Operation[] = [
  command({
    name: 'open_debug_session',
    permission: 'read_traces',
    description:
      'Debug an execution on its recorded data; it stands before its first line, or at the first breakpoint.',
    input: z.strictObject({
      execution_id: z.string().min(1).max(64),
      attempt: z.int().positive().optional(),
      breakpoints: breakpointsInput.default([]),
    }),
    run: async (core, input, caller) => {
      const { execution_id: executionId, attempt = null } = input;
      const { breakpoints } = input;
      const opened = await core.debugging.open({ executionId, attempt, breakpoints }, caller.principal);
      return viewOf(core, opened.sessionId, 0, caller);
    },
  }),
  command({
    name: 'list_debug_sessions',
    permission: 'read_traces',
    description: 'Debug sessions that are open: your own, or all for an administrator.',
    input: z.strictObject({}),
    run: async (core, _input, { principal }) => {
      const sessions = await onlyAllowed(core, principal, core.debugging.sessions(principal));
      return { sessions: sessions.map(shown) };
    },
  }),
  command({
    name: 'get_debug_session',
    permission: 'read_traces',
    description: 'Where a debug session stands: the Debugger.paused event, the steps answered so far, how it ended.',
    input: z.strictObject({
      session_id: sessionId,
      wait_seconds: z.coerce.number().min(0).max(MAX_WAIT_SECONDS).default(0).describe('Wait for the next stop.'),
    }),
    run: (core, input, caller) => viewOf(core, input.session_id, input.wait_seconds, caller),
  }),
  command({
    name: 'send_debug_command',
    permission: 'read_traces',
    description:
      'One command of the DevTools protocol (Debugger.*, Runtime.*) or of ours (Ratchet.stepBack, Ratchet.restart, Ratchet.pauseAtStep).',
    input: z.strictObject({
      session_id: sessionId,
      method: z.string().min(1).max(100),
      params: z.record(z.string(), z.json()).default({}),
      wait_seconds: z.number().min(0).max(MAX_WAIT_SECONDS).default(0).describe('Then wait for the next stop.'),
    }),
    run: async (core, input, caller) => {
      const { session_id: id, method, params } = input;
      const result = await core.debugging.command(id, method, params, caller.principal);
      return { result, session: await viewOf(core, id, input.wait_seconds, caller) };
    },
  }),
  command({
    name: 'close_debug_session',
    permission: 'read_traces',
    description: 'End a debug session.',
    input: z.strictObject({ session_id: sessionId }),
    run: async (core, input, caller) => {
      await core.debugging.close(input.session_id, caller.principal);
      return { session_id: input.session_id, state: 'ended' };
    },
  }),
];

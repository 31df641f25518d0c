/** The audit trail: which facts belong to it, and what is told of each; the same for the read model and for the file that mirrors it. */
import { categoryOf, idOf, type StoredEvent } from './event.ts';
import type { KnownEvent } from './history.ts';

/** Facts that somebody decided, and refusals. */
export const AUDITED_TYPES = [
  'TaskCreated',
  'TaskVersionPublished',
  'TaskEnabled',
  'TaskDisabled',
  'TaskDeleted',
  'TaskRestored',
  'ExecutionRequested',
  'ExecutionCompleted',
  'ExecutionFailed',
  'ExecutionCancelRequested',
  'ExecutionCancelled',
  'QuestionAnswered',
  'ReplayStarted',
  'BatchRequested',
  'BatchCancelRequested',
  'BatchEnded',
  'ScheduleCreated',
  'ScheduleChanged',
  'ScheduleEnabled',
  'ScheduleDisabled',
  'ScheduleDeleted',
  'ScheduleFired',
  'ScheduleSkipped',
  'Delivered',
  'DeliveryDeadLettered',
  'RedeliveryRequested',
  'WorkerSessionStarted',
  'WorkerSessionEnded',
  'SessionOpened',
  'SessionClosed',
  'ToolCalled',
  'AccessRefused',
  'KeyCreated',
  'KeyRotated',
  'KeyRevoked',
  'TokenIssued',
  'LoggedIn',
  'LoggedOut',
] as const satisfies readonly KnownEvent['type'][];

/** One line of the trail. */
export interface AuditEntry {
  readonly position: string;
  readonly occurred_at: string;
  readonly principal: string;
  readonly action: string;
  readonly subject: string;
  readonly subject_id: string;
  readonly command_id: string;
  readonly correlation_id: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/** @returns what is told of a fact of the trail. */
export function auditEntryOf(event: KnownEvent, stored: StoredEvent): AuditEntry {
  return {
    position: stored.position,
    occurred_at: stored.occurredAt,
    principal: stored.principal,
    action: event.type,
    subject: categoryOf(stored.stream),
    subject_id: idOf(stored.stream),
    command_id: stored.commandId,
    correlation_id: stored.correlationId,
    details: detailsOf(event),
  };
}

/** Small and free of payloads, so that reading the trail needs no other permission. */
function detailsOf(event: KnownEvent): Readonly<Record<string, unknown>> {
  switch (event.type) {
    case 'TaskCreated':
      return { name: event.data.name };
    case 'TaskVersionPublished':
      return { version: event.data.version, contentHash: event.data.contentHash, source: event.data.source };
    case 'ScheduleCreated':
    case 'ScheduleChanged': {
      const { name, task, cron, timezone } = event.data;
      return { name, task: task.name, cron, timezone };
    }
    case 'ScheduleFired':
      return { dueAt: event.data.dueAt, execution: event.data.executionId, cause: event.data.cause };
    case 'ScheduleSkipped': {
      const { from, to, count, reason } = event.data;
      return { from, to, count, reason };
    }
    case 'DeliveryDeadLettered':
    case 'RedeliveryRequested':
    case 'ScheduleDisabled':
    case 'ScheduleDeleted':
    case 'TaskDisabled':
    case 'TaskDeleted':
    case 'ExecutionCancelRequested':
      return { reason: event.data.reason };
    case 'ExecutionRequested': {
      const { task, source } = event.data;
      return {
        task: task.name,
        version: task.version,
        source: source.kind,
        sessionId: source.sessionId,
        clientInfo: source.clientInfo,
      };
    }
    case 'ExecutionFailed':
      return { code: event.data.code, error: event.data.error.name };
    case 'QuestionAnswered':
      return { step: event.data.path };
    case 'BatchRequested': {
      const { items, maxParallel, failFast, source } = event.data;
      const tasks = [...new Set(items.map(({ task }) => task.name))].slice(0, 20);
      return { items: items.length, tasks, maxParallel, failFast, clientInfo: source.clientInfo };
    }
    case 'BatchEnded':
      return { outcome: event.data.outcome, ...event.data.counts };
    case 'BatchCancelRequested':
      return { reason: event.data.reason };
    case 'ReplayStarted': {
      const { mode, executionId, attempt, code, input, stubs, allowLive } = event.data;
      const patched = { code: code !== null, input: input !== null, stubs, allowLive };
      return { mode, execution: executionId, attempt, ...(mode === 'patched' ? patched : {}) };
    }
    case 'SessionOpened': {
      const { transport, client, protocolVersion } = event.data;
      return { transport, clientInfo: client, protocolVersion };
    }
    case 'SessionClosed':
      return { reason: event.data.reason };
    case 'ToolCalled': {
      const { tool, session, client, outcome, durationMs, executionId } = event.data;
      return { tool, outcome, durationMs, execution: executionId, sessionId: session, clientInfo: client };
    }
    case 'AccessRefused':
      return { ...event.data };
    case 'KeyCreated': {
      const { name, prefix, permissions, tasks, expiresAt } = event.data;
      return { name, prefix, permissions, tasks, expiresAt };
    }
    case 'KeyRotated':
      return { prefix: event.data.prefix, previousUntil: event.data.previousUntil };
    case 'KeyRevoked':
      return { reason: event.data.reason };
    case 'TokenIssued': {
      const { tokenId: _, ...told } = event.data;
      return told;
    }
    case 'LoggedIn': {
      const { loginId, basis, endsAt } = event.data;
      return { session: loginId, by: basis.kind, endsAt };
    }
    case 'LoggedOut':
      return { session: event.data.loginId, reason: event.data.reason };
    default:
      return {};
  }
}

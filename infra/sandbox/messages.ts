/** The door through which messages of a task's process come in: after an escape it may send anything, so all is checked. */
import { isObject, type Json, type JsonObject } from '../../src/domain/event.ts';
import {
  type CustomOutcome,
  LOG_LEVELS,
  type LogLevel,
  type Outcome,
  type StepCall,
  type StepKind,
  type TaskErrorData,
  type Telemetry,
} from '../../src/domain/journal.ts';
import type { Turn, TurnStatus } from '../../src/ports/sandbox.ts';
import type { FromChild } from './protocol.ts';

const KINDS: ReadonlySet<string> = new Set<StepKind>([
  'http',
  'sleep',
  'task',
  'file',
  'mcp',
  'llm',
  'ask',
  'hmac',
  'custom',
]);
const LEVELS: ReadonlySet<string> = new Set(LOG_LEVELS);
const PATH = /^[1-9]\d{0,9}(?:\/[1-9]\d{0,9}){0,50}$/;
const SPAN = /^(?:|step:[1-9][\d/]{0,600}|span:[1-9]\d{0,9})$/;
const MAX_CAUSES = 8;

/** What a process sent that it may not send. */
export class MalformedMessage extends Error {
  override readonly name = 'MalformedMessage';
}

function check(condition: boolean, what: string): asserts condition {
  if (!condition) throw new MalformedMessage(what);
}

function object(value: Json | undefined, what: string): JsonObject {
  check(isObject(value), what);
  return value;
}

function text(value: Json | undefined, what: string): string {
  check(typeof value === 'string', what);
  return value;
}

function textOrNull(value: Json | undefined, what: string): string | null {
  return value === null ? null : text(value, what);
}

function number(value: Json | undefined, what: string): number {
  check(typeof value === 'number' && Number.isFinite(value), what);
  return value;
}

function flag(value: Json | undefined, what: string): boolean {
  check(typeof value === 'boolean', what);
  return value;
}

function list(value: Json | undefined, what: string): readonly Json[] {
  check(Array.isArray(value), what);
  return value;
}

function present(value: Json | undefined, what: string): Json {
  check(value !== undefined, what);
  return value;
}

function path(value: Json | undefined): string {
  const found = text(value, 'path');
  check(PATH.test(found), 'path');
  return found;
}

function span(value: Json | undefined): string {
  const found = text(value, 'span');
  check(SPAN.test(found), 'span');
  return found;
}

function isKind(value: string): value is StepKind {
  return KINDS.has(value);
}

function isLevel(value: string): value is LogLevel {
  return LEVELS.has(value);
}

/**
 * Parses and checks a message.
 * @throws MalformedMessage naming the part that is wrong
 */
export function parseMessage(json: string): FromChild {
  let parsed: Json;
  try {
    parsed = JSON.parse(json) as Json;
  } catch {
    throw new MalformedMessage('not JSON');
  }
  const message = object(parsed, 'message');
  switch (message['type']) {
    case 'ready':
      return { type: 'ready' };
    case 'telemetry':
      return { type: 'telemetry', records: list(message['records'], 'records').map(telemetry) };
    case 'turn':
      return { type: 'turn', turn: turn(object(message['turn'], 'turn')) };
    case 'too_large':
      return { type: 'too_large', bytes: number(message['bytes'], 'bytes') };
    default:
      throw new MalformedMessage('type');
  }
}

function turn(value: JsonObject): Turn {
  return {
    turn: number(value['turn'], 'turn'),
    clock: number(value['clock'], 'clock'),
    calls: list(value['calls'], 'calls').map(stepCall),
    customs: list(value['customs'], 'customs').map(custom),
    status: status(object(value['status'], 'status')),
  };
}

function status(value: JsonObject): TurnStatus {
  switch (value['kind']) {
    case 'waiting': {
      const { nextTimer, blockedOn } = value;
      return {
        kind: 'waiting',
        nextTimer: nextTimer === null ? null : number(nextTimer, 'nextTimer'),
        blockedOn: blockedOn === null ? null : path(blockedOn),
      };
    }
    case 'returned':
      return { kind: 'returned', output: text(value['output'], 'output') };
    case 'threw':
      return { kind: 'threw', error: errorData(value['error'], 0) };
    default:
      throw new MalformedMessage('status');
  }
}

function stepCall(value: Json): StepCall {
  const call = object(value, 'call');
  const kind = text(call['kind'], 'kind');
  check(isKind(kind), 'kind');
  return {
    path: path(call['path']),
    kind,
    name: text(call['name'], 'name'),
    request: object(call['request'], 'request'),
    span: span(call['span']),
  };
}

function custom(value: Json): CustomOutcome {
  const call = object(value, 'custom');
  const shape = stepCall(call);
  check(shape.kind === 'custom', 'custom');
  return {
    ...shape,
    kind: 'custom',
    outcome: outcome(object(call['outcome'], 'outcome')),
    startedAt: number(call['startedAt'], 'startedAt'),
  };
}

function outcome(value: JsonObject): Outcome {
  return flag(value['ok'], 'ok')
    ? { ok: true, value: present(value['value'], 'value') }
    : { ok: false, error: errorData(value['error'], 0) };
}

function errorData(value: Json | undefined, depth: number): TaskErrorData {
  check(depth < MAX_CAUSES, 'cause');
  const error = object(value, 'error');
  return {
    name: text(error['name'], 'name'),
    message: text(error['message'], 'message'),
    stack: textOrNull(error['stack'], 'stack'),
    data: object(error['data'], 'data'),
    cause: error['cause'] === null ? null : errorData(error['cause'], depth + 1),
  };
}

function telemetry(value: Json): Telemetry {
  const record = object(value, 'record');
  switch (record['kind']) {
    case 'log':
      return log(record);
    case 'span':
      return {
        kind: 'span',
        ref: span(record['ref']),
        parent: span(record['parent']),
        name: text(record['name'], 'name'),
        startedAt: number(record['startedAt'], 'startedAt'),
        endedAt: number(record['endedAt'], 'endedAt'),
        ok: flag(record['ok'], 'ok'),
        attributes: object(record['attributes'], 'attributes'),
      };
    case 'progress':
      return {
        kind: 'progress',
        progress: number(record['progress'], 'progress'),
        step: textOrNull(record['step'], 'step'),
        message: textOrNull(record['message'], 'message'),
        data: present(record['data'], 'data'),
        clock: number(record['clock'], 'clock'),
      };
    default:
      throw new MalformedMessage('record');
  }
}

function log(record: JsonObject): Telemetry {
  const level = text(record['level'], 'level');
  check(isLevel(level), 'level');
  return {
    kind: 'log',
    level,
    message: text(record['message'], 'message'),
    fields: record['fields'] === null ? null : object(record['fields'], 'fields'),
    clock: number(record['clock'], 'clock'),
    span: span(record['span']),
  };
}

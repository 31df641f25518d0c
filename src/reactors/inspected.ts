/** What the engine's inspector says, narrowed to the parts that the debugger reads. */
import { type Json, type JsonObject, objectOf } from '../domain/event.ts';

/** A value in the process, by reference where it is an object. */
export interface RemoteValue {
  readonly type: string;
  readonly subtype: string | null;
  readonly className: string;
  readonly description: string;
  /** JSON value; absent for objects and for what JSON can not carry. */
  readonly value: Json | undefined;
  /** Such as `NaN` or `10n`. */
  readonly unserializable: string | null;
  readonly objectId: string | null;
}

/** A place in a script, both from 0. */
export interface EnginePlace {
  readonly line: number;
  readonly column: number;
}

export interface EngineFrame extends EnginePlace {
  readonly id: string;
  readonly function: string;
  readonly scriptId: string;
  readonly scopes: readonly { readonly type: string; readonly objectId: string }[];
}

/** One stop of the engine. */
export interface EngineStop {
  /** More than one when several things fall together. */
  readonly reasons: readonly string[];
  readonly frames: readonly EngineFrame[];
  readonly hitBreakpoints: readonly string[];
  /** What was thrown, at an exception. */
  readonly thrown: RemoteValue | null;
  /** The script that is about to run, at an instrumentation. */
  readonly scriptId: string | null;
}

const EXCEPTIONS: ReadonlySet<string> = new Set(['exception', 'promiseRejection']);

export const isException = (reason: string): boolean => EXCEPTIONS.has(reason);

/** @returns the params of a `Debugger.paused` event. */
export function stopOf(params: JsonObject): EngineStop {
  const data = objectOf(params['data']);
  const reason = textOf(params['reason']);
  const several = reason === 'ambiguous' ? listOf(data['reasons']).map(objectOf) : [{ reason, auxData: data }];
  const exception = several.find((one) => isException(textOf(one['reason'])));
  return {
    reasons: several.map((one) => textOf(one['reason'])),
    frames: listOf(params['callFrames']).map((frame) => frameOf(objectOf(frame))),
    hitBreakpoints: listOf(params['hitBreakpoints']).map(textOf),
    thrown: exception === undefined ? null : remoteOf(objectOf(exception['auxData'])),
    scriptId: typeof data['scriptId'] === 'string' ? data['scriptId'] : null,
  };
}

function frameOf(frame: JsonObject): EngineFrame {
  const location = objectOf(frame['location']);
  return {
    id: textOf(frame['callFrameId']),
    function: textOf(frame['functionName']),
    ...placeOf(location),
    scriptId: textOf(location['scriptId']),
    scopes: listOf(frame['scopeChain'])
      .map(objectOf)
      .map((scope) => ({ type: textOf(scope['type']), objectId: textOf(objectOf(scope['object'])['objectId']) })),
  };
}

export function placeOf(location: JsonObject): EnginePlace {
  return { line: numberOf(location['lineNumber']), column: numberOf(location['columnNumber']) };
}

/** @returns a `Runtime.RemoteObject`. */
export function remoteOf(remote: JsonObject): RemoteValue {
  const text = (name: string): string | null => (typeof remote[name] === 'string' ? remote[name] : null);
  return {
    type: text('type') ?? 'undefined',
    subtype: text('subtype'),
    className: text('className') ?? '',
    description: text('description') ?? '',
    value: remote['value'],
    unserializable: text('unserializableValue'),
    objectId: text('objectId'),
  };
}

export function listOf(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? (value as readonly Json[]) : [];
}

export function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : '';
}

function numberOf(value: Json | undefined): number {
  return typeof value === 'number' ? value : 0;
}

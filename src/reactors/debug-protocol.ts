/** Which methods of the DevTools protocol a debug session takes, with which parameters: enough for a front end, and nothing that leaves the task. */
import { RatchetError } from '../domain/errors.ts';
import type { Json, JsonObject } from '../domain/event.ts';

/** Milliseconds that an expression may take. */
const EVALUATION_MS = 500;
const MAX_EVALUATION_MS = 5_000;
const MAX_EXPRESSION = 10_000;

/** What the rules need to know about the run. */
export interface ProtocolView {
  /** URL of the task's own file; null before its script is known. */
  readonly file: string;
  readonly scriptIds: ReadonlySet<string>;
  /** Context of the task; null before its script is known. */
  readonly contextId: number | null;
  /** Frames of the task in which it stands paused; null while it is not. */
  readonly frameIds: ReadonlySet<string> | null;
}

type Rule = (params: JsonObject, view: ProtocolView) => JsonObject;

const nothing: Rule = () => ({});

const whilePaused: Rule = (_params, view) => {
  frames(view);
  return {};
};

const flags = {
  objectGroup: 'string',
  returnByValue: 'boolean',
  generatePreview: 'boolean',
  silent: 'boolean',
} as const;

const RULES: Readonly<Record<string, Rule>> = {
  'Debugger.enable': nothing,
  'Debugger.disable': nothing,
  'Debugger.resume': whilePaused,
  'Debugger.stepOver': whilePaused,
  'Debugger.stepInto': whilePaused,
  'Debugger.stepOut': whilePaused,
  'Debugger.pause': nothing,
  'Debugger.setBreakpointByUrl': (params, { file }) => ({
    url: file,
    lineNumber: whole(params, 'lineNumber'),
    ...optional(params, { columnNumber: 'number' }),
    ...conditionOf(params),
  }),
  'Debugger.setBreakpoint': (params, view) => ({
    location: location(params['location'], view),
    ...conditionOf(params),
  }),
  'Debugger.removeBreakpoint': (params) => ({ breakpointId: text(params, 'breakpointId') }),
  'Debugger.getPossibleBreakpoints': (params, view) => ({
    start: location(params['start'], view),
    ...(params['end'] === undefined ? {} : { end: location(params['end'], view) }),
    ...optional(params, { restrictToFunction: 'boolean' }),
  }),
  'Debugger.setBreakpointsActive': (params) => ({ active: params['active'] === true }),
  'Debugger.setSkipAllPauses': (params) => ({ skip: params['skip'] === true }),
  'Debugger.setPauseOnExceptions': (params) => ({
    state: oneOf(params, 'state', ['none', 'uncaught', 'caught', 'all']),
  }),
  'Debugger.setAsyncCallStackDepth': () => ({ maxDepth: 0 }),
  'Debugger.getScriptSource': (params, view) => ({ scriptId: script(params['scriptId'], view) }),
  'Debugger.searchInContent': (params, view) => ({
    scriptId: script(params['scriptId'], view),
    query: text(params, 'query'),
    ...optional(params, { caseSensitive: 'boolean', isRegex: 'boolean' }),
  }),
  'Debugger.evaluateOnCallFrame': (params, view) => {
    const callFrameId = text(params, 'callFrameId');
    if (!frames(view).has(callFrameId)) throw refused('the frame is not one of those it stands in');
    return { callFrameId, ...evaluation(params), ...optional(params, flags) };
  },
  'Runtime.enable': nothing,
  'Runtime.disable': nothing,
  'Runtime.runIfWaitingForDebugger': nothing,
  'Runtime.evaluate': (params, { contextId }) => {
    if (contextId === null) throw refused('the task has not begun yet');
    return { contextId, ...evaluation(params), ...optional(params, flags) };
  },
  'Runtime.getProperties': (params) => ({
    objectId: text(params, 'objectId'),
    ...optional(params, {
      ownProperties: 'boolean',
      accessorPropertiesOnly: 'boolean',
      generatePreview: 'boolean',
      nonIndexedPropertiesOnly: 'boolean',
    }),
  }),
  'Runtime.globalLexicalScopeNames': (_params, { contextId }) => {
    if (contextId === null) throw refused('the task has not begun yet');
    return { executionContextId: contextId };
  },
  'Runtime.releaseObject': (params) => ({ objectId: text(params, 'objectId') }),
  'Runtime.releaseObjectGroup': (params) => ({ objectGroup: text(params, 'objectGroup') }),
  'Runtime.getIsolateId': nothing,
};

/** What a session does itself, beyond the protocol. */
export const OWN_METHODS = ['Ratchet.stepBack', 'Ratchet.restart', 'Ratchet.pauseAtStep'] as const;
export type OwnMethod = (typeof OWN_METHODS)[number];

/** Every method that a session takes, for the documents. */
export const DEBUG_METHODS: readonly string[] = [...Object.keys(RULES), ...OWN_METHODS];

/** @returns the parameters as they are sent on. Fails with `debug_method_refused` or `debug_not_paused`. */
export function allowed(method: string, params: JsonObject, view: ProtocolView): JsonObject {
  const rule = Object.hasOwn(RULES, method) ? RULES[method] : undefined;
  if (rule === undefined) throw refused(`the method ${method.slice(0, 100)} is not offered`);
  return rule(params, view);
}

/** Without side effects unless the caller says so, and never without end. */
function evaluation(params: JsonObject): JsonObject {
  const asked = params['timeout'];
  const timeout = typeof asked === 'number' && asked > 0 ? Math.min(asked, MAX_EVALUATION_MS) : EVALUATION_MS;
  return {
    expression: text(params, 'expression', MAX_EXPRESSION),
    throwOnSideEffect: params['throwOnSideEffect'] !== false,
    timeout,
  };
}

function conditionOf(params: JsonObject): JsonObject {
  const { condition } = params;
  if (condition === undefined || condition === null || condition === '') return {};
  return { condition: text(params, 'condition') };
}

function frames(view: ProtocolView): ReadonlySet<string> {
  if (view.frameIds !== null) return view.frameIds;
  throw new RatchetError('debug_not_paused', 'the task is not paused');
}

function script(value: Json | undefined, { scriptIds }: ProtocolView): string {
  if (typeof value === 'string' && scriptIds.has(value)) return value;
  throw refused('the script is not the file of the task');
}

function location(value: Json | undefined, view: ProtocolView): JsonObject {
  if (value === null || typeof value !== 'object' || !('scriptId' in value)) {
    throw refused('a location is {scriptId, lineNumber, columnNumber}');
  }
  return {
    scriptId: script(value.scriptId, view),
    lineNumber: whole(value, 'lineNumber'),
    ...optional(value, { columnNumber: 'number' }),
  };
}

function whole(params: JsonObject, name: string): number {
  const value = params[name];
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return value;
  throw refused(`${name} must be a whole number from 0`);
}

function text(params: JsonObject, name: string, max = 1_000): string {
  const value = params[name];
  if (typeof value === 'string' && value.length <= max) return value;
  throw refused(`${name} must be a text of at most ${max} characters`);
}

function oneOf(params: JsonObject, name: string, values: readonly string[]): string {
  const value = params[name];
  if (typeof value === 'string' && values.includes(value)) return value;
  throw refused(`${name} must be one of ${values.join(', ')}`);
}

function optional(params: JsonObject, types: Readonly<Record<string, 'string' | 'number' | 'boolean'>>): JsonObject {
  const given = Object.entries(types).filter(([name]) => params[name] !== undefined && params[name] !== null);
  return Object.fromEntries(
    given.map(([name, type]) => {
      const value = params[name];
      if (typeof value !== type || (typeof value === 'string' && value.length > MAX_EXPRESSION)) {
        throw refused(`${name} must be a ${type}`);
      }
      return [name, value ?? null];
    }),
  );
}

function refused(why: string): RatchetError {
  return new RatchetError('debug_method_refused', `refused: ${why}`);
}

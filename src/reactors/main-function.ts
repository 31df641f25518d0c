/** Finds the first line of a task's main function, so that a session can stand before it. */
import { type JsonObject, objectOf } from '../domain/event.ts';
import type { Send } from './break-conditions.ts';
import { listOf, textOf } from './inspected.ts';

/** What a task's file can give as its main function; `completion` is the value of the file, in a frame of the sandbox. */
const CANDIDATES = ['completion', 'main', 'exports.main', 'module.exports.main', 'module.exports'] as const;
/** The frame that has just run the file is among the first. */
const FRAMES = 6;

interface Asked {
  /** Context of the task; null before its script is known. */
  readonly contextId: number | null;
  readonly isTaskScript: (scriptId: string) => boolean;
}

/** @returns the first place of the main function where a breakpoint can lie; null when none is found. */
export async function firstLineOfMain(
  send: Send,
  frames: readonly JsonObject[],
  asked: Asked,
): Promise<JsonObject | null> {
  for (const frame of frames.slice(0, FRAMES)) {
    for (const expression of CANDIDATES) {
      const start = await functionAt(send, textOf(frame['callFrameId']), expression, asked);
      if (start === null) continue;
      const { locations } = await send('Debugger.getPossibleBreakpoints', { start, restrictToFunction: true });
      const first = listOf(locations).map(objectOf)[0];
      if (first === undefined) continue;
      const { scriptId, lineNumber, columnNumber } = first;
      return { scriptId: scriptId ?? '', lineNumber: lineNumber ?? 0, columnNumber: columnNumber ?? 0 };
    }
  }
  return null;
}

/** @returns where the function lies that `expression` gives; null when none of the task's. */
async function functionAt(
  send: Send,
  callFrameId: string,
  expression: string,
  { contextId, isTaskScript }: Asked,
): Promise<JsonObject | null> {
  const inTask = expression !== 'completion';
  if (inTask && contextId === null) return null;
  const method = inTask ? 'Runtime.evaluate' : 'Debugger.evaluateOnCallFrame';
  const where = inTask ? { contextId } : { callFrameId };
  const { result } = await send(method, { ...where, expression, silent: true, throwOnSideEffect: true });
  const { type, objectId } = objectOf(result);
  if (type !== 'function' || typeof objectId !== 'string') return null;
  const { internalProperties } = await send('Runtime.getProperties', { objectId, ownProperties: true });
  const place = listOf(internalProperties)
    .map(objectOf)
    .find(({ name }) => name === '[[FunctionLocation]]');
  const location = objectOf(objectOf(place?.['value'])['value']);
  return isTaskScript(textOf(location['scriptId'])) ? location : null;
}

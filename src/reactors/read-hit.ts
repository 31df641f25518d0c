/** Tells one stop of a debugged task: where it stands, and what can be seen from there. */
import type { DebugRequest, Hit, SeenFrame, SeenValue } from '../domain/debugging.ts';
import type { Inspector } from '../ports/debug-sandbox.ts';
import type { AuthoredCode } from './authored-code.ts';
import type { EngineFrame, EngineStop } from './inspected.ts';
import { SeenValues } from './seen-values.ts';
import type { TaskDebugger } from './task-debugger.ts';

const MAX_FRAMES = 20;
/** Characters of the values of one hit, and of all that may be asked for together. */
const MAX_OF_HIT = 256 * 1024;
const MAX_OF_ALL = 16 * 1024 * 1024;
/** Scopes that hold what the author named; the global one holds what every task has. */
const SCOPES = ['local', 'block', 'closure', 'catch', 'script'] as const;
type ScopeType = (typeof SCOPES)[number];

const isScope = (type: string): type is ScopeType => SCOPES.some((known) => known === type);

/** What a hit is read with. */
export interface HitReader {
  readonly inspector: Inspector;
  readonly debugger: TaskDebugger;
  readonly code: AuthoredCode;
  readonly request: Pick<DebugRequest, 'captureVariables' | 'watches' | 'maxHits'>;
}

/** Why it stopped, and how far the task had come. */
export type HitReason = Pick<Hit, 'reason' | 'stepsDone' | 'step'>;

/** A hit as far as it could be read; `ended` says why no further, and that the task can not go on. */
export interface ReadHit {
  readonly hit: Hit;
  readonly ended: Error | null;
}

/** @returns the hit, in the order in which the room for values is given away: exception, watches, frames from the innermost. */
export async function readHit(reader: HitReader, stop: EngineStop, why: HitReason): Promise<ReadHit> {
  const { code, request } = reader;
  const values = new SeenValues(reader.inspector, reader.debugger.tools, {
    total: Math.min(MAX_OF_HIT, Math.floor(MAX_OF_ALL / request.maxHits)),
  });
  const own = reader.debugger.own(stop).slice(0, MAX_FRAMES);
  const [top] = own;
  const exception = stop.thrown === null ? null : await values.see('exception', stop.thrown);
  const watches = [];
  for (const expression of request.watches) watches.push(await watched(reader, values, top, expression));
  const frames: SeenFrame[] = [];
  for (const frame of own) frames.push(await seenFrame(reader, values, frame, frame === top));
  const place = frames[0] ?? { file: code.file, line: 0, column: 0 };
  const { line, column } = place;
  const hit: Hit = { ...why, line, column, code: code.text(place), exception, frames, watches };
  return { hit, ended: values.ended };
}

async function watched(
  reader: HitReader,
  values: SeenValues,
  frame: EngineFrame | undefined,
  expression: string,
): Promise<Hit['watches'][number]> {
  if (frame === undefined) return { expression, value: null, error: 'no code of the task is running here' };
  const evaluated = await values.reading(expression, () => reader.debugger.evaluate(frame, expression));
  if (evaluated === null) return { expression, value: null, error: 'it could not be read' };
  if (!evaluated.ok) return { expression, value: null, error: evaluated.error };
  return { expression, value: await values.see(expression, evaluated.value), error: null };
}

/** The script's own variables are the same in all frames, so they are told with the innermost only. */
async function seenFrame(
  { code, request }: HitReader,
  values: SeenValues,
  frame: EngineFrame,
  isTop: boolean,
): Promise<SeenFrame> {
  const { file, line, column } = code.authored(frame);
  const scopes = [];
  for (const { type, objectId } of request.captureVariables ? frame.scopes : []) {
    if (!isScope(type) || (type === 'script' && !isTop)) continue;
    const variables: readonly SeenValue[] = await values.variables(
      `${type} variables of ${frame.function || 'the file'}`,
      objectId,
    );
    if (variables.length > 0) scopes.push({ type, variables });
  }
  return { function: frame.function, file, line, column, scopes };
}

/** Asks the debugger for the variables at the line that failed, by a replay of the failed attempt. */
import type { Principal } from '../domain/access.ts';
import type { Debugging, Hit } from '../domain/debugging.ts';
import { cutJson, cutText } from '../domain/diagnosis/cut-values.ts';
import { failingFrame } from '../domain/diagnosis/failing-line.ts';
import type { SeenVariable, Variables } from '../domain/diagnosis/failure-case.ts';
import { asRatchetError } from '../domain/errors.ts';
import type { TaskErrorData } from '../domain/journal.ts';

const TIMEOUT_MS = 10_000;
const MAX_HITS = 3;
const MAX_VARIABLES = 40;
const MAX_VALUE = 600;
const MAX_PREVIEW = 200;

/** Never fails: what can not be had is said why. */
export async function variablesOf(
  debugging: Debugging,
  { executionId, attempt }: { readonly executionId: string; readonly attempt: number },
  error: TaskErrorData,
  by: Principal,
): Promise<Variables> {
  try {
    const { hits } = await debugging.once(
      {
        executionId,
        attempt,
        breakpoints: [],
        exceptions: 'all',
        stepMode: false,
        watches: [],
        captureVariables: true,
        maxHits: MAX_HITS,
        keep: 'last',
        timeoutMs: TIMEOUT_MS,
      },
      by,
    );
    const hit = hits.findLast((one) => isThrown(one, error));
    if (hit === undefined) return { unavailable: 'the debugger did not see where the error was thrown' };
    return { seen: seenAt(hit, error) };
  } catch (failure) {
    const { code, message } = asRatchetError(failure);
    return { unavailable: `${code}: ${cutText(message, 300)}` };
  }
}

/** The exception as the debugger shows it names at least the message. */
function isThrown({ exception }: Hit, error: TaskErrorData): boolean {
  if (exception === null) return false;
  const message = error.message.slice(0, 80);
  return (
    exception.preview.includes(message) ||
    JSON.stringify(exception.value ?? null).includes(JSON.stringify(message).slice(1, -1))
  );
}

function seenAt({ frames }: Hit, error: TaskErrorData): readonly SeenVariable[] {
  const line = failingFrame(error)?.frame.line;
  const frame = frames.find((one) => one.line === line) ?? frames[0];
  const scopes = (frame?.scopes ?? []).filter(({ type }) => type === 'local' || type === 'block' || type === 'catch');
  const seen = new Map<string, SeenVariable>();
  for (const { name, type, value, preview } of scopes.flatMap(({ variables }) => variables)) {
    // An inner name hides an outer one.
    if (seen.has(name) || seen.size >= MAX_VARIABLES) continue;
    const told = cutJson(value, MAX_VALUE);
    seen.set(name, { name: cutText(name, 100), type, value: told, preview: cutText(preview, MAX_PREVIEW) });
  }
  return [...seen.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

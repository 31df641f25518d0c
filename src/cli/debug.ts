/** `ratchet debug`: leads a recorded execution line by line at the prompt, or tells once what was seen at each stop. */
import { createInterface } from 'node:readline';
import type { App, AppSettings } from '../app.ts';
import { LOCAL_ADMIN } from '../domain/access.ts';
import type { Breakpoint, DebugReport, DebugSessionView, Hit, SeenValue } from '../domain/debugging.ts';
import { isRatchetError } from '../domain/errors.ts';
import { type JsonObject, objectOf } from '../domain/event.ts';
import { type ExitCode, UsageError } from './exit.ts';
import { withApp } from './inspect.ts';
import type { Output } from './output.ts';

export interface DebugOptions {
  readonly attempt?: number | undefined;
  /** Lines, `12` or `12 if n > 2`. */
  readonly break?: readonly string[] | undefined;
  /** Paths of steps. */
  readonly step?: readonly string[] | undefined;
  readonly watch?: readonly string[] | undefined;
  readonly exceptions?: boolean | undefined;
  /** Tell what was seen at each stop, and end. */
  readonly report?: boolean | undefined;
}

const HELP = `n  over to the next line     s  into a call        o  out of the function
c  go on to the next stop    b  back to the step before       r  from the start
p EXPRESSION                 v  variables          w  where (frames)
break LINE [if EXPRESSION]   step PATH (stop in its call)     l  lines around
q  quit`;
const STOP_MS = 30_000;
const AROUND = 3;

export async function debug(
  settings: AppSettings,
  executionId: string,
  options: DebugOptions,
  output: Output,
): Promise<ExitCode> {
  const breakpoints = breakpointsOf(options);
  return withApp(settings, async (app) => {
    if (options.report !== true) return new Prompt(app, output).run(executionId, options.attempt ?? null, breakpoints);
    const report = await app.core.debugging.once(
      {
        executionId,
        attempt: options.attempt ?? null,
        breakpoints,
        exceptions: options.exceptions === true ? 'all' : 'none',
        stepMode: false,
        watches: options.watch ?? [],
        captureVariables: true,
        maxHits: 20,
        keep: 'first',
        timeoutMs: STOP_MS,
      },
      LOCAL_ADMIN,
    );
    output.result(report, () => toldReport(report));
    return 0;
  });
}

function breakpointsOf({ break: lines = [], step: steps = [] }: DebugOptions): readonly Breakpoint[] {
  const none = { line: null, condition: null, hitCount: 1, step: null };
  return [...lines.map((text) => ({ ...none, ...lineOf(text) })), ...steps.map((step) => ({ ...none, step }))];
}

/** Reads `12` or `12 if n > 2`. */
function lineOf(text: string): { line: number; condition: string | null } {
  const [, line, condition] = /^(\d{1,6})(?:\s+if\s+(.+))?$/.exec(text.trim()) ?? [];
  if (line === undefined) throw new UsageError(`a breakpoint is a line, such as 12 or "12 if n > 2", not ${text}`);
  return { line: Number(line), condition: condition ?? null };
}

function toldReport({ hits, stops, breakpoints, result, error }: DebugReport): string {
  const moved = breakpoints.flatMap(({ asked, line, moved: isMoved }) => {
    if (!isMoved && line !== null) return [];
    return asked.line === null
      ? []
      : [`line ${asked.line} has no code: ${line === null ? 'never stops' : `stops at ${line}`}`];
  });
  const end = `${stops} stops; ${result}${error === null ? '' : ` ${error.name}: ${error.message}`}`;
  return [...moved, ...hits.map(toldHit), end].join('\n');
}

function toldHit(hit: Hit): string {
  const [frame] = hit.frames;
  const where = `${frame?.file ?? ''}:${hit.line}:${hit.column}  ${hit.code.trim()}`;
  const reason = hit.exception === null ? hit.reason : `${hit.reason} ${hit.exception.preview}`;
  const variables = (frame?.scopes ?? []).flatMap((scope) => scope.variables.map(toldValue));
  const watched = hit.watches.map(
    ({ expression, value, error }) => `${expression} = ${value?.preview ?? `(${error})`}`,
  );
  return [`${reason} at ${where}`, ...[...variables, ...watched].map((line) => `    ${line}`)].join('\n');
}

const toldValue = ({ name, preview }: SeenValue): string => `${name} = ${preview}`;

interface Frame {
  readonly id: string;
  readonly name: string;
  readonly line: number;
  readonly scriptId: string;
  readonly scopes: readonly { readonly type: string; readonly objectId: string }[];
}

class Prompt {
  readonly #app: App;
  readonly #output: Output;
  #sessionId = '';
  #view: DebugSessionView | null = null;
  #source: readonly string[] = [];

  constructor(app: App, output: Output) {
    this.#app = app;
    this.#output = output;
  }

  async run(executionId: string, attempt: number | null, breakpoints: readonly Breakpoint[]): Promise<ExitCode> {
    const { debugging } = this.#app.core;
    this.#sessionId = (await debugging.open({ executionId, attempt, breakpoints }, LOCAL_ADMIN)).sessionId;
    try {
      await this.#arrive();
      // Not before: lines that nobody iterates over yet are lost.
      const terminal = process.stdin.isTTY === true;
      const lines = createInterface({ input: process.stdin, output: process.stderr, terminal });
      this.#ask();
      for await (const line of lines) {
        if (!(await this.#carryOut(line.trim()))) break;
        this.#ask();
      }
    } finally {
      process.stdin.destroy();
      await debugging.close(this.#sessionId, LOCAL_ADMIN).catch(() => undefined);
    }
    return 0;
  }

  #ask(): void {
    if (process.stdin.isTTY === true) process.stderr.write('(debug) ');
  }

  /** @returns false to end. */
  async #carryOut(line: string): Promise<boolean> {
    const [word = '', ...rest] = line.split(' ');
    try {
      if (word === 'q' || word === 'quit') return false;
      await this.#command(word, rest.join(' ').trim());
    } catch (error) {
      if (!isRatchetError(error) && !(error instanceof UsageError)) throw error;
      this.#output.note(error.message);
    }
    return true;
  }

  async #command(word: string, rest: string): Promise<void> {
    const method = GOING_ON[word];
    if (method !== undefined) return this.#go(method);
    switch (word) {
      case '':
        return;
      case 'p':
        return this.#print(rest);
      case 'v':
        return this.#variables();
      case 'w':
        return this.#frames().forEach(({ name, line }) =>
          this.#say({ function: name, line }, `  ${name}  line ${line}`),
        );
      case 'l':
        return this.#around(AROUND * 3);
      case 'break': {
        const { line, condition } = lineOf(rest);
        const params = { lineNumber: line - 1, ...(condition === null ? {} : { condition }) };
        const { locations } = await this.#send('Debugger.setBreakpointByUrl', params);
        const at = Array.isArray(locations) ? objectOf(locations[0])['lineNumber'] : undefined;
        return this.#output.note(typeof at === 'number' ? `stops at line ${at + 1}` : 'no code there; it never stops');
      }
      case 'step':
        await this.#send('Ratchet.pauseAtStep', { path: rest });
        return this.#output.note(`stops in the call of step ${rest}`);
      default:
        return this.#output.note(HELP);
    }
  }

  async #go(method: string): Promise<void> {
    await this.#send(method);
    await this.#arrive();
  }

  async #arrive(): Promise<void> {
    const view = await this.#app.core.debugging.settled(this.#sessionId, STOP_MS, LOCAL_ADMIN);
    this.#view = view;
    if (view.end !== null) {
      const { result, message } = view.end;
      return this.#say(
        { end: view.end },
        `ended: ${result}${message === null ? '' : `: ${message}`}; b goes back, q quits`,
      );
    }
    const [frame] = this.#frames();
    if (frame === undefined) return this.#output.note('it runs; nothing has stopped it yet');
    const { scriptSource } = await this.#send('Debugger.getScriptSource', { scriptId: frame.scriptId });
    this.#source = String(scriptSource).split('\n');
    this.#around(AROUND);
  }

  #around(lines: number): void {
    const [frame] = this.#frames();
    if (frame === undefined || this.#view === null) return;
    const from = Math.max(0, frame.line - 1 - lines);
    const shown = this.#source.slice(from, frame.line + lines).map((text, index) => {
      const number = from + index + 1;
      return `${number === frame.line ? '>' : ' '} ${String(number).padStart(4)}  ${text}`;
    });
    const stop = { file: this.#view.file, line: frame.line, function: frame.name, steps_done: this.#view.stepsDone };
    this.#say(stop, [`${this.#view.file}:${frame.line} in ${frame.name}`, ...shown].join('\n'));
  }

  async #print(expression: string): Promise<void> {
    const [frame] = this.#frames();
    const method = frame === undefined ? 'Runtime.evaluate' : 'Debugger.evaluateOnCallFrame';
    const where = frame === undefined ? {} : { callFrameId: frame.id };
    const told = await this.#send(method, { ...where, expression, generatePreview: true });
    const failed = objectOf(objectOf(told['exceptionDetails'])['exception']);
    const value = told['exceptionDetails'] === undefined ? objectOf(told['result']) : failed;
    this.#say({ expression, value }, previewOf(value));
  }

  async #variables(): Promise<void> {
    const [frame] = this.#frames();
    for (const { type, objectId } of frame?.scopes ?? []) {
      const { result } = await this.#send('Runtime.getProperties', {
        objectId,
        ownProperties: true,
        generatePreview: true,
      });
      for (const property of Array.isArray(result) ? result.map(objectOf) : []) {
        const value = objectOf(property['value']);
        this.#say(
          { scope: type, name: property['name'], value },
          `  ${String(property['name'])} = ${previewOf(value)}  (${type})`,
        );
      }
    }
  }

  #frames(): readonly Frame[] {
    const frames = this.#view?.paused?.['callFrames'];
    return (Array.isArray(frames) ? frames.map(objectOf) : []).map((frame) => {
      const location = objectOf(frame['location']);
      const scopes = Array.isArray(frame['scopeChain']) ? frame['scopeChain'].map(objectOf) : [];
      return {
        id: String(frame['callFrameId']),
        name: String(frame['functionName']) || '(file)',
        line: Number(location['lineNumber']) + 1,
        scriptId: String(location['scriptId']),
        scopes: scopes.map((scope) => ({
          type: String(scope['type']),
          objectId: String(objectOf(scope['object'])['objectId']),
        })),
      };
    });
  }

  #send(method: string, params: JsonObject = {}): Promise<JsonObject> {
    return this.#app.core.debugging.command(this.#sessionId, method, params, LOCAL_ADMIN);
  }

  #say(value: unknown, text: string): void {
    this.#output.result(value, () => text);
  }
}

const GOING_ON: Readonly<Record<string, string>> = {
  n: 'Debugger.stepOver',
  s: 'Debugger.stepInto',
  o: 'Debugger.stepOut',
  c: 'Debugger.resume',
  b: 'Ratchet.stepBack',
  r: 'Ratchet.restart',
};

/** One line for a value of the protocol. */
function previewOf(value: JsonObject): string {
  const preview = objectOf(value['preview']);
  const properties = Array.isArray(preview['properties']) ? preview['properties'].map(objectOf) : null;
  if (properties !== null && value['subtype'] !== 'error') {
    const isList = value['subtype'] === 'array';
    const parts = properties.map(({ name, value: text }) =>
      isList ? String(text) : `${String(name)}: ${String(text)}`,
    );
    const inside = [...parts, ...(preview['overflow'] === true ? ['…'] : [])].join(', ');
    return isList ? `[${inside}]` : `{ ${inside} }`;
  }
  if (value['value'] !== undefined) return JSON.stringify(value['value']);
  const described = value['description'] ?? value['unserializableValue'];
  return typeof described === 'string' ? (described.split('\n')[0] ?? '') : String(value['type'] ?? 'undefined');
}

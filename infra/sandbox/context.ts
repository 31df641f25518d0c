/** Fresh contexts, made ahead of need, and the compiled code that goes into them. */
import { constants, createContext, Script } from 'node:vm';
import type { Execution, Hook } from './execution.ts';
import { LAZY_MODULES, PRELUDE } from './prelude-modules.ts';
import { KEPT_SCRIPTS, type StartMessage } from './protocol.ts';
import { showFramesOf } from './stacks.ts';

type HostFunction = (name: string, a: unknown, b: unknown, c: unknown, d: unknown) => unknown;

/** Without this option, and the flag it needs, `import()` reaches the process. What it throws must be a primitive. */
function refuseImport(): never {
  // oxlint-disable-next-line no-throw-literal, typescript/only-throw-error
  throw 'import() is not available in a task';
}

function compile(source: string, filename: string, columnOffset = 0): Script {
  return new Script(source, { filename, columnOffset, importModuleDynamically: refuseImport });
}

const prelude = compile(PRELUDE, 'ratchet:prelude');
const drain = compile('0', 'ratchet:drain');
const findMain = compile('typeof main === "function" ? main : undefined', 'ratchet:main');
const modules = new Map<string, Script>();
const QUIET = { displayErrors: false } as const;

/** A fresh global object with the prelude run in it. */
export class TaskContext {
  readonly #global = createContext(constants.DONT_CONTEXTIFY, {
    codeGeneration: { strings: false, wasm: false },
    microtaskMode: 'afterEvaluate',
  });
  #host: HostFunction = () => undefined;
  readonly #hook: Hook;

  constructor() {
    const enter = prelude.runInContext(this.#global, QUIET) as (host: HostFunction) => Hook;
    this.#hook = enter((name, a, b, c, d) => this.#host(name, a, b, c, d));
  }

  /** Runs the file and then its main function: the first turn. */
  begin(start: StartMessage, execution: Execution, script: Script | SyntaxError): void {
    this.#host = (name, a, b, c, d) => execution.answer(name, a, b, c, d);
    execution.hook = this.#hook;
    showFramesOf(start.code.file);
    execution.enterRoot();
    this.turn(() => {
      this.#hook('begin', start.input, start.context, start.style);
      if (script instanceof SyntaxError) this.#hook('syntax', script.message);
      else this.#runFile(script, start.style, execution);
    });
  }

  #runFile(script: Script, style: string, execution: Execution): void {
    let completion: unknown;
    try {
      completion = script.runInContext(this.#global, QUIET);
    } catch (error) {
      this.#hook('fail', error);
      return;
    }
    execution.passMain();
    this.#hook('run', completion, findMain.runInContext(this.#global, QUIET), style);
  }

  /** Does `work` and then everything it has put into the queue of microtasks. What task code throws ends here. */
  turn(work: () => void): void {
    try {
      work();
    } catch {
      // An error of the context must not be looked at, and the prelude has told what there is to tell.
    }
    drain.runInContext(this.#global, QUIET);
  }

  /** @returns the function that a module's text evaluates to; it belongs to the context. */
  loadModule(name: string): unknown {
    let script = modules.get(name);
    if (script === undefined) {
      script = compile(LAZY_MODULES[name] ?? '', `ratchet:${name}`);
      modules.set(name, script);
    }
    return script.runInContext(this.#global, QUIET);
  }
}

/** Keeps one context ready and the last files compiled. */
export class ContextFactory {
  readonly #scripts = new Map<string, Script | SyntaxError>();
  #next: TaskContext | undefined;

  prepare(): void {
    this.#next ??= new TaskContext();
  }

  take(): TaskContext {
    const context = this.#next ?? new TaskContext();
    this.#next = undefined;
    return context;
  }

  /** @returns the compiled file, or why the engine refuses it. Forgets like the server's {@link KEPT_SCRIPTS} does. */
  script(code: StartMessage['code']): Script | SyntaxError {
    const known = this.#scripts.get(code.key);
    if (known !== undefined) return known;
    const script = tryCompile(code);
    this.#scripts.set(code.key, script);
    for (const oldest of this.#scripts.keys()) {
      if (this.#scripts.size <= KEPT_SCRIPTS) break;
      this.#scripts.delete(oldest);
    }
    return script;
  }
}

function tryCompile(code: StartMessage['code']): Script | SyntaxError {
  try {
    return compile(code.script ?? '', code.file, code.columnOffset);
  } catch (error) {
    return error instanceof SyntaxError ? error : new SyntaxError('the file could not be compiled');
  }
}

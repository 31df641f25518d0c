/** One execution in a task's process: its clock, timers, steps, scopes and telemetry, fed by strings from the context. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { Entropy } from './entropy.ts';
import { type Delivery, MAIN_PLACE, MAX_TURN_BYTES, type StartMessage, type ToChild } from './protocol.ts';
import { textService } from './text-services.ts';

/** Where a step is numbered and which span is its parent; travels with promises. */
interface Scope {
  readonly id: number;
  readonly numbering: { readonly prefix: string; next: number };
  readonly span: string;
}

interface Timer {
  readonly id: number;
  due: number;
  order: number;
  /** Milliseconds between firings, or null for a single one. */
  readonly every: number | null;
  readonly scope: Scope;
}

interface OpenWork {
  readonly name: string;
  readonly span: string;
  readonly startedAt: number;
  readonly attributes: string;
}

/** What the execution needs from its process. */
interface Surroundings {
  write(json: string): void;
  /** Waits for the next message; does not return when the server is gone. */
  read(): ToChild;
  loadModule(name: string): unknown;
  /** Called with each place that a debugger may pause at; only debugged processes have it. */
  readonly passing?: ((place: string) => void) | undefined;
}

/** The function of the prelude by which things are delivered into a context. It never throws on purpose. */
export type Hook = (kind: string, a?: unknown, b?: unknown, c?: unknown) => void;

const READS_PER_MS = 1000;
const FLUSH_CHARACTERS = 128 * 1024;
const FLUSH_AFTER_MS = 100;
const scopes = new AsyncLocalStorage<Scope>();
const quote = (text: unknown): string => JSON.stringify(String(text));

export class Execution {
  readonly #start: StartMessage;
  readonly #around: Surroundings;
  readonly #entropy: Entropy;
  readonly #scopes: Scope[] = [{ id: 0, numbering: { prefix: '', next: 1 }, span: '' }];
  readonly #timers = new Map<number, Timer>();
  readonly #open = new Map<string, OpenWork>();
  #hook: Hook = () => {};
  #clock: number;
  #reads = 0;
  #turn = 1;
  #calls: string[] = [];
  #customs: string[] = [];
  #telemetry: string[] = [];
  #telemetryCharacters = 0;
  #turnCharacters = 0;
  #flushedAt = 0;
  #timersMade = 0;
  #spansMade = 0;
  #cancelled = false;
  #result: { readonly ok: boolean; readonly text: string } | undefined;

  constructor(start: StartMessage, around: Surroundings) {
    this.#start = start;
    this.#around = around;
    this.#clock = start.clock;
    this.#entropy = new Entropy(start.seed);
  }

  set hook(hook: Hook) {
    this.#hook = hook;
  }

  get finished(): boolean {
    return this.#result !== undefined;
  }

  /** Everything outside a step or span happens in the first scope; set before each turn, as a turn may leave another. */
  enterRoot(): void {
    scopes.enterWith(this.#root);
  }

  get #root(): Scope {
    return this.#scopes[0] as Scope;
  }

  get #scope(): Scope {
    return scopes.getStore() ?? this.#root;
  }

  /** Answers the one host function of the context. Only primitives come in and go out, except for `load`. */
  answer(name: string, a: unknown, b: unknown, c: unknown, d: unknown): unknown {
    switch (name) {
      case 'now':
        return this.#now();
      case 'startedAt':
        return this.#start.clock;
      case 'load':
        return this.#around.loadModule(String(a));
      case 'call':
        return this.#call(String(a), String(b), String(c));
      case 'block':
        return this.#block(String(a));
      case 'timer':
        return this.#addTimer(Number(a), b === true);
      case 'clear':
        return void this.#timers.delete(Number(a));
      case 'scope':
        return this.#scope.id;
      case 'enter':
        scopes.enterWith(this.#scopes[Number(a)] ?? this.#root);
        return undefined;
      case 'open':
        return this.#openStep(String(a));
      case 'close':
        return this.#closeStep(String(a), b === true, String(c));
      case 'openSpan':
        return this.#openSpan(String(a), String(b));
      case 'closeSpan':
        return this.#closeSpan(Number(a), b === true);
      case 'log':
        return this.#log(String(a), String(b), String(c));
      case 'progress':
        return this.#progress(Number(a), b, c, String(d));
      case 'random':
        return this.#entropy.number();
      case 'bytes':
        return this.#entropy.bytes(Number(a)).toString('latin1');
      case 'settle':
        return void (this.#result ??= { ok: a === true, text: String(b) });
      default:
        return textService(name, String(a), b, c, d);
    }
  }

  /** Call before the main function is called. */
  passMain(): void {
    this.#around.passing?.(MAIN_PLACE);
  }

  /** Brings a message into the context as a new turn. */
  deliver(delivery: Delivery): void {
    this.#begin(delivery.clock);
    switch (delivery.type) {
      case 'outcome':
        this.#hook('arrive', delivery.path, JSON.stringify(delivery.outcome));
        return;
      case 'timer':
        this.#fire();
        return;
      case 'cancel':
        this.#cancelled = true;
        this.#hook('cancel', delivery.reason);
        return;
    }
  }

  #begin(clock: number): void {
    this.#turn += 1;
    this.#clock = Math.max(this.#clock, clock);
    this.#turnCharacters = 0;
  }

  /** Tells the server what happened since the last delivery. */
  tellTurn(blockedOn: string | null): void {
    this.#flush();
    const status = this.#status(blockedOn);
    if (status === null) return;
    const parts = [
      `{"type":"turn","turn":{"turn":${this.#turn},"clock":${this.#clock},"calls":[`,
      this.#calls.join(),
      '],"customs":[',
      this.#customs.join(),
      '],"status":',
      status,
      '}}',
    ];
    this.#calls = [];
    this.#customs = [];
    this.#around.write(parts.join(''));
  }

  #status(blockedOn: string | null): string | null {
    if (blockedOn !== null) return `{"kind":"waiting","nextTimer":null,"blockedOn":${quote(blockedOn)}}`;
    if (this.#result === undefined) {
      return `{"kind":"waiting","nextTimer":${this.#nextTimer()?.due ?? 'null'},"blockedOn":null}`;
    }
    if (!this.#result.ok) return `{"kind":"threw","error":${this.#result.text}}`;
    const bytes = Buffer.byteLength(this.#result.text);
    if (bytes <= this.#start.maxOutputBytes) return `{"kind":"returned","output":${quote(this.#result.text)}}`;
    this.#around.write(`{"type":"too_large","bytes":${bytes}}`);
    return null;
  }

  #now(): number {
    this.#reads += 1;
    if (this.#reads % READS_PER_MS === 0) this.#clock += 1;
    return this.#clock;
  }

  #spend(text: string): void {
    this.#turnCharacters += text.length;
    if (this.#turnCharacters > MAX_TURN_BYTES / 4) throw new RangeError('a turn sends too much');
  }

  #path(): string {
    const { numbering } = this.#scope;
    return `${numbering.prefix}${numbering.next++}`;
  }

  /** @returns the path of the step, or '' when the execution was cancelled. */
  #call(kind: string, name: string, request: string): string {
    if (this.#cancelled) return '';
    this.#spend(request);
    const path = this.#path();
    this.#around.passing?.(path);
    const span = quote(this.#scope.span);
    this.#calls.push(
      `{"path":"${path}","kind":${quote(kind)},"name":${quote(name)},"request":${request},"span":${span}}`,
    );
    return path;
  }

  /** Stands still until the step at `path` has an outcome; its JSON text, or '' when cancelled instead. */
  #block(path: string): string {
    const scope = this.#scope;
    this.tellTurn(path);
    for (;;) {
      const message = this.#around.read();
      if (message.type !== 'deliver') continue;
      const { delivery } = message;
      if (delivery.type === 'outcome' && delivery.path === path) {
        this.#begin(delivery.clock);
        return JSON.stringify(delivery.outcome);
      }
      this.deliver(delivery);
      scopes.enterWith(scope);
      if (delivery.type === 'cancel') return '';
      this.tellTurn(path);
    }
  }

  #addTimer(delay: number, repeats: boolean): number {
    const id = ++this.#timersMade;
    const due = this.#clock + delay;
    this.#timers.set(id, { id, due, order: id, every: repeats ? Math.max(1, delay) : null, scope: this.#scope });
    return id;
  }

  #nextTimer(): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers.values()) {
      if (next === undefined || timer.due < next.due || (timer.due === next.due && timer.order < next.order))
        next = timer;
    }
    return next;
  }

  #fire(): void {
    const timer = this.#nextTimer();
    if (timer === undefined) return;
    if (timer.every === null) {
      this.#timers.delete(timer.id);
    } else {
      timer.due = this.#clock + timer.every;
      timer.order = ++this.#timersMade;
    }
    scopes.enterWith(timer.scope);
    this.#hook('fire', timer.id);
  }

  #enterNew(numbering: Scope['numbering'], span: string): void {
    const scope: Scope = { id: this.#scopes.length, numbering, span };
    this.#scopes.push(scope);
    scopes.enterWith(scope);
  }

  #openStep(name: string): string {
    if (this.#cancelled) return '';
    const path = this.#path();
    this.#around.passing?.(path);
    this.#open.set(path, { name, span: this.#scope.span, startedAt: this.#clock, attributes: '{}' });
    this.#enterNew({ prefix: `${path}/`, next: 1 }, `step:${path}`);
    return path;
  }

  #closeStep(path: string, ok: boolean, text: string): void {
    const work = this.#open.get(path);
    if (work === undefined) return;
    this.#open.delete(path);
    this.#spend(text);
    const outcome = ok ? `{"ok":true,"value":${text}}` : `{"ok":false,"error":${text}}`;
    this.#customs.push(
      `{"path":"${path}","kind":"custom","name":${quote(work.name)},"request":{},"span":${quote(work.span)},` +
        `"outcome":${outcome},"startedAt":${work.startedAt}}`,
    );
  }

  #openSpan(name: string, attributes: string): number {
    const number = ++this.#spansMade;
    const { numbering, span } = this.#scope;
    this.#open.set(`span:${number}`, { name, span, startedAt: this.#clock, attributes });
    this.#enterNew(numbering, `span:${number}`);
    return number;
  }

  #closeSpan(number: number, ok: boolean): void {
    const ref = `span:${number}`;
    const work = this.#open.get(ref);
    if (work === undefined) return;
    this.#open.delete(ref);
    this.#tell(
      `{"kind":"span","ref":"${ref}","parent":${quote(work.span)},"name":${quote(work.name)},` +
        `"startedAt":${work.startedAt},"endedAt":${this.#clock},"ok":${ok},"attributes":${work.attributes}}`,
    );
  }

  #log(level: string, message: string, fields: string): void {
    this.#tell(
      `{"kind":"log","level":${quote(level)},"message":${quote(message)},"fields":${fields === '' ? 'null' : fields},` +
        `"clock":${this.#clock},"span":${quote(this.#scope.span)}}`,
    );
  }

  #progress(progress: number, step: unknown, message: unknown, data: string): void {
    const words = (value: unknown): string => (typeof value === 'string' ? quote(value) : 'null');
    this.#tell(
      `{"kind":"progress","progress":${progress},"step":${words(step)},"message":${words(message)},` +
        `"data":${data},"clock":${this.#clock}}`,
    );
  }

  /** Sent with the turn, earlier when there is much of it or when the turn is long, so that watchers see it live. */
  #tell(record: string): void {
    this.#telemetry.push(record);
    this.#telemetryCharacters += record.length;
    const now = performance.now();
    if (this.#telemetry.length === 1) this.#flushedAt = now;
    if (this.#telemetryCharacters > FLUSH_CHARACTERS || now - this.#flushedAt > FLUSH_AFTER_MS) this.#flush();
  }

  #flush(): void {
    if (this.#telemetry.length === 0) return;
    const records = this.#telemetry.join();
    this.#telemetry = [];
    this.#telemetryCharacters = 0;
    this.#around.write(`{"type":"telemetry","records":[${records}]}`);
  }
}

/** Parses task code within bounds: whoever writes it decides how hard that is, and everybody else waits meanwhile. */
import { type Options, Parser, type Program } from 'acorn';

/** Names that one scope declares. */
interface Scope {
  var: string[];
  lexical: string[];
  functions: string[];
}

declare module 'acorn' {
  /** What plugins of the parser build on; its own types leave it out. */
  interface Parser {
    readonly pos: number;
    readonly scopeStack: Scope[];
    enterScope(flags: number): void;
    declareName(name: string, bindingType: number, pos: number): void;
    nextToken(): void;
    validateRegExpPattern(state: { readonly source: string; readonly start: number }): void;
    raise(pos: number, message: string): never;
  }
}

/** Scopes within each other. */
const MAX_DEPTH = 256;
/** Declarations, each counted once for each scope that may have to know of it. */
const MAX_DECLARATIONS = 1_000_000;
/** Scopes that are looked through, at worst, for all words together; code of five megabytes as people write it needs a quarter. */
const MAX_EFFORT = 50_000_000;
/** Each group with a name is compared with all others of its pattern: what that takes beside a look into a scope. */
const SQUARED_PATTERN_PER_LOOK = 64;

/**
 * As `parse` of acorn. Fails with a `SyntaxError` also for code whose form takes too much work, however short it is:
 * nested too deeply, with too many declarations, or words in too many scopes; the message tells the limit.
 */
export function boundedParse(code: string, options: Options): Program {
  return new BoundedParser(options, code).parse();
}

class BoundedParser extends Parser {
  #declared = 0;
  #effort = 0;

  // That of the parser is not public.
  constructor(options: Options, code: string) {
    super(options, code);
  }

  override enterScope(flags: number): void {
    if (this.scopeStack.length >= MAX_DEPTH) {
      this.raise(this.pos, `more than ${MAX_DEPTH} functions and blocks stand within each other`);
    }
    super.enterScope(flags);
    const scope = this.scopeStack.at(-1);
    if (scope !== undefined) Object.assign(scope, { var: new Names(), lexical: new Names(), functions: new Names() });
  }

  override declareName(name: string, bindingType: number, pos: number): void {
    this.#declared += this.scopeStack.length;
    if (this.#declared > MAX_DECLARATIONS) {
      this.raise(pos, `too much is declared: more than ${MAX_DECLARATIONS} names, counted in every scope around them`);
    }
    super.declareName(name, bindingType, pos);
  }

  override nextToken(): void {
    this.#take(this.scopeStack.length, this.pos);
    super.nextToken();
  }

  override validateRegExpPattern(state: { readonly source: string; readonly start: number }): void {
    const { length } = state.source;
    if (state.source.includes('(?<')) this.#take((length * length) / SQUARED_PATTERN_PER_LOOK, state.start);
    super.validateRegExpPattern(state);
  }

  #take(effort: number, at: number): void {
    this.#effort += effort;
    if (this.#effort <= MAX_EFFORT) return;
    this.raise(at, `the code takes too much work to parse: more than ${MAX_EFFORT} scopes to look through`);
  }
}

/** Few names are compared faster than they are hashed. */
const FEW = 16;

/** The parser looks each new name up among all others of its scope, which a plain array makes slow. */
class Names extends Array<string> {
  #known: Set<string> | null = null;

  override push(...names: string[]): number {
    for (const name of names) this.#known?.add(name);
    return super.push(...names);
  }

  override indexOf(name: string): number {
    if (this.length < FEW) return super.indexOf(name);
    this.#known ??= new Set(this);
    return this.#known.has(name) ? 0 : -1;
  }
}

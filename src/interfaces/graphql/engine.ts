/** Parses, checks, executes and subscribes: one way for requests over HTTP and over sockets. */
import {
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  execute,
  GraphQLError,
  type GraphQLSchema,
  NoSchemaIntrospectionCustomRule,
  parse,
  specifiedRules,
  subscribe,
  validate,
} from 'graphql';
import { RatchetError } from '../../domain/errors.ts';
import { GraphqlContext } from './context.ts';
import { assertShallow, excesses, type GraphqlLimits, refusal } from './limits.ts';
import { begun } from './read-position.ts';
import { fieldResolver } from './resolver.ts';

export interface EngineOptions {
  readonly limits: GraphqlLimits;
  /** Whether the schema may be asked for. */
  readonly introspection: boolean;
}

/** Documents that are remembered with what is wrong with them; clients send the same few again and again. */
const REMEMBERED = 500;
const REMEMBERED_CHARACTERS = 20_000;

interface Checked {
  readonly document: DocumentNode;
  errors: readonly GraphQLError[] | null;
}

type Arguments = Pick<ExecutionArgs, 'document' | 'contextValue' | 'variableValues' | 'operationName'>;

export class Engine {
  readonly schema: GraphQLSchema;
  readonly introspection: boolean;
  readonly #limits: GraphqlLimits;
  readonly #known = new Map<string, Checked>();
  readonly #checked = new WeakMap<DocumentNode, Checked>();

  constructor(schema: GraphQLSchema, { limits, introspection }: EngineOptions) {
    this.schema = schema;
    this.introspection = introspection;
    this.#limits = limits;
  }

  /** Fails with a syntax error, or `query_too_complex` for a text that is too long. */
  readonly parse = (text: string): DocumentNode => {
    const known = this.#known.get(text);
    if (known !== undefined) {
      // The one used last goes last.
      this.#known.delete(text);
      this.#known.set(text, known);
      return known.document;
    }
    const { characters, tokens } = this.#limits;
    if (text.length > characters) {
      const details = { limit: 'characters', found: text.length, most: characters };
      throw refusal(
        'query_too_complex',
        `the document has ${text.length} characters, at most ${characters} are taken`,
        details,
      );
    }
    assertShallow(text);
    const checked: Checked = { document: parse(text, { maxTokens: tokens, noLocation: false }), errors: null };
    this.#checked.set(checked.document, checked);
    if (text.length <= REMEMBERED_CHARACTERS) this.#remember(text, checked);
    return checked.document;
  };

  /** @returns what is wrong with a document: too much asked for, or something that the schema does not have. */
  check(document: DocumentNode, variables: Readonly<Record<string, unknown>>): readonly GraphQLError[] {
    const tooMuch = excesses(this.schema, document, variables, this.#limits);
    if (tooMuch.length > 0) return tooMuch;
    const checked = this.#checked.get(document);
    const errors = checked?.errors ?? validate(this.schema, document, this.#rules);
    if (checked !== undefined) checked.errors = errors;
    return errors;
  }

  /** Runs a query or a mutation. */
  readonly execute = async (args: Arguments): Promise<ExecutionResult> => {
    const { contextValue, document, operationName } = args;
    const failure =
      contextValue instanceof GraphqlContext ? await begun(contextValue, document, operationName ?? null) : null;
    return failure === null
      ? execute({ ...args, schema: this.schema, rootValue: {}, fieldResolver })
      : { errors: [failure] };
  };

  /**
   * Begins a subscription; what breaks it off is its last result.
   *
   * @param ready resolves when its client can take more
   */
  readonly subscribe = async (
    args: Arguments,
    ready?: () => Promise<void>,
  ): Promise<AsyncGenerator<ExecutionResult, void> | ExecutionResult> => {
    const results = await subscribe({ ...args, schema: this.schema, rootValue: {}, fieldResolver });
    if (!(Symbol.asyncIterator in results)) return results;
    const told = paced(results, ready);
    const { contextValue } = args;
    return contextValue instanceof GraphqlContext ? endedBy(told, contextValue) : told;
  };

  get #rules() {
    return this.introspection ? specifiedRules : [...specifiedRules, NoSchemaIntrospectionCustomRule];
  }

  #remember(text: string, checked: Checked): void {
    this.#known.set(text, checked);
    if (this.#known.size <= REMEMBERED) return;
    const [oldest] = this.#known.keys();
    if (oldest !== undefined) this.#known.delete(oldest);
  }
}

async function* paced(
  results: AsyncGenerator<ExecutionResult, void>,
  ready: () => Promise<void> = async () => undefined,
): AsyncGenerator<ExecutionResult, void> {
  try {
    for await (const result of results) {
      yield result;
      await ready();
    }
  } catch (error) {
    const originalError =
      error instanceof Error ? error : new RatchetError('internal', 'a subscription broke off', { cause: error });
    yield { errors: [new GraphQLError(originalError.message, { originalError })] };
  }
}

/** Who ends it early need not wait for the next event: it is no longer waited for. */
function endedBy(
  results: AsyncGenerator<ExecutionResult, void>,
  { options: { controller } }: GraphqlContext,
): AsyncGenerator<ExecutionResult, void> {
  return {
    next: () => results.next(),
    return: (value) => {
      controller.abort();
      return results.return(value);
    },
    throw: (error) => {
      controller.abort();
      return results.throw(error);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
    [Symbol.asyncDispose]: async () => {
      controller.abort();
      await results.return();
    },
  };
}

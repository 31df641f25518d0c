/** How much one document may ask for, reckoned before anything is read: a small text can mean a huge answer. */
import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  GraphQLError,
  type GraphQLField,
  type GraphQLSchema,
  getNamedType,
  isObjectType,
  Kind,
  Lexer,
  type OperationDefinitionNode,
  type SelectionSetNode,
  Source,
  TokenKind,
  valueFromASTUntyped,
} from 'graphql';
import { ERRORS, type ErrorCode } from '../../domain/errors.ts';

export interface GraphqlLimits {
  /** Fields below fields. */
  readonly depth: number;
  /** Objects that may have to be told: each field that holds objects counts once for every row of the pages around it. */
  readonly complexity: number;
  readonly aliases: number;
  readonly rootFields: number;
  readonly tokens: number;
  /** Of the document, in characters. */
  readonly characters: number;
}

export const GRAPHQL_LIMITS: GraphqlLimits = {
  depth: 12,
  complexity: 5_000,
  aliases: 30,
  rootFields: 30,
  tokens: 5_000,
  characters: 100_000,
};

/** @returns an error with a code of our table. */
export function refusal(code: ErrorCode, message: string, details: object): GraphQLError {
  return new GraphQLError(message, { extensions: { code, remedy: ERRORS[code].remedy, details } });
}

/** Brackets within brackets: far more than any depth of fields needs, and far from where a parser runs out of stack. */
const MAX_NESTING = 256;
const OPENING: ReadonlySet<TokenKind> = new Set([TokenKind.BRACE_L, TokenKind.BRACKET_L, TokenKind.PAREN_L]);
const CLOSING: ReadonlySet<TokenKind> = new Set([TokenKind.BRACE_R, TokenKind.BRACKET_R, TokenKind.PAREN_R]);

/** Fails with `query_too_complex` for text whose brackets are nested too deep to be parsed, and as the parser for no text of GraphQL. */
export function assertShallow(text: string): void {
  const lexer = new Lexer(new Source(text));
  let nesting = 0;
  for (let token = lexer.advance(); token.kind !== TokenKind.EOF; token = lexer.advance()) {
    if (OPENING.has(token.kind)) nesting += 1;
    else if (CLOSING.has(token.kind)) nesting -= 1;
    if (nesting <= MAX_NESTING) continue;
    const said = `the document has more than ${MAX_NESTING} levels of brackets`;
    throw refusal('query_too_complex', said, { limit: 'levels of brackets', found: nesting, most: MAX_NESTING });
  }
}

interface Measure {
  readonly depth: number;
  readonly cost: number;
  readonly fields: number;
  readonly aliases: number;
}

const NOTHING: Measure = { depth: 0, cost: 0, fields: 0, aliases: 0 };
/** A fragment that contains itself never ends; no limit lets it through. */
const ENDLESS: Measure = { depth: Infinity, cost: Infinity, fields: Infinity, aliases: Infinity };
/** Objects that only hold the rows of a page together. A connection itself stands for one row, times its rows. */
const WRAPPER = /(?:Edge|^PageInfo)$/;
/** What one of these costs besides its rows: they replay or analyse. */
const HEAVY: Readonly<Record<string, number>> = { 'Execution.analysis': 100, 'Execution.trace': 10 };
/** A page whose size nobody said. */
const STANDARD_PAGE = 50;

type Variables = Readonly<Record<string, unknown>>;

/** @returns what is too much in a document; the document may still be invalid. */
export function excesses(
  schema: GraphQLSchema,
  document: DocumentNode,
  variables: Variables,
  limits: GraphqlLimits,
): readonly GraphQLError[] {
  const reckoning = new Reckoning(schema, document, variables);
  const errors: GraphQLError[] = [];
  const check = (what: string, found: number, most: number): void => {
    if (found <= most) return;
    const said = found === Infinity ? 'no end of' : String(found);
    const details = { limit: what, found: found === Infinity ? null : found, most };
    errors.push(refusal('query_too_complex', `the document has ${said} ${what}, at most ${most} are taken`, details));
  };
  for (const definition of document.definitions) {
    if (definition.kind !== Kind.OPERATION_DEFINITION) continue;
    const { depth, cost, fields, aliases } = reckoning.ofOperation(definition);
    check('levels of fields', depth, limits.depth);
    check('objects to tell', cost, limits.complexity);
    check('fields at its root', fields, limits.rootFields);
    check('aliases', aliases, limits.aliases);
  }
  return errors;
}

class Reckoning {
  readonly #schema: GraphQLSchema;
  readonly #variables: Variables;
  readonly #fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  readonly #known = new Map<string, Measure>();

  constructor(schema: GraphQLSchema, document: DocumentNode, variables: Variables) {
    this.#schema = schema;
    const fragments = document.definitions.filter((definition) => definition.kind === Kind.FRAGMENT_DEFINITION);
    this.#fragments = new Map(fragments.map((fragment) => [fragment.name.value, fragment]));
    this.#variables = { ...standardsIn(document), ...variables };
  }

  ofOperation({ operation, selectionSet }: OperationDefinitionNode): Measure {
    return this.#of(selectionSet, this.#schema.getRootType(operation)?.name ?? '');
  }

  #of({ selections }: SelectionSetNode, type: string): Measure {
    let sum = NOTHING;
    for (const selection of selections) {
      switch (selection.kind) {
        case Kind.FIELD:
          sum = add(sum, this.#ofField(selection, type));
          break;
        case Kind.INLINE_FRAGMENT:
          sum = add(sum, this.#of(selection.selectionSet, selection.typeCondition?.name.value ?? type));
          break;
        case Kind.FRAGMENT_SPREAD:
          sum = add(sum, this.#ofFragment(selection.name.value));
          break;
        default:
          selection satisfies never;
      }
    }
    return sum;
  }

  #ofFragment(name: string): Measure {
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const fragment = this.#fragments.get(name);
    if (fragment === undefined) return NOTHING;
    this.#known.set(name, ENDLESS);
    const measure = this.#of(fragment.selectionSet, fragment.typeCondition.name.value);
    this.#known.set(name, measure);
    return measure;
  }

  #ofField(node: FieldNode, typeName: string): Measure {
    const aliases = node.alias === undefined ? 0 : 1;
    const type = this.#schema.getType(typeName);
    const field = isObjectType(type) ? type.getFields()[node.name.value] : undefined;
    // Questions about the schema have a bound of their own among the standard rules.
    if (field === undefined) return { depth: 1, cost: 0, fields: 1, aliases };
    const weight = HEAVY[`${typeName}.${field.name}`] ?? 0;
    const rows = this.#rowsOf(node, field);
    if (node.selectionSet === undefined) return { depth: 1, cost: weight + (rows ?? 0), fields: 1, aliases };
    const inner = getNamedType(field.type).name;
    const below = this.#of(node.selectionSet, inner);
    const itself = WRAPPER.test(inner) ? 0 : 1;
    return {
      depth: 1 + below.depth,
      cost: weight + (rows ?? 1) * (itself + below.cost),
      fields: 1,
      aliases: aliases + below.aliases,
    };
  }

  /** @returns how many rows a page may have; null for a field that is no page. */
  #rowsOf(node: FieldNode, field: GraphQLField<unknown, unknown>): number | null {
    const first = field.args.find(({ name }) => name === 'first');
    if (first === undefined) return null;
    const standard = typeof first.defaultValue === 'number' ? first.defaultValue : STANDARD_PAGE;
    const given = node.arguments?.find(({ name }) => name.value === 'first')?.value;
    if (given === undefined) return standard;
    const value = given.kind === Kind.VARIABLE ? this.#variables[given.name.value] : valueFromASTUntyped(given);
    return typeof value === 'number' && value > 0 ? value : standard;
  }
}

function add(one: Measure, other: Measure): Measure {
  return {
    depth: Math.max(one.depth, other.depth),
    cost: one.cost + other.cost,
    fields: one.fields + other.fields,
    aliases: one.aliases + other.aliases,
  };
}

/** The values of variables where the request gives none. */
function standardsIn(document: DocumentNode): Variables {
  const definitions = document.definitions.flatMap((definition) =>
    definition.kind === Kind.OPERATION_DEFINITION ? (definition.variableDefinitions ?? []) : [],
  );
  return Object.fromEntries(
    definitions.flatMap(({ variable, defaultValue }) =>
      defaultValue === undefined ? [] : [[variable.name.value, valueFromASTUntyped(defaultValue)]],
    ),
  );
}

/** The schema: object types as written, fields and inputs out of the one list of operations, and what resolves them. */
import { buildSchema, type GraphQLSchema, isObjectType, isScalarType } from 'graphql';
import type { Operation } from '../operation.ts';
import { OPERATIONS } from '../operations.ts';
import { BATCH_RESOLVERS, BATCH_SUBSCRIPTIONS } from './batch-resolvers.ts';
import { BATCH_TYPES } from './batch-types.ts';
import { EXECUTION_RESOLVERS } from './execution-resolvers.ts';
import { EXECUTION_TYPES } from './execution-types.ts';
import { described, InputTypes } from './input-types.ts';
import { behaveAsJson } from './json-scalar.ts';
import { pascalCase } from './names.ts';
import { mutationFieldOf, type OperationField, queryFieldOf } from './operation-fields.ts';
import { answerOf } from './operation-resolvers.ts';
import type { Entries, Resolver, Resolvers } from './resolver.ts';
import { SERVER_FIELDS, SERVER_RESOLVERS } from './server-fields.ts';
import { SUBSCRIPTION_RESOLVERS } from './subscriptions.ts';
import { TASK_RESOLVERS } from './task-resolvers.ts';
import { SUBSCRIPTIONS, TYPES } from './types.ts';

interface Built {
  readonly line: string;
  readonly name: string;
  readonly resolve: Resolver;
}

/** @returns the schema of the given operations. */
export function schemaOf(operations: readonly Operation[] = OPERATIONS): GraphQLSchema {
  const inputs = new InputTypes();
  const queries = operations.flatMap((operation) => {
    const field = queryFieldOf(operation);
    return field === null ? [] : [queryField(operation, field, inputs)];
  });
  const mutations = operations.flatMap((operation) => {
    const field = mutationFieldOf(operation);
    return field === null ? [] : [mutationField(operation, field, inputs)];
  });
  const lines = (built: readonly Built[]): string => built.map(({ line }) => line).join('\n');
  const text = [
    withoutDefined(inputs.text, TYPES),
    TYPES,
    EXECUTION_TYPES,
    BATCH_TYPES,
    `type Query {\n${SERVER_FIELDS}\n${lines(queries)}\n}`,
    `type Mutation {\n${lines(mutations)}\n}`,
    SUBSCRIPTIONS,
  ].join('\n\n');
  const schema = buildSchema(text);
  const resolving = (built: readonly Built[]) => Object.fromEntries(built.map(({ name, resolve }) => [name, resolve]));
  resolve(schema, { Query: resolving(queries), Mutation: resolving(mutations) });
  for (const resolvers of [SERVER_RESOLVERS, EXECUTION_RESOLVERS, TASK_RESOLVERS, BATCH_RESOLVERS])
    resolve(schema, resolvers);
  const subscription = schema.getSubscriptionType()?.getFields() ?? {};
  for (const [name, resolver] of Object.entries({ ...SUBSCRIPTION_RESOLVERS, ...BATCH_SUBSCRIPTIONS })) {
    const field = subscription[name];
    if (field === undefined) throw new Error(`there is no subscription ${name}`);
    field.subscribe = resolver;
    field.resolve = (event: unknown) => event;
  }
  return schema;
}

function queryField(operation: Operation, field: OperationField, inputs: InputTypes): Built {
  const input = inputs.of(operation.input, pascalCase(operation.name), field.renamed);
  const args = input.fields.map(
    ({ field: name, type, description }) => `${described(description, '    ')}    ${name}: ${type}`,
  );
  const given = args.length === 0 ? '' : `(\n${args.join('\n')}\n  )`;
  const line = `${described(operation.description, '  ')}  ${field.field}${given}: ${typeOf(field)}`;
  return {
    line,
    name: field.field,
    resolve: (_source, args, context) => answerOf(operation, field, input.read(args), context),
  };
}

function mutationField(operation: Operation, field: OperationField, inputs: InputTypes): Built {
  const input = inputs.of(operation.input, pascalCase(operation.name), field.renamed);
  const type = `${pascalCase(operation.name)}Input`;
  if (input.fields.length > 0) inputs.define(type, input);
  const isNeeded = input.fields.some(({ type: inner }) => inner.endsWith('!'));
  const given = input.fields.length === 0 ? '' : `(input: ${type}${isNeeded ? '!' : ''})`;
  return {
    line: `${described(operation.description, '  ')}  ${field.field}${given}: ${typeOf(field)}`,
    name: field.field,
    resolve: (_source, args, context, { path, operation: { selectionSet } }) => {
      // One key for the request stands for each of its commands.
      const suffix = selectionSet.selections.length > 1 ? String(path.key) : null;
      return answerOf(operation, field, input.read(inputOf(args)), context, suffix);
    },
  };
}

function inputOf({ input }: Entries): Entries {
  return typeof input === 'object' && input !== null ? { ...input } : {};
}

/** Answers are never null by themselves: a field that fails is null, with an error beside it. */
function typeOf({ output }: OperationField): string {
  switch (output.kind) {
    case 'json':
      return 'JSON';
    case 'object':
      return output.type;
    case 'list':
      return `[${output.type}!]`;
    case 'connection':
      return `${output.type}Connection`;
    default:
      return output satisfies never;
  }
}

/** Enumerations that inputs and answers share are defined with the answers. */
function withoutDefined(text: string, types: string): string {
  return text
    .split('\n\n')
    .filter((definition) => {
      const name = /^enum (\w+)/.exec(definition)?.[1];
      return name === undefined || !types.includes(`enum ${name} `);
    })
    .join('\n\n');
}

function resolve(schema: GraphQLSchema, resolvers: Resolvers): void {
  for (const [typeName, fields] of Object.entries(resolvers)) {
    const type = schema.getType(typeName);
    if (!isObjectType(type)) throw new Error(`there is no type ${typeName}`);
    for (const [name, resolver] of Object.entries(fields)) {
      const field = type.getFields()[name];
      if (field === undefined) throw new Error(`${typeName} has no field ${name}`);
      field.resolve = resolver;
    }
  }
  const json = schema.getType('JSON');
  if (isScalarType(json)) behaveAsJson(json);
}

/** What resolves a field here: the object it stands on, its arguments, and what all resolvers of a request share. */
import type { GraphQLFieldResolver } from 'graphql';
import type { GraphqlContext } from './context.ts';
import { snakeCase } from './names.ts';

/** Arguments as GraphQL has checked them, or the entries of an answer. */
export type Entries = Readonly<Record<string, unknown>>;

export type Resolver = GraphQLFieldResolver<Entries, GraphqlContext, Entries>;

/** Resolvers by type and field. */
export type Resolvers = Readonly<Record<string, Readonly<Record<string, Resolver>>>>;

/** What a field is when nothing else is said: the value of the same name in the answer. */
export const fieldResolver: Resolver = (source, _args, _context, { fieldName }) => {
  if (Object.hasOwn(source, fieldName)) return source[fieldName];
  const name = snakeCase(fieldName);
  return Object.hasOwn(source, name) ? source[name] : null;
};

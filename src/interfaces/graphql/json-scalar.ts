/** Free JSON as a scalar: inputs, outputs and metadata of tasks are whatever their schemas say. */
import { type GraphQLScalarType, type ValueNode, valueFromASTUntyped } from 'graphql';
import { checkJson } from '../json-body.ts';

/** Gives the scalar of a schema its reading and writing; what stands in a document is held to the same bounds as a body. */
export function behaveAsJson(scalar: GraphQLScalarType): void {
  scalar.serialize = (value) => value;
  scalar.parseValue = (value) => value;
  scalar.parseLiteral = (node: ValueNode, variables) => {
    // By way of text: objects get their prototype back.
    const value: unknown = JSON.parse(JSON.stringify(valueFromASTUntyped(node, variables) ?? null));
    checkJson(value);
    return value;
  };
}

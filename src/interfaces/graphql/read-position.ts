/** Fixes how far the answer of a query reaches, when it asks for that, so that a subscription can go on from there. */
import { type DocumentNode, GraphQLError, getOperationAST, Kind, type OperationDefinitionNode } from 'graphql';
import type { GraphqlContext } from './context.ts';

/** @returns why it can not be known how far the answer reaches, null when all is well. */
export async function begun(
  context: GraphqlContext,
  document: DocumentNode,
  operationName: string | null,
): Promise<GraphQLError | null> {
  try {
    const operation = getOperationAST(document, operationName);
    if (operation?.operation === 'query' && asksPosition(operation, document)) await context.begin();
    return null;
  } catch (error) {
    const originalError = error instanceof Error ? error : null;
    return new GraphQLError(originalError?.message ?? 'the request can not be begun', { originalError });
  }
}

/** Whether `position` stands at the root; in a fragment it counts wherever it stands. */
function asksPosition({ selectionSet }: OperationDefinitionNode, { definitions }: DocumentNode): boolean {
  const fragments = definitions.flatMap((definition) =>
    definition.kind === Kind.FRAGMENT_DEFINITION && definition.typeCondition.name.value === 'Query'
      ? [definition.selectionSet]
      : [],
  );
  return [selectionSet, ...fragments].some(({ selections }) =>
    selections.some(
      (selection) =>
        selection.kind === Kind.INLINE_FRAGMENT ||
        (selection.kind === Kind.FIELD && selection.name.value === 'position'),
    ),
  );
}

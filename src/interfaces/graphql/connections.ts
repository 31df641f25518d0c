/** Our pages as connections: edges with cursors, from which the next page is asked for. */

export interface PageInfo {
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
  readonly startCursor: string | null;
  readonly endCursor: string | null;
}

export interface Connection<Node> {
  readonly edges: readonly { readonly node: Node; readonly cursor: string }[];
  readonly pageInfo: PageInfo;
}

/**
 * @param cursorOf the cursor of a node: with it, the page begins after that node
 * @param isAfter whether the page was asked for with a cursor
 */
export function connectionOf<Node>(
  nodes: readonly Node[],
  cursorOf: (node: Node) => string,
  { hasMore, isAfter }: { readonly hasMore: boolean; readonly isAfter: boolean },
): Connection<Node> {
  const edges = nodes.map((node) => ({ node, cursor: cursorOf(node) }));
  return {
    edges,
    pageInfo: {
      hasNextPage: hasMore,
      hasPreviousPage: isAfter,
      startCursor: edges[0]?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
  };
}

/** Fields of the query type that tell about the server itself, which no operation does. */
import type { Resolvers } from './resolver.ts';

export const SERVER_FIELDS = `
  "Every other field of this query includes all events up to here: subscribe from here to miss nothing."
  position: String!
  "Whether the server and its parts are well."
  health: Health
`;

export const SERVER_RESOLVERS: Resolvers = {
  Query: {
    position: (_source, _args, { startPosition }) => startPosition,
    health: async (_source, _args, context) => {
      context.authorize('read', 'health');
      const { health, version } = context.options;
      const parts = await health();
      return { status: parts.status, version, parts };
    },
  },
};

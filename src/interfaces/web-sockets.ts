/** The one place where connections become WebSockets: a server can hand them over once only, whatever they are for. */
import websocket from '@fastify/websocket';
import type { FastifyInstance } from 'fastify';

const MAX_MESSAGE_BYTES = 1024 * 1024;
/** The protocol of GraphQL over WebSocket; the debugger speaks without a name. */
const GRAPHQL_PROTOCOL = 'graphql-transport-ws';

/** `add` adds the routes that take sockets. */
export function addWebSockets(http: FastifyInstance, add: (scope: FastifyInstance) => void): void {
  void http.register(async (scope) => {
    await scope.register(websocket, {
      options: {
        maxPayload: MAX_MESSAGE_BYTES,
        handleProtocols: (offered: Set<string>) => (offered.has(GRAPHQL_PROTOCOL) ? GRAPHQL_PROTOCOL : false),
      },
    });
    add(scope);
  });
}

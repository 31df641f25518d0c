/** The one place where connections become WebSockets: a server can hand them over once only, whatever they are for. */
import websocket from '@fastify/websocket';
import type { FastifyInstance } from 'fastify';

const MAX_MESSAGE_BYTES = 1024 * 1024;
/** The protocol of GraphQL over WebSocket; the debugger speaks without a name. */
const GRAPHQL_PROTOCOL = 'graphql-transport-ws';
/** What a peer did, as opposed to what went wrong here: frames against the protocol, or a connection that broke. */
const OF_PEER = /^(?:WS_ERR_|ECONNRESET$|EPIPE$)/;

/** `add` adds the routes that take sockets. */
export function addWebSockets(http: FastifyInstance, add: (scope: FastifyInstance) => void): void {
  // Nobody looks after a connection that was to become a socket and got an ordinary answer: it would stay open for good.
  http.addHook('onResponse', async (request) => {
    if (request.headers.upgrade !== undefined) request.raw.socket.destroySoon();
  });
  void http.register(async (scope) => {
    await scope.register(websocket, {
      errorHandler: (error, socket, request) => {
        const isOfPeer = 'code' in error && OF_PEER.test(String(error.code));
        request.log[isOfPeer ? 'debug' : 'error']({ err: error }, 'a socket broke off');
        socket.terminate();
      },
      options: {
        maxPayload: MAX_MESSAGE_BYTES,
        handleProtocols: (offered: Set<string>) => (offered.has(GRAPHQL_PROTOCOL) ? GRAPHQL_PROTOCOL : false),
      },
    });
    add(scope);
  });
}

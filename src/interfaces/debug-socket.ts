/** Debug sessions over WebSocket in the DevTools protocol, so that front ends and editors can attach as to any other program. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { WebSocket } from 'ws';
import { z } from 'zod';
import { authorize, type Principal } from '../domain/access.ts';
import { asRatchetError, RatchetError } from '../domain/errors.ts';
import { principalOf } from './identity.ts';
import { authorizeTasks, type Core } from './operation.ts';
import { whileStanding } from './standing.ts';

/** Bytes that may wait for a slow front end; beyond them it is cut off. */
const MAX_WAITING_BYTES = 16 * 1024 * 1024;
/** The front end that comes with the browser; pages of others have no business here. */
const FRONT_END = /^devtools:\/\/devtools$/;

/** Codes of JSON-RPC: what an error means to a front end. */
const RPC_CODES = { parse: -32700, invalid: -32600, refused: -32601, failed: -32000 } as const;

const message = z.object({
  id: z.int(),
  method: z.string().min(1).max(100),
  params: z.record(z.string(), z.json()).optional(),
});

/** Adds the socket of each session below `prefix`, to a scope that takes WebSockets. */
export function addDebugSocket(scope: FastifyInstance, core: Core, prefix: string): void {
  scope.route<{ Params: { session_id: string } }>({
    method: 'GET',
    url: `${prefix}/debug/sessions/:session_id/socket`,
    preValidation: async (request) => {
      checkOrigin(request);
      const principal = principalOf(request);
      authorize(principal, 'read_traces', 'debug_socket');
      const session = { kind: 'session', id: request.params.session_id } as const;
      await authorizeTasks(core, { principal }, [session], 'debug_socket');
      // Before the upgrade, so that a missing session is told as over any other route.
      await core.debugging.settled(request.params.session_id, 0, principal);
    },
    handler: () => {
      throw new RatchetError('invalid_request', 'this address takes WebSocket connections only');
    },
    wsHandler: (socket, request) => serveSocket(core, socket, request.params.session_id, principalOf(request)),
  });
}

/** A web page of somebody else may open sockets to this machine; its origin tells. */
function checkOrigin(request: FastifyRequest): void {
  const { origin, host } = request.headers;
  if (origin === undefined || FRONT_END.test(origin)) return;
  if (URL.canParse(origin) && new URL(origin).host === host) return;
  throw new RatchetError('permission_denied', 'Permission denied: the page that asks is of another origin', {
    details: { operation: 'debug_socket', origin: origin.slice(0, 200) },
  });
}

function serveSocket(core: Core, socket: WebSocket, sessionId: string, principal: Principal): void {
  const tell = (data: object): void => {
    if (socket.readyState !== socket.OPEN) return;
    if (socket.bufferedAmount > MAX_WAITING_BYTES) socket.terminate();
    else socket.send(JSON.stringify(data));
  };
  let stop: (() => void) | null = null;
  const stopWatch = whileStanding(core.access, principal, () =>
    socket.close(1008, 'the key, token or session has ended'),
  );
  const close = (): void => {
    stop?.();
    stop = null;
  };
  const leave = (): void => {
    stopWatch();
    close();
  };
  const carryOut = async (text: string): Promise<void> => {
    core.access.logins.used(principal);
    const parsed = message.safeParse(jsonOf(text));
    if (!parsed.success)
      return tell({ error: { code: RPC_CODES.parse, message: 'a message is {id, method, params}' } });
    const { id, method, params = {} } = parsed.data;
    try {
      const result = await core.debugging.command(sessionId, method, params, principal);
      tell({ id, result });
      // By the protocol, what is known is told to whoever enables the domain.
      if (method === 'Debugger.enable') stop ??= core.debugging.listen(sessionId, tell, principal);
      if (method === 'Debugger.disable') close();
    } catch (error) {
      const { code, message: said } = asRatchetError(error);
      const isRefused = code === 'debug_method_refused';
      tell({ id, error: { code: isRefused ? RPC_CODES.refused : RPC_CODES.failed, message: `${code}: ${said}` } });
      if (code === 'debug_session_not_found') socket.close(1000, 'the session has ended');
    }
  };
  socket.on('message', (data: Buffer, isBinary: boolean) => {
    if (isBinary) socket.close(1003, 'text only');
    else void carryOut(data.toString());
  });
  socket.on('close', leave);
  socket.on('error', leave);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

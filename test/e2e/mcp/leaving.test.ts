import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { LOCAL_ADMIN } from '../../../src/domain/access.ts';
import { SessionPlaces } from '../../../src/interfaces/mcp/session-places.ts';
import { SseSessions } from '../../../src/interfaces/mcp/sse.ts';
import type { McpSessionLog } from '../../../src/ports/mcp-session-log.ts';
import { openTestApp, type TestApp } from '../../support/app.ts';
import { mountFor, serveMcp } from '../../support/mcp.ts';
import { eventually } from '../../support/server.ts';

const ONE_PLACE = { max: 1, idleMs: 60_000 };
const INITIALIZE = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '1' } },
};

let app: TestApp;
beforeAll(async () => {
  app = await openTestApp();
});
afterAll(() => app[Symbol.asyncDispose]());

/** The log of sessions, with something done before each fact is told or followed. */
function logWith(before: { tell?: McpSessionLog['tell']; follow?: () => Promise<void> }): McpSessionLog {
  const log = mountFor(app).sessions;
  return {
    ...log,
    tell: async (...args) => {
      await before.tell?.(...args);
      await log.tell(...args);
    },
    follow: async (...args) => {
      await before.follow?.();
      await log.follow(...args);
    },
  };
}

describe('a client of HTTP+SSE that leaves', () => {
  const closing: (() => void)[] = [];
  afterEach(() => {
    for (const close of closing.splice(0)) close();
  });

  /** @returns the response to a client whose connection is cut by `leave`, and all sessions that there is room for: one. */
  async function arrived(log: (response: ServerResponse) => McpSessionLog) {
    const server = createServer();
    closing.push(() => void server.close());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const socket = connect(port, '127.0.0.1');
    socket.write('GET /sse HTTP/1.1\r\nhost: localhost\r\n\r\n');
    const response = await new Promise<ServerResponse>((resolve) => {
      server.once('request', (_request, answer) => resolve(answer));
    });
    const mount = { ...mountFor(app), sessions: log(response) };
    const places = new SessionPlaces(mount, ONE_PLACE);
    closing.push(() => places.close());
    const leave = async (): Promise<void> => {
      const closed = once(response, 'close');
      socket.destroy();
      await closed;
    };
    return { response, leave, places, sessions: new SseSessions(mount, places, '/messages') };
  }

  const hasRoom = (places: SessionPlaces) =>
    eventually('the place is free', () =>
      places.reserve(LOCAL_ADMIN, 'next').then((refused) => (refused === null ? true : undefined)),
    );

  it('before its session is opened keeps no place', async () => {
    const { response, leave, places, sessions } = await arrived(() => logWith({}));
    await leave();
    expect(await sessions.open(LOCAL_ADMIN, response)).toBeNull();
    await hasRoom(places);
  });

  it('while there is looked for a place keeps none', async () => {
    let away = async (): Promise<void> => undefined;
    const { response, leave, places, sessions } = await arrived(() => logWith({ follow: () => away() }));
    away = leave;
    expect(await sessions.open(LOCAL_ADMIN, response)).toBeNull();
    await hasRoom(places);
  });

  it('while its session is being stored keeps no place, and the session is closed', async () => {
    let away = async (): Promise<void> => undefined;
    const ids: string[] = [];
    const { response, leave, places, sessions } = await arrived(() =>
      logWith({
        tell: async (sessionId, [fact]) => {
          ids.push(sessionId);
          if (fact?.type === 'SessionOpened') await away();
        },
      }),
    );
    away = leave;
    expect(await sessions.open(LOCAL_ADMIN, response)).toBeNull();
    await hasRoom(places);
    const told = await eventually('the session is closed', async () => {
      const known = await app.app.mcpSessions.look(ids[0] ?? '');
      return known?.status === 'closed' ? known : undefined;
    });
    expect(told.status).toBe('closed');
  });
});

describe('while the store is away', () => {
  const initialize = async (url: string): Promise<Response> => {
    const answer = await fetch(`${url}/mcp`, {
      method: 'POST',
      headers: { accept: 'application/json, text/event-stream', 'content-type': 'application/json' },
      body: JSON.stringify(INITIALIZE),
    });
    await answer.text();
    return answer;
  };
  const away = () => Promise.reject(new Error('the store is away'));

  it('no session takes a place, over either transport: when it is back, there is room', async () => {
    let isAway = true;
    const sessions = logWith({ tell: () => (isAway ? away() : Promise.resolve()) });
    await using served = await serveMcp(app, { mount: { sessions }, routes: { sessions: ONE_PLACE } });
    for (let n = 0; n < 3; n += 1) expect((await initialize(served.url)).status).toBe(500);
    expect((await fetch(`${served.url}/sse`)).status).toBe(500);
    isAway = false;
    expect((await initialize(served.url)).status).toBe(200);
  });

  it('nobody hears what other nodes have for a session, so none is opened: when it is back, all is well', async () => {
    let isAway = true;
    const sessions = logWith({ follow: () => (isAway ? away() : Promise.resolve()) });
    await using served = await serveMcp(app, { mount: { sessions }, routes: { sessions: ONE_PLACE } });
    expect((await initialize(served.url)).status).toBe(500);
    isAway = false;
    expect((await initialize(served.url)).status).toBe(200);
  });

  it('a session that another node has let go of is not taken up and keeps no place; when it is back, it is', async () => {
    let id = '';
    {
      await using first = await serveMcp(app);
      id = (await initialize(first.url)).headers.get('mcp-session-id') ?? '';
    }
    let isAway = true;
    const sessions = logWith({ tell: () => (isAway ? away() : Promise.resolve()) });
    await using served = await serveMcp(app, { mount: { sessions }, routes: { sessions: ONE_PLACE } });
    const ping = () =>
      fetch(`${served.url}/mcp`, {
        method: 'POST',
        headers: {
          accept: 'application/json, text/event-stream',
          'content-type': 'application/json',
          'mcp-session-id': id,
          'mcp-protocol-version': '2025-11-25',
        },
        body: JSON.stringify({ jsonrpc: '2.0', id: 2, method: 'ping' }),
      });
    for (let n = 0; n < 2; n += 1) expect((await ping()).status).toBe(500);
    isAway = false;
    expect((await ping()).status).toBe(200);
  });
});

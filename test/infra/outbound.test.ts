import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type LookupFunction } from 'node:net';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { type OutboundOptions, openOutbound } from '../../infra/outbound.ts';
import { HeldBackError, type Outbound, type OutboundRequest, type OutboundResponse } from '../../src/ports/outbound.ts';
import { startHttpApi } from '../support/http-api.ts';

const LOOPBACK = ['127.0.0.0/8', '::1/128'];
const cleanups: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function outbound(options: Partial<OutboundOptions> = {}): Outbound {
  const opened = openOutbound({ allow: LOOPBACK, ...options });
  cleanups.push(() => opened.close());
  return opened;
}

async function api(): Promise<Awaited<ReturnType<typeof startHttpApi>>> {
  const started = await startHttpApi();
  cleanups.push(() => started.close());
  return started;
}

async function serve(listener: RequestListener, host = '127.0.0.1'): Promise<string> {
  const server: Server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  cleanups.push(
    () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  );
  const { port } = server.address() as AddressInfo;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

const request = (url: string, more: Partial<OutboundRequest> = {}): OutboundRequest => ({
  method: 'GET',
  url,
  headers: [],
  body: null,
  timeoutMs: 5000,
  maxBodyBytes: 1024 * 1024,
  redirect: 'follow',
  credentialHeaders: [],
  bodyHoldsSecrets: false,
  ...more,
});

const send = (to: Outbound, url: string, more: Partial<OutboundRequest> = {}): Promise<OutboundResponse> =>
  to.send(request(url, more), new AbortController().signal);

interface Echo {
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body: string;
}
const echoed = (response: OutboundResponse): Echo => JSON.parse(Buffer.from(response.body).toString()) as Echo;
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const answersEcho = (incoming: IncomingMessage, response: ServerResponse): void => {
  incoming.setEncoding('utf8');
  let body = '';
  incoming.on('data', (chunk: string) => (body += chunk));
  incoming.on('end', () => response.end(JSON.stringify({ method: incoming.method, headers: incoming.headers, body })));
};

describe('an exchange', () => {
  it('sends method, headers and body, and hands back status, headers and body', async () => {
    const { url } = await api();
    const response = await send(outbound(), `${url}/echo?q=1#part`, {
      method: 'post',
      headers: [
        ['Content-Type', 'text/plain'],
        ['X-One', 'é'],
      ],
      body: bytes('hello'),
    });
    expect(response).toMatchObject({ status: 200, statusText: 'OK', redirected: false, url: `${url}/echo?q=1#part` });
    expect(Object.fromEntries(response.headers)['content-type']).toBe('application/json');
    expect(echoed(response)).toMatchObject({
      method: 'POST',
      body: 'hello',
      headers: { 'content-type': 'text/plain', 'content-length': '5', 'x-one': 'é' },
    });
  });

  it('hands back a status that is no success, and repeated headers one by one', async () => {
    const url = await serve((_, response) => {
      response.writeHead(404, [
        ['set-cookie', 'a=1'],
        ['set-cookie', 'b=2'],
      ]);
      response.end();
    });
    const response = await send(outbound(), url);
    expect(response.status).toBe(404);
    expect(response.headers.filter(([name]) => name === 'set-cookie').map(([, value]) => value)).toEqual([
      'a=1',
      'b=2',
    ]);
  });

  it('keeps connections for the next calls', async () => {
    const ports = new Set<number | undefined>();
    const url = await serve((incoming, response) => {
      ports.add(incoming.socket.remotePort);
      response.end('ok');
    });
    const to = outbound();
    for (let i = 0; i < 20; i++) await send(to, url);
    expect(ports.size).toBeLessThan(4);
  });

  it('turns credentials in the URL into an Authorization header, unless there is one', async () => {
    const { url } = await api();
    const to = outbound();
    const withUser = `${url.replace('http://', 'http://us%40er:p%C3%A4ss@')}/echo`;
    const response = await send(to, withUser);
    expect(echoed(response).headers.authorization).toBe(`Basic ${Buffer.from('us@er:päss').toString('base64')}`);
    expect(response.url).toBe(`${url}/echo`);
    const own = await send(to, withUser, { headers: [['Authorization', 'Bearer x']] });
    expect(echoed(own).headers.authorization).toBe('Bearer x');
  });
});

describe('headers of a task', () => {
  it('leaves out those of the connection, which could reach another host or split the request', async () => {
    const { url } = await api();
    const response = await send(outbound(), `${url}/echo`, {
      method: 'POST',
      body: bytes('12345'),
      headers: [
        ['Host', 'internal.example'],
        ['Content-Length', '3'],
        ['Transfer-Encoding', 'chunked'],
        ['Connection', 'x-one'],
        ['Upgrade', 'h2c'],
        ['X-One', '1'],
      ],
    });
    const { headers, body } = echoed(response);
    expect(headers.host).toBe(new URL(url).host);
    expect(headers['content-length']).toBe('5');
    expect(headers['transfer-encoding']).toBeUndefined();
    expect(headers.upgrade).toBeUndefined();
    expect(headers['x-one']).toBe('1');
    expect(body).toBe('12345');
  });

  it.each([
    ['X-One', 'a\r\nX-Two: b'],
    ['X-One', 'a\u0000b'],
    ['X-One', 'snow ☃'],
    ['X One', 'a'],
    ['X-One\r\nX-Two', 'a'],
    ['', 'a'],
  ])('refuses the header %j: %j without showing its value', async (name, value) => {
    const { url, calls } = await api();
    const refusal = await send(outbound(), url, { headers: [[name, value]] }).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ name: 'OutboundError', failure: 'refused' });
    expect(String(refusal)).not.toContain('☃');
    expect(calls()).toBe(0);
  });

  it.each(['CONNECT', 'trace', 'GET / HTTP/1.1\r\nx: y', ''])('refuses the method %j', async (method) => {
    const { url } = await api();
    await expect(send(outbound(), url, { method })).rejects.toMatchObject({ failure: 'refused' });
  });
});

describe('addresses', () => {
  const SPECIAL = [
    'http://127.0.0.1/',
    'http://2130706433/',
    'http://0x7f.1/',
    'http://0177.0.0.1/',
    'http://127.0.0.1./',
    'http://0.0.0.0/',
    'http://0/',
    'http://10.1.2.3/',
    'http://172.16.0.1/',
    'http://192.168.1.1/',
    'http://169.254.169.254/latest/meta-data/',
    'http://100.64.0.1/',
    'http://198.18.0.1/',
    'http://192.0.2.1/',
    'http://224.0.0.1/',
    'http://240.0.0.1/',
    'http://255.255.255.255/',
    'http://[::]/',
    'http://[::1]/',
    'http://[::ffff:127.0.0.1]/',
    'http://[::ffff:8.8.8.8]/',
    'http://[::127.0.0.1]/',
    'http://[64:ff9b::7f00:1]/',
    'http://[64:ff9b:1::a00:1]/',
    'http://[2002:7f00:1::]/',
    'http://[2001::1]/',
    'http://[fe80::1]/',
    'http://[fec0::1]/',
    'http://[fc00::1]/',
    'http://[fd00:ec2::254]/',
    'http://[ff02::1]/',
    'http://[2001:db8::1]/',
    'http://[4000::1]/',
    'http://localhost/',
  ];

  it.each(SPECIAL)('refuses %s, which is not public', async (url) => {
    await expect(send(outbound({ allow: [] }), url)).rejects.toMatchObject({
      name: 'OutboundError',
      failure: 'refused',
      message: expect.stringContaining('outbound.allow') as string,
    });
  });

  it('reaches an address inside an allowed block, in any spelling, and none beside it', async () => {
    const { url, calls } = await api();
    const { port } = new URL(url);
    const to = outbound({ allow: ['127.0.0.1'] });
    for (const host of ['127.0.0.1', '0x7f.1', '2130706433', '[::ffff:127.0.0.1]']) {
      expect((await send(to, `http://${host}:${port}/json`)).status).toBe(200);
    }
    await expect(send(to, `http://127.0.0.2:${port}/json`)).rejects.toMatchObject({ failure: 'refused' });
    expect(calls()).toBe(4);
  });

  it('checks the address that a name is resolved to, each time it connects', async () => {
    const { url, calls } = await api();
    const { port } = new URL(url);
    const answers = ['127.0.0.1', '127.0.0.9'];
    const rebinding: LookupFunction = (_, __, callback) => {
      callback(null, [{ address: answers.shift() ?? '127.0.0.9', family: 4 }]);
    };
    const to = outbound({ allow: ['127.0.0.1/32'], lookup: rebinding });
    const once = { headers: [['x', 'y']] as const };
    expect((await send(to, `http://rebind.example:${port}/json`, once)).status).toBe(200);
    // Another origin, so that a new connection is made, and the name now leads elsewhere.
    await expect(send(to, `http://rebind.example.:${port}/json`)).rejects.toMatchObject({
      failure: 'refused',
      message: expect.stringContaining('127.0.0.9') as string,
    });
    expect(calls()).toBe(1);
  });

  it('connects only to the allowed ones of several addresses', async () => {
    const { url } = await api();
    const { port } = new URL(url);
    const mixed: LookupFunction = (_, __, callback) =>
      callback(null, [
        { address: '127.0.0.2', family: 4 },
        { address: '127.0.0.1', family: 4 },
      ]);
    const to = outbound({ allow: ['127.0.0.1/32'], lookup: mixed });
    expect((await send(to, `http://mixed.example:${port}/json`)).status).toBe(200);
  });

  it('checks the target of each redirect', async () => {
    const { url } = await api();
    const to = outbound({ allow: ['127.0.0.1/32'] });
    for (const target of [
      'http://169.254.169.254/',
      'http://[::1]/',
      'http://127.0.0.3/',
      'file:///etc/passwd',
      'gopher://x/',
    ]) {
      await expect(send(to, `${url}/redirect?to=${encodeURIComponent(target)}`)).rejects.toMatchObject({
        failure: 'refused',
      });
    }
  });

  it.each(['ftp://example.com/', 'file:///etc/passwd', 'data:text/plain,x', 'not a url', 'http://'])(
    'refuses %s, which is no http URL',
    async (url) => {
      await expect(send(outbound(), url)).rejects.toMatchObject({ failure: 'refused' });
    },
  );

  it('refuses a configuration that names no block', () => {
    expect(() => openOutbound({ allow: ['10.0.0.0/40'] })).toThrow(/outbound.allow: "10.0.0.0\/40"/);
    expect(() => openOutbound({ allow: ['example.com'] })).toThrow(/not an address or CIDR block/);
  });
});

describe('redirects', () => {
  it.each([
    [301, 'POST', 'GET', ''],
    [302, 'POST', 'GET', ''],
    [303, 'PUT', 'GET', ''],
    [301, 'PUT', 'PUT', 'data'],
    [307, 'POST', 'POST', 'data'],
    [308, 'POST', 'POST', 'data'],
    [303, 'GET', 'GET', ''],
  ])('after %i a %s goes on as %s', async (status, method, expected, body) => {
    const { url } = await api();
    const response = await send(outbound(), `${url}/redirect?status=${status}&to=/echo`, {
      method,
      headers: [['content-type', 'text/plain']],
      body: method === 'GET' ? null : bytes('data'),
    });
    expect(response).toMatchObject({ redirected: true, url: `${url}/echo` });
    const echo = echoed(response);
    expect(echo).toMatchObject({ method: expected, body });
    if (expected !== method) expect(echo.headers['content-type']).toBeUndefined();
  });

  it('keeps credentials on the same origin and drops them on another', async () => {
    const { url } = await api();
    const other = await serve(answersEcho);
    const headers = [
      ['Authorization', 'Bearer x'],
      ['Cookie', 'a=b'],
      ['X-Api-Key', 'k'],
      ['X-Plain', 'p'],
    ] as const;
    const more = { headers, credentialHeaders: ['x-api-key'] };
    const same = echoed(await send(outbound(), `${url}/redirect?to=/echo`, more));
    expect(same.headers).toMatchObject({ authorization: 'Bearer x', cookie: 'a=b', 'x-api-key': 'k' });
    const cross = echoed(await send(outbound(), `${url}/redirect?to=${encodeURIComponent(other)}`, more));
    expect(cross.headers).toMatchObject({ 'x-plain': 'p' });
    for (const name of ['authorization', 'cookie', 'x-api-key']) expect(cross.headers[name]).toBeUndefined();
  });

  it.each([307, 308])('after %i a body that holds secrets stays on its origin', async (status) => {
    const { url } = await api();
    let reached = 0;
    const other = await serve((_, response) => {
      reached += 1;
      response.end();
    });
    const more = { method: 'POST', body: bytes('key=s3cret'), bodyHoldsSecrets: true };
    const to = (target: string): string => `${url}/redirect?status=${status}&to=${encodeURIComponent(target)}`;
    expect(echoed(await send(outbound(), to('/echo'), more)).body).toBe('key=s3cret');
    const refusal = await send(outbound(), to(`${other}/?k=s3cret`), more).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ name: 'OutboundError', failure: 'refused' });
    expect(String(refusal)).not.toContain('s3cret');
    expect(reached).toBe(0);
  });

  it('a redirect that drops the body may leave the origin, and tells the next one nothing of the URL before', async () => {
    const { url } = await api();
    const other = await serve(answersEcho);
    const response = await send(outbound(), `${url}/redirect?to=${encodeURIComponent(other)}&key=s3cret`, {
      method: 'POST',
      body: bytes('s3cret'),
      bodyHoldsSecrets: true,
      headers: [['referer', `${url}/?key=s3cret`]],
      credentialHeaders: ['referer'],
    });
    expect(echoed(response)).toMatchObject({ method: 'GET', body: '' });
    expect(Buffer.from(response.body).toString()).not.toContain('s3cret');
  });

  it('follows ten and no more', async () => {
    let hops = 0;
    const chain =
      (length: number): RequestListener =>
      (_, response) => {
        if (hops++ < length) response.writeHead(302, { location: `/${hops}` });
        response.end('end');
      };
    expect((await send(outbound(), await serve(chain(10)))).redirected).toBe(true);
    hops = 0;
    await expect(send(outbound(), await serve(chain(11)))).rejects.toMatchObject({
      failure: 'network',
      message: expect.stringContaining('more than 10 redirects') as string,
    });
    expect(hops).toBe(11);
  });

  it('hands a redirect back or fails on it when asked', async () => {
    const { url, calls } = await api();
    const manual = await send(outbound(), `${url}/redirect?to=/json`, { redirect: 'manual' });
    expect(manual).toMatchObject({ status: 302, redirected: false });
    await expect(send(outbound(), `${url}/redirect?to=/json`, { redirect: 'error' })).rejects.toMatchObject({
      failure: 'network',
    });
    expect(calls('/json')).toBe(0);
  });
});

describe('bodies', () => {
  const content = Buffer.from('the same text again and again. '.repeat(200));
  const codings: Record<string, (data: Buffer) => Buffer> = {
    gzip: (data) => gzipSync(data),
    'x-gzip': (data) => gzipSync(data),
    br: (data) => brotliCompressSync(data),
    zstd: (data) => zstdCompressSync(data),
    deflate: (data) => deflateSync(data),
    'gzip, br': (data) => brotliCompressSync(gzipSync(data)),
  };
  const answering = (coding: string, data: Buffer): Promise<string> =>
    serve((_, response) => response.writeHead(200, { 'content-encoding': coding }).end(data));

  it.each(Object.keys(codings))('takes off the coding %s', async (coding) => {
    const url = await answering(coding, codings[coding]!(content));
    const response = await send(outbound(), url);
    expect(Buffer.from(response.body).equals(content)).toBe(true);
    expect(response.headers.map(([name]) => name)).not.toContain('content-encoding');
  });

  it('takes off deflate without its frame, and leaves an unknown coding on', async () => {
    const bare = await send(outbound(), await answering('deflate', deflateRawSync(content)));
    expect(Buffer.from(bare.body).equals(content)).toBe(true);
    const unknown = await send(outbound(), await answering('rot13', content));
    expect(Buffer.from(unknown.body).equals(content)).toBe(true);
    expect(Object.fromEntries(unknown.headers)['content-encoding']).toBe('rot13');
  });

  it('counts the limit after decompression', async () => {
    const url = await answering('gzip', gzipSync(content));
    expect((await send(outbound(), url, { maxBodyBytes: content.length })).body).toHaveLength(content.length);
    await expect(send(outbound(), url, { maxBodyBytes: content.length - 1 })).rejects.toMatchObject({
      failure: 'too-large',
    });
  });

  it.each(['gzip', 'br', 'zstd', 'deflate', 'gzip, br'])('holds a bomb of %s in little memory', async (coding) => {
    const url = await answering(coding, codings[coding]!(Buffer.alloc(64 * 1024 * 1024)));
    const before = process.memoryUsage().arrayBuffers;
    await expect(send(outbound(), url, { maxBodyBytes: 100_000 })).rejects.toMatchObject({ failure: 'too-large' });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 1024 * 1024);
  });

  it('refuses a body announced or sent above the limit, however it comes', async () => {
    const announced = await serve((_, response) => response.end(Buffer.alloc(2000)));
    const endless = await serve((_, response) => {
      const more = (): void => {
        while (response.write(Buffer.alloc(16_384)));
        response.once('drain', more);
      };
      more();
    });
    for (const url of [announced, endless]) {
      await expect(send(outbound(), url, { maxBodyBytes: 1999 })).rejects.toMatchObject({ failure: 'too-large' });
    }
  });

  it('drops a body that is not wanted: a short one leaves the connection for the next, and none is waited for', async () => {
    const sockets = new Set<unknown>();
    const closed = Promise.withResolvers<void>();
    const url = await serve((incoming, response) => {
      sockets.add(incoming.socket);
      if (incoming.url === '/short') return void response.end('thanks');
      response.on('close', () => closed.resolve());
      const more = (): void => {
        while (response.write(Buffer.alloc(16_384)));
        response.once('drain', more);
      };
      more();
    });
    const to = outbound({ maxSockets: 1 });
    for (const path of ['/short', '/short', '/endless']) {
      expect(await send(to, `${url}${path}`, { maxBodyBytes: null })).toMatchObject({ status: 200 });
    }
    await closed.promise;
    expect(sockets.size).toBe(1);
  });

  it('reads the answer to HEAD and an empty one although they name a length and a coding', async () => {
    const url = await serve((_, response) =>
      response.writeHead(200, { 'content-encoding': 'gzip', 'content-length': '5000000' }).end(),
    );
    const response = await send(outbound(), url, { method: 'HEAD', maxBodyBytes: 10 });
    expect(response.body).toHaveLength(0);
  });

  it('tells damaged compressed data', async () => {
    await expect(send(outbound(), await answering('gzip', content))).rejects.toMatchObject({ failure: 'network' });
    const cut = gzipSync(content).subarray(0, 30);
    await expect(send(outbound(), await answering('gzip', cut))).rejects.toMatchObject({ failure: 'network' });
  });
});

describe('what fails', () => {
  it('is told with host and reason, without the inside of the driver', async () => {
    const closed = await startHttpApi();
    await closed.close();
    const refused = await send(outbound(), closed.url).catch((error: unknown) => error);
    expect(refused).toMatchObject({ name: 'OutboundError', failure: 'network' });
    expect((refused as Error).message).toBe(
      `cannot call ${new URL(closed.url).host}: the connection was refused (ECONNREFUSED)`,
    );
    const unknownName: LookupFunction = (host, _, callback) =>
      callback(Object.assign(new Error(`getaddrinfo ENOTFOUND ${host}`), { code: 'ENOTFOUND' }), '', 0);
    await expect(send(outbound({ lookup: unknownName }), 'http://nowhere.example/')).rejects.toMatchObject({
      failure: 'network',
      message: 'cannot call nowhere.example: the name is not known (ENOTFOUND)',
    });
  });

  it('a connection that is closed, or an answer that is no HTTP or cut short, is a network failure', async () => {
    const { url } = await api();
    await expect(send(outbound(), `${url}/drop`)).rejects.toMatchObject({ failure: 'network' });
    const raw = createTcpServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => socket.end('HELLO\r\n\r\n'));
    });
    await new Promise<void>((resolve) => raw.listen(0, '127.0.0.1', resolve));
    cleanups.push(() => new Promise((resolve) => raw.close(resolve)));
    await expect(send(outbound(), `http://127.0.0.1:${(raw.address() as AddressInfo).port}/`)).rejects.toMatchObject({
      failure: 'network',
      message: expect.stringContaining('not valid HTTP') as string,
    });
    const cut = await serve((_, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('short');
      response.socket?.end();
    });
    await expect(send(outbound(), cut)).rejects.toMatchObject({ failure: 'network' });
  });

  it('times out as a whole, while waiting for the answer and while reading its body', async () => {
    const { url } = await api();
    const dripping = await serve((_, response) => {
      response.writeHead(200);
      const timer = setInterval(() => response.write('.'), 10);
      response.on('close', () => clearInterval(timer));
    });
    for (const slow of [`${url}/never`, dripping]) {
      await expect(send(outbound(), slow, { timeoutMs: 60 })).rejects.toMatchObject({
        failure: 'timeout',
        message: `${new URL(slow).host} did not answer within 60 ms`,
      });
    }
  });

  it('an abort ends it at once with its reason, before, during and in the body', async () => {
    const { url } = await api();
    const to = outbound();
    const reason = new Error('cancelled by test');
    await expect(to.send(request(`${url}/json`), AbortSignal.abort(reason))).rejects.toBe(reason);
    const closed = Promise.withResolvers<void>();
    const hanging = await serve((_, response) => {
      response.on('close', () => closed.resolve());
      response.writeHead(200).write('begin');
    });
    const stop = new AbortController();
    const under = to.send(request(hanging), stop.signal);
    setTimeout(() => stop.abort(reason), 30);
    await expect(under).rejects.toBe(reason);
    await closed.promise;
  });
});

describe('a request that may not leave any more', () => {
  const never = new AbortController().signal;

  it('is held back when its connection is there, and nothing of it arrives', async () => {
    const arrived: string[] = [];
    const url = await serve((incoming, response) => {
      arrived.push(incoming.url ?? '');
      response.end('here');
    });
    const to = outbound();
    await expect(to.send(request(`${url}/held`), never, () => false)).rejects.toBeInstanceOf(HeldBackError);
    expect(arrived).toEqual([]);
    const response = await to.send(request(`${url}/sent`), never, () => true);
    expect([response.status, String(Buffer.from(response.body)), arrived]).toEqual([200, 'here', ['/sent']]);
    // On a connection that is kept, too.
    await expect(to.send(request(`${url}/held`), never, () => false)).rejects.toBeInstanceOf(HeldBackError);
    expect(arrived).toEqual(['/sent']);
  });

  it('is asked again at each redirect', async () => {
    const arrived: string[] = [];
    const url = await serve((incoming, response) => {
      arrived.push(incoming.url ?? '');
      response.writeHead(302, { location: '/there' }).end();
    });
    const sent = outbound().send(request(`${url}/here`), never, () => arrived.length === 0);
    await expect(sent).rejects.toBeInstanceOf(HeldBackError);
    expect(arrived).toEqual(['/here']);
  });
});

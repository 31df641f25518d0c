/** Stands between a client and a server, and does to their connections what networks do. */
import { connect, createServer, type Socket } from 'node:net';

export interface TcpProxy {
  readonly port: number;
  /** How many connections have been made through it. */
  readonly connections: () => number;
  /** Whether something with this text in it has been sent to the server of late: within the last MiB or so. */
  readonly hasSent: (text: string) => boolean;
  /** Cuts all connections and takes no new ones. */
  goDown(): void;
  /** Takes connections again. */
  goUp(): void;
  /** Lets nothing through in either direction, and tells nobody: packets are lost, and sent again until they come through. */
  hold(): void;
  /** Lets everything through again, also what was held. */
  release(): void;
  /** Lets answers disappear, on each connection that asks something with this text in it, until {@link deliver}. */
  swallow(asked: string): void;
  /** Resolves when an answer has been swallowed since the last {@link swallow}. */
  swallowed(): Promise<void>;
  /** Lets answers through again; what was swallowed is lost, so the connections it was for are cut. */
  deliver(): void;
  close(): Promise<void>;
}

const KEPT_BYTES = 2 ** 20;

/** @returns a proxy before the server at a port of this machine. */
export async function startProxy(target: number): Promise<TcpProxy> {
  const pairs = new Set<readonly [Socket, Socket]>();
  let isDown = false;
  let isHeld = false;
  const doomed = new Set<Socket>();
  let marker: string | null = null;
  let swallowed = Promise.withResolvers<void>();
  let count = 0;
  const sent: Buffer[] = [];
  let sentBytes = 0;

  const cut = (): void => {
    for (const pair of pairs) for (const socket of pair) socket.destroy();
  };
  const server = createServer((client) => {
    if (isDown) {
      client.destroy();
      return;
    }
    count += 1;
    const upstream = connect(target, '127.0.0.1');
    const pair = [client, upstream] as const;
    pairs.add(pair);
    client.on('data', (data) => {
      if (marker !== null && data.includes(marker)) doomed.add(upstream);
      const bytes = typeof data === 'string' ? Buffer.from(data) : data;
      sent.push(bytes);
      sentBytes += bytes.length;
      while (sentBytes - (sent[0]?.length ?? 0) > KEPT_BYTES) sentBytes -= sent.shift()?.length ?? 0;
      upstream.write(data);
    });
    upstream.on('data', (data) => {
      if (doomed.has(upstream)) swallowed.resolve();
      else client.write(data);
    });
    for (const socket of pair) {
      if (isHeld) socket.pause();
      socket.on('error', () => {});
      socket.on('close', () => {
        for (const one of pair) one.destroy();
        pairs.delete(pair);
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('the proxy has no port');
  return {
    port: address.port,
    connections: () => count,
    hasSent: (text) => Buffer.concat(sent).includes(text),
    goDown() {
      isDown = true;
      cut();
    },
    goUp() {
      isDown = false;
    },
    hold() {
      isHeld = true;
      for (const pair of pairs) for (const socket of pair) socket.pause();
    },
    release() {
      isHeld = false;
      for (const pair of pairs) for (const socket of pair) socket.resume();
    },
    swallow(asked) {
      swallowed = Promise.withResolvers();
      marker = asked;
    },
    swallowed: () => swallowed.promise,
    deliver() {
      cut();
      doomed.clear();
      marker = null;
    },
    async close() {
      cut();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

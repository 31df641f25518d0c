/** An address that stays the same while the server behind it goes and comes back, and that can break all connections. */
import { connect, createServer, type Socket } from 'node:net';

export interface SteadyFront extends AsyncDisposable {
  readonly url: string;
  /** Connections from now on go there. Null: nowhere, as if the server were gone. */
  point(url: string | null): void;
  /** Breaks all connections that are open. */
  cut(): void;
}

export async function openSteadyFront(first: string): Promise<SteadyFront> {
  let target: string | null = first;
  const open = new Set<Socket>();
  const keep = (socket: Socket): void => {
    open.add(socket);
    socket.once('close', () => open.delete(socket)).on('error', () => socket.destroy());
  };
  const cut = (): void => {
    for (const socket of open) socket.destroy();
  };
  const server = createServer((client) => {
    keep(client);
    if (target === null) return void client.destroy();
    const { hostname, port } = new URL(target);
    const behind = connect(Number(port), hostname);
    keep(behind);
    client.once('close', () => behind.destroy());
    behind.once('close', () => client.destroy());
    client.pipe(behind).pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the front has no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    point: (url) => {
      target = url;
    },
    cut,
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      cut();
      await closed;
    },
  };
}

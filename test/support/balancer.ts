/** A load balancer as the documents describe one: each request, and each socket, to the next node that is healthy. */
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';

export interface Balancer extends AsyncDisposable {
  readonly url: string;
  /** The nodes from now on; each gets requests once its health says so. */
  point(nodes: readonly string[]): void;
  /** Whether requests go there now. */
  isIn(node: string): boolean;
  /** How many requests each node has answered. */
  readonly answered: ReadonlyMap<string, number>;
}

const LOOK_MS = 50;

export async function openBalancer(nodes: readonly string[]): Promise<Balancer> {
  let chosen = nodes;
  let turn = 0;
  const healthy = new Set<string>();
  const answered = new Map<string, number>();
  const sockets = new Set<Socket>();
  const agent = new Agent({ keepAlive: false });

  /** The healthy ones, the next in turn first. */
  function inTurn(): readonly string[] {
    turn += 1;
    const ready = chosen.filter((node) => healthy.has(node));
    const first = ready.length === 0 ? 0 : turn % ready.length;
    return [...ready.slice(first), ...ready.slice(0, first)];
  }

  async function look(): Promise<void> {
    const before = [...chosen];
    await Promise.all(
      before.map(async (node) => {
        const answer = await fetch(`${node}/health`).catch(() => null);
        await answer?.body?.cancel();
        if (answer?.status === 200) healthy.add(node);
        else healthy.delete(node);
      }),
    );
  }

  /** What a node did not take at all is asked of the next; what it may have begun is not asked again. */
  function forward(
    from: IncomingMessage,
    body: Buffer,
    to: ServerResponse,
    [node, ...others]: readonly string[],
  ): void {
    if (node === undefined) return void to.writeHead(502).end();
    const headers = { ...from.headers, 'x-real-ip': '127.0.0.1', 'x-forwarded-for': '127.0.0.1', connection: 'close' };
    const asked = request(`${node}${from.url ?? '/'}`, { method: from.method ?? 'GET', headers, agent });
    asked.on('response', (answer) => {
      answered.set(node, (answered.get(node) ?? 0) + 1);
      to.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(to);
      answer.on('error', () => to.destroy());
    });
    asked.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') return forward(from, body, to, others);
      if (to.headersSent) to.destroy();
      else to.writeHead(502).end(String(error));
    });
    to.on('close', () => asked.destroy());
    asked.end(body);
  }

  const server = createServer((from, to) => {
    const chunks: Buffer[] = [];
    from.on('data', (chunk: Buffer) => chunks.push(chunk));
    from.on('end', () => forward(from, Buffer.concat(chunks), to, inTurn()));
  });
  server.on('upgrade', (from: IncomingMessage, client: Socket, head: Buffer) => {
    const [node] = inTurn();
    if (node === undefined) return void client.destroy();
    const behind = connect(Number(new URL(node).port), '127.0.0.1');
    for (const [one, other] of [
      [client, behind],
      [behind, client],
    ] as const) {
      sockets.add(one);
      one.on('error', () => one.destroy()).on('close', () => other.destroy());
    }
    const lines = from.rawHeaders.flatMap((name, index) =>
      index % 2 === 0 ? [`${name}: ${from.rawHeaders[index + 1] ?? ''}`] : [],
    );
    behind.write(`GET ${from.url ?? '/'} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
    behind.write(head);
    client.pipe(behind).pipe(client);
  });
  let isOver = false;
  const keepLooking = async (): Promise<void> => {
    while (!isOver) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      await look();
    }
  };
  await look();
  const looking = keepLooking();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the balancer has no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    point: (next) => {
      chosen = next;
    },
    isIn: (node) => chosen.includes(node) && healthy.has(node),
    answered,
    [Symbol.asyncDispose]: async () => {
      isOver = true;
      await looking;
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

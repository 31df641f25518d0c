/** Stands between clients and a PostgreSQL server as PgBouncer does in transaction mode: each transaction gets another connection. */
import { connect, createServer, type Socket } from 'node:net';

export interface TransactionPooler {
  readonly port: number;
  /** How often a client got another connection than it had before. */
  readonly hops: () => number;
  close(): Promise<void>;
}

/** Cuts what comes over a socket into messages of the protocol; the first one of a client has no type. */
class Messages {
  #rest: Buffer = Buffer.alloc(0);
  #isFirst: boolean;

  constructor(hasStartup: boolean) {
    this.#isFirst = hasStartup;
  }

  take(chunk: Buffer): Buffer[] {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    const messages: Buffer[] = [];
    for (;;) {
      const lengthAt = this.#isFirst ? 0 : 1;
      if (this.#rest.length < lengthAt + 4) return messages;
      const end = lengthAt + this.#rest.readInt32BE(lengthAt);
      if (this.#rest.length < end) return messages;
      messages.push(this.#rest.subarray(0, end));
      this.#rest = this.#rest.subarray(end);
      this.#isFirst = false;
    }
  }
}

const typeOf = (message: Buffer): string => String.fromCharCode(message[0] ?? 0);
/** Of "ready for query": outside of a transaction. */
const IDLE = 'I'.charCodeAt(0);

interface Backend {
  readonly socket: Socket;
  client: Client | null;
  /** Requests without an answer. */
  open: number;
}

interface Client {
  readonly socket: Socket;
  backend: Backend | null;
  last: Backend | null;
  /** What belongs to one request, up to the message that asks for the answer. */
  request: Buffer[];
  readonly waiting: Buffer[];
  isLoggedIn: boolean;
}

class Pooler {
  readonly #target: number;
  readonly #free: Backend[] = [];
  readonly #clients = new Set<Client>();
  readonly #backends = new Set<Backend>();
  hops = 0;

  constructor(target: number) {
    this.#target = target;
  }

  /** A client logs in over a connection of its own, which then belongs to all. */
  accept(socket: Socket): void {
    const backend: Backend = { socket: connect(this.#target, '127.0.0.1'), client: null, open: 0 };
    const client: Client = { socket, backend, last: backend, request: [], waiting: [], isLoggedIn: false };
    backend.client = client;
    this.#clients.add(client);
    this.#backends.add(backend);
    const asked = new Messages(true);
    const answered = new Messages(false);
    socket.on('data', (chunk: Buffer) => {
      for (const message of asked.take(chunk)) this.#fromClient(client, message);
    });
    backend.socket.on('data', (chunk: Buffer) => {
      for (const message of answered.take(chunk)) this.#fromBackend(backend, message);
    });
    socket.on('error', () => {}).on('close', () => this.#left(client));
    backend.socket.on('error', () => {}).on('close', () => this.#gone(backend));
  }

  close(): void {
    for (const { socket } of [...this.#clients, ...this.#backends]) socket.destroy();
  }

  #fromClient(client: Client, message: Buffer): void {
    if (!client.isLoggedIn) return void client.backend?.socket.write(message);
    const type = typeOf(message);
    if (type === 'X') return void client.socket.end();
    client.request.push(message);
    // A query, or the end of what is asked with parse, bind and execute.
    if (type !== 'Q' && type !== 'S') return;
    client.waiting.push(Buffer.concat(client.request));
    client.request = [];
    this.#pump();
  }

  #fromBackend(backend: Backend, message: Buffer): void {
    const { client } = backend;
    client?.socket.write(message);
    if (typeOf(message) !== 'Z') return;
    if (client?.isLoggedIn === true) backend.open -= 1;
    if (client !== null) client.isLoggedIn = true;
    if (backend.open > 0 || message[5] !== IDLE) return;
    backend.client = null;
    if (client !== null) client.backend = null;
    this.#free.push(backend);
    this.#pump();
  }

  #pump(): void {
    for (const client of this.#clients) {
      if (client.waiting.length === 0 || !client.isLoggedIn) continue;
      const backend = client.backend ?? this.#free.shift();
      if (backend === undefined) continue;
      if (client.last !== backend) this.hops += 1;
      Object.assign(client, { backend, last: backend });
      backend.client = client;
      for (const request of client.waiting.splice(0)) {
        backend.open += 1;
        backend.socket.write(request);
      }
    }
  }

  /** Whoever leaves in the middle of a transaction takes the connection with it. */
  #left(client: Client): void {
    this.#clients.delete(client);
    client.backend?.socket.destroy();
  }

  #gone(backend: Backend): void {
    this.#backends.delete(backend);
    const at = this.#free.indexOf(backend);
    if (at >= 0) this.#free.splice(at, 1);
    backend.client?.socket.destroy();
  }
}

/** @returns a pooler before the server at a port of this machine. */
export async function startTransactionPooler(target: number): Promise<TransactionPooler> {
  const pooler = new Pooler(target);
  const server = createServer((socket) => pooler.accept(socket));
  const port = await new Promise<number>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      if (typeof address === 'object' && address !== null) resolve(address.port);
    });
  });
  return {
    port,
    hops: () => pooler.hops,
    close: async () => {
      pooler.close();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

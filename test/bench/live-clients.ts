/** A process of its own that holds many GraphQL subscriptions, and tells how late their events come. */
import { WebSocket } from 'ws';
import type { FromClients, ToClients } from './graphql-live.ts';

const sockets: WebSocket[] = [];
let delays: number[] = [];
/** Connections that are opened at once: a listener takes only so many that nobody has accepted. */
const AT_ONCE = 100;

function tell(message: FromClients): void {
  process.send?.(message);
}

function subscribe(url: string, query: string): Promise<void> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', {
    perMessageDeflate: false,
  });
  sockets.push(socket);
  return new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.on('open', () => socket.send('{"type":"connection_init"}'));
    socket.on('message', (data: Buffer) => {
      const text = data.toString();
      if (text.includes('"connection_ack"')) {
        socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query } }));
        // An answer to a ping that is sent after it says that the subscription has been read.
        socket.send('{"type":"ping"}');
      } else if (text.includes('"pong"')) resolve();
      else note(text);
    });
  });
}

const SENT = /"sentAt":([\d.]+)/;

function note(text: string): void {
  const sentAt = Number(SENT.exec(text)?.[1]);
  if (Number.isFinite(sentAt)) delays.push(performance.timeOrigin + performance.now() - sentAt);
}

process.on('message', (message: ToClients) => void carryOut(message));

async function carryOut(message: ToClients): Promise<void> {
  switch (message.kind) {
    case 'open': {
      for (let opened = 0; opened < message.count; opened += AT_ONCE) {
        const some = Math.min(AT_ONCE, message.count - opened);
        await Promise.all(Array.from({ length: some }, () => subscribe(message.url, message.query)));
      }
      return tell({ kind: 'opened' });
    }
    case 'delays': {
      tell({ kind: 'delays', delays: delays.sort((a, b) => a - b) });
      delays = [];
      return;
    }
    case 'close': {
      for (const socket of sockets.splice(0)) socket.terminate();
      return tell({ kind: 'closed' });
    }
    default:
      message satisfies never;
  }
}

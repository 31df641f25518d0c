/** The helper thread of a debugged task's process: it reads for the main thread, and speaks with the inspector while that one stands still. */
import { read, writeSync } from 'node:fs';
import { Session } from 'node:inspector';
import { type MessagePort, parentPort } from 'node:worker_threads';
import { CHANNEL_FD, FrameReader, frame, INSPECTOR_FD, type ToInspector } from './protocol.ts';

const CHUNK_BYTES = 64 * 1024;

/** What the main thread gives to the helper. */
export interface ThreadParts {
  /** Takes the bytes that came for the main thread. */
  readonly bytes: MessagePort;
  /** Takes each new list of places to pause at. */
  readonly places: MessagePort;
  /** Counts what was done for the main thread, which waits on it. */
  readonly signal: Int32Array<SharedArrayBuffer>;
}

/** Attaches to the main thread. What is read from then on keeps the thread alive; the server's end of the pipes ends it. */
export function runDebugThread({ bytes, places, signal }: ThreadParts): void {
  const session = new Session();
  session.connectToMainThread();
  const wake = (): void => {
    Atomics.add(signal, 0, 1);
    Atomics.notify(signal, 0);
  };
  const tell = (message: object): void => write(JSON.stringify(message));
  const command = ({ id, method, params }: { id: number; method: string; params: object }): void => {
    session.post(method, params, (error, result) => {
      tell(error === null ? { id, result: result ?? {} } : { id, error: reasonOf(error) });
    });
    // A main thread that waits for bytes looks after the inspector only when it is woken.
    wake();
  };
  const pauseAt = (told: { id: number; places: readonly string[] }): void => {
    places.postMessage(told.places);
    tell({ id: told.id, result: {} });
  };
  const frames = new FrameReader(() => Number.MAX_SAFE_INTEGER);
  forEachChunk(INSPECTOR_FD, (chunk) => {
    for (const json of frames.push(chunk)) {
      const message = JSON.parse(json) as ToInspector;
      if ('method' in message) command(message);
      else pauseAt(message);
    }
  });
  forEachChunk(CHANNEL_FD, (chunk) => {
    bytes.postMessage(chunk);
    wake();
  });
  // The first time takes long, so it is done before anybody waits for it.
  session.post('Debugger.enable', () => {
    session.post('Debugger.disable', () => {
      session.on('inspectorNotification', ({ method, params }) => tell({ method, params: params ?? {} }));
      parentPort?.postMessage('attached');
    });
  });
}

/** The engine's words, without those that Node puts around them. */
function reasonOf(error: Error): { code: number; message: string } {
  const [, code, message] = /^Inspector error (-?\d+): ([^]*)$/.exec(error.message) ?? [];
  return { code: Number(code ?? -32000), message: message ?? error.message };
}

function write(json: string): void {
  const bytes = frame(json);
  for (let offset = 0; offset < bytes.length; ) offset += writeSync(INSPECTOR_FD, bytes, offset, bytes.length - offset);
}

/** Reads until the server is gone, and then ends the process: the main thread may stand at a breakpoint for ever. */
function forEachChunk(fd: number, take: (chunk: Buffer) => void): void {
  const buffer = Buffer.alloc(CHUNK_BYTES);
  const next = (): void =>
    read(fd, buffer, 0, CHUNK_BYTES, null, (error, length) => {
      if (error !== null || length === 0) process.kill(process.pid, 'SIGKILL');
      take(Buffer.from(buffer.subarray(0, length)));
      next();
    });
  next();
}

/** The process in which task code runs under a debugger: as the plain one, with a helper thread that holds the inspector. */
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { Script } from 'node:vm';
import { isMainThread, MessageChannel, receiveMessageOnPort, Worker, workerData } from 'node:worker_threads';
import { Channel } from './channel.ts';
import { runDebugThread, type ThreadParts } from './debug-thread.ts';
import { PAUSE_FILE } from './protocol.ts';
import { serve } from './serving.ts';

/** Of the thread's heap. The engine tells texts whole, however long they are. */
const THREAD_HEAP_MB = { maxOldGenerationSizeMb: 1024, maxYoungGenerationSizeMb: 8 };
/** A file of its own, because the engine passes over this statement in files that a debugger blackboxes. */
const PAUSE = '(function pause(place) { debugger; })';

async function main(): Promise<never> {
  const signal = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  const bytes = new MessageChannel();
  const places = new MessageChannel();
  const parts: ThreadParts = { bytes: bytes.port2, places: places.port2, signal };
  // Else the flag that limits the task's heap would limit the thread's too, whatever is asked for it. Heaps there are keep theirs.
  setFlagsFromString('--max-old-space-size=0');
  const thread = new Worker(fileURLToPath(import.meta.url), {
    workerData: parts,
    transferList: [bytes.port2, places.port2],
    resourceLimits: THREAD_HEAP_MB,
  });
  await once(thread, 'message');
  const pause = new Script(PAUSE, { filename: PAUSE_FILE }).runInThisContext() as (place: string) => void;
  let pausing = new Set<unknown>();
  const passing = (place: string): void => {
    for (let told = receiveMessageOnPort(places.port1); told !== undefined; told = receiveMessageOnPort(places.port1)) {
      pausing = new Set(told.message as string[]);
    }
    if (pausing.has(place)) pause(place);
  };
  const nextBytes = (): Buffer => {
    for (;;) {
      const seen = Atomics.load(signal, 0);
      const received = receiveMessageOnPort(bytes.port1);
      if (received !== undefined) return Buffer.from(received.message as Uint8Array);
      Atomics.wait(signal, 0, seen);
    }
  };
  return await serve(new Channel(nextBytes), passing);
}

if (isMainThread) await main();
else runDebugThread(workerData as ThreadParts);

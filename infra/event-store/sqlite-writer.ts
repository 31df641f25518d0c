/**
 * The writer thread of an event log in SQLite: waiting for the disk happens here. While one transaction is made durable
 * the next appends gather, so load makes the groups larger by itself and an idle store never waits.
 */
import { parentPort, workerData } from 'node:worker_threads';
import type { AppendRequest } from './append-request.ts';
import { SqliteAppender } from './sqlite-append.ts';
import { openError } from './sqlite-errors.ts';
import { openWriter, pause } from './sqlite-file.ts';
import { type FromWriter, packOutcomes, plainError, type ToWriter, unpack, type WriterData } from './sqlite-wire.ts';

const GROUP_EVENTS = 500;
const GROUP_CHARACTERS = 4 * 1024 * 1024;
/**
 * Pages of the write-ahead log after which it is moved into the file: early while nobody waits, which keeps each move
 * short, and late under load, where a page that changed often is then moved once.
 */
const CHECKPOINT_WHEN_IDLE = 1000;
const CHECKPOINT_WHEN_BUSY = 6000;
/** So long without an append is idle. */
const IDLE_MS = 3;
/** How long others may take the lock after our commit, while there are others. */
const RIVALS_TURN_MS = 1;

function run(port: NonNullable<typeof parentPort>, { path, maxPages, lockTimeoutMs }: WriterData): void {
  const db = openWriter(path, maxPages === undefined ? {} : { maxPages });
  const appender = new SqliteAppender(db, path, lockTimeoutMs === undefined ? {} : { lockTimeoutMs });
  const queue: AppendRequest[] = [];
  let scheduled = false;
  let closing = false;
  let idle: NodeJS.Timeout | undefined;

  function schedule(): void {
    if (scheduled) return;
    scheduled = true;
    setImmediate(drain);
  }

  function drain(): void {
    scheduled = false;
    const group = nextGroup(queue);
    if (group.length > 0) {
      tell(port, { kind: 'done', outcomes: packOutcomes(appender.appendAll(group)) });
      appender.checkpoint(CHECKPOINT_WHEN_BUSY);
      if (appender.hasRivals) pause(RIVALS_TURN_MS);
      schedule();
    } else if (closing) close();
    else idle = setTimeout(() => appender.checkpoint(CHECKPOINT_WHEN_IDLE), IDLE_MS);
  }

  function close(): void {
    db.close();
    port.close();
  }

  port.on('message', (message: ToWriter) => {
    clearTimeout(idle);
    if (message.kind === 'close') closing = true;
    else queue.push(...unpack(message.appends));
    schedule();
  });
  tell(port, { kind: 'ready' });
}

/** Takes as many appends off the queue as one transaction should hold; at least one, however large. */
function nextGroup(queue: AppendRequest[]): AppendRequest[] {
  let events = 0;
  let characters = 0;
  let count = 0;
  for (const request of queue) {
    events += request.events.length;
    for (const event of request.events) characters += event.payload.length;
    if (count > 0 && (events > GROUP_EVENTS || characters > GROUP_CHARACTERS)) break;
    count += 1;
  }
  return queue.splice(0, count);
}

function tell(port: NonNullable<typeof parentPort>, message: FromWriter): void {
  port.postMessage(message);
}

if (parentPort !== null) {
  const data: WriterData = workerData;
  try {
    run(parentPort, data);
  } catch (error) {
    tell(parentPort, { kind: 'failed', error: plainError(openError(error, data.path)) });
    parentPort.close();
  }
}

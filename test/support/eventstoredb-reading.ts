/** Answers reads and subscriptions of the EventStoreDB double, as slowly as the client takes them. */
import { once } from 'node:events';
import type { ReadReq, ReadResp } from '@eventstore/db-client/generated/streams_pb.js';
import { type ServerWritableStream, status } from '@grpc/grpc-js';
import type { EventStoreDbLog, LogRecord } from './eventstoredb-log.ts';
import {
  caughtUp,
  checkpoint,
  confirmation,
  eventMessage,
  notFoundMessage,
  refusal,
  streamOf,
  wanted,
} from './eventstoredb-messages.ts';

type Call = ServerWritableStream<ReadReq, ReadResp>;

/** What the double knows of a subscription. */
interface Subscription {
  readonly id: string;
  readonly onSent: () => void;
}

const BACKWARDS = 1;
/** Events looked at between two checkpoints of a filtered subscription, where the client names no window. */
const WINDOW = 32;

/** Answers a read to its end, or a subscription until the client goes. */
export async function answerRead(log: EventStoreDbLog, call: Call, subscription: Subscription): Promise<void> {
  const options = call.request.getOptions();
  if (options === undefined) throw refusal(status.INVALID_ARGUMENT, 'no options');
  if (options.hasSubscription()) return subscribe(log, call, options, subscription);
  const stream = options.getStream();
  if (stream !== undefined && log.stream(streamOf(stream)) === undefined) {
    await send(call, notFoundMessage(streamOf(stream)));
    call.end();
    return;
  }
  let left = Number(options.getCount());
  const isWanted = wanted(options);
  for (const record of stream === undefined ? recordsOf(log, options) : eventsOf(log, stream, options)) {
    if (left === 0 || call.cancelled) break;
    if (!isWanted(record)) continue;
    left -= 1;
    await send(call, eventMessage(record));
  }
  call.end();
}

function recordsOf(log: EventStoreDbLog, options: ReadReq.Options): Iterable<LogRecord> {
  const at = indexOf(log, options);
  // Backwards, a position stands behind its event; forwards, before it.
  return options.getReadDirection() === BACKWARDS ? downFrom(log.records, at - 1) : log.records.slice(at);
}

function eventsOf(
  log: EventStoreDbLog,
  stream: ReadReq.Options.StreamOptions,
  options: ReadReq.Options,
): Iterable<LogRecord> {
  const events = log.stream(streamOf(stream)) ?? [];
  if (options.getReadDirection() === BACKWARDS) {
    return downFrom(events, stream.hasRevision() ? Number(stream.getRevision()) : events.length - 1);
  }
  return stream.hasEnd() ? [] : events.slice(stream.hasRevision() ? Number(stream.getRevision()) : 0);
}

function* downFrom(records: readonly LogRecord[], index: number): Iterable<LogRecord> {
  for (let at = index; at >= 0; at -= 1) {
    const record = records[at];
    if (record !== undefined) yield record;
  }
}

function indexOf(log: EventStoreDbLog, options: ReadReq.Options): number {
  const position = options.getAll()?.getPosition();
  if (position === undefined) return options.getAll()?.hasEnd() ? log.records.length : 0;
  return log.indexOf({ commit: BigInt(position.getCommitPosition()), prepare: BigInt(position.getPreparePosition()) });
}

async function subscribe(
  log: EventStoreDbLog,
  call: Call,
  options: ReadReq.Options,
  { id, onSent }: Subscription,
): Promise<void> {
  if (!options.hasAll()) throw refusal(status.UNIMPLEMENTED, 'the double offers subscriptions to $all only');
  await send(call, confirmation(id));
  const isWanted = wanted(options);
  const filter = options.getFilter();
  const every = (filter?.getMax() || WINDOW) * (filter?.getCheckpointintervalmultiplier() || 1);
  let considered = 0;
  let isLive = false;
  let at = indexOf(log, options);
  const position = options.getAll()?.getPosition();
  const first = log.records[at]?.position;
  // A subscription goes on after the position that it names.
  if (
    position !== undefined &&
    String(first?.commit) === position.getCommitPosition() &&
    String(first?.prepare) === position.getPreparePosition()
  )
    at += 1;
  while (!call.cancelled) {
    const record = log.records[at];
    if (record === undefined) {
      if (!isLive) await send(call, caughtUp());
      isLive = true;
      await news(log, call);
      continue;
    }
    at += 1;
    considered += 1;
    if (isWanted(record)) {
      onSent();
      await send(call, eventMessage(record));
    }
    if (filter !== undefined && considered % every === 0) await send(call, checkpoint(record));
  }
}

async function send(call: Call, message: ReadResp): Promise<void> {
  if (call.cancelled || call.write(message)) return;
  const gone = new AbortController();
  const leave = (): void => gone.abort();
  call.once('cancelled', leave);
  try {
    await once(call, 'drain', { signal: gone.signal });
  } catch (error) {
    if (!gone.signal.aborted) throw error;
  } finally {
    call.off('cancelled', leave);
  }
}

async function news(log: EventStoreDbLog, call: Call): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const forget = log.onAppended(resolve);
  call.once('cancelled', resolve);
  await promise;
  forget();
  call.off('cancelled', resolve);
}

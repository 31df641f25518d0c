/** The messages of the EventStoreDB protocol as the double reads and writes them, with the classes that the client ships. */

import type { UUID } from '@eventstore/db-client/generated/shared_pb.js';
import shared from '@eventstore/db-client/generated/shared_pb.js';
import serverStatus from '@eventstore/db-client/generated/status_pb.js';
import type {
  AppendReq,
  AppendResp,
  BatchAppendReq,
  BatchAppendResp,
  ReadReq,
  ReadResp,
} from '@eventstore/db-client/generated/streams_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import { Metadata, type ServiceError, status } from '@grpc/grpc-js';
import {
  type AppendResult,
  type ExpectedRevision,
  type LogRecord,
  MAX_APPEND_BYTES,
  type Proposed,
} from './eventstoredb-log.ts';

/** @returns an error as the server tells it, with what stands in its trailers. */
export function refusal(code: status, details: string, trailers: Readonly<Record<string, string>> = {}): ServiceError {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(trailers)) metadata.set(name, value);
  return Object.assign(new Error(details), { code, details, metadata });
}

export function tooLarge(): ServiceError {
  return refusal(status.INVALID_ARGUMENT, `Maximum Append Size of ${MAX_APPEND_BYTES} Exceeded.`, {
    exception: 'maximum-append-size-exceeded',
    'maximum-append-size': String(MAX_APPEND_BYTES),
  });
}

export function streamOf(options: { getStreamIdentifier(): { getStreamName_asU8(): Uint8Array } | undefined }): string {
  return Buffer.from(options.getStreamIdentifier()?.getStreamName_asU8() ?? []).toString();
}

export function expectedOf(options: AppendReq.Options): ExpectedRevision {
  if (options.hasAny()) return 'any';
  if (options.hasNoStream()) return 'no_stream';
  return options.hasStreamExists() ? 'stream_exists' : BigInt(options.getRevision());
}

export function batchExpectedOf(options: BatchAppendReq.Options): ExpectedRevision {
  if (options.hasAny()) return 'any';
  if (options.hasNoStream()) return 'no_stream';
  return options.hasStreamExists() ? 'stream_exists' : BigInt(options.getStreamPosition());
}

type Message = AppendReq.ProposedMessage | BatchAppendReq.ProposedMessage;

export function proposedOf(message: Message): Proposed {
  return {
    id: uuidOf(message.getId()),
    type: message.getMetadataMap().get('type') ?? '',
    contentType: message.getMetadataMap().get('content-type') ?? '',
    data: message.getData_asU8(),
    metadata: message.getCustomMetadata_asU8(),
  };
}

export function uuidOf(uuid: UUID | undefined): string {
  if (uuid === undefined || !uuid.hasString()) throw new Error('the double knows UUIDs as text only');
  return uuid.getString();
}

export function appendAnswer(
  expected: ExpectedRevision,
  result: Exclude<AppendResult, { kind: 'too_large' }>,
): AppendResp {
  const answer = new streams.AppendResp();
  if (result.kind === 'stored') {
    const position = new streams.AppendResp.Position();
    position.setCommitPosition(String(result.position.commit)).setPreparePosition(String(result.position.prepare));
    const success = new streams.AppendResp.Success();
    return answer.setSuccess(success.setCurrentRevision(String(result.revision)).setPosition(position));
  }
  const wrong = new streams.AppendResp.WrongExpectedVersion();
  if (result.current === null) wrong.setCurrentNoStream(new shared.Empty());
  else wrong.setCurrentRevision(String(result.current));
  if (expected === 'any') wrong.setExpectedAny(new shared.Empty());
  else if (expected === 'no_stream') wrong.setExpectedNoStream(new shared.Empty());
  else if (expected === 'stream_exists') wrong.setExpectedStreamExists(new shared.Empty());
  else wrong.setExpectedRevision(String(expected));
  return answer.setWrongExpectedVersion(wrong);
}

export function batchAnswer(request: BatchAppendReq, stream: string, result: AppendResult): BatchAppendResp {
  const identifier = new shared.StreamIdentifier().setStreamName(Buffer.from(stream).toString('base64'));
  const answer = new streams.BatchAppendResp()
    .setCorrelationId(request.getCorrelationId())
    .setStreamIdentifier(identifier);
  if (result.kind === 'stored') {
    const position = new shared.AllStreamPosition();
    position.setCommitPosition(String(result.position.commit)).setPreparePosition(String(result.position.prepare));
    const success = new streams.BatchAppendResp.Success();
    return answer.setSuccess(success.setCurrentRevision(String(result.revision)).setPosition(position));
  }
  const isTooLarge = result.kind === 'too_large';
  const details = isTooLarge
    ? new shared.MaximumAppendSizeExceeded().setMaxappendsize(MAX_APPEND_BYTES)
    : wrong(result.current);
  const name = isTooLarge ? 'MaximumAppendSizeExceeded' : 'WrongExpectedVersion';
  const packed = [
    field(1, Buffer.from(`type.googleapis.com/event_store.client.${name}`)),
    field(2, Buffer.from(details.serializeBinary())),
  ];
  const told = Buffer.concat([field(2, Buffer.from('refused')), field(3, Buffer.concat(packed))]);
  return answer.setError(serverStatus.Status.deserializeBinary(told));
}

function wrong(current: bigint | null) {
  if (current !== null) return new shared.WrongExpectedVersion().setCurrentStreamRevision(String(current));
  return shared.WrongExpectedVersion.deserializeBinary(field(2, Buffer.alloc(0)));
}

/** A field of bytes as protocol buffers write it, for messages whose classes the client keeps to itself. */
function field(number: number, bytes: Buffer): Buffer {
  const length: number[] = [];
  for (let rest = bytes.length; ; rest >>>= 7) {
    length.push(rest > 0x7f ? (rest & 0x7f) | 0x80 : rest);
    if (rest <= 0x7f) break;
  }
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...length]), bytes]);
}

export function eventMessage(record: LogRecord): ReadResp {
  const recorded = new streams.ReadResp.ReadEvent.RecordedEvent()
    .setId(new shared.UUID().setString(record.id))
    .setStreamIdentifier(new shared.StreamIdentifier().setStreamName(Buffer.from(record.stream).toString('base64')))
    .setStreamRevision(String(record.revision))
    .setCommitPosition(String(record.position.commit))
    .setPreparePosition(String(record.position.prepare))
    .setData(record.data)
    .setCustomMetadata(record.metadata);
  recorded
    .getMetadataMap()
    .set('type', record.type)
    .set('content-type', record.contentType)
    .set('created', String(record.created));
  const event = new streams.ReadResp.ReadEvent().setEvent(recorded).setCommitPosition(String(record.position.commit));
  return new streams.ReadResp().setEvent(event);
}

export function notFoundMessage(stream: string): ReadResp {
  const identifier = new shared.StreamIdentifier().setStreamName(Buffer.from(stream).toString('base64'));
  return new streams.ReadResp().setStreamNotFound(
    new streams.ReadResp.StreamNotFound().setStreamIdentifier(identifier),
  );
}

export function confirmation(id: string): ReadResp {
  return new streams.ReadResp().setConfirmation(new streams.ReadResp.SubscriptionConfirmation().setSubscriptionId(id));
}

export function caughtUp(): ReadResp {
  return new streams.ReadResp().setCaughtUp(new streams.ReadResp.CaughtUp());
}

export function checkpoint({ position }: LogRecord): ReadResp {
  const told = new streams.ReadResp.Checkpoint();
  told.setCommitPosition(String(position.commit)).setPreparePosition(String(position.prepare));
  return new streams.ReadResp().setCheckpoint(told);
}

/** What a filtered read or subscription lets through; everything where there is no filter. */
export function wanted(options: ReadReq.Options): (record: LogRecord) => boolean {
  const filter = options.getFilter();
  const expression = filter?.getStreamIdentifier() ?? filter?.getEventType();
  if (filter === undefined || expression === undefined) return () => true;
  const prefixes = expression.getPrefixList();
  const pattern = new RegExp(expression.getRegex(), 'u');
  return (record) => {
    const text = filter.hasStreamIdentifier() ? record.stream : record.type;
    return prefixes.length > 0 ? prefixes.some((prefix) => text.startsWith(prefix)) : pattern.test(text);
  };
}

/** An EventStoreDB server in this process, over a real socket, as far as its clients can tell; it fails when it is told to. */
import { randomUUID } from 'node:crypto';
import { GossipService } from '@eventstore/db-client/generated/gossip_grpc_pb.js';
import type { ClusterInfo } from '@eventstore/db-client/generated/gossip_pb.js';
import { ServerFeaturesService } from '@eventstore/db-client/generated/serverfeatures_grpc_pb.js';
import type { SupportedMethods } from '@eventstore/db-client/generated/serverfeatures_pb.js';
import { StreamsService } from '@eventstore/db-client/generated/streams_grpc_pb.js';
import type {
  AppendReq,
  AppendResp,
  BatchAppendReq,
  BatchAppendResp,
  ReadReq,
  ReadResp,
} from '@eventstore/db-client/generated/streams_pb.js';
import {
  type Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerWritableStream,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import type { Certificate } from './certificate.ts';
import { clusterOf, supportedMethods } from './eventstoredb-gossip.ts';
import { EventStoreDbLog, type Proposed } from './eventstoredb-log.ts';
import {
  appendAnswer,
  batchAnswer,
  batchExpectedOf,
  expectedOf,
  proposedOf,
  refusal,
  streamOf,
  tooLarge,
  uuidOf,
} from './eventstoredb-messages.ts';
import { answerRead } from './eventstoredb-reading.ts';

export interface DoubleOptions {
  /** Nodes of one cluster share a log. */
  readonly log?: EventStoreDbLog;
  /** With one, TLS is spoken, and users are asked for. */
  readonly certificate?: Certificate;
  readonly password?: string;
}

/** What goes wrong with the next calls. */
export interface Faults {
  /** So many calls are refused as a server does that is not ready. */
  refuse: number;
  /** So many calls find no leader. */
  withoutLeader: number;
  /** Where the leader is, when it is not here. */
  leader: { readonly host: string; readonly port: number } | null;
  /** So many appends are stored, and the connection is cut before the answer. */
  cutAnswers: number;
  /** So many appends are stored and never answered. */
  silentAnswers: number;
  /** The server has no such service. */
  isForeign: boolean;
}

export class EventStoreDbDouble {
  readonly log: EventStoreDbLog;
  readonly faults: Faults = {
    refuse: 0,
    withoutLeader: 0,
    leader: null,
    cutAnswers: 0,
    silentAnswers: 0,
    isForeign: false,
  };
  /** What was asked, in order: method names. */
  readonly calls: string[] = [];
  /** Values of the authorization header that came. */
  readonly authorizations = new Set<string>();
  /** Events that were written to subscriptions. */
  sentToSubscriptions = 0;
  readonly #options: DoubleOptions;
  #server: Server | null = null;
  port = 0;

  constructor(options: DoubleOptions = {}) {
    this.#options = options;
    this.log = options.log ?? new EventStoreDbLog();
  }

  get url(): string {
    return this.#options.certificate === undefined
      ? `esdb://127.0.0.1:${this.port}?tls=false`
      : `esdb://admin:${this.#options.password ?? 'changeit'}@localhost:${this.port}`;
  }

  /** Starts, the next times at the same port. */
  async start(): Promise<this> {
    const server = new Server({ 'grpc.max_receive_message_length': 8 * 1024 * 1024 });
    server.addService(StreamsService, {
      append: (call: ServerReadableStream<AppendReq, AppendResp>, answer: sendUnaryData<AppendResp>) =>
        this.#append(call, answer),
      batchAppend: (call: ServerDuplexStream<BatchAppendReq, BatchAppendResp>) => this.#batchAppend(call),
      read: (call: ServerWritableStream<ReadReq, ReadResp>) => this.#read(call),
      delete: unimplemented,
      tombstone: unimplemented,
    });
    server.addService(GossipService, {
      read: (_call: unknown, answer: sendUnaryData<ClusterInfo>) => {
        const own = { host: '127.0.0.1', port: this.port };
        answer(null, clusterOf(own, this.faults.leader ?? own));
      },
    });
    server.addService(ServerFeaturesService, {
      getSupportedMethods: (_call: unknown, answer: sendUnaryData<SupportedMethods>) =>
        answer(null, supportedMethods()),
    });
    const { certificate } = this.#options;
    const credentials =
      certificate === undefined
        ? ServerCredentials.createInsecure()
        : ServerCredentials.createSsl(null, [
            { cert_chain: Buffer.from(certificate.cert), private_key: Buffer.from(certificate.key) },
          ]);
    this.port = await new Promise<number>((resolve, reject) => {
      server.bindAsync(`127.0.0.1:${this.port}`, credentials, (error, port) =>
        error === null ? resolve(port) : reject(error),
      );
    });
    this.#server = server;
    return this;
  }

  /** Cuts all connections; new ones are taken. */
  cut(): void {
    this.#server?.drain(`127.0.0.1:${this.port}`, 0);
  }

  /** Cuts all connections and takes no new ones. */
  stop(): void {
    this.#server?.forceShutdown();
    this.#server = null;
  }

  /** @returns why a call is refused, or null. */
  #refusalOf(method: string, headers: Metadata): ReturnType<typeof refusal> | null {
    this.calls.push(method);
    const { faults } = this;
    if (faults.isForeign) return refusal(status.UNIMPLEMENTED, 'Service is unimplemented.');
    if (faults.refuse > 0) {
      faults.refuse -= 1;
      return refusal(status.UNAVAILABLE, 'Server Is Not Ready');
    }
    if (faults.withoutLeader > 0) {
      faults.withoutLeader -= 1;
      return refusal(status.UNKNOWN, 'No leader info available in response');
    }
    if (faults.leader !== null && headers.get('requires-leader')[0] === 'true') {
      const { host, port } = faults.leader;
      return refusal(status.NOT_FOUND, 'Leader info available', {
        exception: 'not-leader',
        'leader-endpoint-host': host,
        'leader-endpoint-port': String(port),
      });
    }
    return this.#accessRefusalOf(headers);
  }

  #accessRefusalOf(headers: Metadata): ReturnType<typeof refusal> | null {
    const authorization = headers.get('authorization')[0]?.toString();
    if (authorization !== undefined) this.authorizations.add(authorization);
    if (this.#options.certificate === undefined) return null;
    if (authorization === undefined) {
      return refusal(status.PERMISSION_DENIED, 'Access Denied', { exception: 'access-denied' });
    }
    const known = Buffer.from(`admin:${this.#options.password ?? 'changeit'}`).toString('base64');
    return authorization === `Basic ${known}` ? null : refusal(status.UNAUTHENTICATED, 'Unauthenticated');
  }

  #append(call: ServerReadableStream<AppendReq, AppendResp>, answer: sendUnaryData<AppendResp>): void {
    const refused = this.#refusalOf('append', call.metadata);
    if (refused !== null) return answer(refused);
    let options: AppendReq.Options | undefined;
    const events: Proposed[] = [];
    call.on('data', (request: AppendReq) => {
      options = request.getOptions() ?? options;
      const message = request.getProposedMessage();
      if (message !== undefined) events.push(proposedOf(message));
    });
    call.on('end', () => {
      if (options === undefined) return answer(refusal(status.INVALID_ARGUMENT, 'no options'));
      const expected = expectedOf(options);
      const result = this.log.append(streamOf(options), expected, events);
      if (result.kind === 'too_large') return answer(tooLarge());
      if (this.#losesAnswer()) return;
      answer(null, appendAnswer(expected, result));
    });
  }

  #losesAnswer(): boolean {
    if (this.faults.cutAnswers > 0) {
      this.faults.cutAnswers -= 1;
      this.cut();
      return true;
    }
    if (this.faults.silentAnswers === 0) return false;
    this.faults.silentAnswers -= 1;
    return true;
  }

  #batchAppend(call: ServerDuplexStream<BatchAppendReq, BatchAppendResp>): void {
    const refused = this.#refusalOf('batchAppend', call.metadata);
    if (refused !== null) return void call.emit('error', refused);
    const parts = new Map<string, { options: BatchAppendReq.Options | undefined; events: Proposed[] }>();
    call.on('data', (request: BatchAppendReq) => {
      const id = uuidOf(request.getCorrelationId());
      const part = parts.get(id) ?? { options: request.getOptions(), events: [] };
      parts.set(id, part);
      part.events.push(...request.getProposedMessagesList().map(proposedOf));
      if (!request.getIsFinal() || part.options === undefined) return;
      parts.delete(id);
      const stream = streamOf(part.options);
      const result = this.log.append(stream, batchExpectedOf(part.options), part.events);
      if (!this.#losesAnswer()) call.write(batchAnswer(request, stream, result));
    });
    call.on('end', () => call.end());
  }

  #read(call: ServerWritableStream<ReadReq, ReadResp>): void {
    const refused = this.#refusalOf('read', call.metadata);
    if (refused !== null) return void call.emit('error', refused);
    const onSent = (): void => void (this.sentToSubscriptions += 1);
    answerRead(this.log, call, { id: randomUUID(), onSent }).catch((error: unknown) => {
      call.emit('error', error);
    });
  }
}

function unimplemented(_call: unknown, answer: sendUnaryData<never>): void {
  answer(refusal(status.UNIMPLEMENTED, 'the double does not delete'));
}

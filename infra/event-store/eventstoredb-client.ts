/** The client of one connection to EventStoreDB, without the parts of the vendor's client that can not be relied on. */
import { type ChannelCredentialOptions, EventStoreDBClient } from '@eventstore/db-client';
import type { Endpoint, EventStoreDbSettings } from './eventstoredb-url.ts';

/**
 * Batch appends are not used: they share one table of pending answers among all clients of a process, so that one
 * client's broken connection rejects, and later crashes on, the appends of the others. A client of ours does not
 * reconnect either: a failed one is replaced as a whole (see `EventStoreDbConnection`), because the vendor's way rejects
 * a promise that nobody holds when several calls fail while it looks for another node.
 */
export class SingleConnectionClient extends EventStoreDBClient {
  #isOpen = false;
  readonly #ended = new AbortController();

  /** @param leader where to connect instead, when a node has told where the leader is */
  constructor(settings: EventStoreDbSettings, leader: Endpoint | null) {
    super(searchOf(settings), credentialsOf(settings), settings.user ?? undefined);
    const only = settings.discover || settings.hosts.length > 1 ? undefined : settings.hosts[0];
    const known = leader ?? only;
    if (known !== undefined) this.resolveUri = async () => `${known.address}:${known.port}`;
    const open = this.getChannel;
    this.getChannel = () => {
      this.#isOpen = true;
      return open();
    };
    this.supports = async () => false;
    this.handleError = async () => {};
  }

  /** Aborts when all calls are to end. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  /** Ends all calls and the connection. */
  async close(): Promise<void> {
    this.#ended.abort();
    // Cancels what is under way at once; what it waits for then may never come, when nobody reads a stream to its end.
    this.dispose().catch(() => undefined);
    if (!this.#isOpen) return;
    // Without a channel there is nothing to close: no node was found.
    const channel = await this.getChannel().catch(() => null);
    channel?.close();
  }
}

/** Nodes are asked who leads; a single host is taken as it is. */
function searchOf(settings: EventStoreDbSettings) {
  return {
    endpoints: [...settings.hosts],
    nodePreference: settings.nodePreference,
    maxDiscoverAttempts: settings.maxDiscoverAttempts,
    discoveryInterval: settings.discoveryIntervalMs,
    gossipTimeout: settings.gossipTimeoutSeconds,
    throwOnAppendFailure: true,
    keepAliveInterval: settings.keepAliveIntervalMs,
    keepAliveTimeout: settings.keepAliveTimeoutMs,
    defaultDeadline: settings.deadlineMs,
    ...(settings.connectionName === null ? {} : { connectionName: settings.connectionName }),
  };
}

function credentialsOf({ tls, rootCertificate, userCertificate }: EventStoreDbSettings): ChannelCredentialOptions {
  if (!tls) return { insecure: true };
  return {
    ...(rootCertificate === null ? {} : { rootCertificate }),
    ...(userCertificate === null
      ? {}
      : { userCertFile: userCertificate.certificate, userKeyFile: userCertificate.key }),
  };
}

/** What the core asks of the network on behalf of tasks; the adapter guards which addresses may be reached. */

export interface OutboundRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Uint8Array | null;
  /** Milliseconds for the whole exchange. */
  readonly timeoutMs: number;
  /** Null: the status and the headers say all; the body comes back empty, whatever was answered. */
  readonly maxBodyBytes: number | null;
  /** `manual` hands a redirect back, `error` fails on one. */
  readonly redirect: 'follow' | 'manual' | 'error';
  /** Lower-case names of headers that carry secrets; dropped, like `authorization` and `cookie`, on a redirect to another origin. */
  readonly credentialHeaders: readonly string[];
  /** The body may go to the origin it was written for, and no further: a redirect that would carry it elsewhere is refused. */
  readonly bodyHoldsSecrets: boolean;
}

export interface OutboundResponse {
  readonly status: number;
  readonly statusText: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Uint8Array;
  /** The URL that answered, after redirects. */
  readonly url: string;
  readonly redirected: boolean;
}

/** Why no answer came: the kind decides whether trying again can help. */
export type OutboundFailure = 'network' | 'timeout' | 'refused' | 'too-large';

export class OutboundError extends Error {
  override readonly name = 'OutboundError';
  readonly failure: OutboundFailure;
  constructor(failure: OutboundFailure, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.failure = failure;
  }
}

/** A request has not left, because it was not to leave any more: nothing of it was sent. */
export class HeldBackError extends Error {
  override readonly name = 'HeldBackError';
}

export interface Outbound {
  /**
   * Sends one request. Every address is checked after name resolution and again on each redirect.
   * Fails with {@link OutboundError}, or with the reason of `signal`.
   *
   * @param mayLeave asked when a connection is there and the first byte would be written, for each redirect again; where it
   *   says no, sending fails with {@link HeldBackError}. Without it, everything leaves.
   */
  send(request: OutboundRequest, signal: AbortSignal, mayLeave?: () => boolean): Promise<OutboundResponse>;
  close(): Promise<void>;
}

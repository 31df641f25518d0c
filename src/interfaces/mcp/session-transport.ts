/** The transport of a session that several nodes may hold: whatever a node asks of the client names the node, so that answers find back. */
import {
  isJSONRPCNotification,
  isJSONRPCRequest,
  isJSONRPCResponse,
  type JSONRPCMessage,
  type MessageExtraInfo,
  WebStandardStreamableHTTPServerTransport,
} from '@modelcontextprotocol/server';

/** A message of the client: for this node as it counts its questions itself, or for another one. */
export type Addressed =
  | { readonly isOurs: true; readonly message: JSONRPCMessage }
  | { readonly isOurs: false; readonly message: JSONRPCMessage };

type SendOptions = Parameters<WebStandardStreamableHTTPServerTransport['send']>[1];

export class SessionTransport extends WebStandardStreamableHTTPServerTransport {
  readonly #mark: string;
  /** Requests of the client that are worked on here. */
  readonly #open = new Set<string | number>();

  constructor(
    node: string,
    options: NonNullable<ConstructorParameters<typeof WebStandardStreamableHTTPServerTransport>[0]>,
  ) {
    super(options);
    this.#mark = `${node.slice(-12)}.`;
  }

  override send(message: JSONRPCMessage, options?: SendOptions): Promise<void> {
    if (isJSONRPCResponse(message) && message.id !== undefined) this.#open.delete(message.id);
    return super.send(this.#marked(message), options);
  }

  /** Takes note of what the client asks, to know later whether it is here that it is worked on. */
  opened(messages: readonly JSONRPCMessage[]): void {
    for (const message of messages) if (isJSONRPCRequest(message)) this.#open.add(message.id);
  }

  /** @returns for whom a message is; only answers and cancellations are ever for somebody else. */
  addressed(message: JSONRPCMessage): Addressed {
    if (isJSONRPCResponse(message)) return this.#answer(message);
    if (isJSONRPCNotification(message) && message.method === 'notifications/cancelled') {
      const id = message.params?.['requestId'];
      return { isOurs: (typeof id === 'string' || typeof id === 'number') && this.#open.has(id), message };
    }
    return { isOurs: true, message };
  }

  /** Delivers what another node was given; drops what no node here has asked for. */
  deliver(message: JSONRPCMessage, extra: MessageExtraInfo): void {
    const { isOurs, message: own } = this.addressed(message);
    if (isOurs) this.onmessage?.(own, extra);
  }

  #answer(message: Extract<JSONRPCMessage, { id?: unknown }>): Addressed {
    const { id } = message;
    if (typeof id !== 'string' || !id.startsWith(this.#mark)) return { isOurs: false, message };
    return { isOurs: true, message: { ...message, id: Number(id.slice(this.#mark.length)) } };
  }

  #marked(message: JSONRPCMessage): JSONRPCMessage {
    if (isJSONRPCRequest(message)) return { ...message, id: `${this.#mark}${message.id}` };
    if (!isJSONRPCNotification(message) || message.method !== 'notifications/cancelled') return message;
    const { requestId } = message.params ?? {};
    return { ...message, params: { ...message.params, requestId: `${this.#mark}${String(requestId)}` } };
  }
}

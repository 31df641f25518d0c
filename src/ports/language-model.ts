/** What the core asks of a language model on behalf of tasks: to complete a conversation. */
import type { Json, JsonObject } from '../domain/event.ts';

/** What a task gets. */
export type Completion = {
  /** What the model wrote; empty when it only asks for tools. */
  readonly text: string;
  /** The whole message, as the service told it. */
  readonly message: Json;
  readonly model: string | null;
  readonly finish_reason: string | null;
  /** Tokens, as the service counted them. */
  readonly usage: Json;
};

/** The service answered, and says no. */
export class ModelRefusal extends Error {
  override readonly name = 'ModelRefusal';
  readonly status: number;
  /** Seconds after which it may be asked again; null when it does not say. */
  readonly retryAfterSeconds: number | null;

  constructor(status: number, message: string, retryAfterSeconds: number | null) {
    super(message);
    this.status = status;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

export interface LanguageModel {
  /**
   * @param request as OpenAI-compatible services take it: `messages`, and what else they know; `model` may be left out
   * @param maxBytes largest answer
   *
   * Fails with {@link ModelRefusal}, an `OutboundError`, `invalid_request` for a request of another form, `unsupported` where no
   * service is configured, or the reason of `signal`.
   */
  complete(request: JsonObject, maxBytes: number, signal: AbortSignal): Promise<Completion>;
}

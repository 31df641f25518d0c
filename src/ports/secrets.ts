/** What the core asks of a keeper of secrets; a value leaves the keeper only at the edge to the network. */

export interface Secrets {
  /**
   * Replaces each placeholder `{{secret:NAME}}` in `text` by its value, for a request to `host`.
   * Fails with `secret_unavailable` when there is none of that name, or it may not be sent to that host.
   */
  reveal(text: string, host: string): string;
  /** Replaces each secret value that stands in `text` by its placeholder. */
  redact(text: string): string;
  /** The same for bytes that are no UTF-8 text, whether the value stands there as UTF-8 or as Latin-1. */
  redactBytes(bytes: Uint8Array): Uint8Array;
  /** Signs `data` with a secret. Fails with `secret_unavailable` or `invalid_request` for an unknown algorithm. */
  hmac(name: string, data: string, options: { algorithm: string; encoding: 'hex' | 'base64' }): string;
}

/** What the core asks of signatures of messages. */

export interface Signatures {
  /** @returns whether `signature` (hex) is HMAC-SHA-256 of `text` (UTF-8) under `secret`; takes as long for every wrong one. */
  matches(secret: string, text: string, signature: string): boolean;
  /** @returns HMAC-SHA-256 of `text` (UTF-8) in base64, under a key written as Standard Webhooks does: `whsec_` and its base64. */
  sign(secret: string, text: string): string;
}

/** What the core asks of a keeper of secrets; a value leaves the keeper only at the edge to the network. */

export interface Secret {
  readonly name: string;
  readonly value: string;
  /** Host names (or `*.example.com`) that may receive it; empty means none. */
  readonly allowedHosts: readonly string[];
}

export interface Secrets {
  get(name: string): Secret | undefined;
  /** All secrets, for redaction of what comes back. */
  all(): readonly Secret[];
}

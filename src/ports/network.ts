/** What the core asks of the machine about its network: which interfaces it has. */

export interface NetworkInterface {
  readonly name: string;
  readonly address: string;
  readonly family: 'IPv4' | 'IPv6';
  readonly netmask: string;
  /** In CIDR notation; null where the netmask is no valid one. */
  readonly cidr: string | null;
  readonly mac: string;
  /** Whether only this machine itself reaches it. */
  readonly internal: boolean;
}

export interface Network {
  /** All addresses of all interfaces that are up, in the order of the system. */
  interfaces(): readonly NetworkInterface[];
}

/** How what callers send is compared with what is known. */

export interface Credentials {
  /** Equal texts; takes the same time wherever they differ. */
  isSame(one: string, other: string): boolean;
  /** Whether an address lies in one of some addresses and networks (CIDR). */
  isWithin(address: string, networks: readonly string[]): boolean;
}

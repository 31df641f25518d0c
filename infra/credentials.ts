/** Compares secrets and addresses of callers. */
import { timingSafeEqual } from 'node:crypto';
import ipaddr from 'ipaddr.js';
import type { Credentials } from '../src/ports/credentials.ts';

export const credentials: Credentials = {
  isSame: (one, other) => {
    const [a, b] = [Buffer.from(one), Buffer.from(other)];
    return a.length === b.length && timingSafeEqual(a, b);
  },
  isWithin: (address, networks) => {
    if (!ipaddr.isValid(address)) return false;
    // An IPv4 caller of a listener for both families comes as ::ffff:1.2.3.4.
    const caller = ipaddr.process(address);
    return networks.some((network) => contains(network, caller));
  },
};

function contains(network: string, address: ipaddr.IPv4 | ipaddr.IPv6): boolean {
  if (!network.includes('/'))
    return ipaddr.isValid(network) && ipaddr.process(network).toString() === address.toString();
  if (!ipaddr.isValidCIDR(network)) return false;
  const [block, bits] = ipaddr.parseCIDR(network);
  if (address instanceof ipaddr.IPv4) return block instanceof ipaddr.IPv4 && address.match(block, bits);
  return block instanceof ipaddr.IPv6 && address.match(block, bits);
}

/** The network of this machine, as the operating system tells it. */
import { networkInterfaces } from 'node:os';
import type { Network } from '../src/ports/network.ts';

export function systemNetwork(): Network {
  return {
    interfaces: () =>
      Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) =>
        addresses.map(({ address, family, netmask, cidr, mac, internal }) => {
          return { name, address, family, netmask, cidr, mac, internal };
        }),
      ),
  };
}

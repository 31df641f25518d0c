/** Decides which addresses task code may reach, on the address a connection is really made to, so that no name can lead elsewhere. */
import { lookup as systemLookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';
import { RatchetError } from '../src/domain/errors.ts';
import { OutboundError } from '../src/ports/outbound.ts';

type Address = ipaddr.IPv4 | ipaddr.IPv6;
type Range = [Address, number];

export interface AddressGuard {
  /** Fails with `OutboundError` `refused` unless `address` (numeric) may be reached. `host` is what messages name. */
  assertAllowed(address: string, host: string): void;
  /** Resolves names like `dns.lookup`, and hands on only the addresses that may be reached. */
  readonly lookup: LookupFunction;
}

/**
 * @param allow addresses or CIDR blocks that may be reached besides the public ones. Fails with `configuration_invalid`.
 * @param lookup resolves names; default: the system's resolver
 */
export function addressGuard(allow: readonly string[], lookup: LookupFunction = systemLookup): AddressGuard {
  const allowed = allow.map(rangeOf);
  const reasonAgainst = (text: string): string | null => {
    if (!ipaddr.isValid(text)) return 'not an address';
    // ipaddr.process turns ::ffff:1.2.3.4 into 1.2.3.4: an allowed IPv4 block covers both spellings.
    if (allowed.some((range) => matches(ipaddr.parse(text), range) || matches(ipaddr.process(text), range)))
      return null;
    return notPublic(ipaddr.parse(text));
  };
  const assertAllowed = (address: string, host: string): void => {
    const reason = reasonAgainst(address);
    if (reason !== null) throw refused(host, address, reason);
  };
  return {
    assertAllowed,
    lookup: (hostname, options, callback) => {
      lookup(hostname, { ...options, all: true }, (error, found, family) => {
        if (error !== null) return callback(error, '', 0);
        const addresses = typeof found === 'string' ? [{ address: found, family: family ?? 4 }] : found;
        const reachable = addresses.filter(({ address }) => reasonAgainst(address) === null);
        const [first] = reachable;
        if (first === undefined) return callback(refusalOf(hostname, addresses, reasonAgainst), '', 0);
        if (options.all === true) return callback(null, reachable);
        return callback(null, first.address, first.family);
      });
    },
  };
}

function refusalOf(
  host: string,
  addresses: readonly { readonly address: string }[],
  reasonAgainst: (address: string) => string | null,
): Error {
  const [first] = addresses;
  if (first === undefined) return Object.assign(new Error('no address'), { code: 'ENOTFOUND' });
  return refused(host, first.address, reasonAgainst(first.address) ?? 'refused');
}

function refused(host: string, address: string, reason: string): OutboundError {
  const what = host === address ? `the address ${address}` : `${host} (address ${address})`;
  return new OutboundError(
    'refused',
    `${what} may not be reached: ${reason}; allow it in outbound.allow if it should be`,
  );
}

/** @returns why an address is no public unicast one, or null. */
function notPublic(address: Address): string | null {
  const range = address.range();
  if (range !== 'unicast') return `it is ${KINDS[range] ?? `of the special range ${range}`}`;
  // Only 2000::/3 is handed out as global unicast; what lies outside is reserved or local.
  if (address instanceof ipaddr.IPv6 && !address.match(GLOBAL_UNICAST)) return 'it is not a public address';
  return null;
}

const GLOBAL_UNICAST: [ipaddr.IPv6, number] = [ipaddr.IPv6.parse('2000::'), 3];

const KINDS: Readonly<Record<string, string>> = {
  unspecified: 'the unspecified address',
  loopback: 'a loopback address',
  private: 'a private address',
  uniqueLocal: 'a private address',
  linkLocal: 'a link-local address',
  carrierGradeNat: 'a carrier-grade NAT address',
  multicast: 'a multicast address',
  broadcast: 'the broadcast address',
  reserved: 'a reserved address',
  ipv4Mapped: 'an IPv4 address in IPv6 form',
  rfc6052: 'an IPv4 address in NAT64 form',
  rfc6145: 'an IPv4 address in translated form',
  '6to4': 'an IPv4 address in 6to4 form',
  teredo: 'an IPv4 address in Teredo form',
};

function matches(address: Address, [block, bits]: Range): boolean {
  if (address instanceof ipaddr.IPv4) return block instanceof ipaddr.IPv4 && address.match([block, bits]);
  return block instanceof ipaddr.IPv6 && address.match([block, bits]);
}

function rangeOf(text: string): Range {
  try {
    if (text.includes('/')) return ipaddr.parseCIDR(text);
    const address = ipaddr.parse(text);
    return [address, address.kind() === 'ipv4' ? 32 : 128];
  } catch (cause) {
    throw new RatchetError('configuration_invalid', `outbound.allow: "${text}" is not an address or CIDR block`, {
      details: { value: text },
      cause,
    });
  }
}

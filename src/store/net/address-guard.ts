/**
 * Which addresses a call out of this process may go to.
 *
 * Only addresses of the public internet are allowed, unless our operator allows more: whoever may name a URL to call
 * could else reach what only this machine reaches: metadata services, our own port, the network behind (A80). A name is
 * resolved once, every address it has is checked, and the connection goes to those very addresses (A81).
 */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/** An address that was checked. */
export interface CheckedAddress {
  readonly address: string;
  readonly family: 4 | 6;
}

/** Resolves a name to all of its addresses. @throws Error with a system's `code` such as `ENOTFOUND`. */
export type ResolveName = (host: string) => Promise<readonly CheckedAddress[]>;

export interface GuardOptions {
  /**
   * What is allowed beside the public internet: ranges such as `10.0.0.0/8` or `::1/128`, and host names, whatever they
   * resolve to. Trusted: our operator's. Too wide, and users of this server reach what only this machine should.
   */
  readonly allow?: readonly string[];
  /** The system's resolver when absent. */
  readonly resolve?: ResolveName;
}

export interface AddressGuard {
  /**
   * @param host As it stands in a URL: a name, an IPv4 address, or an IPv6 address with or without brackets.
   * @returns Addresses to connect to, in the resolver's order; at least one.
   * @throws AddressRefused
   * @throws Error with a system's `code` when the name cannot be resolved.
   */
  check(host: string): Promise<readonly CheckedAddress[]>;
}

/** The address is not one that may be called. Nothing was sent. */
export class AddressRefused extends Error {
  override readonly name = 'AddressRefused';
  readonly code = 'AddressRefused';
}

/** @throws Error when an allowed range is none. */
export function createAddressGuard(options: GuardOptions = {}): AddressGuard {
  const { allow = [], resolve = resolveWithSystem } = options;
  const ranges = allow.filter((entry) => entry.includes('/')).map(readRange);
  const hosts = new Set(allow.filter((entry) => !entry.includes('/')).map(plainHost));
  return {
    async check(host) {
      const name = plainHost(host);
      const family = isIP(name) as 0 | 4 | 6;
      const addresses = family === 0 ? await resolve(name) : [{ address: name, family }];
      if (addresses.length === 0) throw Object.assign(new Error(`\`${name}\` has no address`), { code: 'ENOTFOUND' });
      if (hosts.has(name)) return addresses;
      // One bad address is enough: a name that has both is made to get past checks like this one.
      const bad = addresses.find(({ address }) => !isPublic(address) && !ranges.some((range) => isWithin(address, range)));
      if (bad !== undefined) {
        const at = bad.address === name ? `\`${name}\`` : `\`${name}\` at \`${bad.address}\``;
        throw new AddressRefused(`${at} is not an address of the public internet; allow it in the configuration if it is meant`);
      }
      return addresses;
    },
  };
}

/** Whether an address belongs to a host of the public internet, and to no private, local, reserved or translated range. */
export function isPublic(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.process(address);
  if (parsed.range() !== 'unicast') return false;
  // IPv4 in the last four bytes, an old form that the library takes for plain IPv6.
  return parsed.kind() === 'ipv4' || (parsed as ipaddr.IPv6).parts.slice(0, 6).some((part) => part !== 0);
}

type Range = readonly [ipaddr.IPv4 | ipaddr.IPv6, number];

function readRange(text: string): Range {
  try {
    return ipaddr.parseCIDR(text);
  } catch (cause) {
    throw new Error(`\`${text}\` is not a range of addresses such as 10.0.0.0/8`, { cause });
  }
}

function isWithin(address: string, [network, bits]: Range): boolean {
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.process(address);
  if (parsed.kind() !== network.kind()) return false;
  return parsed.kind() === 'ipv4'
    ? (parsed as ipaddr.IPv4).match(network as ipaddr.IPv4, bits)
    : (parsed as ipaddr.IPv6).match(network as ipaddr.IPv6, bits);
}

/** Lower case, without brackets and without the dot that ends a full name. */
function plainHost(host: string): string {
  return host
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '');
}

async function resolveWithSystem(host: string): Promise<readonly CheckedAddress[]> {
  const found = await lookup(host, { all: true, verbatim: true });
  return found.map(({ address, family }) => ({ address, family: family === 6 ? 6 : 4 }));
}

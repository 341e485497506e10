/**
 * Where a request came from, and whether by TLS: of the connection, or as a proxy says that the operator trusts.
 *
 * Anybody can write `x-forwarded-for` and `x-forwarded-proto`, so they are believed from a trusted peer alone, and each entry only as far as
 * trusted proxies reach: read from the right, the first hop that is no trusted proxy is the client, whatever stands left of it. What is no
 * address ends the reading at the last hop that is known. So what a client writes itself changes nothing, however much it is: a header that
 * is passed over for its length would make the client look as its proxy. A client counts as secure when every hop says so.
 */
import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { type IpRange, isInRange, parseIpAddress, parseIpRange } from '../policy/ip-range.ts';

/** Hops that are looked at, from the right. All before them are a client's own. */
const HOPS_MAX = 32;

export interface Client {
  readonly address: string;
  readonly isSecure: boolean;
}

/** Whether an address is that of a proxy of the operator's. */
export type IsTrustedProxy = (address: string) => boolean;

/** @param ranges Such as `10.0.0.0/8` or `::1`. @throws Error for what is no range */
export function trustedProxies(ranges: readonly string[]): IsTrustedProxy {
  const parsed = ranges.map((text): IpRange => {
    const range = parseIpRange(text);
    if (range === undefined) throw new Error(`\`${text}\` is no address or range such as 10.0.0.0/8`);
    return range;
  });
  return (text) => {
    const address = parseIpAddress(text);
    return address !== undefined && parsed.some((range) => isInRange(address, range));
  };
}

export function clientOf({ socket, headers }: Pick<IncomingMessage, 'socket' | 'headers'>, isTrusted: IsTrustedProxy): Client {
  const address = plain(socket.remoteAddress ?? '');
  if (!isTrusted(address)) return { address, isSecure: (socket as Partial<TLSSocket>).encrypted === true };
  const protocols = entriesOf(headers['x-forwarded-proto']);
  return {
    address: lastUntrusted(address, entriesOf(headers['x-forwarded-for']), isTrusted),
    isSecure: protocols.length > 0 && protocols.every((protocol) => protocol.toLowerCase() === 'https'),
  };
}

function lastUntrusted(peer: string, hops: readonly string[], isTrusted: IsTrustedProxy): string {
  let known = peer;
  for (const hop of hops.slice(-HOPS_MAX).toReversed()) {
    const address = plain(hop.replace(/^\[([^\]]*)\](?::\d{1,5})?$|^([^:]*):\d{1,5}$/, '$1$2'));
    if (parseIpAddress(address) === undefined) return known;
    known = address;
    if (!isTrusted(address)) return known;
  }
  return known;
}

function entriesOf(header: string | string[] | undefined): readonly string[] {
  const text = Array.isArray(header) ? header.join(',') : (header ?? '');
  return text === '' ? [] : text.split(',').map((entry) => entry.trim());
}

/** An address of version 4 that the system wrote as one of version 6. */
function plain(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '');
}

/**
 * IP addresses and ranges in CIDR form, version 4 and 6.
 *
 * One text for one meaning: no octal, hexadecimal or shortened forms of version 4, which readers disagree on. An address of
 * version 4 that is written inside of version 6 (`::ffff:192.0.2.1`) is that address.
 * Source: RFC 4632, RFC 4291 §2.2 and §2.5.5.2; IAM User Guide, "IP address condition operators".
 */

/** An address as one number, and how many bits its version has. */
export interface IpAddress {
  readonly bits: 32 | 128;
  readonly value: bigint;
}

export interface IpRange extends IpAddress {
  /** Leading bits that must be the same. */
  readonly prefix: number;
}

const MAPPED = 0xffffn << 32n;

/** `undefined` for what is no address. */
export function parseIpAddress(text: string): IpAddress | undefined {
  const address = text.includes(':') ? parseVersion6(text) : parseVersion4(text);
  if (address?.bits === 128 && address.value >> 32n === MAPPED >> 32n) return { bits: 32, value: address.value & 0xffffffffn };
  return address;
}

/** `203.0.113.0/24`, `2001:db8::/32`, or one address. Bits after the prefix don't count, as IAM has it. `undefined` for anything else. */
export function parseIpRange(text: string): IpRange | undefined {
  const [, written = '', length] = /^([^/]*)(?:\/(0|[1-9][0-9]{0,2}))?$/.exec(text) ?? [];
  const address = written.includes(':') ? parseVersion6(written) : parseVersion4(written);
  if (address === undefined) return undefined;
  const prefix = length === undefined ? address.bits : Number(length);
  if (prefix > address.bits) return undefined;
  // A range within the mapped addresses is one of version 4.
  if (address.bits === 128 && prefix >= 96 && address.value >> 32n === MAPPED >> 32n)
    return { bits: 32, value: address.value & 0xffffffffn, prefix: prefix - 96 };
  return { ...address, prefix };
}

export function isInRange(address: IpAddress, range: IpRange): boolean {
  const rest = BigInt(range.bits - range.prefix);
  return address.bits === range.bits && address.value >> rest === range.value >> rest;
}

function parseVersion4(text: string): IpAddress | undefined {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^(?:0|[1-9][0-9]{0,2})$/.test(part) && Number(part) <= 255)) return undefined;
  return { bits: 32, value: parts.reduce((value, part) => (value << 8n) | BigInt(part), 0n) };
}

function parseVersion6(text: string): IpAddress | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const groups = halves.map(groupsOf);
  const [head, tail] = groups;
  if (head === undefined || (halves.length === 2 && tail === undefined)) return undefined;
  const written = head.length + (tail?.length ?? 0);
  if (tail === undefined ? written !== 8 : written > 7) return undefined;
  const all = [...head, ...Array.from({ length: 8 - written }, () => 0), ...(tail ?? [])];
  return { bits: 128, value: all.reduce((value, group) => (value << 16n) | BigInt(group), 0n) };
}

/** Groups of 16 bits; the last two may be written as an address of version 4. */
function groupsOf(text: string): readonly number[] | undefined {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    const inner = index === parts.length - 1 && part.includes('.') ? parseVersion4(part) : undefined;
    if (inner !== undefined) groups.push(Number(inner.value >> 16n), Number(inner.value & 0xffffn));
    else if (/^[0-9a-fA-F]{1,4}$/.test(part)) groups.push(Number.parseInt(part, 16));
    else return undefined;
  }
  return groups;
}

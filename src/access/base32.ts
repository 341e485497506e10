/**
 * The letters and digits of key ids, of ids of identities and of seeds: base32 of RFC 4648, without padding.
 */
import type { Chance } from '../store/clock.ts';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** @param bytes A multiple of five: what is left over would be lost. */
export function base32(bytes: Uint8Array): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  return (bits.match(/.{5}/g) ?? []).map((five) => ALPHABET[Number.parseInt(five, 2)]).join('');
}

/** So many characters by chance. */
export function randomBase32(chance: Pick<Chance, 'bytes'>, length: number): string {
  return Array.from(chance.bytes(length), (byte) => ALPHABET[byte & 31]).join('');
}

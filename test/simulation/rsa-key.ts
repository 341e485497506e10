/**
 * RSA keys that follow from a number: a seed gives the same signatures in every process, hence the same sizes of what is
 * compressed with them, and the same run.
 *
 * For simulations only: whoever has the number has the key.
 */
import { checkPrimeSync, createPrivateKey, type KeyObject } from 'node:crypto';
import type { Chance } from '../../src/store/clock.ts';
import { createSeededChance } from '../../src/store/memory/clock.ts';

const PRIME_BYTES = 128;
const EXPONENT = 65_537n;

const keys = new Map<number, KeyObject>();

/** The private key of a number, 2,048 bits. Finding one takes some tenths of a second, once for each process. */
export function numberedRsaKey(number: number): KeyObject {
  const key = keys.get(number) ?? findKey(createSeededChance(`rsa/${number}`));
  keys.set(number, key);
  return key;
}

function findKey(chance: Chance): KeyObject {
  const [p, q] = [findPrime(chance), findPrime(chance)];
  const d = inverse(EXPONENT, (p - 1n) * (q - 1n));
  const numbers = { n: p * q, e: EXPONENT, d, p, q, dp: d % (p - 1n), dq: d % (q - 1n), qi: inverse(q, p) };
  const jwk = Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, base64url(value)]));
  return createPrivateKey({ format: 'jwk', key: { kty: 'RSA', ...jwk } });
}

/** A prime whose two highest bits are set, so that the product of two has its full length. */
function findPrime(chance: Chance): bigint {
  for (;;) {
    const bytes = Buffer.from(chance.bytes(PRIME_BYTES));
    bytes[0]! |= 0xc0;
    bytes[PRIME_BYTES - 1]! |= 1;
    const candidate = BigInt(`0x${bytes.toString('hex')}`);
    if ((candidate - 1n) % EXPONENT !== 0n && checkPrimeSync(candidate)) return candidate;
  }
}

/** The number that makes 1 when it is multiplied by `value`, modulo `modulus`: Euclid's algorithm. */
function inverse(value: bigint, modulus: bigint): bigint {
  let [rest, next] = [modulus, value % modulus];
  let [factor, nextFactor] = [0n, 1n];
  while (next !== 0n) {
    const quotient = rest / next;
    [rest, next] = [next, rest - quotient * next];
    [factor, nextFactor] = [nextFactor, factor - quotient * nextFactor];
  }
  return factor < 0n ? factor + modulus : factor;
}

function base64url(value: bigint): string {
  const hex = value.toString(16);
  return Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex').toString('base64url');
}

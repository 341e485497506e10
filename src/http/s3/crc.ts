/**
 * The cyclic redundancy checks that S3 clients send: CRC-32, CRC-32C and CRC-64/NVME.
 *
 * All three are "reflected" and begin and end with all ones, so one table method does for 32C and 64, and one formula
 * joins the values of two parts into that of both. CRC-32 is zlib's own, in native code.
 *
 * Source: RFC 3720 appendix B.4 (CRC-32C); NVM Express NVM Command Set, "64b CRC" (CRC-64/NVME); zlib's crc32_combine.
 */
import { crc32 } from 'node:zlib';

/** A check that takes bytes piece by piece. */
export interface Crc {
  update(bytes: Uint8Array): void;
  /** Big-endian, 4 or 8 bytes. */
  digest(): Buffer;
}

export class Crc32 implements Crc {
  #value = 0;

  update(bytes: Uint8Array): void {
    this.#value = crc32(bytes, this.#value);
  }

  digest(): Buffer {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(this.#value >>> 0);
    return bytes;
  }
}

const CRC32C_POLYNOMIAL = 0x82f63b78;
/** Eight tables of 256: the effect of a byte that is followed by 0 to 7 others. */
const TABLES_32C = makeTables32(CRC32C_POLYNOMIAL);

function makeTables32(polynomial: number): Uint32Array {
  const tables = new Uint32Array(8 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ polynomial : value >>> 1;
    tables[byte] = value;
  }
  for (let at = 256; at < tables.length; at++) {
    const before = tables[at - 256]!;
    tables[at] = (before >>> 8) ^ tables[before & 0xff]!;
  }
  return tables;
}

export class Crc32c implements Crc {
  #value = 0xffffffff;

  update(bytes: Uint8Array): void {
    const tables = TABLES_32C;
    const end = bytes.length;
    let value = this.#value;
    let at = 0;
    for (; at + 8 <= end; at += 8) {
      value ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
      value =
        tables[7 * 256 + (value & 0xff)]! ^
        tables[6 * 256 + ((value >>> 8) & 0xff)]! ^
        tables[5 * 256 + ((value >>> 16) & 0xff)]! ^
        tables[4 * 256 + (value >>> 24)]! ^
        tables[3 * 256 + bytes[at + 4]!]! ^
        tables[2 * 256 + bytes[at + 5]!]! ^
        tables[256 + bytes[at + 6]!]! ^
        tables[bytes[at + 7]!]!;
    }
    for (; at < end; at++) value = (value >>> 8) ^ tables[(value ^ bytes[at]!) & 0xff]!;
    this.#value = value;
  }

  digest(): Buffer {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE((this.#value ^ 0xffffffff) >>> 0);
    return bytes;
  }
}

const CRC64NVME_POLYNOMIAL = 0x9a6c9329ac4bc9b5n;
/** As for 32 bits, in two halves: numbers hold 32 bits fast, 64 not. */
const [LOW, HIGH] = makeTables64(CRC64NVME_POLYNOMIAL);

function makeTables64(polynomial: bigint): [Uint32Array, Uint32Array] {
  const low = new Uint32Array(8 * 256);
  const high = new Uint32Array(8 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let value = BigInt(byte);
    for (let bit = 0; bit < 8; bit++) value = value & 1n ? (value >> 1n) ^ polynomial : value >> 1n;
    low[byte] = Number(value & 0xffffffffn);
    high[byte] = Number(value >> 32n);
  }
  for (let at = 256; at < low.length; at++) {
    const [beforeLow, beforeHigh] = [low[at - 256]!, high[at - 256]!];
    low[at] = ((beforeLow >>> 8) | (beforeHigh << 24)) ^ low[beforeLow & 0xff]!;
    high[at] = (beforeHigh >>> 8) ^ high[beforeLow & 0xff]!;
  }
  return [low, high];
}

export class Crc64Nvme implements Crc {
  #low = 0xffffffff;
  #high = 0xffffffff;

  update(bytes: Uint8Array): void {
    const end = bytes.length;
    let low = this.#low;
    let high = this.#high;
    let at = 0;
    for (; at + 8 <= end; at += 8) {
      low ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
      high ^= bytes[at + 4]! | (bytes[at + 5]! << 8) | (bytes[at + 6]! << 16) | (bytes[at + 7]! << 24);
      const i0 = 7 * 256 + (low & 0xff);
      const i1 = 6 * 256 + ((low >>> 8) & 0xff);
      const i2 = 5 * 256 + ((low >>> 16) & 0xff);
      const i3 = 4 * 256 + (low >>> 24);
      const i4 = 3 * 256 + (high & 0xff);
      const i5 = 2 * 256 + ((high >>> 8) & 0xff);
      const i6 = 256 + ((high >>> 16) & 0xff);
      const i7 = high >>> 24;
      low = LOW[i0]! ^ LOW[i1]! ^ LOW[i2]! ^ LOW[i3]! ^ LOW[i4]! ^ LOW[i5]! ^ LOW[i6]! ^ LOW[i7]!;
      high = HIGH[i0]! ^ HIGH[i1]! ^ HIGH[i2]! ^ HIGH[i3]! ^ HIGH[i4]! ^ HIGH[i5]! ^ HIGH[i6]! ^ HIGH[i7]!;
    }
    for (; at < end; at++) {
      const index = (low ^ bytes[at]!) & 0xff;
      low = ((low >>> 8) | (high << 24)) ^ LOW[index]!;
      high = (high >>> 8) ^ HIGH[index]!;
    }
    this.#low = low;
    this.#high = high;
  }

  digest(): Buffer {
    const bytes = Buffer.alloc(8);
    bytes.writeUInt32BE((this.#high ^ 0xffffffff) >>> 0, 0);
    bytes.writeUInt32BE((this.#low ^ 0xffffffff) >>> 0, 4);
    return bytes;
  }
}

/** Polynomials in the reflected form, by width in bytes and name. */
const POLYNOMIALS = {
  CRC32: [0xedb88320n, 32n],
  CRC32C: [BigInt(CRC32C_POLYNOMIAL), 32n],
  CRC64NVME: [CRC64NVME_POLYNOMIAL, 64n],
} as const;

/** The check of two parts written one after the other, from the checks of each and the length of the second. */
export function joinCrc(algorithm: keyof typeof POLYNOMIALS, first: Buffer, second: Buffer, secondBytes: number): Buffer {
  const [polynomial, width] = POLYNOMIALS[algorithm];
  const shifted = multiply(powerOfX(BigInt(secondBytes) * 8n, polynomial, width), toBigInt(first), polynomial, width);
  const joined = shifted ^ toBigInt(second);
  return Buffer.from(joined.toString(16).padStart(Number(width) / 4, '0'), 'hex');
}

/** Product of two reflected polynomials modulo a third; the highest bit stands for x⁰. */
function multiply(a: bigint, b: bigint, polynomial: bigint, width: bigint): bigint {
  let product = 0n;
  let factor = b;
  for (let bit = width - 1n; bit >= 0n; bit--) {
    if ((a >> bit) & 1n) product ^= factor;
    factor = factor & 1n ? (factor >> 1n) ^ polynomial : factor >> 1n;
  }
  return product;
}

/** x to the power of `exponent`, modulo the polynomial. */
function powerOfX(exponent: bigint, polynomial: bigint, width: bigint): bigint {
  let power = 1n << (width - 1n);
  let square = 1n << (width - 2n);
  for (let left = exponent; left > 0n; left >>= 1n) {
    if (left & 1n) power = multiply(power, square, polynomial, width);
    square = multiply(square, square, polynomial, width);
  }
  return power;
}

function toBigInt(bytes: Buffer): bigint {
  return BigInt(`0x${bytes.toString('hex')}`);
}

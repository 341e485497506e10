/**
 * The checksums of S3 requests: which one a request promises, computing it on the way, and comparing.
 *
 * A checksum comes in a header before the body or in a trailer after it. Multipart uploads have one of two kinds:
 * of the parts' checksums (`COMPOSITE`, written with `-<parts>`) or of the whole object (`FULL_OBJECT`).
 * Source: S3 User Guide, "Checking object integrity for data uploads".
 */
import { createHash, type Hash } from 'node:crypto';
import { type Crc, Crc32, Crc32c, Crc64Nvme, joinCrc } from './crc.ts';
import { s3Error } from './errors.ts';

export type ChecksumAlgorithm = 'CRC32' | 'CRC32C' | 'CRC64NVME' | 'MD5' | 'SHA1' | 'SHA256' | 'SHA512';
export type ChecksumType = 'COMPOSITE' | 'FULL_OBJECT';

export const ALGORITHMS: readonly ChecksumAlgorithm[] = ['CRC32', 'CRC32C', 'CRC64NVME', 'MD5', 'SHA1', 'SHA256', 'SHA512'];

export function checksumHeader(algorithm: ChecksumAlgorithm): string {
  return `x-amz-checksum-${algorithm.toLowerCase()}`;
}

/** Name of the member in S3's XML. */
export function checksumElement(algorithm: ChecksumAlgorithm): string {
  return `Checksum${algorithm}`;
}

/** @throws ApiError InvalidRequest for a name that is no algorithm. */
export function parseAlgorithm(name: string): ChecksumAlgorithm {
  const algorithm = ALGORITHMS.find((known) => known === name.toUpperCase());
  if (algorithm === undefined)
    throw s3Error('InvalidRequest', {
      message: `Checksum algorithm provided is unsupported. Please try again with any of the valid types: [${ALGORITHMS.join(', ')}]`,
    });
  return algorithm;
}

/** What a request promises of its body. */
export interface PromisedChecksum {
  readonly algorithm: ChecksumAlgorithm;
  /** Absent when it comes in the trailer. */
  readonly value?: string;
}

const LENGTHS: Readonly<Record<ChecksumAlgorithm, number>> = {
  CRC32: 4,
  CRC32C: 4,
  CRC64NVME: 8,
  MD5: 16,
  SHA1: 20,
  SHA256: 32,
  SHA512: 64,
};

/** Headers that speak of checksums and hold none. */
const NO_CHECKSUM = new Set(['x-amz-checksum-algorithm', 'x-amz-checksum-mode', 'x-amz-checksum-type']);

/**
 * @param header Value of a header by lower-case name.
 * @param names Lower-case names of the request's headers.
 * @throws ApiError InvalidRequest when there is more than one, or one that cannot be, or is not computed here.
 */
export function promisedChecksum(header: (name: string) => string | undefined, names: Iterable<string>): PromisedChecksum | undefined {
  const promised: PromisedChecksum[] = [];
  for (const name of names)
    if (name.startsWith('x-amz-checksum-') && !NO_CHECKSUM.has(name)) parseAlgorithm(name.slice('x-amz-checksum-'.length));
  for (const algorithm of ALGORITHMS) {
    const value = header(checksumHeader(algorithm));
    if (value === undefined) continue;
    if (!isChecksum(algorithm, value))
      throw s3Error('InvalidRequest', { message: `Value for ${checksumHeader(algorithm)} header is invalid.` });
    promised.push({ algorithm, value });
  }
  for (const name of (header('x-amz-trailer') ?? '').split(',').map((item) => item.trim().toLowerCase())) {
    const algorithm = ALGORITHMS.find((known) => checksumHeader(known) === name);
    if (algorithm !== undefined) promised.push({ algorithm });
    else if (name !== '') throw s3Error('InvalidRequest', { message: 'The value specified in the x-amz-trailer header is not supported' });
  }
  if (promised.length > 1)
    throw s3Error('InvalidRequest', { message: 'Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.' });
  const wanted = header('x-amz-sdk-checksum-algorithm');
  if (wanted !== undefined && promised[0] !== undefined && parseAlgorithm(wanted) !== promised[0].algorithm) {
    throw s3Error('InvalidRequest', { message: 'Value for x-amz-sdk-checksum-algorithm header is invalid.' });
  }
  return promised[0];
}

/** True for base64 of as many bytes as the algorithm gives. */
export function isChecksum(algorithm: ChecksumAlgorithm, text: string): boolean {
  const bytes = Buffer.from(text, 'base64');
  return bytes.length === LENGTHS[algorithm] && bytes.toString('base64') === text;
}

/** Computes one checksum over bytes that come piece by piece. */
export class Checksummer {
  readonly algorithm: ChecksumAlgorithm;
  readonly #state: Crc | Hash;

  constructor(algorithm: ChecksumAlgorithm) {
    this.algorithm = algorithm;
    this.#state = newState(algorithm);
  }

  update(bytes: Uint8Array): void {
    this.#state.update(bytes);
  }

  /** Base64. Once. */
  digest(): string {
    return this.#state.digest().toString('base64');
  }
}

function newState(algorithm: ChecksumAlgorithm): Crc | Hash {
  switch (algorithm) {
    case 'CRC32':
      return new Crc32();
    case 'CRC32C':
      return new Crc32c();
    case 'CRC64NVME':
      return new Crc64Nvme();
    case 'MD5':
    case 'SHA1':
    case 'SHA256':
    case 'SHA512':
      return createHash(algorithm.toLowerCase());
  }
}

/** The type that S3 takes when the client names none, and whether the one it names exists. */
export function checksumType(algorithm: ChecksumAlgorithm, wanted: string | undefined): ChecksumType {
  const isCrc = algorithm.startsWith('CRC');
  const type = wanted ?? (algorithm === 'CRC64NVME' ? 'FULL_OBJECT' : 'COMPOSITE');
  const exists = type === 'FULL_OBJECT' ? isCrc : type === 'COMPOSITE' && algorithm !== 'CRC64NVME';
  if (!exists)
    throw s3Error('InvalidRequest', {
      message: `The ${type} checksum type cannot be used with the ${algorithm.toLowerCase()} checksum algorithm.`,
    });
  return type as ChecksumType;
}

/** The checksum of an object made of parts. @param parts In order; sizes in bytes, values in base64. */
export function joinChecksums(
  algorithm: ChecksumAlgorithm,
  type: ChecksumType,
  parts: readonly { readonly value: string; readonly sizeBytes: number }[],
): string {
  const values: readonly Buffer[] = parts.map(({ value }) => Buffer.from(value, 'base64'));
  if (type === 'COMPOSITE') {
    const summer = new Checksummer(algorithm);
    for (const value of values) summer.update(value);
    return `${summer.digest()}-${parts.length}`;
  }
  const crc = algorithm as 'CRC32' | 'CRC32C' | 'CRC64NVME';
  return values.reduce((joined, value, index) => joinCrc(crc, joined, value, parts[index]!.sizeBytes)).toString('base64');
}

/** How the object's checksum was made, from how it is written. */
export function typeOfStored(value: string): ChecksumType {
  return value.includes('-') ? 'COMPOSITE' : 'FULL_OBJECT';
}

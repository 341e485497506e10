/**
 * Digest files: the list of the log files of one interval with their hashes, linked to the digest before.
 *
 * `encodeDigest` writes the one text that a digest has; what is hashed and signed are these bytes before compression.
 * `parseDigest` reads untrusted bytes, AWS's own digests among them, so it passes over members it does not know and
 * takes any white space. It refuses a repeated member, since readers disagree on which one counts.
 * Source: CloudTrail User Guide, "CloudTrail digest file structure".
 */
import { findRepeatedMember } from '../event/find-repeated-member.ts';

/** The only algorithm of digests, as the file and the object's metadata name it. RSASSA-PKCS1-v1_5 with SHA-256. */
export const DIGEST_SIGNATURE_ALGORITHM = 'SHA256withRSA';
/** The only hash algorithm, as the file names it. */
export const DIGEST_HASH_ALGORITHM = 'SHA-256';
/** Largest digest that is read, uncompressed: 100,000 log files and more. */
export const DIGEST_BYTES_MAX = 64 * 1024 * 1024;

/** A log file, as a digest lists it. */
export interface DigestLogFile {
  readonly s3Bucket: string;
  readonly s3Object: string;
  /** Hexadecimal SHA-256 of the uncompressed log file. */
  readonly hashValue: string;
  readonly hashAlgorithm: typeof DIGEST_HASH_ALGORITHM;
  /** `YYYY-MM-DDTHH:MM:SSZ`. */
  readonly newestEventTime: string;
  readonly oldestEventTime: string;
}

/** A digest with the member names of the file, since signatures are over exactly these texts. */
export interface Digest {
  readonly awsAccountId: string;
  /** `YYYY-MM-DDTHH:MM:SSZ`; the interval of deliveries covered. */
  readonly digestStartTime: string;
  readonly digestEndTime: string;
  /** Where the digest lies; a digest found elsewhere was moved. */
  readonly digestS3Bucket: string;
  readonly digestS3Object: string;
  /** 32 hexadecimal digits. */
  readonly digestPublicKeyFingerprint: string;
  readonly digestSignatureAlgorithm: typeof DIGEST_SIGNATURE_ALGORITHM;
  /** Over all events of the listed files; `null` when there are none. */
  readonly newestEventTime: string | null;
  readonly oldestEventTime: string | null;
  /** The five members about the digest before are `null` together, in a starting digest. */
  readonly previousDigestS3Bucket: string | null;
  readonly previousDigestS3Object: string | null;
  /** Hexadecimal SHA-256 of the uncompressed digest before. */
  readonly previousDigestHashValue: string | null;
  readonly previousDigestHashAlgorithm: typeof DIGEST_HASH_ALGORITHM | null;
  /** Hexadecimal. */
  readonly previousDigestSignature: string | null;
  readonly logFiles: readonly DigestLogFile[];
}

/** The outcome of reading an untrusted digest. */
export type ParsedDigest = { readonly kind: 'digest'; readonly digest: Digest } | { readonly kind: 'malformed'; readonly reason: string };

/** The digest's bytes before compression: JSON without white space, members in the order of AWS's files, nulls written. */
export function encodeDigest(digest: Digest): Uint8Array {
  return new TextEncoder().encode(
    JSON.stringify({
      awsAccountId: digest.awsAccountId,
      digestStartTime: digest.digestStartTime,
      digestEndTime: digest.digestEndTime,
      digestS3Bucket: digest.digestS3Bucket,
      digestS3Object: digest.digestS3Object,
      digestPublicKeyFingerprint: digest.digestPublicKeyFingerprint,
      digestSignatureAlgorithm: digest.digestSignatureAlgorithm,
      newestEventTime: digest.newestEventTime,
      oldestEventTime: digest.oldestEventTime,
      previousDigestS3Bucket: digest.previousDigestS3Bucket,
      previousDigestS3Object: digest.previousDigestS3Object,
      previousDigestHashValue: digest.previousDigestHashValue,
      previousDigestHashAlgorithm: digest.previousDigestHashAlgorithm,
      previousDigestSignature: digest.previousDigestSignature,
      logFiles: digest.logFiles.map((file) => ({
        s3Bucket: file.s3Bucket,
        s3Object: file.s3Object,
        hashValue: file.hashValue,
        hashAlgorithm: file.hashAlgorithm,
        newestEventTime: file.newestEventTime,
        oldestEventTime: file.oldestEventTime,
      })),
    }),
  );
}

/** Reads an untrusted digest, uncompressed. Nothing is verified but its form. */
export function parseDigest(bytes: Uint8Array): ParsedDigest {
  try {
    return { kind: 'digest', digest: readDigest(parseJson(bytes)) };
  } catch (error) {
    if (error instanceof Malformed) return { kind: 'malformed', reason: error.message };
    throw error;
  }
}

/** Thrown by the readers below and turned into an outcome above. */
class Malformed extends Error {
  override readonly name = 'Malformed';
}

type Members = Readonly<Record<string, unknown>>;

const TIME = /^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$/;
const SHA256 = /^[0-9a-f]{64}$/;
const SIGNATURE = /^([0-9a-f]{2}){1,2048}$/;
const BUCKET = /^[A-Za-z0-9][A-Za-z0-9._-]{1,254}$/;
const OBJECT_KEY = /^.{1,1024}$/su;

function parseJson(bytes: Uint8Array): Members {
  if (bytes.length > DIGEST_BYTES_MAX) throw new Malformed(`a digest has at most ${DIGEST_BYTES_MAX} bytes`);
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    const value = JSON.parse(text) as unknown;
    const repeated = findRepeatedMember(text);
    if (repeated !== undefined) throw new Malformed(`\`${repeated}\` is there twice`);
    return asMembers(value, 'the digest');
  } catch (error) {
    if (error instanceof Malformed) throw error;
    throw new Malformed(`not JSON: ${(error as Error).message}`);
  }
}

function readDigest(from: Members): Digest {
  const digest: Digest = {
    awsAccountId: read(from, 'awsAccountId', /^[0-9]{12}$/),
    digestStartTime: read(from, 'digestStartTime', TIME),
    digestEndTime: read(from, 'digestEndTime', TIME),
    digestS3Bucket: read(from, 'digestS3Bucket', BUCKET),
    digestS3Object: read(from, 'digestS3Object', OBJECT_KEY),
    digestPublicKeyFingerprint: read(from, 'digestPublicKeyFingerprint', /^[0-9a-f]{32}$/),
    digestSignatureAlgorithm: readExactly(from, 'digestSignatureAlgorithm', DIGEST_SIGNATURE_ALGORITHM),
    newestEventTime: readOrNull(from, 'newestEventTime', TIME),
    oldestEventTime: readOrNull(from, 'oldestEventTime', TIME),
    previousDigestS3Bucket: readOrNull(from, 'previousDigestS3Bucket', BUCKET),
    previousDigestS3Object: readOrNull(from, 'previousDigestS3Object', OBJECT_KEY),
    previousDigestHashValue: readOrNull(from, 'previousDigestHashValue', SHA256),
    previousDigestHashAlgorithm:
      from['previousDigestHashAlgorithm'] === null ? null : readExactly(from, 'previousDigestHashAlgorithm', DIGEST_HASH_ALGORITHM),
    previousDigestSignature: readOrNull(from, 'previousDigestSignature', SIGNATURE),
    logFiles: readLogFiles(from),
  };
  const previous = Object.entries(digest).filter(([name]) => name.startsWith('previousDigest'));
  const nulls = previous.filter(([, value]) => value === null).length;
  if (nulls !== 0 && nulls !== previous.length) throw new Malformed('the members about the digest before are null together or not at all');
  if (digest.digestStartTime > digest.digestEndTime) throw new Malformed('`digestStartTime` lies after `digestEndTime`');
  return digest;
}

function readLogFiles(from: Members): readonly DigestLogFile[] {
  const files = from['logFiles'];
  if (!Array.isArray(files)) throw new Malformed('`logFiles` is not an array');
  return files.map((value: unknown, index) => {
    const file = asMembers(value, `logFiles[${index}]`);
    return {
      s3Bucket: read(file, 's3Bucket', BUCKET, `logFiles[${index}].`),
      s3Object: read(file, 's3Object', OBJECT_KEY, `logFiles[${index}].`),
      hashValue: read(file, 'hashValue', SHA256, `logFiles[${index}].`),
      hashAlgorithm: readExactly(file, 'hashAlgorithm', DIGEST_HASH_ALGORITHM, `logFiles[${index}].`),
      newestEventTime: read(file, 'newestEventTime', TIME, `logFiles[${index}].`),
      oldestEventTime: read(file, 'oldestEventTime', TIME, `logFiles[${index}].`),
    };
  });
}

function read(from: Members, name: string, form: RegExp, path = ''): string {
  const value = Object.hasOwn(from, name) ? from[name] : undefined;
  if (value === undefined) throw new Malformed(`\`${path}${name}\` is missing`);
  if (typeof value !== 'string' || !form.test(value)) throw new Malformed(`\`${path}${name}\` is not a text like ${form.source}`);
  return value;
}

function readOrNull(from: Members, name: string, form: RegExp): string | null {
  return Object.hasOwn(from, name) && from[name] === null ? null : read(from, name, form);
}

function readExactly<T extends string>(from: Members, name: string, expected: T, path = ''): T {
  const value = read(from, name, /^.{1,64}$/s, path);
  if (value !== expected) throw new Malformed(`\`${path}${name}\` is \`${value}\`, not \`${expected}\``);
  return expected;
}

function asMembers(value: unknown, what: string): Members {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Malformed(`${what} is not an object`);
  return value as Members;
}

/**
 * Looks at the bytes of one log or digest file: hashes, gzip members, records, the digest in it.
 *
 * Only facts, no verdict: what they are held against is known elsewhere. It is the part of the work that takes a
 * processor's time, so it runs in worker threads as well (`inspect-file.worker.ts`); input and output are plain data.
 */
import { hash } from 'node:crypto';
import { DIGEST_BYTES_MAX, type Digest, parseDigest } from '../digest/digest-file.ts';
import { sliceRecords } from '../event/slice-records.ts';
import { gunzipOneMember } from './gunzip-one-member.ts';

/** Largest log file that is uncompressed: CloudTrail's 50 MB, and room for one record more. */
export const LOG_BYTES_MAX = 56 * 1024 * 1024;

export interface FileToInspect {
  readonly kind: 'log' | 'digest';
  readonly bytes: Uint8Array;
}

/** Several files on their way to a worker thread: where the bytes of each lie in one array. */
export interface InspectMessage {
  readonly bytes: Uint8Array;
  readonly files: readonly { readonly kind: FileToInspect['kind']; readonly from: number; readonly to: number }[];
}

export interface FileFacts {
  /** Of the stored bytes, hexadecimal. */
  readonly sha256: string;
  readonly sizeBytes: number;
  /** Why the content could not be read; completes the sentence "the file …". */
  readonly fault?: string;
  /** Of the uncompressed bytes, hexadecimal. Absent when the file is not one gzip member. */
  readonly contentSha256?: string;
  /** Number of records of a log file; absent when a piece of it is none. */
  readonly records?: number;
  /** Absent when the file is no digest, or not one that can be read. */
  readonly digest?: Digest;
}

export function inspectFile({ kind, bytes }: FileToInspect): FileFacts {
  const stored = { sha256: hash('sha256', bytes, 'hex'), sizeBytes: bytes.length };
  const unzipped = gunzipOneMember(bytes, kind === 'log' ? LOG_BYTES_MAX : DIGEST_BYTES_MAX);
  if (unzipped.kind === 'refused') return { ...stored, fault: unzipped.reason };
  const { content } = unzipped;
  const hashed = { ...stored, contentSha256: hash('sha256', content, 'hex') };
  if (kind === 'log') {
    const pieces = sliceRecords(content);
    return pieces.every((piece) => piece.kind === 'record') ? { ...hashed, records: pieces.length } : hashed;
  }
  const parsed = parseDigest(content);
  return parsed.kind === 'malformed' ? { ...hashed, fault: `is not a digest: ${parsed.reason}` } : { ...hashed, digest: parsed.digest };
}

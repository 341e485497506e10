/**
 * Names and first bytes of the journal's files. Format: docs/formats/journal.md.
 *
 * A name carries the first sequence and the journal's salt, which are needed to read anything at all: a damaged first
 * page then costs no more than the entries that lie in it.
 */
import { crc32 } from 'node:zlib';
import { type ReadableFile, readFully } from '../files.ts';

/** `log`: frames as they came. `sealed`: compressed in blocks. `index`: where the blocks and ids of a sealed one are. */
export type SegmentFileKind = 'log' | 'sealed' | 'index';

export interface SegmentFileName {
  readonly first: number;
  readonly salt: number;
  readonly kind: SegmentFileKind;
  /** Still being written when the process ended: worth nothing. */
  readonly isTemporary: boolean;
}

const KINDS: readonly SegmentFileKind[] = ['log', 'sealed', 'index'];
const PATTERN = /^(\d{20})-([0-9a-f]{8})\.([a-z]+)(\.temporary)?$/;

export function segmentFileName(name: Omit<SegmentFileName, 'isTemporary'>): string {
  return `${String(name.first).padStart(20, '0')}-${name.salt.toString(16).padStart(8, '0')}.${name.kind}`;
}

/** Under this name a file is written before it is renamed. */
export function temporaryName(name: string): string {
  return `${name}.temporary`;
}

/** `undefined` for a name that is not one of ours. */
export function parseSegmentFileName(name: string): SegmentFileName | undefined {
  const match = PATTERN.exec(name);
  const kind = KINDS.find((each) => each === match?.[3]);
  if (match === null || kind === undefined) return undefined;
  return { first: Number(match[1]), salt: Number.parseInt(match[2]!, 16), kind, isTemporary: match[4] !== undefined };
}

/** Bytes at the start of every file: magic, version, CRC. They stay where they are in all versions. */
export const PREAMBLE_BYTES = 16;
const FORMAT_VERSION = 1;
const MAGIC: Readonly<Record<SegmentFileKind, string>> = { log: 'SNOWLOG\n', sealed: 'SNOWSEAL', index: 'SNOWINDX' };

/** The file was written by a newer Snowtrail. Nothing was read or changed. */
class JournalTooNew extends Error {
  override readonly name = 'JournalTooNew';
}

export function encodePreamble(kind: SegmentFileKind): Buffer {
  const bytes = Buffer.alloc(PREAMBLE_BYTES);
  bytes.write(MAGIC[kind], 0, 'latin1');
  bytes.writeUInt32LE(FORMAT_VERSION, 8);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 12)), 12);
  return bytes;
}

/**
 * Whether a file begins as it must. A damaged beginning is `false`.
 * @throws JournalTooNew when it is whole and states a newer version.
 */
export function checkPreamble(kind: SegmentFileKind, bytes: Buffer, path: string): boolean {
  if (bytes.length < PREAMBLE_BYTES || crc32(bytes.subarray(0, 12)) !== bytes.readUInt32LE(12)) return false;
  if (bytes.toString('latin1', 0, 8) !== MAGIC[kind]) return false;
  const version = bytes.readUInt32LE(8);
  if (version > FORMAT_VERSION)
    throw new JournalTooNew(
      `\`${path}\` has journal format ${version}, and this Snowtrail reads up to ${FORMAT_VERSION}; start the newer Snowtrail that wrote it`,
    );
  return version === FORMAT_VERSION;
}

/** Reads and checks the beginning of an open file. @throws JournalTooNew */
export async function readPreamble(file: ReadableFile, kind: SegmentFileKind, path: string): Promise<boolean> {
  const bytes = Buffer.alloc(PREAMBLE_BYTES);
  const count = await readFully(file, bytes, 0);
  return checkPreamble(kind, bytes.subarray(0, count), path);
}

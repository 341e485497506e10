/**
 * The frame: one journal entry as it lies in a segment file. Format: docs/formats/journal.md.
 *
 * Every CRC of a journal starts from the journal's salt, a random number that no sender knows: an event whose bytes
 * look like a frame is never taken for one when the frame around it is damaged.
 *
 * A *mark* is a frame without entry. It says up to which sequence everything was durable when it was written, and
 * stands before each group that is written at once. Recovery tells by it a group that was torn, and that nobody was
 * promised, from entries that were acknowledged and are damaged now.
 */
import { crc32 } from 'node:zlib';
import type { AccountId, Event, EventSourceKind, Region } from '../../../event/types.ts';
import type { FactKind, JournalEntry, NewEntry } from '../../journal.ts';

export const NONCE_BYTES = 16;
/** Fixed part of a frame, before the texts. */
const FRAME_HEAD_BYTES = 44;
export const MARK_BYTES = 24;
/** Bytes of an event or fact: at most 1 MiB. */
export const ENTRY_BYTES_MAX = 1_048_576;
/** Account and Region of at most 255 bytes, an id of at most 1,024. */
export const FRAME_BYTES_MAX = FRAME_HEAD_BYTES + 255 + 255 + 1_024 + ENTRY_BYTES_MAX;

const SEQUENCE_AT = 8;
const RECEIVED_AT = 16;
const TYPE_AT = 22;
const FLAGS_AT = 23;
const ACCOUNT_LENGTH_AT = 24;
const REGION_LENGTH_AT = 25;
const ID_LENGTH_AT = 26;
const NONCE_AT = 28;

const MARK_TYPE = 0;
const SOURCES: Readonly<Record<EventSourceKind, number>> = { record: 1, import: 2, 'own-call': 3 };
const FACT_KINDS: Readonly<Record<FactKind, number>> = {
  delivery: 16,
  digest: 17,
  gap: 18,
  configuration: 19,
  key: 20,
  'clock-jump': 21,
  intake: 22,
  loss: 23,
  expiry: 24,
};
const FLAG_CONFLICTING = 1;

/** What stands for the type byte: an event's source, or a fact's kind. */
type TypeMeaning = { readonly source: EventSourceKind } | { readonly factKind: FactKind };
const MEANINGS: readonly (TypeMeaning | undefined)[] = meaningsByType();

function meaningsByType(): (TypeMeaning | undefined)[] {
  const meanings: (TypeMeaning | undefined)[] = [];
  for (const [source, type] of Object.entries(SOURCES)) meanings[type] = { source: source as EventSourceKind };
  for (const [factKind, type] of Object.entries(FACT_KINDS)) meanings[type] = { factKind: factKind as FactKind };
  return meanings;
}

/** Id of an entry to append: event id, or fact id. */
export function idOf(entry: NewEntry): string {
  return entry.kind === 'event' ? entry.eventId : entry.factId;
}

/** Size of the frame of an entry. */
export function frameBytes(entry: NewEntry): number {
  return FRAME_HEAD_BYTES + utf8Length(entry.account) + utf8Length(entry.region) + utf8Length(idOf(entry)) + entry.bytes.length;
}

export interface FrameContext {
  readonly salt: number;
  readonly sequence: number;
  readonly isConflicting: boolean;
  /** 16 bytes. */
  readonly nonce: Uint8Array;
}

/** Writes the frame of `entry` at `at`, and returns where it ends. `into` has `frameBytes(entry)` bytes left there. */
export function encodeFrame(into: Buffer, at: number, entry: NewEntry, context: FrameContext): number {
  writeUint48(into, at + RECEIVED_AT, entry.receivedAtMs);
  writeSequence(into, at + SEQUENCE_AT, context.sequence);
  into[at + TYPE_AT] = entry.kind === 'event' ? SOURCES[entry.source] : FACT_KINDS[entry.factKind];
  into[at + FLAGS_AT] = context.isConflicting ? FLAG_CONFLICTING : 0;
  into.set(context.nonce, at + NONCE_AT);
  const account = at + FRAME_HEAD_BYTES;
  const region = writeText(into, account, entry.account);
  const id = writeText(into, region, entry.region);
  const bytes = writeText(into, id, idOf(entry));
  into[at + ACCOUNT_LENGTH_AT] = region - account;
  into[at + REGION_LENGTH_AT] = id - region;
  into.writeUInt16LE(bytes - id, at + ID_LENGTH_AT);
  into.set(entry.bytes, bytes);
  const end = bytes + entry.bytes.length;
  into.writeUInt32LE(end - at, at + 4);
  into.writeUInt32LE(crc32(view(into, at + 4, end), context.salt), at);
  return end;
}

/** A mark: everything up to `durable` was durable when this was written. */
export function encodeMark(salt: number, durable: number): Buffer {
  const mark = Buffer.alloc(MARK_BYTES);
  mark.writeUInt32LE(MARK_BYTES, 4);
  writeSequence(mark, SEQUENCE_AT, durable);
  mark[TYPE_AT] = MARK_TYPE;
  mark.writeUInt32LE(crc32(mark.subarray(4), salt), 0);
  return mark;
}

/** A frame found whole in a buffer. */
export interface FoundFrame {
  /** Where it begins in the buffer. */
  readonly at: number;
  readonly length: number;
  /** Of a mark: the sequence up to which everything was durable. */
  readonly sequence: number;
  readonly isMark: boolean;
}

/**
 * Checks the frame at `at`. Returns `undefined` unless it lies whole within the first `end` bytes and every byte of it
 * is the one that was written.
 */
export function checkFrame(bytes: Buffer, at: number, end: number, salt: number): FoundFrame | undefined {
  if (at + MARK_BYTES > end) return undefined;
  const length = bytes.readUInt32LE(at + 4);
  const type = bytes[at + TYPE_AT]!;
  const isMark = type === MARK_TYPE;
  if (isMark ? length !== MARK_BYTES : length < FRAME_HEAD_BYTES || length > FRAME_BYTES_MAX || MEANINGS[type] === undefined)
    return undefined;
  if (at + length > end) return undefined;
  if (!isMark && textsEnd(bytes, at) > at + length) return undefined;
  if (crc32(view(bytes, at + 4, at + length), salt) !== bytes.readUInt32LE(at)) return undefined;
  return { at, length, sequence: readSequence(bytes, at + SEQUENCE_AT), isMark };
}

/** Whether a frame could begin here whose sequence is at least `sequence`: a cheap test before the CRC. */
export function mayBeginFrame(bytes: Buffer, at: number, end: number, sequence: number): boolean {
  if (at + MARK_BYTES > end) return false;
  // High bytes of the length and of the sequence are zero in every frame that can follow.
  if (bytes[at + 7] !== 0 || bytes[at + 15] !== 0) return false;
  const length = bytes.readUInt32LE(at + 4);
  return length >= MARK_BYTES && length <= FRAME_BYTES_MAX && readSequence(bytes, at + SEQUENCE_AT) >= sequence;
}

/** Reads a checked frame. The entry's bytes and nonce are views of `bytes`, not copies. */
export function decodeFrame(bytes: Buffer, at: number): JournalEntry {
  const length = bytes.readUInt32LE(at + 4);
  const account = at + FRAME_HEAD_BYTES;
  const region = account + bytes[at + ACCOUNT_LENGTH_AT]!;
  const id = region + bytes[at + REGION_LENGTH_AT]!;
  const content = id + bytes.readUInt16LE(at + ID_LENGTH_AT);
  return makeEntry({
    type: bytes[at + TYPE_AT]!,
    isConflicting: (bytes[at + FLAGS_AT]! & FLAG_CONFLICTING) !== 0,
    sequence: readSequence(bytes, at + SEQUENCE_AT),
    receivedAtMs: bytes.readUIntLE(at + RECEIVED_AT, 6),
    account: bytes.toString('utf8', account, region),
    region: bytes.toString('utf8', region, id),
    id: bytes.toString('utf8', id, content),
    nonce: view(bytes, at + NONCE_AT, at + NONCE_AT + NONCE_BYTES),
    bytes: view(bytes, content, at + length),
  });
}

/** The parts of an entry that a file keeps. */
export interface EntryParts {
  readonly type: number;
  readonly isConflicting: boolean;
  readonly sequence: number;
  readonly receivedAtMs: number;
  readonly account: string;
  readonly region: string;
  readonly id: string;
  readonly nonce: Uint8Array;
  readonly bytes: Uint8Array;
}

/** An entry as the journal hands it out. @throws RangeError for a type that does not exist. */
export function makeEntry(parts: EntryParts): JournalEntry {
  const meaning = MEANINGS[parts.type];
  if (meaning === undefined) throw new RangeError(`journal entries have no type \`${parts.type}\``);
  const common = {
    sequence: BigInt(parts.sequence),
    account: parts.account as AccountId,
    region: parts.region as Region,
    id: parts.id,
    receivedAtMs: parts.receivedAtMs,
    isConflicting: parts.isConflicting,
    nonce: parts.nonce,
    bytes: parts.bytes,
  };
  return 'source' in meaning
    ? { ...common, kind: 'event', source: meaning.source }
    : { ...common, kind: 'fact', source: 'fact', factKind: meaning.factKind };
}

/** The entry that `append` has just given a sequence to, with its parsed event. */
export function freshEntry(entry: NewEntry, context: FrameContext, bytes: Uint8Array): JournalEntry {
  // Written out: this runs for every event, and spreading objects costs more than all the rest.
  const { account, region, receivedAtMs } = entry;
  const { isConflicting, nonce } = context;
  const sequence = BigInt(context.sequence);
  if (entry.kind === 'fact') {
    const { factKind, factId: id } = entry;
    return { sequence, kind: 'fact', source: 'fact', factKind, account, region, id, receivedAtMs, isConflicting, nonce, bytes };
  }
  const { source, eventId: id } = entry;
  if (entry.event === undefined) return { sequence, kind: 'event', source, account, region, id, receivedAtMs, isConflicting, nonce, bytes };
  // The event points at our copy from here on, so that the sender's whole request can be forgotten.
  const event: Event = { ...entry.event, bytes };
  return { sequence, kind: 'event', source, account, region, id, receivedAtMs, isConflicting, nonce, bytes, event };
}

/** A frame without its bytes, written again and again to compute its CRC. */
const crcScratch = Buffer.alloc(FRAME_BYTES_MAX - ENTRY_BYTES_MAX);

/** CRC of the frame that an entry has, or had, in a segment file: the sealed form keeps it. */
export function frameCrc(salt: number, parts: EntryParts): number {
  const { account, region, id, bytes } = parts;
  const head = crcScratch;
  const regionAt = writeText(head, FRAME_HEAD_BYTES, account);
  const idAt = writeText(head, regionAt, region);
  const end = writeText(head, idAt, id);
  head.writeUInt32LE(end + bytes.length, 4);
  writeSequence(head, SEQUENCE_AT, parts.sequence);
  writeUint48(head, RECEIVED_AT, parts.receivedAtMs);
  head[TYPE_AT] = parts.type;
  head[FLAGS_AT] = parts.isConflicting ? FLAG_CONFLICTING : 0;
  head[ACCOUNT_LENGTH_AT] = regionAt - FRAME_HEAD_BYTES;
  head[REGION_LENGTH_AT] = idAt - regionAt;
  head.writeUInt16LE(end - idAt, ID_LENGTH_AT);
  head.set(parts.nonce, NONCE_AT);
  return crc32(bytes, crc32(view(head, 4, end), salt));
}

/** The parts of a checked frame that the sealed form keeps, as they lie there. */
export function splitFrame(bytes: Buffer, at: number, length: number) {
  const account = at + FRAME_HEAD_BYTES;
  const region = account + bytes[at + ACCOUNT_LENGTH_AT]!;
  const id = region + bytes[at + REGION_LENGTH_AT]!;
  const content = id + bytes.readUInt16LE(at + ID_LENGTH_AT);
  return {
    crc: view(bytes, at, at + 4),
    type: bytes[at + TYPE_AT]!,
    isConflicting: (bytes[at + FLAGS_AT]! & FLAG_CONFLICTING) !== 0,
    receivedAtMs: bytes.readUIntLE(at + RECEIVED_AT, 6),
    nonce: view(bytes, at + NONCE_AT, at + NONCE_AT + NONCE_BYTES),
    /** Account and Region, one after the other. */
    accountBytes: region - account,
    regionBytes: id - region,
    place: bytes.subarray(account, id),
    id: bytes.subarray(id, content),
    content: bytes.subarray(content, at + length),
  };
}

/** What an id is unique within, of a checked frame. */
export function frameIdentity(
  bytes: Buffer,
  at: number,
): { readonly kind: 'event' | 'fact'; readonly account: string; readonly id: string } {
  const account = at + FRAME_HEAD_BYTES;
  const region = account + bytes[at + ACCOUNT_LENGTH_AT]!;
  const id = region + bytes[at + REGION_LENGTH_AT]!;
  return {
    kind: 'source' in MEANINGS[bytes[at + TYPE_AT]!]! ? 'event' : 'fact',
    account: bytes.toString('utf8', account, region),
    id: bytes.toString('utf8', id, id + bytes.readUInt16LE(at + ID_LENGTH_AT)),
  };
}

/** A view without Buffer's methods: what the journal hands out is a plain `Uint8Array`. */
export function view(bytes: Uint8Array, from: number, to: number): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset + from, to - from);
}

function textsEnd(bytes: Buffer, at: number): number {
  return at + FRAME_HEAD_BYTES + bytes[at + ACCOUNT_LENGTH_AT]! + bytes[at + REGION_LENGTH_AT]! + bytes.readUInt16LE(at + ID_LENGTH_AT);
}

function writeSequence(into: Buffer, at: number, sequence: number): void {
  into.writeUInt32LE(sequence % 0x1_0000_0000, at);
  into.writeUInt32LE(Math.floor(sequence / 0x1_0000_0000), at + 4);
}

function readSequence(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 0x1_0000_0000;
}

function writeUint48(into: Buffer, at: number, value: number): void {
  into.writeUInt32LE(value % 0x1_0000_0000, at);
  into.writeUInt16LE(Math.floor(value / 0x1_0000_0000), at + 4);
}

/** Nearly every text is short ASCII, for which a loop is faster than a call out of JavaScript. */
function writeText(into: Buffer, at: number, text: string): number {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code > 127) return at + into.write(text, at, 'utf8');
    into[at + index] = code;
  }
  return at + text.length;
}

function utf8Length(text: string): number {
  for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) > 127) return Buffer.byteLength(text);
  return text.length;
}

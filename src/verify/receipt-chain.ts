/**
 * Follows the receipts of one trail in order: numbers, hash links, checkpoints, journal ranges.
 *
 * A receipt holds the hash of the whole receipt before it. So a signature on one receipt vouches for all that it links
 * to, and only the last of each unbroken run is checked against the keys: `anchors`, to be checked when all keys are
 * known. Nothing else here needs a key.
 */
import { hash } from 'node:crypto';
import { type Checkpoint, parseCheckpointNote } from '../tlog/checkpoint.ts';
import { isSameHash } from '../tlog/hash.ts';
import { parseKeyStatement } from '../tlog/key-statement.ts';
import { type Note, parseNote } from '../tlog/note.ts';
import type { Parsed, UnknownVersion } from '../tlog/parsed.ts';
import { parseReceipt, type Receipt } from '../tlog/receipt.ts';
import { verifyConsistency } from '../tlog/tree.ts';
import { parseTrailArn, type TrailName, trailId } from './layout.ts';
import { sha256 } from './trust.ts';

export interface ReadReceipt {
  readonly note: Note;
  readonly receipt: Receipt;
  /** Of the whole bytes, hexadecimal. */
  readonly sha256: string;
}

/** A receipt whose signature decides on itself and on all that it links to. */
export interface Anchor {
  readonly number: number;
  readonly key: string;
  readonly note: Note;
}

/** A checkpoint that a receipt carries. */
export interface CarriedCheckpoint {
  readonly note: Note;
  /** The note as it stands in the receipt. */
  readonly text: string;
  readonly checkpoint: Checkpoint;
  readonly key: string;
}

/** What a receipt says that does not agree with those before it. */
export interface ChainFault {
  readonly code: string;
  readonly message: string;
}

/** A receipt of a version that is not known here: only its signatures and its bytes say something. */
export type UnknownReceipt = UnknownVersion & Omit<ReadReceipt, 'receipt'>;

/** Reads the bytes of a receipt. Nothing is verified but its form. */
export function readReceipt(bytes: Uint8Array): Parsed<ReadReceipt> | UnknownReceipt {
  const note = parseNote(bytes);
  if (note.kind === 'malformed') return note;
  const receipt = parseReceipt(note.value.text);
  if (receipt.kind === 'malformed') return receipt;
  // What a trusted key signed is everywhere to be had: another kind of text that is known is no receipt of whatever version.
  if (receipt.kind === 'unknown-version' && parseKeyStatement(note.value.text).kind === 'ok')
    return { kind: 'malformed', reason: 'a key statement stands in its place' };
  const signed = { note: note.value, sha256: hash('sha256', bytes, 'hex') };
  return receipt.kind === 'ok' ? { kind: 'ok', value: { ...signed, receipt: receipt.value } } : { ...receipt, ...signed };
}

/** How far deliveries go. */
interface DeliveredRange {
  readonly deliveredTo: bigint | undefined;
  /** A `start` or `stop`, or something unknown, lies between the last delivery and now. */
  readonly isFree: boolean;
  readonly isLogging: boolean;
}

export class ReceiptChain {
  readonly #trail: TrailName;
  /** The receipt taken last, as the next one links to it; `undefined` at the beginning and after one whose bytes are not known. */
  #before: (Anchor & { readonly sha256: string }) | undefined;
  /** The newest that was read, whatever came after it. */
  #newest: (ReadReceipt & { readonly key: string }) | undefined;
  #checkpoint: CarriedCheckpoint | undefined;
  /** Whether the receipt taken last carried a checkpoint, so that the next one's proof starts from it. */
  #isCheckpointNext = false;
  #range: DeliveredRange = { deliveredTo: undefined, isFree: true, isLogging: false };
  /** The same before the receipt taken last, which the next one may withdraw. */
  #rangeBefore = this.#range;
  readonly #anchors: Anchor[] = [];
  readonly #known: readonly Checkpoint[];
  /** Sizes of the known checkpoints that a receipt carried, with their logs. */
  readonly #met = new Set<string>();

  /** @param known Checkpoints from elsewhere: a receipt that carries one of the same size must carry the same root. */
  constructor(trail: TrailName, known: readonly Checkpoint[] = []) {
    this.#trail = trail;
    this.#known = known;
  }

  /** Whether a receipt carries this one of the known checkpoints. */
  hasMet(known: Checkpoint): boolean {
    return this.#met.has(`${known.origin} ${known.size}`);
  }

  /** Receipts whose signatures are to be checked. Complete after `finish`. */
  get anchors(): readonly Anchor[] {
    return this.#anchors;
  }

  get newest(): (ReadReceipt & { readonly key: string }) | undefined {
    return this.#newest;
  }

  get newestCheckpoint(): CarriedCheckpoint | undefined {
    return this.#checkpoint;
  }

  get isLogging(): boolean {
    return this.#range.isLogging;
  }

  /** A receipt is not there, or is none: the chain is broken here. */
  breakOff(): void {
    this.#anchor();
    this.#before = undefined;
    this.#isCheckpointNext = false;
  }

  /**
   * A receipt is there and cannot be read: it may say that the one before it was given up.
   * @param signed Its bytes and signatures are known all the same, and the next receipt must link to it.
   */
  skip(place: { readonly number: number; readonly key: string }, signed?: UnknownReceipt): void {
    this.breakOff();
    this.#range = { ...this.#rangeBefore, isFree: true, isLogging: this.#range.isLogging };
    if (signed !== undefined) this.#before = { ...place, note: signed.note, sha256: signed.sha256 };
  }

  /** Takes the next receipt. `number` is what its key says. */
  take(read: ReadReceipt, place: { readonly number: number; readonly key: string }): readonly ChainFault[] {
    const faults: ChainFault[] = [];
    const { receipt } = read;
    const arn = parseTrailArn(receipt.trailARN);
    if (arn === undefined || trailId(arn) !== trailId(this.#trail))
      faults.push({ code: 'receipt-identity', message: `it is a receipt of \`${receipt.trailARN}\`` });
    if (receipt.number !== place.number) faults.push({ code: 'receipt-identity', message: `it is receipt ${receipt.number}` });
    if (this.#before !== undefined && receipt.previousReceiptSha256 !== this.#before.sha256) {
      faults.push({ code: 'receipt-link', message: `it does not carry the hash of receipt ${place.number - 1}, which is there` });
      this.breakOff();
      this.#range = { ...this.#range, isFree: true };
    }
    if (this.#newest !== undefined && receipt.createdAt < this.#newest.receipt.createdAt)
      faults.push({ code: 'receipt-time', message: 'it is older than the receipt before it' });
    faults.push(...this.#takeCheckpoint(receipt, place.key), ...this.#takeRange(receipt, place.number));
    this.#before = { ...place, note: read.note, sha256: read.sha256 };
    this.#newest = { ...read, key: place.key };
    return faults;
  }

  /** No more receipts. */
  finish(): void {
    this.#anchor();
  }

  #anchor(): void {
    if (this.#before !== undefined) this.#anchors.push(this.#before);
  }

  #takeCheckpoint(receipt: Receipt, key: string): ChainFault[] {
    const before = this.#checkpoint;
    const isNext = this.#isCheckpointNext || (before === undefined && receipt.number === 1);
    if (receipt.checkpoint === null) {
      if (receipt.consistency.length > 0) return [{ code: 'checkpoint', message: 'it proves consistency of no checkpoint' }];
      return before === undefined ? [] : [{ code: 'checkpoint', message: 'it carries no checkpoint, and one before it does' }];
    }
    const parsed = parseCheckpointNote(receipt.checkpoint);
    if (parsed.kind === 'malformed') {
      this.#isCheckpointNext = false;
      return [{ code: 'checkpoint', message: `its checkpoint is none: ${parsed.reason}` }];
    }
    const { note, checkpoint } = parsed.value;
    const same = this.#known.filter(({ origin, size }) => origin === checkpoint.origin && size === checkpoint.size);
    if (same.length > 0) this.#met.add(`${checkpoint.origin} ${checkpoint.size}`);
    const forked = same.some(({ root }) => !isSameHash(root, checkpoint.root));
    this.#checkpoint = { note, text: receipt.checkpoint, checkpoint, key };
    this.#isCheckpointNext = true;
    if (forked)
      return [{ code: 'fork', message: `its checkpoint of ${checkpoint.size} leaves has another root than the one that is known` }];
    if (before === undefined) {
      if (receipt.consistency.length > 0 && isNext)
        return [{ code: 'consistency', message: 'it proves consistency with a checkpoint that is not there' }];
      return [];
    }
    if (checkpoint.origin !== before.checkpoint.origin)
      return [
        { code: 'checkpoint', message: `its checkpoint is of the log \`${checkpoint.origin}\`, not of \`${before.checkpoint.origin}\`` },
      ];
    if (checkpoint.size < before.checkpoint.size)
      return [
        { code: 'checkpoint', message: `its checkpoint has ${checkpoint.size} leaves, fewer than the ${before.checkpoint.size} before` },
      ];
    // After a receipt that is missing, the proof starts from a checkpoint that is not there.
    if (!isNext) return [];
    const claim = {
      fromSize: before.checkpoint.size,
      fromRoot: before.checkpoint.root,
      toSize: checkpoint.size,
      toRoot: checkpoint.root,
    };
    if (verifyConsistency(sha256, claim, receipt.consistency)) return [];
    return [{ code: 'consistency', message: 'its checkpoint is not shown to continue the one of the receipt before it' }];
  }

  #takeRange(receipt: Receipt, number: number): ChainFault[] {
    const last = this.#newest?.receipt.number ?? 0;
    if (isWithdrawn(receipt, last)) this.#range = this.#rangeBefore;
    if (number > last + 1 && !isWithdrawn(receipt, last + 1, number - 1)) this.#range = { ...this.#range, isFree: true };
    this.#rangeBefore = this.#range;
    if (receipt.kind === 'start' || receipt.kind === 'stop')
      this.#range = { ...this.#range, isFree: true, isLogging: receipt.kind === 'start' };
    if (receipt.kind !== 'delivery') return [];
    const { deliveredTo, isFree } = this.#range;
    const expected = deliveredTo === undefined ? undefined : deliveredTo + 1n;
    this.#range = { ...this.#range, deliveredTo: receipt.toSequence, isFree: false };
    if (expected === undefined || receipt.fromSequence === expected) return [];
    if (receipt.fromSequence > expected && isFree) return [];
    const what = receipt.fromSequence < expected ? 'again' : 'and leaves some out';
    return [{ code: 'sequence', message: `it delivers from sequence ${receipt.fromSequence} on ${what}: ${expected} is due` }];
  }
}

/** Whether a receipt says that earlier ones, up to and with the second number, were given up. */
export function isWithdrawn({ withdrawn = [] }: Receipt, first: number, last = first): boolean {
  return withdrawn.some(({ from, to }) => from <= first && last <= to);
}

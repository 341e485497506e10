/**
 * Makes the receipts of a trail: number, link to the one before, checkpoint and proof, signature.
 *
 * Receipts are signed by the checkpoint key that an earlier receipt has stated, so a reader who goes through them in
 * order knows each key before it is used; a rotation shows as a `key` receipt signed by both keys.
 * Specified in ARCHITECTURE.md, "Evidence beside the digests".
 */

import { formatEventTime } from '../event/times.ts';
import type { EpochMs, ObjectKey } from '../event/types.ts';
import type { Keys } from '../store/keys.ts';
import type { Sha256 } from '../tlog/hash.ts';
import { formatNote, type NoteSignature } from '../tlog/note.ts';
import { encodeReceipt, type Receipt } from '../tlog/receipt.ts';
import { toHex, utf8 } from '../tlog/text.ts';
import { placeReceipt, tellPlaces } from './receipt-places.ts';
import { evidenceFolder, type TrailId, trailArn } from './trail.ts';
import type { TrailEvidence } from './trail-deps.ts';
import type { TrailState, TrailTarget } from './trail-state.ts';

/** What is particular to one receipt. */
export type ReceiptContent = Receipt extends infer Each ? (Each extends Receipt ? Omit<Each, CommonMember> : never) : never;
type CommonMember =
  | 'trailARN'
  | 'number'
  | 'previousReceiptSha256'
  | 'createdAt'
  | 'bucket'
  | 'prefix'
  | 'elsewhere'
  | 'withdrawn'
  | 'checkpoint'
  | 'consistency';

export interface MadeReceipt {
  /** The whole note. */
  readonly note: string;
  /** The trail's `receipts` once it is saved. */
  readonly receipts: TrailState['receipts'];
}

export interface ReceiptDeps {
  readonly keys: Pick<Keys, 'sign'>;
  readonly evidence: TrailEvidence;
  readonly sha256: Sha256;
  readonly origin: string;
}

/**
 * @param signers Fingerprints of checkpoint keys, the current one last; the current key when empty.
 */
export async function makeReceipt(
  deps: ReceiptDeps,
  trail: TrailId,
  from: { readonly receipts: TrailState['receipts']; readonly target: TrailTarget; readonly nowMs: EpochMs },
  content: ReceiptContent,
  signers: readonly string[],
): Promise<MadeReceipt> {
  const number = from.receipts.number + 1;
  const createdAtMs = Math.max(from.nowMs, from.receipts.createdAtMs);
  const { checkpoint, consistency, size } = await readEvidence(deps.evidence, from.receipts.checkpointSize);
  const receipt = {
    trailARN: trailArn(trail),
    number,
    previousReceiptSha256: from.receipts.sha256,
    createdAt: formatEventTime(createdAtMs),
    ...content,
    bucket: from.target.bucket,
    prefix: from.target.prefix,
    ...tellPlaces(from.receipts.spans, from.target),
    checkpoint,
    consistency,
  } as Receipt;
  const note = await signNote(deps, encodeReceipt(receipt), signers);
  const spans = placeReceipt(from.receipts.spans, number, from.target);
  return { note, receipts: { number, sha256: toHex(deps.sha256(utf8(note))), checkpointSize: size, createdAtMs, spans } };
}

/** The object key of a receipt. */
export function receiptKey(trail: TrailId, target: TrailTarget, number: number): ObjectKey {
  return `${evidenceFolder(trail, target.prefix ?? undefined)}receipts/${String(number).padStart(12, '0')}.note` as ObjectKey;
}

async function readEvidence(
  evidence: TrailEvidence,
  previousSize: string | null,
): Promise<{ checkpoint: string | null; consistency: readonly Uint8Array[]; size: string | null }> {
  const latest = evidence.latestCheckpoint();
  if (latest === undefined) {
    if (previousSize !== null) throw new Error('the newest checkpoint is not known yet, and an earlier receipt carries one');
    return { checkpoint: null, consistency: [], size: null };
  }
  if (previousSize === null) return { checkpoint: latest.note, consistency: [], size: `${latest.size}` };
  try {
    return { checkpoint: latest.note, consistency: await evidence.consistency(BigInt(previousSize), latest.size), size: `${latest.size}` };
  } catch (cause) {
    // The tree may be growing again after a start; a tree that was cut back stays in contradiction, and so does this.
    throw new Error(`the evidence tree does not prove yet that size ${latest.size} continues ${previousSize}`, { cause });
  }
}

async function signNote(deps: ReceiptDeps, text: string, signers: readonly string[]): Promise<string> {
  const signatures: NoteSignature[] = [];
  for (const fingerprint of signers.length === 0 ? [undefined] : signers) {
    const { signature, key } = await deps.keys.sign('checkpoint', utf8(text), fingerprint);
    signatures.push({ name: deps.origin, keyHash: key.fingerprint, signature });
  }
  return formatNote(text, signatures);
}

/**
 * Looks whether what a trail delivered in the last day is still in its bucket, and puts again what is gone (F20).
 *
 * The receipts in the journal say what was put. A receipt is put as the journal has it; a log file is made again from the journal's
 * events. Both must come out with the hash that was announced, else nothing is put. A digest cannot be made again, and an object
 * of another size is not touched: both are told, and `snowtrail verify` names them.
 *
 * Only the last day's: what is older may be gone because the bucket's owner lets it expire, which S3 does after a day at the
 * earliest, and what was taken away on purpose shall not come back for ever.
 */

import type { BucketName, ObjectKey } from '../event/types.ts';
import { encodeLogFile } from '../logfile/encode-log-file.ts';
import type { JournalEntry } from '../store/journal.ts';
import { parseNote } from '../tlog/note.ts';
import { parseReceipt, type Receipt, type ReceiptObject } from '../tlog/receipt.ts';
import { toHex } from '../tlog/text.ts';
import { loadTrail } from './load-trail.ts';
import { receiptKey } from './make-receipt.ts';
import { GZIP_JSON, putObject, RECEIPT_TEXT, untilAnswered } from './put-object.ts';
import { requireAccess } from './require-access.ts';
import { selectEvent } from './select-event.ts';
import { followerName, type TrailId, trailArn } from './trail.ts';
import { TRAIL_SETTINGS, type TrailDeps } from './trail-deps.ts';

/** Passes come twice a day: each object is looked at within a day after it was put. */
const WINDOW_MS = 24 * 3_600_000;
const READ_LIMIT = 100;

/** An object that is not as its receipt says. */
export interface LostObject {
  /** Name of the trail's follower. */
  readonly trail: string;
  readonly bucket: BucketName;
  readonly key: ObjectKey;
  /** `put-again`: it was gone, and is there again with the announced bytes. `gone`: it is gone. `differs`: it has another size. */
  readonly outcome: 'put-again' | 'gone' | 'differs';
}

type ScrubDeps = Pick<TrailDeps, 'catalog' | 'journal' | 'objects' | 'clock' | 'sha256' | 'gzip' | 'settings'>;

/**
 * Looks at one trail's bucket once, newest receipt first, until `signal` aborts.
 * @param tell Told of each object that is not as it should be, after what could be done was done.
 * @throws DeliveryFailed when the bucket does not answer, or is closed to the trail.
 * @throws JournalDamaged
 */
export async function scrubBucket(deps: ScrubDeps, trail: TrailId, signal: AbortSignal, tell: (lost: LostObject) => void): Promise<void> {
  const { state, pending } = await loadTrail(deps.catalog, trail);
  if (state === undefined || state.phase === 'deleted') return;
  // Where the newest receipts are. A trail that was moved since has none at its new place yet, and its old one is let be.
  const target = state.receipts.places.at(-1)?.target;
  const { bucket, prefix } = state.settings.target;
  if (target === undefined || target.bucket !== bucket || target.prefix !== prefix) return;
  const { putTimeoutMs } = { ...TRAIL_SETTINGS, ...deps.settings };
  const putDeps = { ...deps, alreadyPut: new Set<string>(), putTimeoutMs, stop: signal };
  const sinceMs = deps.clock.nowMs() - WINDOW_MS;
  let hasAccess = false;

  /** @param make The bytes that the receipt announced; `undefined` when they cannot be made. */
  const look = async (key: ObjectKey, sizeBytes: number, make: () => Promise<PutAgain | undefined>): Promise<void> => {
    const found = await untilAnswered(putDeps, `looking for \`${bucket}/${key}\``, deps.objects.head(bucket, key));
    if (found?.sizeBytes === sizeBytes) return;
    const lost = { trail: followerName(trail), bucket, key };
    if (found !== undefined) return tell({ ...lost, outcome: 'differs' });
    const again = await make();
    if (again === undefined) return tell({ ...lost, outcome: 'gone' });
    if (!hasAccess) await requireAccess(putDeps, trail, target);
    hasAccess = true;
    await putObject(putDeps, { bucket, key, ...again });
    tell({ ...lost, outcome: 'put-again' });
  };

  // The hash of each receipt is in the next one; the newest one's, in the state.
  let sha256 = state.receipts.sha256;
  for (let { number } = state.receipts; number > 0 && sha256 !== null && !signal.aborted; number--) {
    const found = await readReceipt(deps, trail, number, sha256);
    if (found === undefined) return;
    const { receipt, note } = found;
    sha256 = receipt.previousReceiptSha256;
    // What the pending step announced is put by the trail itself.
    if (pending?.number === number) continue;
    if (receipt.bucket !== bucket || Date.parse(receipt.createdAt) < sinceMs) return;
    await look(receiptKey(trail, target, number), note.length, async () => ({ body: note, options: RECEIPT_TEXT }));
    if (receipt.kind === 'delivery')
      for (const object of receipt.objects)
        await look(object.key as ObjectKey, object.sizeBytes, async () => {
          const body = await makeLogFile(deps, trail, object);
          return body && { body, options: GZIP_JSON };
        });
    if (receipt.kind === 'digest') await look(receipt.digest.key as ObjectKey, receipt.digest.sizeBytes, async () => undefined);
    // Those before it lie at another place, which may be another prefix of this bucket.
    if (receipt.elsewhereFrom !== undefined) return;
  }
}

interface PutAgain {
  readonly body: Uint8Array;
  readonly options: Parameters<typeof putObject>[1]['options'];
}

/** The receipt as the journal has it; `undefined` when that is not the one of this hash. */
async function readReceipt(
  { journal, sha256 }: Pick<ScrubDeps, 'journal' | 'sha256'>,
  trail: TrailId,
  number: number,
  wanted: string,
): Promise<{ readonly receipt: Receipt; readonly note: Uint8Array } | undefined> {
  const sequence = await journal.find(trail.account, `receipt/${number}/${trailArn(trail)}`);
  if (sequence === undefined) return undefined;
  const [entry] = await journal.fetch([sequence]);
  if (entry?.kind !== 'fact' || toHex(sha256(entry.bytes)) !== wanted) return undefined;
  const note = parseNote(new TextDecoder().decode(entry.bytes));
  const parsed = note.kind === 'ok' ? parseReceipt(note.value.text) : note;
  return parsed.kind === 'ok' ? { receipt: parsed.value, note: entry.bytes } : undefined;
}

/** The log file's compressed bytes, made from the journal; `undefined` when they are not the announced ones. */
async function makeLogFile(deps: ScrubDeps, trail: TrailId, object: ReceiptObject): Promise<Uint8Array | undefined> {
  const entries = await entriesOf(deps, object);
  // Which of the two the trail was set to then, only the hash tells.
  for (const includeGlobalServiceEvents of [true, false]) {
    const scope = { ...trail, isMultiRegionTrail: true, includeGlobalServiceEvents };
    const taken = entries.filter((entry) => selectEvent(scope, entry, deps.sha256) !== undefined);
    if (taken.length !== object.events) continue;
    const body = await deps.gzip(encodeLogFile(taken.map(({ bytes }) => bytes)));
    if (toHex(deps.sha256(body)) === object.sha256) return body;
  }
  return undefined;
}

/** What the journal holds of the file's account and Region, between its first and its last event. */
async function entriesOf({ journal }: Pick<ScrubDeps, 'journal'>, object: ReceiptObject): Promise<readonly JournalEntry[]> {
  const found: JournalEntry[] = [];
  for (let after = object.firstSequence - 1n; after < object.lastSequence; ) {
    const entries = await journal.read(after, READ_LIMIT);
    if (entries.length === 0) break;
    for (const entry of entries)
      if (entry.sequence <= object.lastSequence && entry.account === object.account && entry.region === object.region) found.push(entry);
    after = entries.at(-1)!.sequence;
  }
  return found;
}

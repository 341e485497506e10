/**
 * Looks whether what a trail delivered in the last day is still in its bucket, and puts again what is gone (F20).
 *
 * The receipts in the journal say what was put. A receipt is put as the journal has it; a log file is made again from the journal's
 * events, one of aggregated events by what was remembered of it. Both must come out with the hash that was announced, else nothing is put. A digest cannot be made again, and an object
 * of another size is not touched: both are told, and `snowtrail verify` names them. Whatever is found is on record first.
 *
 * Only the last day's: what is older may be gone because the bucket's owner lets it expire, which S3 does after a day at the
 * earliest, and what was taken away on purpose shall not come back for ever. What a rule with a date let expire earlier is no loss either.
 */

import type { AccountId, EpochMs, ObjectKey } from '../event/types.ts';
import { encodeLogFile } from '../logfile/encode-log-file.ts';
import { parseLogFileKey } from '../logfile/log-file-key.ts';
import { hasExpired } from '../store/find-expiries.ts';
import type { Bucket } from '../store/objects.ts';
import { parseNote } from '../tlog/note.ts';
import { parseReceipt, type Receipt, type ReceiptObject } from '../tlog/receipt.ts';
import { toHex } from '../tlog/text.ts';
import { makeAgain } from './aggregate-events.ts';
import { sealOptions } from './check-key.ts';
import { receiptKey } from './make-receipt.ts';
import { OpenLosses } from './open-losses.ts';
import { pastAggregation } from './past-aggregations.ts';
import { selectionAt } from './past-selections.ts';
import type { PreparedFile } from './prepare-batch.ts';
import { DeliveryFailed, GZIP_JSON, type PutDeps, putObject, RECEIPT_TEXT, untilAnswered } from './put-object.ts';
import { readDelivery } from './read-delivery.ts';
import { receiptFact } from './receipt-fact.ts';
import { isSameTarget, newestPlaced, placeOfReceipt } from './receipt-places.ts';
import { recordLoss, type TrailLoss } from './record-loss.ts';
import { requireAccess } from './require-access.ts';
import { eventSelector, folderOfCategory } from './select-event.ts';
import { followerName, type TrailId } from './trail.ts';
import { TRAIL_SETTINGS, type TrailDeps } from './trail-deps.ts';
import type { TrailTarget } from './trail-state.ts';

/** Passes come twice a day: each object is looked at within a day after it was put. */
const WINDOW_MS = 24 * 3_600_000;
const READ_LIMIT = 100;

/** Objects of one look that the bucket would not say anything of, and that are remembered until it is known what that means. */
const REFUSED_MAX = 10_000;

/** An object that is not as its receipt says. */
export interface LostObject extends TrailLoss {
  /** Name of the trail's follower. */
  readonly trail: string;
}

type ScrubDeps = Pick<
  TrailDeps,
  'catalog' | 'journal' | 'objects' | 'clock' | 'sha256' | 'gzip' | 'settings' | 'trailKeys' | 'foreignBuckets'
>;

/**
 * Looks at one trail's bucket once, newest receipt first, until `signal` aborts.
 * @param tell Told of each object that is not as it should be, after what could be done was done.
 * @throws DeliveryFailed when the bucket does not answer, is closed to the trail, or says of no object whether it is there.
 * @throws JournalDamaged, JournalFull
 */
export async function scrubBucket(deps: ScrubDeps, trail: TrailId, signal: AbortSignal, tell: (lost: LostObject) => void): Promise<void> {
  const { state, pending } = await readDelivery(deps.catalog, trail);
  if (state === undefined || state.phase === 'deleted') return;
  // Where the newest receipts are. A trail that was moved since has none at its new place yet, and its old one is let be.
  const { spans } = state.receipts;
  const target = newestPlaced(spans, state.receipts.number)?.target;
  if (target === undefined || !isSameTarget(target, state.settings.target)) return;
  const look = new BucketLook(
    deps,
    trail,
    { target, kmsKeyArn: state.settings.kmsKeyArn, open: await OpenLosses.read(deps, trail) },
    signal,
    tell,
  );
  const sinceMs = deps.clock.nowMs() - WINDOW_MS;
  const makeAggregated = aggregatedFiles(deps, trail);

  // The hash of each receipt is in the next one; the newest one's, in the state.
  let sha256 = state.receipts.sha256;
  for (let { number } = state.receipts; number > 0 && sha256 !== null && !signal.aborted; number--) {
    const found = await readReceipt(deps, trail, number, sha256);
    if (found === undefined) break;
    const { receipt, note, receivedAtMs } = found;
    const noteSha256 = sha256;
    sha256 = receipt.previousReceiptSha256;
    // What the pending step announced is put by the trail itself; what was given up need not be there.
    const place = placeOfReceipt(spans, number);
    if (pending?.number === number || place === 'withdrawn') continue;
    // Those at another place, which may be another prefix of this bucket, are let be, and so are those before them.
    if (place === undefined || place === 'forgotten' || !isSameTarget(place, target) || receivedAtMs < sinceMs) break;
    const at = ({ key, ...file }: Pick<ReceiptObject, 'key' | 'sizeBytes' | 'sha256'>) => ({
      receipt: number,
      key: key as ObjectKey,
      ...file,
    });
    await look.at(at({ key: receiptKey(trail, target, number), sizeBytes: note.length, sha256: noteSha256 }), async () => ({
      body: note,
      options: RECEIPT_TEXT,
    }));
    if (receipt.kind === 'delivery' || receipt.kind === 'aggregation')
      for (const object of receipt.objects)
        await look.at(at(object), async () => {
          const body = await (receipt.kind === 'delivery' ? makeLogFile(deps, trail, object) : makeAggregated(number, object));
          return body && { body, options: GZIP_JSON, isSealed: true };
        });
    if (receipt.kind === 'digest') await look.at(at(receipt.digest), async () => undefined);
  }
  await look.finish();
}

/** The bytes that a receipt announced, made again; `undefined` when they cannot be. */
type MakeAgain = () => Promise<PutAgain | undefined>;

/** An object that is to be there. */
interface Wanted {
  readonly receipt: number;
  readonly key: ObjectKey;
  readonly sizeBytes: number;
  /** Hexadecimal, of the stored bytes. */
  readonly sha256: string;
}

/** One look at a bucket, object by object. */
class BucketLook {
  readonly #deps: ScrubDeps & PutDeps;
  readonly #trail: TrailId;
  readonly #target: TrailTarget;
  readonly #tell: (lost: LostObject) => void;
  readonly #open: OpenLosses;
  /** Once it was found open to the trail. */
  #bucket: Bucket | undefined;
  /** Whether the bucket has said of any object whether it is there. */
  #isTold = false;
  /**
   * What the bucket refused to say anything of. To whoever may read objects and not list them, S3 says so of an object that is
   * gone; to whoever may do neither, of every object.
   */
  readonly #refused: { readonly wanted: Wanted; readonly make: MakeAgain; readonly error: unknown }[] = [];

  /** Why the newest data key was refused. */
  #keyError: unknown;
  /** Objects that are gone and cannot be encrypted, hence not put again, and why. */
  readonly #unsealed: { readonly key: ObjectKey; readonly error: DeliveryFailed }[] = [];

  constructor(
    deps: ScrubDeps,
    trail: TrailId,
    { target, kmsKeyArn, open }: { readonly target: TrailTarget; readonly kmsKeyArn: string | undefined; readonly open: OpenLosses },
    stop: AbortSignal,
    tell: (lost: LostObject) => void,
  ) {
    const { putTimeoutMs } = { ...TRAIL_SETTINGS, ...deps.settings };
    const seal: PutDeps['seal'] = (object) =>
      sealOptions(deps, trail, { keyArn: kmsKeyArn, bucket: this.#bucket }, object).catch((error: unknown) => {
        this.#keyError = error;
        throw error;
      });
    this.#deps = { ...deps, seal, alreadyPut: new Set<string>(), putTimeoutMs, stop };
    this.#trail = trail;
    this.#target = target;
    this.#open = open;
    this.#tell = tell;
  }

  /** @throws DeliveryFailed */
  async at(wanted: Wanted, make: MakeAgain): Promise<void> {
    const { bucket } = this.#target;
    const { objects } = this.#deps;
    try {
      const found = await untilAnswered(this.#deps, `looking for \`${bucket}/${wanted.key}\``, objects.head(bucket, wanted.key));
      this.#isTold = true;
      if (found === undefined && (await hasExpired(this.#deps, { bucket, ...wanted }))) return;
      if (found === undefined) return await this.#lost(wanted, make);
      await this.#open.end(bucket, wanted.key);
      if (found.sizeBytes !== wanted.sizeBytes) await this.#note(wanted, { outcome: 'differs', foundAtMs: this.#deps.clock.nowMs() });
    } catch (error) {
      if (!(error instanceof DeliveryFailed && error.reason === 'AccessDenied') || this.#refused.length >= REFUSED_MAX) throw error;
      this.#refused.push({ wanted, make, error });
    }
  }

  /** Nothing more to look at. @throws DeliveryFailed */
  async finish(): Promise<void> {
    if (this.#refused.length > 0 && !this.#isTold) throw this.#refused[0]!.error;
    for (const { wanted, make } of this.#refused) if (!this.#deps.stop.aborted) await this.#lost(wanted, make);
    if (!this.#deps.stop.aborted) await this.#open.forgetOthers();
    const [first] = this.#unsealed;
    if (first === undefined) return;
    const what = `${this.#unsealed.length} of the objects that are gone cannot be put again, among them \`${first.key}\``;
    throw new DeliveryFailed(first.error.reason, `${what}: ${first.error.message}`, { cause: first.error });
  }

  async #lost(wanted: Wanted, make: MakeAgain): Promise<void> {
    const nowMs = this.#deps.clock.nowMs();
    const again = await make();
    if (again === undefined) return this.#note(wanted, { outcome: 'gone', foundAtMs: nowMs });
    const { bucket } = this.#target;
    const foundAtMs = await this.#open.begin(bucket, wanted.key, nowMs);
    await this.#note(wanted, { outcome: 'put-again', foundAtMs }, async () => {
      this.#bucket ??= await requireAccess(this.#deps, this.#trail, this.#target);
      await putObject(this.#deps, { bucket, key: wanted.key, ...again });
      await this.#open.end(bucket, wanted.key);
    }).catch((error: unknown) => {
      // A key that may not be used stands in the way of what is encrypted with it, and of nothing else.
      if (!(error instanceof DeliveryFailed) || error.cause === undefined || error.cause !== this.#keyError) throw error;
      this.#unsealed.push({ key: wanted.key, error });
    });
  }

  /** On record first, then mended, then told. */
  async #note({ receipt, key }: Wanted, found: Pick<TrailLoss, 'outcome' | 'foundAtMs'>, mend?: () => Promise<void>): Promise<void> {
    const loss = { bucket: this.#target.bucket, key, receipt, ...found };
    await recordLoss(this.#deps, this.#trail, loss);
    await mend?.();
    this.#tell({ ...loss, trail: followerName(this.#trail) });
  }
}

interface PutAgain {
  readonly body: Uint8Array;
  readonly options: Parameters<typeof putObject>[1]['options'];
  readonly isSealed?: boolean;
}

/** The receipt as the journal has it; `undefined` when that is not the one of this hash. */
async function readReceipt(
  deps: Pick<ScrubDeps, 'journal' | 'sha256'>,
  trail: TrailId,
  number: number,
  wanted: string,
): Promise<{ readonly receipt: Receipt; readonly note: Uint8Array; readonly receivedAtMs: EpochMs } | undefined> {
  const entry = await receiptFact(deps, trail, number);
  if (entry === undefined || toHex(deps.sha256(entry.bytes)) !== wanted) return undefined;
  const note = parseNote(new TextDecoder().decode(entry.bytes));
  const parsed = note.kind === 'ok' ? parseReceipt(note.value.text) : note;
  return parsed.kind === 'ok' ? { receipt: parsed.value, note: entry.bytes, receivedAtMs: entry.receivedAtMs } : undefined;
}

/** The log file's compressed bytes, made from the journal; `undefined` when they are not the announced ones. */
async function makeLogFile(deps: ScrubDeps, trail: TrailId, object: ReceiptObject): Promise<Uint8Array | undefined> {
  for (const events of await eventsOf(deps, trail, object)) {
    if (events.length !== object.events) continue;
    const body = await deps.gzip(encodeLogFile(events));
    if (toHex(deps.sha256(body)) === object.sha256) return body;
  }
  return undefined;
}

/** The same of files of aggregated events, by the number of their receipt. Its files are made all at once, so those of the last one are kept. */
function aggregatedFiles(deps: ScrubDeps, trail: TrailId): (number: number, object: ReceiptObject) => Promise<Uint8Array | undefined> {
  let last: { readonly number: number; readonly files: readonly PreparedFile[] } | undefined;
  return async (number, object) => {
    if (last?.number !== number) {
      const past = await pastAggregation(deps.catalog, trail, number);
      last = { number, files: past === undefined ? [] : await makeAgain(deps, trail, past) };
    }
    return last.files.find((file) => file.object.key === object.key && file.object.sha256 === object.sha256)?.body;
  };
}

/**
 * The journal's events of the file's account, Region and folder, from its first to its last, as the trail selected them then: with and without those of global services,
 * since which of the two the trail was set to then, only the hash tells. A little more than the file holds at most.
 */
async function eventsOf(
  { catalog, journal, sha256 }: Pick<ScrubDeps, 'catalog' | 'journal' | 'sha256'>,
  trail: TrailId,
  object: ReceiptObject,
): Promise<readonly (readonly Uint8Array[])[]> {
  const selection = await selectionAt(catalog, trail, object.lastSequence);
  const folder = parseLogFileKey(object.key)?.folder;
  const kept = [true, false].map((includeGlobalServiceEvents) => ({
    select: eventSelector(
      { ...trail, isMultiRegionTrail: true, includeGlobalServiceEvents, selection, members: new Set([object.account as AccountId]) },
      sha256,
    ),
    events: [] as Uint8Array[],
  }));
  for (let after = object.firstSequence - 1n; after < object.lastSequence; ) {
    const entries = await journal.read(after, READ_LIMIT);
    if (entries.length === 0) break;
    for (const entry of entries) {
      if (entry.sequence > object.lastSequence || entry.account !== object.account || entry.region !== object.region) continue;
      for (const { select, events } of kept) {
        const event = events.length <= object.events ? select(entry) : undefined;
        if (event !== undefined && folderOfCategory(event.category) === folder) events.push(entry.bytes);
      }
    }
    after = entries.at(-1)!.sequence;
  }
  return kept.map(({ events }) => events);
}

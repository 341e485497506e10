/**
 * Keeps on record that an object which a trail delivered was not in its bucket as it should be (F20).
 *
 * Putting the object again would otherwise hide that somebody took it away. So a fact of the journal says it first, and the
 * catalog keeps the newest of a trail's losses for those who ask: `GetTrailEvidence`, `snowtrail verify` and `snowtrail doctor`.
 */
import { formatEventTime } from '../event/times.ts';
import type { BucketName, EpochMs, ObjectKey } from '../event/types.ts';
import type { Catalog, CatalogKey } from '../store/catalog.ts';
import type { Journal } from '../store/journal.ts';
import type { Sha256 } from '../tlog/hash.ts';
import { toHex, utf8 } from '../tlog/text.ts';
import { type TrailId, trailArn } from './trail.ts';

/** Losses of one trail that are kept for those who ask; the journal has all of them. */
const NEWEST_MAX = 100;

/** An object that is not as its receipt says. */
export interface TrailLoss {
  readonly bucket: BucketName;
  readonly key: ObjectKey;
  /** Number of the receipt that announced it, or that it is. */
  readonly receipt: number;
  /**
   * `put-again`: it was gone, and is put again with the announced bytes as soon as the bucket takes them. `gone`: it is gone, and
   * cannot be made again. `differs`: it has another size.
   */
  readonly outcome: 'put-again' | 'gone' | 'differs';
  /** When that was found; while it could not be put again, when it was found first. */
  readonly foundAtMs: EpochMs;
}

/** What a trail lost so far. */
export interface TrailLosses {
  /** Of all that was found; the same object that is still gone counts once. */
  readonly total: number;
  /** The newest, oldest first. */
  readonly newest: readonly TrailLoss[];
}

export interface LossDeps {
  readonly catalog: Pick<Catalog, 'get' | 'commit'>;
  readonly journal: Pick<Journal, 'append'>;
  readonly sha256: Sha256;
}

/**
 * Makes the loss a durable fact. To be called before the object is put again.
 * One that is still gone, still differs, or has the time of one that could not be put again yet, is on record already and is not
 * noted again.
 * @throws JournalFull, JournalFailed
 */
export async function recordLoss(deps: LossDeps, trail: TrailId, loss: TrailLoss): Promise<void> {
  const { bucket, key, receipt, outcome, foundAtMs } = loss;
  // When it was found is the time of the entry. What was put again may be lost again; what is not mended stays one loss.
  const fact = { version: 1, kind: 'loss', trailARN: trailArn(trail), bucket, key, receipt, outcome };
  const which = outcome === 'put-again' ? new Date(foundAtMs).toISOString() : outcome;
  const object = toHex(deps.sha256(utf8(`${trailArn(trail)}\n${bucket}\n${key}`)));
  const [verdict] = await deps.journal.append([
    {
      kind: 'fact',
      factKind: 'loss',
      factId: `loss/${which}/${object}`,
      account: trail.account,
      region: trail.homeRegion,
      receivedAtMs: foundAtMs,
      bytes: utf8(`${JSON.stringify(fact)}\n`),
    },
  ]);
  const found = await deps.catalog.get<TrailLosses>(lossesKey(trail));
  const { total, newest } = found?.value ?? NO_LOSSES;
  const isSame = (other: TrailLoss) => outcome !== 'put-again' || other.foundAtMs === foundAtMs;
  const isListed = newest.some((other) => other.key === key && other.bucket === bucket && other.outcome === outcome && isSame(other));
  // A process that ended between the two has left the fact alone: then it is listed now.
  if (verdict?.kind === 'repeated' && (isListed || newest.length === NEWEST_MAX)) return;
  const value: TrailLosses = { total: total + 1, newest: [...newest, loss].slice(-NEWEST_MAX) };
  await deps.catalog.commit([{ key: lossesKey(trail), value, expected: 'any' }]);
}

/** What a trail lost so far; also that of an earlier trail of the same name, whose receipts it goes on with. */
export async function readLosses(catalog: Pick<Catalog, 'get'>, trail: TrailId): Promise<TrailLosses> {
  return (await catalog.get<TrailLosses>(lossesKey(trail)))?.value ?? NO_LOSSES;
}

/** A loss as `GetTrailEvidence` gives it. */
export interface LostObjectOutput {
  readonly S3BucketName: string;
  readonly Key: string;
  readonly ReceiptNumber: number;
  readonly Outcome: TrailLoss['outcome'];
  /** ISO 8601, UTC, whole seconds. */
  readonly FoundAt: string;
}

export function lostObjectOutput({ bucket, key, receipt, outcome, foundAtMs }: TrailLoss): LostObjectOutput {
  return { S3BucketName: bucket, Key: key, ReceiptNumber: receipt, Outcome: outcome, FoundAt: formatEventTime(foundAtMs) };
}

const NO_LOSSES: TrailLosses = { total: 0, newest: [] };

const lossesKey = ({ account, homeRegion, name }: TrailId): CatalogKey => ['trail-loss', account, homeRegion, name];

/**
 * A notice: what a trail's topic is to be told of a delivery. It waits in the catalog, put there in the commit that ends the
 * delivery, until the topic has taken it.
 *
 * Source: cloudtrail.md §2.2; CloudTrail User Guide, "Configuring Amazon SNS notifications for CloudTrail".
 */
import type { EpochMs } from '../../event/types.ts';
import type { Catalog, CatalogKey } from '../../store/catalog.ts';
import type { Written } from '../saved-trail.ts';
import { type Trail, type TrailId, trailKey } from '../trail.ts';

export interface Notice {
  readonly bucket: string;
  /** Keys of the log files that were put. */
  readonly keys: readonly string[];
  readonly atMs: EpochMs;
}

/** How telling goes, for GetTrailStatus. */
export interface NoticeStatus {
  readonly succeededAtMs?: EpochMs;
  readonly attemptedAtMs?: EpochMs;
  /** The code of the last try; absent when it succeeded. */
  readonly error?: string;
  /** Notices that the topic took, and tries that failed. */
  readonly sent: number;
  readonly failed: number;
  /** Notices that nobody took for a day, and that were given up. */
  readonly givenUp: number;
}

export const NO_NOTICES: NoticeStatus = { sent: 0, failed: 0, givenUp: 0 };

/** A message of a topic has 256 KiB at most; this leaves room for what stands around the keys. */
const MESSAGE_BYTES_MAX = 240 * 1024;

export const NOTICE = 'trail-notice';
export const NOTICE_STATUS = 'notice-status';

const id = ({ account, homeRegion, name }: TrailId) => [account, homeRegion, name] as const;

export const noticesKey = (trail: TrailId): CatalogKey => [NOTICE, ...id(trail)];
export const noticeStatusKey = (trail: TrailId): CatalogKey => [NOTICE_STATUS, ...id(trail)];

/** The notice of a delivery, to be written when it ends; none where the trail has no topic now. @param number Of its receipt. */
export async function noticeOf(catalog: Pick<Catalog, 'get'>, trail: TrailId, number: number, notice: Notice): Promise<readonly Written[]> {
  const settings = await catalog.get<Trail>(trailKey(trail));
  if (settings?.value.snsTopicArn === undefined) return [];
  return [{ key: [...noticesKey(trail), String(number).padStart(12, '0')], value: notice }];
}

/** The messages of a notice: one, but for very many files. */
export function messagesOf({ bucket, keys }: Pick<Notice, 'bucket' | 'keys'>): readonly string[] {
  const parts: string[][] = [[]];
  let sizeBytes = 0;
  for (const key of keys) {
    const size = new TextEncoder().encode(JSON.stringify(key)).length + 1;
    if (sizeBytes + size > MESSAGE_BYTES_MAX) {
      parts.push([]);
      sizeBytes = 0;
    }
    parts.at(-1)!.push(key);
    sizeBytes += size;
  }
  return parts.map((part) => JSON.stringify({ s3Bucket: bucket, s3ObjectKey: part }));
}

/**
 * The object key of a digest file, and the metadata of the object.
 *
 * The key's time is the digest's end, to the second; the CLI lists by it. The trail's name and home Region are in the
 * file name, since trails may share a bucket.
 * Source: CloudTrail User Guide, "CloudTrail digest file structure"; the pattern of `aws cloudtrail validate-logs`.
 */
import type { AccountId, EpochMs, ObjectKey, Region } from '../event/types.ts';
import { DIGEST_SIGNATURE_ALGORITHM } from './digest-file.ts';

/** What the key of a digest says. */
export interface DigestName {
  /** The trail's `S3KeyPrefix`, without the slash after it; absent when it has none. */
  readonly prefix?: string;
  /** Such as `o-1a2b3c4d5e`, for an organization trail only. */
  readonly organizationId?: string;
  readonly account: AccountId;
  /** The Region whose log files are covered. */
  readonly region: Region;
  readonly trailName: string;
  /** The trail's. */
  readonly homeRegion: Region;
  /** `digestEndTime`, a whole second. */
  readonly endTimeMs: EpochMs;
  /** Of the chain for intervals whose digest could not be put in time. */
  readonly isBackfill: boolean;
}

/** A time as digests write it, `YYYY-MM-DDTHH:MM:SSZ`; milliseconds are cut off. */
export function digestTime(timeMs: EpochMs): string {
  return `${new Date(timeMs).toISOString().slice(0, 19)}Z`;
}

/** The key at which the digest is put. */
export function digestKey(name: DigestName): ObjectKey {
  const { account, region, trailName, homeRegion } = name;
  const time = digestTime(name.endTimeMs);
  const folder = [
    name.prefix,
    'AWSLogs',
    name.organizationId,
    account,
    'CloudTrail-Digest',
    region,
    time.slice(0, 10).replaceAll('-', '/'),
  ];
  const stamp = time.replace(/[-:]/g, '');
  const file = `${account}_CloudTrail-Digest_${region}_${trailName}_${homeRegion}_${stamp}${name.isBackfill ? '_backfill' : ''}.json.gz`;
  return [...folder, file].filter((part) => part !== undefined && part !== '').join('/') as ObjectKey;
}

const KEY = new RegExp(
  [
    '^(?:(?<prefix>.+)/)?AWSLogs/(?:(?<organizationId>o-[a-z0-9]{10,32})/)?(?<account>[0-9]{12})/CloudTrail-Digest/(?<region>[a-z][a-z0-9-]{1,31})',
    '/(?<year>[0-9]{4})/(?<month>[0-9]{2})/(?<day>[0-9]{2})/',
    '\\k<account>_CloudTrail-Digest_\\k<region>_(?<trailName>[A-Za-z0-9._-]{3,128})_(?<homeRegion>[a-z][a-z0-9-]{1,31})',
    '_\\k<year>\\k<month>\\k<day>T(?<hour>[0-9]{2})(?<minute>[0-9]{2})(?<second>[0-9]{2})Z(?<backfill>_backfill)?\\.json\\.gz$',
  ].join(''),
  's',
);

/** What an untrusted key says; `undefined` when it is not the key of a digest, or says two things about one. */
export function parseDigestKey(key: string): DigestName | undefined {
  const parts = KEY.exec(key)?.groups;
  if (parts === undefined) return undefined;
  const { year, month, day, hour, minute, second, prefix, organizationId } = parts;
  const endTimeMs = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  const name: DigestName = {
    ...(prefix === undefined ? {} : { prefix }),
    ...(organizationId === undefined ? {} : { organizationId }),
    account: parts['account'] as AccountId,
    region: parts['region'] as Region,
    trailName: parts['trailName']!,
    homeRegion: parts['homeRegion'] as Region,
    endTimeMs,
    isBackfill: parts['backfill'] !== undefined,
  };
  // A time that does not exist, such as the 30th of February, becomes another one or none.
  return Number.isNaN(endTimeMs) || digestKey(name) !== key ? undefined : name;
}

/** The user metadata of a digest object, without the `x-amz-meta-` prefix. */
export function digestMetadata(signature: {
  /** Hexadecimal. */
  readonly signature: string;
  /** When a backfill digest was made; absent for the standard chain. */
  readonly backfillGeneratedAtMs?: EpochMs;
}): Readonly<Record<string, string>> {
  const { backfillGeneratedAtMs } = signature;
  return {
    signature: signature.signature,
    'signature-algorithm': DIGEST_SIGNATURE_ALGORITHM,
    ...(backfillGeneratedAtMs === undefined ? {} : { 'backfill-generation-timestamp': new Date(backfillGeneratedAtMs).toISOString() }),
  };
}

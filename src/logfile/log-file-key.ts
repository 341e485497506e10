/**
 * The object key of a log file.
 *
 * Region and date in the key are what readers partition by; the time is that of delivery, in whole minutes, and says
 * nothing about the events inside.
 * Source: cloudtrail.md §2.1.
 */
import { formatEventTime, parseEventTime } from '../event/times.ts';
import type { AccountId, EpochMs, ObjectKey, Region } from '../event/types.ts';

/** The kinds of log file; each has its own folder. */
export type LogFolder =
  /** Management and data events. */
  'CloudTrail' | 'CloudTrail-Insight' | 'CloudTrail-NetworkActivity' | 'CloudTrail-Aggregated';

/** What the key of a log file says. */
export interface LogFileName {
  /** The trail's `S3KeyPrefix`, without the slash after it; absent when it has none. */
  readonly prefix?: string;
  /** Such as `o-1a2b3c4d5e`, for an organization trail only. */
  readonly organizationId?: string;
  readonly account: AccountId;
  readonly folder: LogFolder;
  /** The Region where the events were recorded. */
  readonly region: Region;
  /** Delivery, cut to the minute. */
  readonly timeMs: EpochMs;
  /** 16 letters and digits that tell files of one minute apart; see `uniqueText`. */
  readonly unique: string;
}

/** The key at which the log file is put. */
export function logFileKey(name: LogFileName): ObjectKey {
  const { prefix, organizationId, account, folder, region, unique } = name;
  const time = formatEventTime(name.timeMs);
  const date = time.slice(0, 10);
  const stamp = `${date.replaceAll('-', '')}T${time.slice(11, 13)}${time.slice(14, 16)}Z`;
  const folders = [prefix, 'AWSLogs', organizationId, account, folder, region, date.replaceAll('-', '/')];
  const file = `${account}_${folder}_${region}_${stamp}_${unique}.json.gz`;
  return [...folders, file].filter((part) => part !== undefined && part !== '').join('/') as ObjectKey;
}

const KEY = new RegExp(
  [
    '^(?:(?<prefix>.+)/)?AWSLogs/(?:(?<organizationId>o-[a-z0-9]{10,32})/)?(?<account>[0-9]{12})',
    '/(?<folder>CloudTrail(?:-Insight|-NetworkActivity|-Aggregated)?)/(?<region>[a-z][a-z0-9-]{1,31})',
    '/(?<year>[0-9]{4})/(?<month>[0-9]{2})/(?<day>[0-9]{2})/',
    '\\k<account>_\\k<folder>_\\k<region>_\\k<year>\\k<month>\\k<day>T(?<hour>[0-9]{2})(?<minute>[0-9]{2})Z_(?<unique>[A-Za-z0-9]{16})\\.json\\.gz$',
  ].join(''),
  's',
);

/** What an untrusted key says; `undefined` when it is not the key of a log file, or says two things about one. */
export function parseLogFileKey(key: string): LogFileName | undefined {
  const parts = KEY.exec(key)?.groups;
  if (parts === undefined) return undefined;
  const { year, month, day, hour, minute, prefix, organizationId } = parts;
  const timeMs = parseEventTime(`${year}-${month}-${day}T${hour}:${minute}:00Z`);
  if (timeMs === undefined) return undefined;
  return {
    ...(prefix === undefined ? {} : { prefix }),
    ...(organizationId === undefined ? {} : { organizationId }),
    account: parts['account'] as AccountId,
    folder: parts['folder'] as LogFolder,
    region: parts['region'] as Region,
    timeMs,
    unique: parts['unique']!,
  };
}

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const UNIQUE_LENGTH = 16;

/**
 * 16 mixed-case letters and digits made from a hash, so that a repeated delivery gets the same name again.
 * @param hash At least 16 bytes, such as a SHA-256; the first 16 count. Two hashes give one text with a chance of 2^-95.
 */
export function uniqueText(hash: Uint8Array): string {
  if (hash.length < UNIQUE_LENGTH) throw new RangeError(`a hash of at least ${UNIQUE_LENGTH} bytes is expected, not of ${hash.length}`);
  let rest = 0n;
  for (const byte of hash.subarray(0, UNIQUE_LENGTH)) rest = (rest << 8n) | BigInt(byte);
  let text = '';
  while (text.length < UNIQUE_LENGTH) {
    text += ALPHABET[Number(rest % 62n)]!;
    rest /= 62n;
  }
  return text;
}

/** Longest `S3KeyPrefix`, in characters. */
const PREFIX_LENGTH_MAX = 200;

/**
 * Why a text cannot be a trail's `S3KeyPrefix`, as the message of `InvalidS3PrefixException`; `undefined` when it can.
 *
 * The service publishes the length only. Ours also refuses what would make two readers see two keys: slashes at the ends
 * (the service inserts the one behind the prefix), empty, `.` and `..` parts, a part `AWSLogs`, and characters outside of
 * printable ASCII.
 */
export function prefixProblem(prefix: string): string | undefined {
  if (prefix.length > PREFIX_LENGTH_MAX) return `S3 prefix is longer than ${PREFIX_LENGTH_MAX} characters: ${prefix.length}.`;
  if (!/^[\x20-\x7e]*$/.test(prefix)) return 'S3 prefix may contain printable ASCII characters only.';
  if (prefix === '') return undefined;
  const parts = prefix.split('/');
  if (parts.includes('')) return `S3 prefix may not begin or end with a slash, nor contain an empty part: ${prefix}`;
  if (parts.some((part) => part === '.' || part === '..')) return `S3 prefix may not contain the parts . and ..: ${prefix}`;
  if (parts.includes('AWSLogs')) return `S3 prefix may not contain the part AWSLogs: ${prefix}`;
  return undefined;
}

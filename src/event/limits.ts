/**
 * The limits within which an untrusted record is read, in one place with their numbers.
 *
 * Source: reliability.md A45; cloudtrail.md §1.5 for what the service itself does above 256 KB.
 */

/** Most bytes of one record: 1 MiB, from the first `{` to the last `}`. */
export const RECORD_BYTES_MAX = 1_048_576;
/** Deepest nesting of objects and arrays; the record itself is the first level. */
export const RECORD_DEPTH_MAX = 128;
/** Most members of objects and elements of arrays in one record, all levels together. */
export const RECORD_MEMBERS_MAX = 10_000;
/** Longest `eventID`, in UTF-16 code units. */
export const EVENT_ID_LENGTH_MAX = 128;
/** An event time further ahead of its receipt than this is flagged (A55). */
export const EVENT_TIME_AHEAD_MAX_MS = 15 * 60_000;
/** An event time before this is flagged (A55): 2000-01-01T00:00:00Z. */
export const EVENT_TIME_MIN_MS = Date.UTC(2000, 0, 1);

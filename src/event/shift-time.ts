/**
 * Moves a record to another time by rewriting the bytes of its `eventTime`, and nothing else.
 *
 * For samples and demonstrations (`snowtrail record --shift-to now`), before the record is sent: what is evidence is what
 * the server receives. Every other byte stays: order, spacing, numbers, times inside request and response.
 */
import { JsonBytes } from './json-bytes.ts';
import { PendingBytes } from './pending-bytes.ts';
import { formatEventTime, parseEventTime } from './times.ts';
import type { EpochMs } from './types.ts';
import { isWhiteSpace } from './white-space.ts';

const QUOTE = 0x22;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

const NAME = new TextEncoder().encode('eventTime');
const utf8 = new TextDecoder('utf-8', { fatal: false, ignoreBOM: true });

/** The event time of a record; `undefined` when it has none at its first level, or one that is not RFC 3339. */
export function readRecordTime(record: Uint8Array): EpochMs | undefined {
  const range = findTime(record);
  return range === undefined ? undefined : parseEventTime(utf8.decode(record.subarray(range.from, range.to)));
}

/**
 * The record with its event time moved by `offsetMs`, as `YYYY-MM-DDTHH:MM:SSZ`.
 *
 * @returns the record itself when it has no event time that can be read, so that the server says what is wrong with it.
 */
export function shiftRecordTime(record: Uint8Array, offsetMs: number): Uint8Array {
  const range = findTime(record);
  const timeMs = range === undefined ? undefined : parseEventTime(utf8.decode(record.subarray(range.from, range.to)));
  if (range === undefined || timeMs === undefined) return record;
  const shifted = new PendingBytes(Number.MAX_SAFE_INTEGER);
  shifted.add(record.subarray(0, range.from));
  shifted.add(new TextEncoder().encode(formatEventTime(timeMs + offsetMs)));
  shifted.add(record.subarray(range.to));
  return shifted.take() ?? record;
}

/**
 * The bytes between the quotes of the last `eventTime` at the record's first level: the one that `JSON.parse` reads.
 * A name written with escapes is not found.
 */
function findTime(record: Uint8Array): { readonly from: number; readonly to: number } | undefined {
  const json = new JsonBytes(record);
  let depth = 0;
  let found: { from: number; to: number } | undefined;
  for (let at = 0; at < record.length; at++) {
    const byte = record[at]!;
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++;
    else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) depth--;
    if (byte !== QUOTE) continue;
    const end = endOfString(json, at);
    const isName = depth === 1 && end - at === NAME.length + 2 && NAME.every((letter, index) => record[at + 1 + index] === letter);
    at = end - 1;
    if (!isName) continue;
    const colon = skipWhiteSpace(record, end);
    if (record[colon] !== COLON) continue;
    const value = skipWhiteSpace(record, colon + 1);
    if (record[value] !== QUOTE) {
      found = undefined;
      continue;
    }
    const valueEnd = endOfString(json, value);
    found = { from: value + 1, to: valueEnd - 1 };
    at = valueEnd - 1;
  }
  return found;
}

/** Index after the closing quote of the text that begins at `from`, or the end of the bytes. */
function endOfString(json: JsonBytes, from: number): number {
  return Math.min(json.endOfText(from + 1) + 1, json.bytes.length);
}

function skipWhiteSpace(bytes: Uint8Array, from: number): number {
  let at = from;
  while (at < bytes.length && isWhiteSpace(bytes[at]!)) at++;
  return at;
}

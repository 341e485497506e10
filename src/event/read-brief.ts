/**
 * Reads from an accepted event's bytes the few members that most choices need and that date it, without parsing the rest.
 *
 * For followers that are behind and meet events which are not in memory any more: a fifth of the time of `parseEvent`.
 * Relies on that the bytes are valid JSON within the limits; says `undefined` for everything unusual, which is then
 * parsed. Never another answer than `parseEvent` gives: `read-brief.test.ts` holds one against the other.
 */
import { inferCategory } from './infer-category.ts';
import { JsonBytes } from './json-bytes.ts';
import { booleanMember } from './members.ts';
import { parseEventTime } from './times.ts';
import type { EpochMs, EventCategory } from './types.ts';
import { isWhiteSpace } from './white-space.ts';

/** What is read. */
export interface EventBrief {
  readonly category: EventCategory;
  readonly eventName: string;
  readonly eventSource: string;
  readonly eventTimeMs: EpochMs;
  /** Absent when the record does not say. */
  readonly isReadOnly?: boolean;
}

/** The members that decide. */
const NAMES: ReadonlySet<string> = new Set([
  'eventTime',
  'eventName',
  'eventType',
  'eventSource',
  'eventCategory',
  'managementEvent',
  'readOnly',
]);
/** Most other names are told from these by their length alone. */
const LENGTHS: ReadonlySet<number> = new Set([...NAMES].map(({ length }) => length));

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const FIRST_OF_TRUE = 0x74;
const FIRST_OF_FALSE = 0x66;
const FIRST_PRINTABLE = 0x20;
const LAST_PRINTABLE = 0x7e;

/** @param bytes Of an event that `parseEvent` took. */
export function readBrief(bytes: Uint8Array): EventBrief | undefined {
  const members = readMembers(bytes);
  // Insights name their call one level down.
  if (members?.['eventTime'] === undefined || members['eventName'] === undefined) return undefined;
  const eventTimeMs = parseEventTime(members['eventTime']);
  if (eventTimeMs === undefined) return undefined;
  const { eventName, eventSource = '' } = members;
  const brief = { category: inferCategory(members), eventName, eventSource, eventTimeMs };
  const isReadOnly = booleanMember(members, 'readOnly');
  return isReadOnly === undefined ? brief : { ...brief, isReadOnly };
}

/** Texts of the wanted members of the outermost object; `undefined` where a name is escaped or a value is no plain text. */
function readMembers(bytes: Uint8Array): Readonly<Record<string, string>> | undefined {
  const json = new JsonBytes(bytes);
  const members: Record<string, string> = {};
  let open = 0;
  /** In the outermost object, where a name is due. */
  let isNameNext = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte === QUOTE) {
      const end = json.endOfText(at + 1);
      if (isNameNext) {
        if (hasEscape(bytes, at + 1, end)) return undefined;
        const name = LENGTHS.has(end - at - 1) ? plainText(bytes, at + 1, end) : undefined;
        if (name !== undefined && NAMES.has(name)) {
          const value = readValue(json, end + 1, name);
          if (value === undefined) return undefined;
          members[name] = value;
        }
        isNameNext = false;
      }
      at = end;
    } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      open++;
      isNameNext = open === 1;
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) open--;
    else if (byte === COMMA) isNameNext = open === 1;
  }
  return members;
}

function hasEscape(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (bytes[at] === BACKSLASH) return true;
  return false;
}

/** The text behind a name's quote, or the truth value as text; `undefined` when it is empty, or a value of another kind. */
function readValue(json: JsonBytes, from: number, name: string): string | undefined {
  const { bytes } = json;
  let at = from;
  while (bytes[at] === COLON || isWhiteSpace(bytes[at]!)) at++;
  if ((name === 'managementEvent' || name === 'readOnly') && bytes[at] !== QUOTE)
    return bytes[at] === FIRST_OF_TRUE ? 'true' : bytes[at] === FIRST_OF_FALSE ? 'false' : undefined;
  if (bytes[at] !== QUOTE) return undefined;
  return plainText(bytes, at + 1, json.endOfText(at + 1));
}

/** @returns `undefined` unless all of it is printable ASCII without escapes, and at least one character. */
function plainText(bytes: Uint8Array, from: number, to: number): string | undefined {
  let text = '';
  for (let at = from; at < to; at++) {
    const byte = bytes[at]!;
    if (byte < FIRST_PRINTABLE || byte > LAST_PRINTABLE || byte === BACKSLASH) return undefined;
    text += String.fromCharCode(byte);
  }
  return text === '' ? undefined : text;
}

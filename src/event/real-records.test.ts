/**
 * Reads every real record of the collected data: accepted, or refused with a reason that is listed here.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { sentenceFlaws } from '../../test/support/sentence-flaws.ts';
import { testDataFolder } from '../../test/support/test-data.ts';
import { encodeLogFile } from '../logfile/encode-log-file.ts';
import { parseEvent, readKnownEvent } from './parse-event.ts';
import { readBrief } from './read-brief.ts';
import { sentenceOf } from './sentence.ts';
import { sliceRecords } from './slice-records.ts';
import type { AccountId, Event, EventDefaults, JsonObject, Region } from './types.ts';

const defaults: EventDefaults = {
  account: '999999999999' as AccountId,
  region: 'eu-central-1' as Region,
  nowMs: Date.parse('2026-06-01T00:00:00Z'),
};
const tools = { sha256: (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest() };

interface Reading {
  readonly records: Uint8Array[];
  readonly accepted: Event[];
  readonly refusals: string[];
}

/** Reads files of one collection. */
function readAll(files: readonly Uint8Array[]): Reading {
  const reading: Reading = { records: [], accepted: [], refusals: [] };
  for (const piece of files.flatMap((file) => sliceRecords(file))) {
    if (piece.kind === 'malformed') {
      reading.refusals.push(`${piece.code}: ${piece.reason}`);
      continue;
    }
    reading.records.push(piece.bytes);
    const outcome = parseEvent(piece.bytes, defaults, tools);
    if (outcome.kind === 'event') reading.accepted.push(outcome.event);
    else reading.refusals.push(`${outcome.code}: ${outcome.reason}`);
  }
  return reading;
}

function countsOf(texts: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const text of texts) counts[text] = (counts[text] ?? 0) + 1;
  return counts;
}

/** Records and accepted ones of each collection. */
const COLLECTIONS: Readonly<Record<string, readonly [records: number, accepted: number]>> = {
  'delivered-files-invictus': [1534, 1534],
  'records-awsdocs': [161, 145],
  'records-boogy': [834, 834],
  'records-misc': [169, 166],
  'records-opensearch': [456, 456],
  'records-splunk': [23, 22],
  'records-stratus': [133, 133],
  'records-traildiscover': [150, 150],
  'records-umccr-versions': [110, 110],
};

/** Why a record is refused: published samples with placeholders in the place of an account or with a broken time. */
const REFUSALS: Readonly<Record<string, number>> = {
  'InvalidAccount: `recipientAccountId` is `"account"`; 12 digits are expected': 9,
  'InvalidAccount: `recipientAccountId` is `"08966example"`; 12 digits are expected': 3,
  'InvalidAccount: `recipientAccountId` is `"0987654321"`; 12 digits are expected': 1,
  'InvalidAccount: `recipientAccountId` is `"11111111111111"`; 12 digits are expected': 1,
  'InvalidAccount: `recipientAccountId` is `"XXXXXXXXXXX"`; 12 digits are expected': 1,
  'InvalidAccount: `recipientAccountId` is `"XXXXXXXXXXXXX"`; 12 digits are expected': 1,
  'InvalidAccount: `recipientAccountId` is `"XXXXXXXXXXXXXXXXXXXX"`; 12 digits are expected': 1,
  'InvalidAccount: `recipientAccountId` is `"account-ID"`; 12 digits are expected': 1,
  'InvalidAccount: `userIdentity.accountId` is `"account"`; 12 digits are expected': 1,
  'InvalidEventTime: `eventTime` is `"2014-03-06T21: 22: 54Z"`; a time such as `2025-09-24T02:11:07Z` is expected': 1,
};

const folder = testDataFolder();

describe.skipIf(folder === undefined)('every collected record', () => {
  const readings = new Map<string, Reading>();
  if (folder !== undefined) {
    for (const name of Object.keys(COLLECTIONS)) {
      const place = join(folder, name);
      const files = name.startsWith('records-')
        ? [readFileSync(join(place, 'records.jsonl'))]
        : readdirSync(join(place, 'files')).map((file) => gunzipSync(readFileSync(join(place, 'files', file))));
      readings.set(name, readAll(files));
    }
  }
  const all = [...readings.values()];
  const accepted = all.flatMap((reading) => reading.accepted);

  test('is accepted or refused, by collection', () => {
    const counts = Object.fromEntries([...readings].map(([name, reading]) => [name, [reading.records.length, reading.accepted.length]]));
    expect(counts).toEqual(COLLECTIONS);
  });

  test('is refused only for a listed reason', () => {
    expect(countsOf(all.flatMap((reading) => reading.refusals))).toEqual(REFUSALS);
  });

  test('comes out of a log file byte for byte', () => {
    for (const { accepted: events } of all) {
      const pieces = sliceRecords(encodeLogFile(events.map(({ bytes }) => bytes)));
      expect(pieces.length).toBe(events.length);
      pieces.forEach((piece, index) => {
        expect(piece.kind === 'record' && Buffer.compare(piece.bytes, events[index]!.bytes) === 0).toBe(true);
      });
    }
  });

  test('has the remarks and categories that were counted', () => {
    expect(countsOf(accepted.flatMap(({ remarks }) => remarks.defaulted))).toEqual({ eventID: 14, account: 1, awsRegion: 1 });
    expect(accepted.filter(({ remarks }) => remarks.hasDuplicateKeys || remarks.isEventTimeSuspicious)).toEqual([]);
    expect(countsOf(accepted.map(({ category }) => category))).toEqual({ Management: 3521, Data: 27, Insight: 2 });
  });

  test('has a user name, except callers of other accounts and records without a name', () => {
    const unnamed = accepted
      .filter(({ username }) => username === undefined)
      .map(({ bytes }) => (JSON.parse(Buffer.from(bytes).toString()) as { userIdentity?: { type?: string } }).userIdentity?.type ?? 'none');
    expect(countsOf(unnamed)).toEqual({ AWSAccount: 447, none: 12 });
  });

  test('is read in brief as it is parsed', () => {
    const briefs = accepted.map((event) => ({ event, brief: readBrief(event.bytes) })).filter(({ brief }) => brief !== undefined);
    for (const { event, brief } of briefs) {
      const { category, eventName, eventSource, eventTimeMs, isReadOnly } = event;
      expect(brief).toEqual({ category, eventName, eventSource, eventTimeMs, isReadOnly });
    }
    // The two insights name their call one level down.
    expect(accepted.length - briefs.length).toBe(2);
  });

  test('is read again as it was read first', () => {
    for (const event of accepted) {
      const { defaulted, isEventTimeSuspicious } = event.remarks;
      const again = readKnownEvent(event.bytes, { ...defaults, account: event.account, region: event.region }, tools);
      expect(again).toMatchObject({ ...event, remarks: { defaulted, isEventTimeSuspicious } });
    }
  });

  test('has a sentence of one line', () => {
    for (const event of accepted) expect(sentenceOf(event)).toMatch(/^[\x20-\x7e…]{20,900}$/);
  });

  test('has a sentence that reads as English: nothing dangles, is empty or is missing', () => {
    const flawed = accepted.map(sentenceOf).filter((sentence) => sentenceFlaws(sentence).length > 0);
    expect(flawed).toEqual([]);
  });

  test('has such a sentence also with its resources and parameters left out', () => {
    const bare = accepted.flatMap(({ bytes, account, region }) => {
      const {
        resources: _,
        requestParameters: __,
        responseElements: ___,
        ...rest
      } = JSON.parse(Buffer.from(bytes).toString()) as JsonObject;
      const event = readKnownEvent(Buffer.from(JSON.stringify(rest)), { ...defaults, account, region }, tools);
      return event === undefined ? [] : [sentenceOf(event)];
    });
    expect(bare).toHaveLength(accepted.length);
    expect(bare.filter((sentence) => sentenceFlaws(sentence).length > 0)).toEqual([]);
  });
});

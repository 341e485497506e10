import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseEvent } from './parse-event.ts';
import { readBrief } from './read-brief.ts';
import type { AccountId, Region } from './types.ts';

const defaults = { account: '999999999999' as AccountId, region: 'eu-central-1' as Region, nowMs: Date.parse('2026-06-01T00:00:00Z') };
const tools = { sha256: () => new Uint8Array(32) };
const encode = (text: string) => new TextEncoder().encode(text);

const usual = {
  eventTime: '2026-05-30T10:00:00Z',
  eventName: 'PutObject',
  eventSource: 's3.amazonaws.com',
  eventType: 'AwsApiCall',
  managementEvent: false,
  readOnly: false,
};

test('category, name, source, time and whether it reads are read from the outermost members alone', () => {
  const record = { nested: { eventTime: 'x', list: [{ eventName: 'y', eventSource: 'z' }] }, ...usual, text: 'a "eventTime": "b' };
  expect(readBrief(encode(JSON.stringify(record, undefined, 1)))).toEqual({
    category: 'Data',
    eventName: 'PutObject',
    eventSource: 's3.amazonaws.com',
    isReadOnly: false,
    eventTimeMs: Date.parse('2026-05-30T10:00:00Z'),
  });
});

test.each([
  ['an escaped name', '{"eventTime":"2026-05-30T10:00:00Z","eventName":"A","event\\u0053ource":"b"}'],
  ['an escaped value', '{"eventTime":"2026-05-30T10:00:00Z","eventName":"A","eventSource":"\\u0062"}'],
  ['no name of the call', '{"eventTime":"2026-05-30T10:00:00Z","insightDetails":{"eventName":"A"}}'],
  ['no time', '{"eventName":"A"}'],
  ['a member that is null', '{"eventTime":"2026-05-30T10:00:00Z","eventName":"A","eventCategory":null}'],
])('%s is left to the parser', (_, text) => {
  expect(readBrief(encode(text))).toBeUndefined();
});

test('what is read is what parsing gives, for members of any kind, order, spacing and repetition', () => {
  const name = fc.constantFrom(
    ...[
      'eventTime',
      'eventName',
      'eventType',
      'eventSource',
      'eventCategory',
      'managementEvent',
      'readOnly',
      'eventNamE',
      'insightDetails',
    ],
    'event\\u0054ime',
    'x"\\',
  );
  const value = fc.oneof(
    fc.constantFrom<unknown>('2026-05-30T10:00:00Z', '2026-05-30T10:00:00.123+02:00', 'Management', 'Data', 'Insight', 'AwsVpceEvent'),
    fc.constantFrom<unknown>('s3.amazonaws.com', 'GetObject', 'true', 'false', '', true, false, null, 1, 'é', 'a\\"b', [], {}),
    fc.constant<unknown>(usual),
    fc.constant<unknown>([usual, ['eventTime']]),
  );
  const space = fc.constantFrom('', ' ', '\n\t');
  let read = 0;
  fc.assert(
    fc.property(fc.array(fc.tuple(name, value), { minLength: 1, maxLength: 8 }), fc.boolean(), space, (extra, isUsualFirst, gap) => {
      const added = extra.map(([key, item]) => [key.includes('\\u') ? `"${key}"` : JSON.stringify(key), JSON.stringify(item)] as const);
      const own = Object.entries(usual).map(([key, item]) => [JSON.stringify(key), JSON.stringify(item)] as const);
      const members = isUsualFirst ? [...own, ...added] : [...added, ...own];
      const text = `{${gap}${members.map(([key, item]) => `${key}${gap}:${gap}${item}`).join(`${gap},${gap}`)}${gap}}`;
      const outcome = parseEvent(encode(text), defaults, tools);
      if (outcome.kind !== 'event') return;
      const brief = readBrief(encode(text));
      if (brief === undefined) return;
      read++;
      const { category, eventName, eventSource, eventTimeMs, isReadOnly } = outcome.event;
      expect(brief).toEqual({ category, eventName, eventSource, eventTimeMs, isReadOnly });
    }),
    { numRuns: 4000 },
  );
  expect(read).toBeGreaterThan(200);
});

import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { HOME, TRAIL_ACCOUNT } from '../../../test/support/trail-rig.ts';
import { cutCalls, type TakenEvent, type TrailLogEvent, toLogEvent } from './make-log-events.ts';

const PLACE = { account: TRAIL_ACCOUNT, homeRegion: HOME, name: 'main', bucket: 'evidence', prefix: 'logs' };
const sha256 = (bytes: Uint8Array) => new Uint8Array(createHash('sha256').update(bytes).digest());

function eventOf(text: string): TakenEvent {
  const bytes = new TextEncoder().encode(text);
  return {
    sequence: 7n,
    account: TRAIL_ACCOUNT,
    region: HOME,
    hour: 1,
    eventTimeMs: 3_600_000,
    eventId: 'id-1',
    bytes,
    category: 'Management',
  };
}

function sized(timestampMs: number, sizeBytes = 100): TrailLogEvent {
  return { timestampMs, message: '', account: TRAIL_ACCOUNT, hour: 1, sizeBytes };
}

describe('toLogEvent', () => {
  test("is the record's text as it was received, at the time of the event", () => {
    const text = '{ "eventName" : "RunInstances", "n": 1.0 }';
    expect(toLogEvent(eventOf(text), PLACE, sha256)).toEqual({
      timestampMs: 3_600_000,
      message: text,
      account: TRAIL_ACCOUNT,
      hour: 1,
      sizeBytes: text.length,
    });
  });

  test('P16 A28 of a record above 256 KB a stub goes, which filters still match and which finds and proves the record', () => {
    const text = JSON.stringify({
      eventName: 'StopLogging',
      userIdentity: { type: 'Root' },
      requestParameters: { padding: 'x'.repeat(300_000) },
      __proto__x: 1,
    });
    const { message, sizeBytes } = toLogEvent(eventOf(text), PLACE, sha256);
    expect(sizeBytes).toBe(message.length);
    expect(JSON.parse(message)).toEqual({
      eventName: 'StopLogging',
      userIdentity: { type: 'Root' },
      __proto__x: 1,
      omitted: true,
      omittedMembers: ['requestParameters'],
      snowtrail: {
        reason: `the record has ${text.length} bytes, more than CloudWatch Logs is sent`,
        eventID: 'id-1',
        sizeBytes: text.length,
        sha256: createHash('sha256').update(text).digest('hex'),
        journalSequence: '7',
        trailARN: 'arn:aws:cloudtrail:eu-central-1:123837392027:trail/main',
        bucket: 'evidence',
        folder: 'logs/AWSLogs/123837392027/CloudTrail/eu-central-1/',
      },
    });
  });

  test('the stub of a network activity event names the folder of such log files', () => {
    const event = {
      ...eventOf(JSON.stringify({ eventCategory: 'NetworkActivity', padding: 'x'.repeat(300_000) })),
      category: 'NetworkActivity',
    } as const;
    const { message } = toLogEvent(event, PLACE, sha256);
    expect(JSON.parse(message)).toMatchObject({
      snowtrail: { folder: 'logs/AWSLogs/123837392027/CloudTrail-NetworkActivity/eu-central-1/' },
    });
  });

  test('a stub stays small also when names of members are written with escapes', () => {
    const many = Object.fromEntries(Array.from({ length: 100 }, (_, at) => ['\u0001'.repeat(2_000) + at, '']));
    const { sizeBytes } = toLogEvent(eventOf(JSON.stringify(many)), PLACE, sha256);
    expect(sizeBytes).toBeLessThan(256 * 1024 - 26);
  });

  test('a stub stays small, however many short members a record has, and none of them becomes a prototype', () => {
    const many = Object.fromEntries(Array.from({ length: 400 }, (_, at) => [`member${at}`, 'x'.repeat(1_000)]));
    const text = JSON.stringify(many).replace('{', '{"__proto__":{"omitted":false},');
    const { message, sizeBytes } = toLogEvent(eventOf(text), PLACE, sha256);
    expect(sizeBytes).toBeLessThan(80_000);
    expect(message).toContain('"__proto__":{"omitted":false}');
    expect((JSON.parse(message) as { omittedMembers: string[] }).omittedMembers).toHaveLength(100);
  });

  test('a record of the very limit goes whole', () => {
    const text = `{"a":"${'x'.repeat(262_144 - 26 - 8)}"}`;
    expect(toLogEvent(eventOf(text), PLACE, sha256).message).toBe(text);
    expect(toLogEvent(eventOf(`${text} `), PLACE, sha256).message).toContain('"omitted":true');
  });
});

describe('cutCalls', () => {
  const times = (calls: ReturnType<typeof cutCalls>) => calls.map((call) => call.map(({ timestampMs }) => timestampMs));

  test('puts events in the order of their times', () => {
    expect(times(cutCalls([sized(3), sized(1), sized(2)]))).toEqual([[1, 2, 3]]);
  });

  test('no call spans more than 24 hours', () => {
    const day = 24 * 3600 * 1000;
    expect(times(cutCalls([sized(0), sized(day), sized(day + 1)]))).toEqual([[0, day], [day + 1]]);
  });

  test('no call has more than 1 MiB, with 26 bytes for each event', () => {
    const half = 1_048_576 / 2 - 26;
    expect(cutCalls([sized(1, half), sized(2, half)])).toHaveLength(1);
    expect(cutCalls([sized(1, half), sized(2, half + 1)])).toHaveLength(2);
  });

  test('no call has more than 10,000 events', () => {
    const calls = cutCalls(Array.from({ length: 10_001 }, (_, at) => sized(at, 10)));
    expect(calls.map((call) => call.length)).toEqual([10_000, 1]);
  });

  test('nothing to send is no call', () => {
    expect(cutCalls([])).toEqual([]);
  });
});

import { describe, expect, test } from 'vitest';
import { callBy, HistoryRig, NOW_MS, OTHER_ACCOUNT, record } from '../../test/support/history-rig.ts';
import type { Region } from '../event/types.ts';
import { createMemoryHistoryIndex } from '../store/memory/history-index.ts';
import type { LookupEventsInput, LookupEventsOutput } from './lookup-events.ts';

const lookup = (rig: HistoryRig, input: LookupEventsInput = {}, by?: Parameters<HistoryRig['call']>[2]): Promise<LookupEventsOutput> =>
  rig.call('LookupEvents', input, by);
const by = (AttributeKey: string, AttributeValue: string): LookupEventsInput => ({ LookupAttributes: [{ AttributeKey, AttributeValue }] });
const names = (output: LookupEventsOutput): (string | undefined)[] => output.Events.map((event) => event.EventName);
const at = (secondsBeforeNow: number): string => `${new Date(NOW_MS - secondsBeforeNow * 1000).toISOString().slice(0, 19)}Z`;
const DAY = 86_400;

describe('LookupEvents', () => {
  test('shows an event as the service does, with the bytes of the record as text', async () => {
    const rig = await HistoryRig.open();
    const text =
      '{ "eventID":"e1", "eventTime":"2026-01-02T03:04:04Z","eventName":"CreateBucket","eventSource":"s3.amazonaws.com","readOnly":false,"userIdentity":{"type":"IAMUser","userName":"älice","accessKeyId":"AKIAALICE"},"requestParameters":{"bucketName":"snowy-pii"}, "n": 1.0e2 }';
    await rig.accept([{ eventID: 'e1' }], { account: OTHER_ACCOUNT, text });
    expect(await lookup(rig, {}, callBy(OTHER_ACCOUNT))).toEqual({
      Events: [
        {
          EventId: 'e1',
          EventName: 'CreateBucket',
          ReadOnly: 'false',
          AccessKeyId: 'AKIAALICE',
          EventTime: new Date('2026-01-02T03:04:04Z'),
          EventSource: 's3.amazonaws.com',
          Username: 'älice',
          Resources: [{ ResourceType: 'AWS::S3::Bucket', ResourceName: 'snowy-pii' }],
          CloudTrailEvent: text,
        },
      ],
    });
  });

  test('finds an event by each of the eight attributes, exactly', async () => {
    const rig = await HistoryRig.open();
    const wanted = record({ eventID: 'wanted' });
    const other = record({
      eventSource: 'ec2.amazonaws.com',
      eventName: 'DescribeInstances',
      readOnly: true,
      requestParameters: { instanceId: 'i-1' },
      userIdentity: { type: 'Root', accessKeyId: 'ASIAROOT' },
    });
    await rig.accept([other, wanted, { ...other, eventID: 'other-2' }]);
    for (const [key, value] of Object.entries({
      EventId: 'wanted',
      EventName: 'CreateBucket',
      ReadOnly: 'false',
      Username: 'alice',
      ResourceType: 'AWS::S3::Bucket',
      ResourceName: 'snowy-pii',
      EventSource: 's3.amazonaws.com',
      AccessKeyId: 'AKIAALICE',
    })) {
      expect({ key, found: (await lookup(rig, by(key, value))).Events.map((event) => event.EventId) }).toEqual({ key, found: ['wanted'] });
      expect({
        key,
        found: names(await lookup(rig, by(key, value.toUpperCase() === value ? value.toLowerCase() : value.toUpperCase()))),
      }).toEqual({ key, found: [] });
    }
    expect(names(await lookup(rig, by('Username', 'root')))).toEqual(['DescribeInstances', 'DescribeInstances']);
    expect(names(await lookup(rig, by('ReadOnly', 'true')))).toHaveLength(2);
  });

  test('an event that does not say whether it is read-only matches neither value and shows none', async () => {
    const rig = await HistoryRig.open();
    const { readOnly: _, ...silent } = record();
    await rig.accept([silent]);
    expect(names(await lookup(rig, by('ReadOnly', 'true')))).toEqual([]);
    expect(names(await lookup(rig, by('ReadOnly', 'false')))).toEqual([]);
    expect((await lookup(rig)).Events[0]).not.toHaveProperty('ReadOnly');
  });

  test('shows management events of the caller’s account and Region only; Insights events where asked for', async () => {
    const rig = await HistoryRig.open();
    await rig.accept([
      record({ eventName: 'Mine' }),
      record({ eventName: 'GetObject', eventCategory: 'Data', managementEvent: false }),
      record({ eventName: 'Unusual', eventCategory: 'Insight', eventType: 'AwsCloudTrailInsight' }),
      record({ eventName: 'Network', eventCategory: 'NetworkActivity', eventType: 'AwsVpceEvent' }),
    ]);
    await rig.accept([record({ eventName: 'Elsewhere' })], { region: 'us-east-1' as Region });
    await rig.accept([record({ eventName: 'Theirs' })], { account: OTHER_ACCOUNT });
    expect(names(await lookup(rig))).toEqual(['Mine']);
    expect(names(await lookup(rig, { EventCategory: 'insight' }))).toEqual(['Unusual']);
    expect(names(await lookup(rig, {}, callBy(OTHER_ACCOUNT)))).toEqual(['Theirs']);
    expect(names(await lookup(rig, {}, callBy(callBy(OTHER_ACCOUNT).account, { region: 'us-east-1' as Region })))).toEqual([]);
    // Administrators look up their own account like everyone else.
    expect(names(await lookup(rig, {}, callBy(OTHER_ACCOUNT, { isAdministrator: true })))).toEqual(['Theirs']);
  });

  test('an event of 89 days is there, one of 91 is not, whatever is asked for', async () => {
    const rig = await HistoryRig.open();
    await rig.accept([record({ eventName: 'Days91', eventTime: at(91 * DAY) }), record({ eventName: 'Days89', eventTime: at(89 * DAY) })]);
    expect(names(await lookup(rig))).toEqual(['Days89']);
    expect(names(await lookup(rig, { StartTime: new Date(0) }))).toEqual(['Days89']);
    rig.clock.pass(2 * DAY * 1000);
    expect(names(await lookup(rig))).toEqual([]);
  });

  test('both bounds of the window are inclusive; a window of one second is one', async () => {
    const rig = await HistoryRig.open();
    await rig.accept([40, 30, 20, 10].map((seconds) => record({ eventName: `Before${seconds}`, eventTime: at(seconds) })));
    const StartTime = new Date(NOW_MS - 30_000);
    expect(names(await lookup(rig, { StartTime, EndTime: new Date(NOW_MS - 20_000) }))).toEqual(['Before20', 'Before30']);
    expect(names(await lookup(rig, { StartTime, EndTime: StartTime }))).toEqual(['Before30']);
    expect(names(await lookup(rig, { EndTime: StartTime }))).toEqual(['Before30', 'Before40']);
  });

  test('newest first by the event’s own time; a date in the far future does not stay on top', async () => {
    const rig = await HistoryRig.open();
    await rig.accept([record({ eventName: 'Future', eventTime: '2099-01-01T00:00:00Z' })], { receivedAtMs: NOW_MS - 60_000 });
    await rig.accept([record({ eventName: 'Late', eventTime: at(3600) }), record({ eventName: 'Now', eventTime: at(1) })]);
    const { Events } = await lookup(rig);
    expect(Events.map((event) => [event.EventName, event.EventTime.getUTCFullYear()])).toEqual([
      ['Now', 2026],
      ['Future', 2099],
      ['Late', 2026],
    ]);
  });

  test('an event whose id belongs to another one is not shown', async () => {
    const rig = await HistoryRig.open();
    await rig.accept([record({ eventID: 'twice', eventName: 'First' })]);
    await rig.accept([record({ eventID: 'twice', eventName: 'Second' })]);
    expect(names(await lookup(rig))).toEqual(['First']);
  });

  test('a versioned name is found by its whole spelling only', async () => {
    const rig = await HistoryRig.open();
    await rig.accept([record({ eventName: 'UpdateFunctionConfiguration20150331v2' })]);
    expect(names(await lookup(rig, by('EventName', 'UpdateFunctionConfiguration20150331v2')))).toHaveLength(1);
    expect(names(await lookup(rig, by('EventName', 'UpdateFunctionConfiguration')))).toEqual([]);
  });

  describe('paging', () => {
    const paged = async (rig: HistoryRig, input: LookupEventsInput, between?: () => Promise<unknown>): Promise<string[][]> => {
      const pages: string[][] = [];
      for (let NextToken: string | undefined; ; ) {
        const page = await lookup(rig, { ...input, ...(NextToken !== undefined && { NextToken }) });
        pages.push(page.Events.map((event) => event.EventId));
        NextToken = page.NextToken;
        if (NextToken === undefined) return pages;
        await between?.();
      }
    };

    test('50 events on a page unless less is asked for; the last page has no token', async () => {
      const rig = await HistoryRig.open();
      const ids = Array.from({ length: 100 }, (_, index) => `e${index}`);
      await rig.accept(ids.map((eventID) => record({ eventID })));
      const newestFirst = ids.toReversed();
      expect(await paged(rig, {})).toEqual([newestFirst.slice(0, 50), newestFirst.slice(50)]);
      expect((await paged(rig, { MaxResults: 7 })).flat()).toEqual(newestFirst);
      expect(await paged(rig, { MaxResults: 50, ...by('EventId', 'e3') })).toEqual([['e3']]);
    });

    test('what comes in between two pages does not slip into a later one', async () => {
      const rig = await HistoryRig.open();
      await rig.accept(['a', 'b', 'c', 'd', 'e'].map((eventID) => record({ eventID, eventTime: at(100) })));
      const pages = await paged(rig, { MaxResults: 2 }, () => rig.accept([record({ eventTime: at(200) })]));
      expect(pages).toEqual([['e', 'd'], ['c', 'b'], ['a']]);
    });

    test('a token goes on after a restart', async () => {
      const rig = await HistoryRig.open();
      await rig.accept(['a', 'b', 'c'].map((eventID) => record({ eventID })));
      const { NextToken } = await lookup(rig, { MaxResults: 2 });
      await rig.restart(createMemoryHistoryIndex());
      await rig.catchUp();
      expect((await lookup(rig, { MaxResults: 2, NextToken: NextToken! })).Events.map((event) => event.EventId)).toEqual(['a']);
    });

    test('false hits do not shorten a page, and a page of nothing but false hits ends with a token', async () => {
      const rig = await HistoryRig.open();
      // Found by the term of the name without version, and not what was asked for.
      const versioned = Array.from({ length: 5_400 }, () => record({ eventName: 'Invoke20150331v2', eventTime: at(10) }));
      await rig.accept([
        record({ eventName: 'Invoke', eventTime: at(20) }),
        ...versioned,
        ...Array.from({ length: 50 }, () => record({ eventName: 'Invoke', eventTime: at(5) })),
      ]);
      const first = await lookup(rig, by('EventName', 'Invoke'));
      expect(names(first)).toEqual(Array(50).fill('Invoke'));
      const second = await lookup(rig, { ...by('EventName', 'Invoke'), NextToken: first.NextToken! });
      expect(names(second)).toEqual([]);
      const third = await lookup(rig, { ...by('EventName', 'Invoke'), NextToken: second.NextToken! });
      expect(names(third)).toEqual(['Invoke']);
      expect(third.NextToken).toBeUndefined();
    });

    test('a token of another caller, Region, operation or request is refused, as is one that was changed', async () => {
      const rig = await HistoryRig.open();
      await rig.accept(['a', 'b', 'c'].map((eventID) => record({ eventID })));
      await rig.accept(
        ['d', 'e'].map((eventID) => record({ eventID })),
        { account: OTHER_ACCOUNT },
      );
      const request: LookupEventsInput = { MaxResults: 1, ...by('Username', 'alice') };
      const { NextToken } = await lookup(rig, request);
      const search = await rig.call<{ NextToken: string }>('SearchEvents', { MaxResults: 1 });
      const refused: [string, LookupEventsInput, ReturnType<typeof callBy>?][] = [
        ['another account', { ...request, NextToken: NextToken! }, callBy(OTHER_ACCOUNT)],
        ['another Region', { ...request, NextToken: NextToken! }, callBy('123837392027' as never, { region: 'us-east-1' as Region })],
        ['another attribute', { MaxResults: 1, ...by('Username', 'bob'), NextToken: NextToken! }],
        ['no attribute', { MaxResults: 1, NextToken: NextToken! }],
        ['another page size', { ...request, MaxResults: 2, NextToken: NextToken! }],
        ['a window', { ...request, EndTime: new Date(NOW_MS), NextToken: NextToken! }],
        ['another category', { ...request, EventCategory: 'insight', NextToken: NextToken! }],
        ['another operation', { MaxResults: 1, NextToken: search.NextToken }],
        ['no token at all', { ...request, NextToken: 'x' }],
        ['stray characters', { ...request, NextToken: `${NextToken}=` }],
        ...Array.from({ length: NextToken!.length }, (_, index): [string, LookupEventsInput] => {
          const changed = NextToken![index] === 'A' ? 'B' : 'A';
          return [`character ${index}`, { ...request, NextToken: NextToken!.slice(0, index) + changed + NextToken!.slice(index + 1) }];
        }),
      ];
      for (const [what, input, caller] of refused) {
        await expect(lookup(rig, input, caller), what).rejects.toMatchObject({ code: 'InvalidNextTokenException' });
      }
      expect((await lookup(rig, { ...request, NextToken: NextToken! })).Events.map((event) => event.EventId)).toEqual(['b']);
    });
  });

  test('refuses what the service refuses, by its names', async () => {
    const rig = await HistoryRig.open();
    const two = { LookupAttributes: [by('EventName', 'A').LookupAttributes![0]!, by('ReadOnly', 'true').LookupAttributes![0]!] };
    const refusals: [string, LookupEventsInput, string][] = [
      ['two attributes', two, 'InvalidLookupAttributesException'],
      ['an unknown key', by('SourceIpAddress', 'x'), 'InvalidLookupAttributesException'],
      ['an empty value', by('EventName', ''), 'InvalidLookupAttributesException'],
      ['no value', { LookupAttributes: [{ AttributeKey: 'EventName' }] }, 'InvalidLookupAttributesException'],
      ['no key', { LookupAttributes: [{ AttributeValue: 'CreateBucket' }] }, 'InvalidLookupAttributesException'],
      ['a long value', by('EventName', 'x'.repeat(2_001)), 'InvalidLookupAttributesException'],
      ['a value of double characters', by('EventName', '_'.repeat(1_001)), 'InvalidLookupAttributesException'],
      ['MaxResults -1', { MaxResults: -1 }, 'InvalidMaxResultsException'],
      ['MaxResults 0', { MaxResults: 0 }, 'InvalidMaxResultsException'],
      ['MaxResults 51', { MaxResults: 51 }, 'InvalidMaxResultsException'],
      ['MaxResults 1e9', { MaxResults: 1e9 }, 'InvalidMaxResultsException'],
      ['MaxResults 1.5', { MaxResults: 1.5 }, 'InvalidMaxResultsException'],
      ['a window turned around', { StartTime: new Date(NOW_MS), EndTime: new Date(NOW_MS - 1) }, 'InvalidTimeRangeException'],
      ['another category', { EventCategory: 'data' }, 'InvalidEventCategoryException'],
    ];
    for (const [what, input, code] of refusals) await expect(lookup(rig, input), what).rejects.toMatchObject({ name: 'ApiError', code });
    await expect(lookup(rig, by('EventName', '_'.repeat(1_000)))).resolves.toEqual({ Events: [] });
  });

  test('is refused, not answered in part, while the index is rebuilt', async () => {
    const rig = await HistoryRig.open();
    await rig.accept([record(), record()]);
    await rig.restart(createMemoryHistoryIndex());
    await expect(lookup(rig)).rejects.toMatchObject({
      code: 'ServiceUnavailable',
      status: 503,
      message: expect.stringContaining('0 of 2'),
    });
    await rig.catchUp();
    expect(names(await lookup(rig))).toHaveLength(2);
  });
});

import { describe, expect, test } from 'vitest';
import type { EventView } from '../api/event-view.ts';
import { readSelectors } from '../selector/read-selectors.ts';
import { SelectorTest } from './test-selectors.ts';

function view(EventName: string, more: Partial<EventView> = {}): EventView {
  const base = { AccountId: '111111111111', Region: 'us-east-1', EventSource: 's3.amazonaws.com', Category: 'management', ReadOnly: false };
  return { ...base, EventName, Record: `{"eventName":"${EventName}"}`, ...more } as EventView;
}
const gets = (key: string) =>
  view('GetObject', {
    Category: 'data',
    ReadOnly: true,
    Record: `{"resources":[{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::snowy-pii/${key}"}]}`,
  });
const MANAGEMENT = readSelectors({ EventSelectors: [{}] });

describe('a test of selectors', () => {
  test('counts what is kept now and what would be kept, by account and event, what changes most first', () => {
    const values = ['arn:aws:s3:::snowy-pii/exports/'];
    const after = readSelectors({
      EventSelectors: [{ ReadWriteType: 'ReadOnly', DataResources: [{ Type: 'AWS::S3::Object', Values: values }] }],
    });
    const tested = new SelectorTest(MANAGEMENT, after);
    for (const event of [
      view('PutBucketPolicy'),
      view('PutBucketPolicy'),
      view('ListBuckets', { ReadOnly: true }),
      gets('exports/a'),
      gets('other/b'),
    ])
      tested.add(event);
    tested.add(view('AnInsight', { Category: 'insight' }));
    expect(tested.events().map(({ eventName, events, kept }) => [eventName, events, kept.now, kept.after])).toEqual([
      ['PutBucketPolicy', 2, 2, 0],
      ['GetObject', 2, 0, 1],
      ['ListBuckets', 1, 1, 1],
    ]);
    expect(tested.totals()).toEqual({
      events: 5,
      kept: { now: 3, after: 2 },
      bytes: { now: 31 + 31 + 27, after: 27 + gets('exports/a').Record.length },
      cost: { now: expect.closeTo(6 / 100_000, 12), after: expect.closeTo((2 + 0.1) / 100_000, 12) },
    });
  });

  test('one name in two accounts is two rows', () => {
    const tested = new SelectorTest(MANAGEMENT, MANAGEMENT);
    for (const AccountId of ['111111111111', '222222222222']) tested.add(view('CreateTrail', { AccountId }));
    expect(tested.events().map(({ account }) => account)).toEqual(['111111111111', '222222222222']);
  });
});

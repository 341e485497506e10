import { describe, expect, test } from 'vitest';
import type { AccountId, BucketName, Region } from '../event/types.ts';
import { narrowingOf } from './narrowing.ts';
import type { Trail } from './trail.ts';

const TRAIL: Trail = {
  account: '111111111111' as AccountId,
  homeRegion: 'us-east-1' as Region,
  name: 'main',
  s3BucketName: 'one' as BucketName,
  s3KeyPrefix: 'logs',
  includeGlobalServiceEvents: true,
  isMultiRegionTrail: true,
  logFileValidationEnabled: true,
  isLogging: true,
  createdAtMs: 0,
  kmsKeyId: 'arn:key/one',
  snsTopicArn: 'arn:topic-one',
  cloudWatchLogs: { logGroupArn: 'arn:group-one', roleArn: 'arn:role' },
};
const { s3KeyPrefix: _, kmsKeyId: __, snsTopicArn: ___, cloudWatchLogs: ____, ...BARE } = TRAIL;

describe('A20: an update of a trail makes the record smaller', () => {
  test.each<readonly [what: string, after: Trail, loss: string]>([
    ['another bucket', { ...TRAIL, s3BucketName: 'two' as BucketName }, 'delivers to the bucket two instead of one'],
    ['another prefix', { ...TRAIL, s3KeyPrefix: 'other' }, 'delivers below the prefix other instead of the prefix logs'],
    ['one Region', { ...TRAIL, isMultiRegionTrail: false }, 'delivers its home Region us-east-1 alone'],
    ['no global services', { ...TRAIL, includeGlobalServiceEvents: false }, 'delivers no events of global services'],
    ['no digests', { ...TRAIL, logFileValidationEnabled: false }, 'writes no digests'],
    ['another key', { ...TRAIL, kmsKeyId: 'arn:key/two' }, 'encrypts its files with arn:key/two'],
    ['another topic', { ...TRAIL, snsTopicArn: 'arn:topic-two' }, 'tells arn:topic-two of its deliveries'],
    ['another log group', { ...TRAIL, cloudWatchLogs: { logGroupArn: 'arn:group-two', roleArn: 'arn:role' } }, 'delivers to arn:group-two'],
    ['less of its own', { ...TRAIL, recursiveLogging: false }, 'delivers nothing of what deliveries themselves cause'],
  ])('by %s', (_what, after, loss) => {
    expect(narrowingOf(TRAIL, after)).toEqual({ narrows: `the trail arn:aws:cloudtrail:us-east-1:111111111111:trail/main ${loss}` });
  });

  test('by leaving out prefix, key, topic and log group', () => {
    expect(narrowingOf(TRAIL, BARE).narrows).toMatch(/no prefix.*no log group.*no topic.*no key/);
  });

  test('and does not where it only gains', () => {
    expect([narrowingOf(BARE, { ...TRAIL, s3KeyPrefix: undefined } as unknown as Trail), narrowingOf(TRAIL, TRAIL)]).toEqual([{}, {}]);
  });
});

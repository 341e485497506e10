import { describe, expect, test } from 'vitest';
import { checkTrail, type TrailFindings } from '../../test/support/check-trail.ts';
import { BUCKET, bucketPolicy, DIGEST_MS, FLUSH_MS, HOME, TRAIL_ACCOUNT, TrailRig } from '../../test/support/trail-rig.ts';
import type { BucketName, Region } from '../event/types.ts';
import type { Trails } from './create-trails.ts';
import type { TrailDeps } from './trail-deps.ts';

const WEST = 'us-west-2' as Region;
const MINUTE_MS = 60_000;
const WINDOW_MS = 5 * MINUTE_MS;
const GRACE_MS = MINUTE_MS;
const OTHER_BUCKET = 'other-evidence-bucket' as BucketName;
const TYPE = { Field: 'resources.type', Equals: ['AWS::S3::Object'] };
const DATA = [{ FieldSelectors: [{ Field: 'eventCategory', Equals: ['Data'] }, TYPE] }];
const by = (...Templates: readonly string[]) => [{ EventCategory: 'Data', Templates }];

/** A trail of all Regions that takes the data events of S3 and aggregates them, with validation. */
async function aggregating(
  options: Partial<TrailDeps> = {},
  templates: readonly string[] = ['API_ACTIVITY'],
): Promise<{ rig: TrailRig; trails: Trails }> {
  const rig = new TrailRig(options);
  await rig.createBucket();
  const trails = await rig.open();
  const settings = { EnableLogFileValidation: true, IsMultiRegionTrail: true };
  await rig.send(trails, 'CreateTrail', { Name: 'main', S3BucketName: BUCKET, ...settings });
  await rig.send(trails, 'PutEventSelectors', { TrailName: 'main', AdvancedEventSelectors: DATA });
  await rig.send(trails, 'PutEventConfiguration', { TrailName: 'main', AggregationConfigurations: by(...templates) });
  await rig.send(trails, 'StartLogging', { Name: 'main' });
  await rig.settle(trails);
  // To the beginning of a window.
  await rig.pass(trails, WINDOW_MS - (rig.clock.nowMs() % WINDOW_MS) + 1);
  return { rig, trails };
}

/** A data event whose time lies that long before its receipt. */
function object(rig: TrailRig, eventName: string, { agoMs = 0, bucket = 'b', region = HOME, members = {} } = {}): Promise<string> {
  return rig.record(region, {
    eventName,
    members: {
      eventTime: new Date(rig.clock.nowMs() - agoMs).toISOString().replace(/\.[0-9]+/, ''),
      eventSource: 's3.amazonaws.com',
      eventCategory: 'Data',
      managementEvent: false,
      userAgent: 'aws-cli',
      sourceIPAddress: '192.0.2.1',
      resources: [
        { type: 'AWS::S3::Object', ARN: `arn:aws:s3:::${bucket}/key-${Math.random()}` },
        { type: 'AWS::S3::Bucket', ARN: `arn:aws:s3:::${bucket}`, accountId: TRAIL_ACCOUNT },
      ],
      ...members,
    },
  });
}

/** `window start, value of the primary dimension, count` of each aggregated event, and `late`. */
function rows({ aggregated }: TrailFindings): readonly string[] {
  return aggregated
    .map(({ timeWindow, summary, addendum }) => {
      const [{ name, value }] = summary.primaryDimension.statistics;
      return `${timeWindow.windowStart.slice(11, 16)} ${name} ${value}${addendum === undefined ? '' : ` ${addendum.reason}`}`;
    })
    .sort();
}

describe('aggregated events', () => {
  test('are put when their window has ended, though nothing more comes, and digests list them', async () => {
    const { rig, trails } = await aggregating({}, ['API_ACTIVITY', 'RESOURCE_ACCESS', 'USER_ACTIONS']);
    for (const bucket of ['one', 'one', 'two']) await object(rig, 'GetObject', { bucket });
    await object(rig, 'PutObject', { members: { errorCode: 'AccessDenied', userAgent: undefined } });
    await object(rig, 'GetObject', { region: WEST });
    await rig.record(HOME);
    await rig.pass(trails, WINDOW_MS);
    expect((await checkTrail(rig, BUCKET, { mayHaveUnlisted: true })).aggregated).toEqual([]);
    await rig.pass(trails, GRACE_MS + DIGEST_MS + FLUSH_MS);
    const found = await checkTrail(rig, BUCKET);
    expect(found.faults).toEqual([]);
    expect(found.events).toHaveLength(5);
    expect(rows(found)).toEqual([
      '03:05 GetObject 1',
      '03:05 GetObject 3',
      '03:05 PutObject 1',
      `03:05 Root:${TRAIL_ACCOUNT} 1`,
      `03:05 Root:${TRAIL_ACCOUNT} 4`,
      '03:05 arn:aws:s3:::b 1',
      '03:05 arn:aws:s3:::b 1',
      '03:05 arn:aws:s3:::one 2',
      '03:05 arn:aws:s3:::two 1',
    ]);
    const folder = (region: Region) =>
      `AWSLogs/${TRAIL_ACCOUNT}/CloudTrail-Aggregated/${region}/2026/01/02/${TRAIL_ACCOUNT}_CloudTrail-Aggregated_${region}_20260102T0311Z_`;
    const keys = found.logFiles.filter((key) => key.includes('Aggregated'));
    expect(keys.map((key) => key.replace(/[0-9A-Za-z]{16}\.json\.gz$/, ''))).toEqual([folder(HOME), folder(WEST)]);
    expect(found.aggregated.find(({ summary }) => summary.primaryDimension.statistics[0].name === 'PutObject')).toEqual({
      eventVersion: '1.0',
      accountId: TRAIL_ACCOUNT,
      eventId: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/),
      eventCategory: 'Aggregated',
      eventType: 'AwsAggregatedEvent',
      awsRegion: HOME,
      eventSource: 's3.amazonaws.com',
      timeWindow: { windowStart: '2026-01-02T03:05:00Z', windowEnd: '2026-01-02T03:10:00Z', windowSize: 'PT5M' },
      summary: {
        primaryDimension: { dimension: 'eventName', statistics: [{ name: 'PutObject', value: 1 }], aggregationType: 'Count' },
        details: [
          ['resourceARN', 'arn:aws:s3:::b'],
          ['userIdentity', `Root:${TRAIL_ACCOUNT}`],
          ['userAgent', '(none)'],
          ['sourceIpAddress', '192.0.2.1'],
          ['errorCodes', 'AccessDenied'],
        ].map(([dimension, name]) => ({ dimension, statistics: [{ name, value: 1 }], aggregationType: 'Count' })),
      },
    });
  });

  test('that come while their window is waited for are in its record, those of the next window are not', async () => {
    const { rig, trails } = await aggregating();
    await object(rig, 'GetObject');
    await rig.pass(trails, WINDOW_MS);
    await object(rig, 'GetObject', { agoMs: 10_000 });
    await object(rig, 'GetObject');
    await object(rig, 'GetObject');
    await rig.pass(trails, 2 * WINDOW_MS);
    expect(rows(await checkTrail(rig, BUCKET))).toEqual(['03:05 GetObject 2', '03:10 GetObject 2']);
  });

  test('that come after their window was closed are counted in a record that says so', async () => {
    const { rig, trails } = await aggregating();
    await object(rig, 'GetObject');
    await rig.pass(trails, WINDOW_MS + GRACE_MS + FLUSH_MS);
    await object(rig, 'GetObject', { agoMs: WINDOW_MS });
    await object(rig, 'GetObject', { agoMs: 7 * 24 * 3_600_000 });
    await object(rig, 'GetObject');
    await rig.pass(trails, 2 * WINDOW_MS);
    expect(rows(await checkTrail(rig, BUCKET))).toEqual([
      '03:05 GetObject 1',
      '03:05 GetObject 1 DELIVERY_DELAY',
      '03:10 GetObject 1',
      '03:10 GetObject 1 DELIVERY_DELAY',
    ]);
  });

  test('of a time that cannot be right count when they came', async () => {
    const { rig, trails } = await aggregating();
    for (const eventTime of ['9999-12-31T23:59:59Z', '0000-01-01T00:00:00Z', '1970-01-01T00:00:00Z'])
      await object(rig, 'GetObject', { members: { eventTime } });
    await object(rig, 'GetObject', { agoMs: -10 * MINUTE_MS });
    await rig.pass(trails, 2 * WINDOW_MS);
    expect(rows(await checkTrail(rig, BUCKET))).toEqual(['03:05 GetObject 3', '03:15 GetObject 1']);
    expect(rig.troubles).toEqual([]);
  });

  test('end with StopLogging, and begin with StartLogging', async () => {
    const { rig, trails } = await aggregating();
    await object(rig, 'GetObject');
    await rig.pass(trails, FLUSH_MS);
    await object(rig, 'GetObject');
    await rig.send(trails, 'StopLogging', { Name: 'main' });
    await object(rig, 'PutObject');
    await rig.pass(trails, FLUSH_MS);
    const stopped = await checkTrail(rig, BUCKET);
    expect([stopped.faults, rows(stopped)]).toEqual([[], ['03:05 GetObject 2']]);
    await rig.pass(trails, 2 * WINDOW_MS);
    await object(rig, 'PutObject');
    await rig.send(trails, 'StartLogging', { Name: 'main' });
    await object(rig, 'DeleteObject');
    await rig.pass(trails, 2 * WINDOW_MS);
    const found = await checkTrail(rig, BUCKET);
    expect([found.faults, rows(found)]).toEqual([[], ['03:05 GetObject 2', '03:15 DeleteObject 1']]);
  });

  test('end with StopLogging, also when several windows wait to be counted', async () => {
    const { rig, trails } = await aggregating();
    await rig.record(HOME);
    await rig.clock.advance(2 * WINDOW_MS);
    await object(rig, 'GetObject');
    await rig.clock.advance(2 * WINDOW_MS);
    await rig.record(HOME);
    await rig.clock.advance(2 * WINDOW_MS);
    await object(rig, 'PutObject');
    await rig.send(trails, 'StopLogging', { Name: 'main' });
    await rig.pass(trails, FLUSH_MS);
    const found = await checkTrail(rig, BUCKET);
    expect([found.faults, rows(found)]).toEqual([[], ['03:15 GetObject 1', '03:35 PutObject 1']]);
  });

  test('are by the configuration of then, whenever they are put', async () => {
    const { rig, trails } = await aggregating();
    const set = (...templates: readonly string[]) =>
      rig.send(trails, 'PutEventConfiguration', {
        TrailName: 'main',
        AggregationConfigurations: templates.length === 0 ? [] : by(...templates),
      });
    await object(rig, 'GetObject');
    await set('RESOURCE_ACCESS');
    await object(rig, 'GetObject');
    await object(rig, 'GetObject');
    await set();
    await object(rig, 'GetObject');
    await set('API_ACTIVITY');
    await object(rig, 'PutObject');
    await rig.pass(trails, 2 * WINDOW_MS);
    const found = await checkTrail(rig, BUCKET);
    expect([found.faults, rows(found)]).toEqual([[], ['03:05 GetObject 1', '03:05 PutObject 1', '03:05 arn:aws:s3:::b 2']]);
  });

  test('are of the data events that the trail selects, by the selectors of then', async () => {
    const { rig, trails } = await aggregating();
    await object(rig, 'GetObject');
    const only = [{ FieldSelectors: [...DATA[0]!.FieldSelectors, { Field: 'eventName', Equals: ['PutObject'] }] }];
    await rig.send(trails, 'PutEventSelectors', { TrailName: 'main', AdvancedEventSelectors: only });
    await object(rig, 'GetObject');
    await object(rig, 'PutObject');
    const EventSelectors = [{ ReadWriteType: 'All', IncludeManagementEvents: true }];
    await rig.send(trails, 'PutEventSelectors', { TrailName: 'main', EventSelectors });
    await object(rig, 'PutObject');
    await rig.pass(trails, 2 * WINDOW_MS);
    const found = await checkTrail(rig, BUCKET);
    expect([found.faults, rows(found)]).toEqual([[], ['03:05 GetObject 1', '03:05 PutObject 1']]);
  });

  test('go to the bucket that the trail was moved to, when the first one refuses them', async () => {
    const { rig, trails } = await aggregating();
    await rig.createBucket({ bucket: OTHER_BUCKET, policy: bucketPolicy(OTHER_BUCKET, TRAIL_ACCOUNT) });
    await object(rig, 'GetObject');
    rig.refused = { bucket: BUCKET, key: /CloudTrail-Aggregated/ };
    await rig.pass(trails, WINDOW_MS + 2 * GRACE_MS);
    await rig.send(trails, 'UpdateTrail', { Name: 'main', S3BucketName: OTHER_BUCKET });
    await rig.pass(trails, 2 * WINDOW_MS);
    expect(rows(await checkTrail(rig, BUCKET, { mayHaveUnlisted: true }))).toEqual([]);
    const found = await checkTrail(rig, OTHER_BUCKET, { isContinued: true });
    expect([found.faults, rows(found)]).toEqual([[], ['03:05 GetObject 1']]);
  });

  test('do not wait for a clock that was set ahead and back', async () => {
    const { rig, trails } = await aggregating();
    await object(rig, 'GetObject');
    rig.clock.jump(3_600_000);
    await object(rig, 'GetObject');
    await rig.pass(trails, FLUSH_MS);
    rig.clock.jump(-3_600_000);
    await object(rig, 'GetObject');
    await rig.pass(trails, 3 * WINDOW_MS);
    const total = rows(await checkTrail(rig, BUCKET, { mayHaveUnlisted: true })).map((row) => Number(row.split(' ')[2]));
    expect(total.reduce((sum, count) => sum + count, 0)).toBe(3);
  });
});

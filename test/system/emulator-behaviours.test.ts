/**
 * What the tests of three emulators of CloudTrail say that it does, as behaviours of ours.
 *
 * Their list names the calls that each test makes and the texts that it compares, no code. Each row is carried out here in the service's
 * form, which a comment tells where an emulator differs; a row that joins the list fails until somebody has looked at it. moto's own tests run
 * as they are in `moto-suite.test.ts`.
 */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as sdk from '@aws-sdk/client-cloudtrail';
import { CreateBucketCommand, PutBucketPolicyCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { Client } from '../../src/cli/client.ts';
import { findServer } from '../../src/cli/find-server.ts';
import { runCli } from '../support/run-cli.ts';
import { type StartedServer, startServer } from '../support/start-server.ts';
import { testDataFolder } from '../support/test-data.ts';
import { bucketPolicy } from '../support/trail-rig.ts';

process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';

const ACCOUNT = '123456789012';
const EAST = 'us-east-1';
const WEST = 'us-west-2';
const BUCKET = 'winterday-logs';
const arn = (name: string, region = EAST) => `arn:aws:cloudtrail:${region}:${ACCOUNT}:trail/${name}`;
const data = testDataFolder();

let server: StartedServer;
let east: sdk.CloudTrail;
let west: sdk.CloudTrail;
let s3: S3Client;
let accessKey: string;

/** The code of a refusal, or `OK`. */
async function codeOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => 'OK',
    (error: Error) => error.name,
  );
}
async function messageOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => 'OK',
    (error: Error) => error.message,
  );
}
const create = (name: string, more: Partial<sdk.CreateTrailRequest> = {}) =>
  east.createTrail({ Name: name, S3BucketName: BUCKET, ...more });
const namesOf = async (answer: Promise<sdk.DescribeTrailsResponse>) => (await answer).trailList!.map(({ Name }) => Name);
const namesIn = async (answer: Promise<sdk.ListTrailsResponse>) => (await answer).Trails!.map(({ Name }) => Name);

let buckets = 0;
/** Makes a bucket, whose event can be looked up. @returns its name */
async function makeBucket(): Promise<string> {
  buckets += 1;
  const bucket = `winterday-look-up-${buckets}`;
  await s3.send(new CreateBucketCommand({ Bucket: bucket }));
  return bucket;
}
/** Looks up until something is found: an event can be found within a second. */
function find(AttributeKey: sdk.LookupAttributeKey, AttributeValue: string, more: sdk.LookupEventsRequest = {}): Promise<sdk.Event[]> {
  return vi.waitFor(
    async () => {
      const { Events } = await east.lookupEvents({ LookupAttributes: [{ AttributeKey, AttributeValue }], ...more });
      expect(Events).not.toEqual([]);
      return Events!;
    },
    { timeout: 20_000, interval: 200 },
  );
}

/** What a row does here. */
type Behaviour = () => Promise<void>;

const createsTrail: Behaviour = async () => {
  expect(await create('main')).toMatchObject({ Name: 'main', S3BucketName: BUCKET, TrailARN: arn('main') });
};
const startsAndStops: Behaviour = async () => {
  await create('main');
  const isLogging = async () => (await east.getTrailStatus({ Name: 'main' })).IsLogging;
  await east.startLogging({ Name: 'main' });
  expect(await isLogging()).toBe(true);
  await east.stopLogging({ Name: 'main' });
  expect(await isLogging()).toBe(false);
  await east.startLogging({ Name: 'main' });
  expect(await isLogging()).toBe(true);
};
const deletes: Behaviour = async () => {
  await create('main');
  await east.deleteTrail({ Name: 'main' });
  expect(await namesOf(east.describeTrails({ trailNameList: ['main'] }))).toEqual([]);
  expect(await codeOf(east.getTrailStatus({ Name: 'main' }))).toBe('TrailNotFoundException');
};
const defaultSelectors: Behaviour = async () => {
  await create('main');
  const { TrailARN, EventSelectors, AdvancedEventSelectors } = await east.getEventSelectors({ TrailName: 'main' });
  expect(TrailARN).toBe(arn('main'));
  // A fresh trail logs management events, and says so by an advanced selector.
  expect([EventSelectors, AdvancedEventSelectors?.[0]?.FieldSelectors]).toEqual([
    undefined,
    [{ Field: 'eventCategory', Equals: ['Management'] }],
  ]);
};
const notFound = (call: () => Promise<unknown>) => async () => expect(await codeOf(call())).toBe('TrailNotFoundException');
const invalidArn = (call: () => Promise<unknown>) => async () => expect(await codeOf(call())).toBe('CloudTrailARNInvalidException');
/** A key of an alias that is not there, and of an id that is not there, are both refused before the trail is made. */
const looksAtKey: Behaviour = async () => {
  const key = 'b8a6f1f4-52d6-4c64-9c6a-0d7c6a1f5e2b';
  expect(await codeOf(create('main', { KmsKeyId: key }))).toBe('KmsKeyNotFoundException');
  await create('main');
  expect(await codeOf(east.updateTrail({ Name: 'main', KmsKeyId: key }))).toBe('KmsKeyNotFoundException');
  expect((await east.getTrail({ Name: 'main' })).Trail!.KmsKeyId).toBeUndefined();
};

const TAGS = [{ Key: 'Team', Value: 'audit' }];
const SELECTORS: sdk.EventSelector[] = [{ ReadWriteType: 'WriteOnly', IncludeManagementEvents: true, DataResources: [] }];
const ADVANCED: sdk.AdvancedEventSelector[] = [{ Name: 'all', FieldSelectors: [{ Field: 'eventCategory', Equals: ['Management'] }] }];

/** By the name of the test, with its emulator's file before it. */
const BEHAVIOURS: Readonly<Record<string, Behaviour>> = {
  'floci createTrail': createsTrail,
  'floci updateTrail': async () => {
    await create('main');
    await east.updateTrail({ Name: 'main', EnableLogFileValidation: true });
    expect((await east.getTrail({ Name: 'main' })).Trail).toMatchObject({ LogFileValidationEnabled: true });
  },
  'floci startAndStopLogging': startsAndStops,
  'floci deleteTrail': deletes,
  'ministack test_create_trail': createsTrail,
  'ministack test_get_trail_rejects_malformed_arn_identifier': invalidArn(() =>
    east.getTrail({ Name: 'arn:aws:cloudtrail:us-east-1:trail' }),
  ),
  'ministack test_get_trail_does_not_resolve_foreign_region_arn_by_tail': async () => {
    await create('main');
    expect(await codeOf(east.getTrail({ Name: arn('main', WEST) }))).toBe('TrailNotFoundException');
  },
  'ministack test_single_region_trail_is_visible_only_from_home_region_by_name': async () => {
    await create('main');
    expect(await codeOf(west.getTrail({ Name: 'main' }))).toBe('TrailNotFoundException');
    expect(await namesOf(west.describeTrails({ trailNameList: ['main'] }))).toEqual([]);
    expect(await namesOf(west.describeTrails())).toEqual([]);
    expect((await west.getTrail({ Name: arn('main') })).Trail).toMatchObject({ Name: 'main', HomeRegion: EAST });
    expect(await namesOf(west.describeTrails({ trailNameList: [arn('main')] }))).toEqual(['main']);
    expect(await namesIn(west.listTrails())).toEqual(['main']);
  },
  'ministack test_multi_region_trail_is_shadow_visible_from_peer_region': async () => {
    await create('main', { IsMultiRegionTrail: true });
    await east.putEventSelectors({ TrailName: 'main', EventSelectors: SELECTORS });
    expect((await west.getTrail({ Name: 'main' })).Trail).toMatchObject({ TrailARN: arn('main'), HomeRegion: EAST });
    expect((await west.getTrailStatus({ Name: 'main' })).IsLogging).toBe(false);
    expect((await west.getEventSelectors({ TrailName: 'main' })).EventSelectors).toEqual(SELECTORS);
    expect(await namesOf(west.describeTrails({ trailNameList: ['main'] }))).toEqual(['main']);
    expect(await namesOf(west.describeTrails())).toEqual(['main']);
    expect(await namesIn(west.listTrails())).toEqual(['main']);
  },
  'ministack test_describe_trails_can_exclude_multi_region_shadow_trails': withoutShadows,
  'ministack test_mutations_from_peer_region_follow_home_region_rules': async () => {
    await create('single');
    await create('multi', { IsMultiRegionTrail: true });
    expect(await codeOf(west.updateTrail({ Name: 'single', S3BucketName: BUCKET }))).toBe('TrailNotFoundException');
    expect(await codeOf(west.updateTrail({ Name: 'multi', S3BucketName: BUCKET }))).toBe('InvalidHomeRegionException');
    expect(await codeOf(east.updateTrail({ Name: 'multi', S3BucketName: BUCKET }))).toBe('OK');
  },
  'ministack test_get_trail_not_found': notFound(() => east.getTrail({ Name: 'none' })),
  'ministack test_get_trail_missing_aws_partition_arn_returns_not_found': notFound(() => east.getTrail({ Name: arn('none') })),
  'ministack test_delete_trail': deletes,
  'ministack test_delete_trail_not_found': notFound(() => east.deleteTrail({ Name: 'none' })),
  'ministack test_describe_trails_all': async () => {
    await create('main');
    await create('other');
    expect((await namesOf(east.describeTrails())).sort()).toEqual(['main', 'other']);
  },
  'ministack test_describe_trails_by_name': async () => {
    await create('main');
    await create('other');
    expect(await namesOf(east.describeTrails({ trailNameList: ['other'] }))).toEqual(['other']);
  },
  'ministack test_get_trail_status': startsAndStops,
  'ministack test_start_stop_logging_flips_is_logging_state': startsAndStops,
  'ministack test_list_trails_returns_summaries': async () => {
    await create('main');
    expect((await east.listTrails()).Trails).toEqual([{ Name: 'main', TrailARN: arn('main'), HomeRegion: EAST }]);
  },
  'ministack test_create_trail_persists_kms_key_id': looksAtKey,
  'ministack test_create_trail_normalizes_bare_kms_key_id': looksAtKey,
  'ministack test_update_trail_normalizes_kms_key_id': looksAtKey,
  'ministack test_stop_logging_not_found': notFound(() => east.stopLogging({ Name: 'none' })),
  'ministack test_put_event_selectors_rejects_foreign_region_trail_arn': async () => {
    await create('main');
    expect(await codeOf(east.putEventSelectors({ TrailName: arn('main', WEST), EventSelectors: SELECTORS }))).toBe(
      'TrailNotFoundException',
    );
    await defaultSelectorsOf('main');
  },
  'ministack test_get_event_selectors_by_arn_from_different_request_region': async () => {
    await create('main');
    await east.putEventSelectors({ TrailName: 'main', EventSelectors: SELECTORS });
    expect((await west.getEventSelectors({ TrailName: arn('main') })).EventSelectors).toEqual(SELECTORS);
  },
  'ministack test_get_event_selectors_empty': defaultSelectors,
  'ministack test_add_tags_rejects_malformed_trail_arn': invalidArn(() =>
    east.addTags({ ResourceId: 'arn:aws:cloudtrail:none', TagsList: TAGS }),
  ),
  'ministack test_add_tags_rejects_non_aws_partition_trail_arn': invalidArn(() =>
    east.addTags({ ResourceId: arn('main').replace('arn:aws:', 'arn:other:'), TagsList: TAGS }),
  ),
  'ministack test_add_tags_missing_aws_partition_trail_arn_returns_resource_not_found': async () =>
    expect(await codeOf(east.addTags({ ResourceId: arn('none'), TagsList: TAGS }))).toBe('ResourceNotFoundException'),
  'ministack test_list_tags_missing_aws_partition_trail_arn_returns_resource_not_found': async () =>
    expect(await codeOf(east.listTags({ ResourceIdList: [arn('none')] }))).toBe('ResourceNotFoundException'),
  'ministack test_lookup_all_events_s3': async () => {
    const bucket = await makeBucket();
    await find('ResourceName', bucket);
    expect((await east.lookupEvents()).Events!.map(({ EventName }) => EventName)).toContain('CreateBucket');
  },
  'ministack test_lookup_filter_event_name': async () => {
    await makeBucket();
    expect(new Set((await find('EventName', 'CreateBucket')).map(({ EventName }) => EventName))).toEqual(new Set(['CreateBucket']));
  },
  'ministack test_lookup_filter_resource_name': async () => {
    const bucket = await makeBucket();
    const [event] = await find('ResourceName', bucket);
    expect(event!.Resources!.map(({ ResourceName }) => ResourceName)).toContain(bucket);
  },
  'ministack test_lookup_filter_resource_type': async () => {
    await makeBucket();
    for (const { Resources } of await find('ResourceType', 'AWS::S3::Bucket'))
      expect(Resources!.map(({ ResourceType }) => ResourceType)).toContain('AWS::S3::Bucket');
  },
  'ministack test_lookup_filter_access_key_id': async () => {
    await makeBucket();
    for (const { AccessKeyId } of await find('AccessKeyId', accessKey)) expect(AccessKeyId).toBe(accessKey);
  },
  'ministack test_lookup_filter_readonly_false': async () => {
    await makeBucket();
    for (const { ReadOnly } of await find('ReadOnly', 'false')) expect(ReadOnly).toBe('false');
  },
  'ministack test_lookup_filter_event_id': async () => {
    const [event] = await find('ResourceName', await makeBucket());
    expect((await find('EventId', event!.EventId!)).map(({ EventId }) => EventId)).toEqual([event!.EventId]);
  },
  'ministack test_lookup_no_match': async () => {
    const { Events } = await east.lookupEvents({ LookupAttributes: [{ AttributeKey: 'EventName', AttributeValue: 'NoSuchName' }] });
    expect(Events).toEqual([]);
  },
  'ministack test_lookup_time_range_match': async () => {
    const StartTime = new Date(Date.now() - 60_000);
    const bucket = await makeBucket();
    expect(await find('ResourceName', bucket, { StartTime, EndTime: new Date(Date.now() + 60_000) })).toHaveLength(1);
    const LookupAttributes = [{ AttributeKey: 'ResourceName', AttributeValue: bucket } as const];
    expect((await east.lookupEvents({ LookupAttributes, StartTime: new Date(0), EndTime: StartTime })).Events).toEqual([]);
  },
  'ministack test_lookup_max_results': async () => {
    for (let count = 0; count < 3; count += 1) await find('ResourceName', await makeBucket());
    expect((await east.lookupEvents({ MaxResults: 2 })).Events).toHaveLength(2);
  },
  'ministack test_dynamodb_resource_captured': async () => {
    const resource = { type: 'AWS::DynamoDB::Table', ARN: `arn:aws:dynamodb:${EAST}:${ACCOUNT}:table/orders`, accountId: ACCOUNT };
    const told = { eventVersion: '1.11', eventTime: `${new Date().toISOString().slice(0, 19)}Z`, eventName: 'CreateTable' };
    const from = { eventSource: 'dynamodb.amazonaws.com', awsRegion: EAST, eventID: 'table-of-orders', resources: [resource] };
    const { exitCode, stderr } = await runCli(['record', '-', '--data-dir', server.dataDir], {
      input: `${JSON.stringify({ ...told, ...from })}\n`,
    });
    expect(`${exitCode} ${stderr}`).toMatch(/^0 /);
    const [event] = await find('ResourceType', 'AWS::DynamoDB::Table');
    expect(event).toMatchObject({ EventName: 'CreateTable', EventId: 'table-of-orders' });
  },
  'ministack test_cloudtrail_calls_not_self_recorded': async () => {
    await east.describeTrails();
    // The service records the calls of CloudTrail itself; ministack does not.
    expect((await find('EventName', 'DescribeTrails'))[0]).toMatchObject({ EventSource: 'cloudtrail.amazonaws.com' });
  },
  'moto test_create_trail_simple': async () => {
    const output = await create('main');
    for (const unset of ['S3KeyPrefix', 'SnsTopicName', 'SnsTopicARN']) expect(output).not.toHaveProperty(unset);
  },
  'moto test_create_trail_multi_but_not_global': async () => {
    const call = () => create('main', { IsMultiRegionTrail: true, IncludeGlobalServiceEvents: false });
    expect(await codeOf(call())).toBe('InvalidParameterCombinationException');
    expect(await messageOf(call())).toBe('Multi-Region trail must include global service events.');
  },
  'moto test_create_trail_with_nonexisting_topic': async () => {
    expect(await codeOf(create('main', { SnsTopicName: 'none' }))).toBe('InsufficientSnsTopicPolicyException');
    expect(await messageOf(create('main', { SnsTopicName: 'none' }))).toContain(
      'SNS Topic does not exist or the topic policy is incorrect!',
    );
  },
  'moto test_get_trail_with_one_char': async () => {
    expect(await codeOf(east.getTrail({ Name: '?' }))).toBe('InvalidTrailNameException');
    expect(await messageOf(east.getTrail({ Name: '?' }))).toBe(
      'Trail name too short. Minimum allowed length: 3 characters. Specified name length: 1 characters.',
    );
  },
  'moto test_get_trail_status_arn_inactive': async () => {
    await create('main');
    const status = await east.getTrailStatus({ Name: arn('main') });
    expect(status).toMatchObject({ IsLogging: false, LatestDeliveryAttemptTime: '', TimeLoggingStarted: '', TimeLoggingStopped: '' });
    expect(status).not.toHaveProperty('StartLoggingTime');
  },
  'moto test_start_logging_unknown_trail_raises_not_found': notFound(() => east.startLogging({ Name: 'unknowntrail' })),
  'moto test_get_trail_status_multi_region_not_from_the_home_region': async () => {
    await create('main', { IsMultiRegionTrail: true });
    await east.startLogging({ Name: 'main' });
    expect((await west.getTrailStatus({ Name: 'main' })).IsLogging).toBe(true);
  },
  'moto test_list_trails_different_home_region_no_multiregion': async () => {
    await create('main');
    // ListTrails of the service shows the trails of all Regions; moto leaves out those of one.
    expect((await west.listTrails()).Trails).toEqual([{ Name: 'main', TrailARN: arn('main'), HomeRegion: EAST }]);
  },
  'moto test_describe_trails_without_shadowtrails': withoutShadows,
  'moto test_delete_trail': deletes,
  'moto test_put_event_selectors_advanced': async () => {
    await create('main');
    // A trail has selectors of one kind; moto takes both at once.
    const both = { EventSelectors: SELECTORS, AdvancedEventSelectors: ADVANCED };
    expect(await codeOf(east.putEventSelectors({ TrailName: 'main', ...both }))).toBe('InvalidEventSelectorsException');
    const said = await east.putEventSelectors({ TrailName: 'main', AdvancedEventSelectors: ADVANCED });
    expect(said).toMatchObject({ TrailARN: arn('main'), AdvancedEventSelectors: ADVANCED });
  },
  'moto test_get_event_selectors_empty': defaultSelectors,
  'moto test_get_event_selectors': async () => {
    await create('main');
    await east.putEventSelectors({ TrailName: 'main', EventSelectors: SELECTORS });
    expect(await east.getEventSelectors({ TrailName: 'main' })).toMatchObject({ TrailARN: arn('main'), EventSelectors: SELECTORS });
  },
  'moto test_get_event_selectors_multiple': async () => {
    await create('main');
    await east.putEventSelectors({ TrailName: 'main', EventSelectors: SELECTORS });
    await east.putEventSelectors({ TrailName: 'main', AdvancedEventSelectors: ADVANCED });
    const { EventSelectors, AdvancedEventSelectors } = await east.getEventSelectors({ TrailName: 'main' });
    // The later kind replaces the earlier one; moto keeps both.
    expect([EventSelectors, AdvancedEventSelectors]).toEqual([undefined, ADVANCED]);
  },
  'moto test_put_insight_selectors': async () => {
    await create('main');
    // Nothing obeys them yet, and so they are not stored.
    const call = east.putInsightSelectors({ TrailName: 'main', InsightSelectors: [{ InsightType: 'ApiCallRateInsight' }] });
    expect(await codeOf(call)).toBe('UnsupportedOperationException');
  },
};

async function withoutShadows(): Promise<void> {
  await create('main', { IsMultiRegionTrail: true });
  expect(await namesOf(west.describeTrails({ includeShadowTrails: false }))).toEqual([]);
  expect(await namesOf(west.describeTrails({ includeShadowTrails: false, trailNameList: ['main'] }))).toEqual([]);
  expect(await namesOf(west.describeTrails())).toEqual(['main']);
  expect(await namesOf(east.describeTrails({ includeShadowTrails: false }))).toEqual(['main']);
}

async function defaultSelectorsOf(TrailName: string): Promise<void> {
  expect((await east.getEventSelectors({ TrailName })).EventSelectors).toBeUndefined();
}

beforeAll(async () => {
  server = await startServer({ flags: ['--account-id', ACCOUNT, '--region', EAST] });
  const { access } = new Client(await findServer({ dataDir: server.dataDir, account: ACCOUNT }));
  const credentials = { accessKeyId: access.accessKeyId, secretAccessKey: access.secretAccessKey };
  accessKey = access.accessKeyId;
  const client = (region: string) => new sdk.CloudTrail({ endpoint: server.url, region, credentials, maxAttempts: 1 });
  east = client(EAST);
  west = client(WEST);
  s3 = new S3Client({ endpoint: server.url, region: EAST, credentials, forcePathStyle: true });
  await s3.send(new CreateBucketCommand({ Bucket: BUCKET }));
  await s3.send(new PutBucketPolicyCommand({ Bucket: BUCKET, Policy: JSON.stringify(bucketPolicy(BUCKET, ACCOUNT)) }));
});
afterAll(async () => {
  for (const client of [east, west, s3]) client?.destroy();
  expect(await server.stop()).toBe(0);
  await rm(server.dataDir, { recursive: true, force: true });
});
afterEach(async () => {
  for (const { Name } of (await east.describeTrails({ includeShadowTrails: false })).trailList!) await east.deleteTrail({ Name: Name! });
});

describe('what emulators are tested for', () => {
  test.each(Object.keys(BEHAVIOURS))('%s', (name) => BEHAVIOURS[name]!());

  test.skipIf(data === undefined)('is all here', async () => {
    const rows: string[] = [];
    for (const emulator of ['floci', 'ministack', 'moto']) {
      const lines = (await readFile(join(data!, 'emulator-behaviours', `${emulator}-cloudtrail.jsonl`), 'utf8')).trim().split('\n');
      rows.push(...lines.map((line) => `${emulator} ${(JSON.parse(line) as { readonly test: string }).test}`));
    }
    expect(Object.keys(BEHAVIOURS).sort()).toEqual(rows.sort());
  });
});

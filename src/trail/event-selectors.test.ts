import { describe, expect, test } from 'vitest';
import { checkTrail } from '../../test/support/check-trail.ts';
import { BUCKET, DIGEST_MS, FLUSH_MS, HOME, STRANGER, TRAIL_ACCOUNT, TrailRig } from '../../test/support/trail-rig.ts';
import { ApiError } from '../api/api-error.ts';
import type { Region } from '../event/types.ts';
import type { Trails } from './create-trails.ts';

const ARN = `arn:aws:cloudtrail:${HOME}:${TRAIL_ACCOUNT}:trail/main`;
const WEST = 'us-west-2' as Region;

async function logging(input: object = {}): Promise<{ rig: TrailRig; trails: Trails }> {
  const rig = new TrailRig();
  await rig.createBucket();
  const trails = await rig.open();
  const settings = { EnableLogFileValidation: true, IsMultiRegionTrail: true, ...input };
  await rig.send(trails, 'CreateTrail', { Name: 'main', S3BucketName: BUCKET, ...settings });
  await rig.send(trails, 'StartLogging', { Name: 'main' });
  await rig.settle(trails);
  return { rig, trails };
}

async function refusal(call: Promise<unknown>): Promise<string> {
  try {
    return `no refusal: ${JSON.stringify(await call)}`;
  } catch (error) {
    if (error instanceof ApiError) return `${error.code}: ${error.message}`;
    throw error;
  }
}

const put = (rig: TrailRig, trails: Trails, input: object) => rig.send(trails, 'PutEventSelectors', { TrailName: 'main', ...input });
const get = (rig: TrailRig, trails: Trails) => rig.send(trails, 'GetEventSelectors', { TrailName: 'main' });
const has = async (rig: TrailRig, trails: Trails) => (await rig.send(trails, 'GetTrail', { Name: ARN })).Trail.HasCustomEventSelectors;

const objects = (...more: object[]) => ({
  FieldSelectors: [{ Field: 'eventCategory', Equals: ['Data'] }, { Field: 'resources.type', Equals: ['AWS::S3::Object'] }, ...more],
});
const MANAGEMENT = { FieldSelectors: [{ Field: 'eventCategory', Equals: ['Management'] }] };
/** A data event of an object. */
const ofObject = (path: string, members: object = {}) => ({
  eventCategory: 'Data',
  managementEvent: false,
  eventSource: 's3.amazonaws.com',
  readOnly: true,
  resources: [
    { type: 'AWS::S3::Object', ARN: `arn:aws:s3:::${path}` },
    { type: 'AWS::S3::Bucket', ARN: `arn:aws:s3:::${path.split('/')[0]}`, accountId: TRAIL_ACCOUNT },
  ],
  ...members,
});
const ids = (list: readonly string[]) => [...list].sort();

/** What was delivered, without the calls to the trail itself; all that was passed is accounted for. */
async function delivered(rig: TrailRig, trails: Trails): Promise<{ events: readonly string[]; logFiles: readonly string[] }> {
  await rig.pass(trails, DIGEST_MS);
  const found = await checkTrail(rig, BUCKET);
  expect(found.faults).toEqual([]);
  const [follower] = trails.followers();
  const entries = await rig.journal.read(0n, 10_000);
  const passed = entries.filter(({ kind, sequence }) => kind === 'event' && sequence > follower!.start() && sequence <= follower!.cursor());
  expect(follower!.counts().reduce((sum, count) => sum + count.delivered + count.filtered, 0)).toBe(passed.length);
  const own = new Set(entries.filter(({ source }) => source === 'own-call').map(({ id }) => id));
  return { events: ids(found.events.filter((id) => !own.has(id))), logFiles: found.logFiles };
}

describe('PutEventSelectors and GetEventSelectors', () => {
  test('a trail without selectors shows the default, and says that it has none of its own', async () => {
    const { rig, trails } = await logging();
    expect(await get(rig, trails)).toEqual({
      TrailARN: ARN,
      AdvancedEventSelectors: [
        { Name: 'Management events selector', FieldSelectors: [{ Field: 'eventCategory', Equals: ['Management'] }] },
      ],
    });
    expect(await has(rig, trails)).toBe(false);
  });

  test('each call replaces all, setting one kind erases the other, and the answer is what is in force', async () => {
    const { rig, trails } = await logging();
    const basic = { ReadWriteType: 'All', IncludeManagementEvents: true, DataResources: [] };
    expect(await put(rig, trails, { EventSelectors: [{ ReadWriteType: 'WriteOnly' }, {}] })).toEqual({
      TrailARN: ARN,
      EventSelectors: [{ ...basic, ReadWriteType: 'WriteOnly' }, basic],
    });
    expect(await put(rig, trails, { AdvancedEventSelectors: [MANAGEMENT] })).toEqual({
      TrailARN: ARN,
      AdvancedEventSelectors: [MANAGEMENT],
    });
    expect(await get(rig, trails)).toEqual({ TrailARN: ARN, AdvancedEventSelectors: [MANAGEMENT] });
    const answer = await put(rig, trails, { EventSelectors: [basic] });
    expect([answer, await get(rig, trails)]).toEqual([{ TrailARN: ARN, EventSelectors: [basic] }, answer]);
    expect(await has(rig, trails)).toBe(true);
  });

  test('are refused by value, and change nothing then', async () => {
    const { rig, trails } = await logging();
    const text = await refusal(put(rig, trails, { AdvancedEventSelectors: [objects({ Field: 'f', Equals: ['x'] })] }));
    expect(text).toMatch(/^InvalidEventSelectorsException: .*AdvancedEventSelectors\[0\]\.FieldSelectors\[2\]\.Field is `f`/);
    expect(await has(rig, trails)).toBe(false);
  });

  test('from another Region selectors are read and not changed; to another account there is no such trail', async () => {
    const { rig, trails } = await logging();
    const west = rig.call(TRAIL_ACCOUNT, WEST);
    expect(await rig.send(trails, 'GetEventSelectors', { TrailName: 'main' }, west)).toMatchObject({ TrailARN: ARN });
    const change = { TrailName: ARN, EventSelectors: [{}] };
    expect(await refusal(rig.send(trails, 'PutEventSelectors', change, west))).toMatch(/^InvalidHomeRegionException/);
    for (const operation of ['PutEventSelectors', 'GetEventSelectors'])
      expect(await refusal(rig.send(trails, operation, change, rig.call(STRANGER)))).toMatch(/^TrailNotFoundException/);
  });

  test('A21 what gets smaller is in the fact of the change, and needs approval where changes do; what grows does not', async () => {
    const { rig, trails } = await logging();
    const narrows = async (input: object) => (await rig.decide(trails, 'PutEventSelectors', { TrailName: 'main', ...input })).narrows;
    expect(await narrows({ AdvancedEventSelectors: [MANAGEMENT, objects()] })).toBeUndefined();
    const smaller = { EventSelectors: [{ ExcludeManagementEventSources: ['kms.amazonaws.com'] }] };
    expect(await narrows(smaller)).toContain(`${ARN} takes no more: read management events of kms.amazonaws.com`);
    await put(rig, trails, smaller);
    const facts = (await rig.journal.read(0n, 1000)).filter(({ factKind }) => factKind === 'configuration');
    const [fact] = facts.slice(-1).map(({ bytes }) => JSON.parse(new TextDecoder().decode(bytes)));
    expect(fact).toMatchObject({ event: 'PutEventSelectors' });
    expect(fact.takesNoMore).toHaveLength(3);
  });
});

describe('log files', () => {
  test('hold reads or writes, as the selectors say', async () => {
    const { rig, trails } = await logging();
    await put(rig, trails, { EventSelectors: [{ ReadWriteType: 'ReadOnly' }] });
    const read = await rig.record(HOME, { eventName: 'DescribeInstances', members: { readOnly: true } });
    await rig.record(HOME, { members: { readOnly: false } });
    expect((await delivered(rig, trails)).events).toEqual([read]);
  });

  test('hold the data events of chosen prefixes, the same by either kind of selector', async () => {
    const value = 'arn:aws:s3:::snowy-pii/exports/';
    const basic = { EventSelectors: [{ IncludeManagementEvents: false, DataResources: [{ Type: 'AWS::S3::Object', Values: [value] }] }] };
    const advanced = { AdvancedEventSelectors: [objects({ Field: 'resources.ARN', StartsWith: [value] })] };
    for (const selectors of [basic, advanced]) {
      const { rig, trails } = await logging();
      await put(rig, trails, selectors);
      const paths = ['snowy-pii/exports/a', 'snowy-pii/exports/sub/b', 'snowy-pii/other/c', 'snowy-pii2/exports/a'];
      const events: string[] = [];
      for (const path of paths) events.push(await rig.record(HOME, { eventName: 'GetObject', members: ofObject(path) }));
      await rig.record(HOME);
      expect((await delivered(rig, trails)).events).toEqual(ids(events.slice(0, 2)));
    }
  });

  test('hold a data event that lists no resources by what its call names', async () => {
    const { rig, trails } = await logging();
    await put(rig, trails, { AdvancedEventSelectors: [objects({ Field: 'resources.ARN', StartsWith: ['arn:aws:s3:::pii/ü'] })] });
    const members = (key: string) => ofObject('pii/x', { resources: undefined, requestParameters: { bucketName: 'pii', key } });
    const taken = await rig.record(HOME, { eventName: 'GetObject', members: members('über/uns') });
    await rig.record(HOME, { eventName: 'GetObject', members: members('uber/uns') });
    expect((await delivered(rig, trails)).events).toEqual([taken]);
  });

  test('of network activity have a folder of their own, and digests list both', async () => {
    const { rig, trails } = await logging();
    const network = {
      FieldSelectors: [
        { Field: 'eventCategory', Equals: ['NetworkActivity'] },
        { Field: 'eventSource', Equals: ['ec2.amazonaws.com'] },
      ],
    };
    await put(rig, trails, { AdvancedEventSelectors: [MANAGEMENT, network] });
    const members = { eventCategory: 'NetworkActivity', eventType: 'AwsVpceEvent', managementEvent: undefined, vpcEndpointId: 'vpce-1' };
    const events = [await rig.record(HOME), await rig.record(HOME, { members })];
    await rig.record(HOME, { members: { ...members, eventSource: 'kms.amazonaws.com' } });
    const found = await delivered(rig, trails);
    expect(found.events).toEqual(ids(events));
    expect(ids([...new Set(found.logFiles.map((key) => key.split('/')[2]!))])).toEqual(['CloudTrail', 'CloudTrail-NetworkActivity']);
  });

  test('are made after a crash as they were announced, whatever the selectors are by then', async () => {
    for (const crash of [true, false]) {
      const { rig, trails } = await logging();
      await put(rig, trails, { AdvancedEventSelectors: [MANAGEMENT, objects()] });
      const before = await rig.record(HOME, { eventName: 'GetObject', members: ofObject('pii/a') });
      rig.outage = 'SlowDown';
      await rig.pass(trails, 2 * FLUSH_MS);
      await put(rig, trails, { EventSelectors: [{ IncludeManagementEvents: false }] });
      await rig.record(HOME, { eventName: 'GetObject', members: ofObject('pii/b') });
      rig.outage = undefined;
      const after = crash ? await rig.open() : trails;
      await rig.pass(after, 2 * DIGEST_MS);
      expect((await delivered(rig, after)).events).toEqual([before]);
    }
  });

  test('that are gone are put again as they were, though the selectors have changed since', async () => {
    const { rig, trails } = await logging({ EnableLogFileValidation: false });
    await put(rig, trails, { AdvancedEventSelectors: [objects()] });
    await rig.record(HOME);
    await rig.record(HOME, { eventName: 'GetObject', members: ofObject('pii/a') });
    await rig.pass(trails, 2 * FLUSH_MS);
    await put(rig, trails, { EventSelectors: [{ ReadWriteType: 'ReadOnly' }] });
    await rig.pass(trails, 2 * FLUSH_MS);
    const listed = await rig.objects.list(BUCKET, { prefix: `AWSLogs/${TRAIL_ACCOUNT}/CloudTrail/`, limit: 10 } as never);
    const keys = listed.objects.map(({ key }: { key: string }) => key);
    expect(keys.length).toBeGreaterThan(0);
    for (const key of keys) await rig.objects.delete(BUCKET, key as never);
    const outcomes: string[] = [];
    await trails.scrub(new AbortController().signal, ({ outcome }) => outcomes.push(outcome));
    expect(outcomes).toEqual(keys.map(() => 'put-again'));
  });

  test('leave out what deliveries cause, when recursive logging is off', async () => {
    const { rig, trails } = await logging({ RecursiveLogging: false });
    await put(rig, trails, { AdvancedEventSelectors: [MANAGEMENT, objects()] });
    const own = { userIdentity: { type: 'AWSService', invokedBy: 'cloudtrail.amazonaws.com' } };
    const record = (members: object) => rig.record(HOME, { eventName: 'PutObject', members });
    await record(ofObject('logs/a', own));
    const other = await record(ofObject('logs/a', { userIdentity: { type: 'AWSService', invokedBy: 'config.amazonaws.com' } }));
    expect((await delivered(rig, trails)).events).toEqual([other]);
    expect((await rig.send(trails, 'GetTrail', { Name: 'main' })).Trail.RecursiveLogging).toBe(false);
    expect(await rig.send(trails, 'UpdateTrail', { Name: 'main', EnableLogFileValidation: true })).toMatchObject({
      RecursiveLogging: false,
    });
    expect(await rig.send(trails, 'UpdateTrail', { Name: 'main', RecursiveLogging: true })).toMatchObject({ RecursiveLogging: true });
    const now = await record(ofObject('logs/b', own));
    expect((await delivered(rig, trails)).events).toEqual(ids([other, now]));
  });
});

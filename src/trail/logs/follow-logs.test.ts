import { beforeEach, describe, expect, test } from 'vitest';
import { BUCKET, HOME, START_MS, STRANGER, TRAIL_ACCOUNT, TrailRig } from '../../../test/support/trail-rig.ts';
import { createMemoryLogGroups, type MemoryLogGroups } from '../../store/memory/log-groups.ts';
import type { Trails } from '../create-trails.ts';

const GROUP = `arn:aws:logs:${HOME}:${TRAIL_ACCOUNT}:log-group:audit/trail:*`;
const OTHER_GROUP = `arn:aws:logs:${HOME}:${TRAIL_ACCOUNT}:log-group:other:*`;
const ROLE = `arn:aws:iam::${TRAIL_ACCOUNT}:role/logs-delivery`;
const STREAM = `${TRAIL_ACCOUNT}_CloudTrail_${HOME}`;
const FOLLOWER = `logs/${TRAIL_ACCOUNT}/${HOME}/main`;
const MINUTE_MS = 60_000;

let rig: TrailRig;
let groups: MemoryLogGroups;
let trails: Trails;

beforeEach(async () => {
  const clock = { nowMs: () => rig.clock.nowMs() };
  groups = createMemoryLogGroups({ clock, roles: new Set([ROLE]) });
  groups.groups.set(GROUP, new Map());
  rig = new TrailRig({ logGroups: groups });
  await rig.createBucket();
  trails = await rig.open();
});

/** A trail that logs, with a log group. */
async function begin(): Promise<void> {
  await rig.send(trails, 'CreateTrail', {
    Name: 'main',
    S3BucketName: BUCKET,
    CloudWatchLogsLogGroupArn: GROUP,
    CloudWatchLogsRoleArn: ROLE,
  });
  await rig.send(trails, 'StartLogging', { Name: 'main' });
  await rig.settle(trails);
}

/** Ids of the events in a group, of all of its streams. */
function idsIn(group = GROUP, stream = STREAM): readonly string[] {
  return (groups.groups.get(group)?.get(stream) ?? []).map(({ message }) => (JSON.parse(message) as { eventID: string }).eventID);
}

const status = () => rig.send(trails, 'GetTrailStatus', { Name: 'main' });
const follower = () => trails.logsFollowers().find(({ name }) => name === FOLLOWER)!;

function totals() {
  const counts = follower().counts();
  return { delivered: counts.reduce((sum, row) => sum + row.delivered, 0), filtered: counts.reduce((sum, row) => sum + row.filtered, 0) };
}

describe('delivery to CloudWatch Logs', () => {
  test('DL3 each event that the trail selects is one log event, with the record as it is and its time', async () => {
    await begin();
    const before = idsIn().length;
    const id = await rig.record(HOME);
    const other = await rig.record(HOME, { source: 'import' });
    const foreign = await rig.record(HOME, { account: STRANGER });
    await rig.settle(trails);
    expect(idsIn().slice(before)).toEqual([id]);
    expect(idsIn()).not.toContain(other);
    expect(idsIn()).not.toContain(foreign);
    const [event] = groups.groups.get(GROUP)!.get(STREAM)!.slice(-1);
    const [entry] = await rig.journal.fetch([(await rig.journal.find(TRAIL_ACCOUNT, id))!]);
    expect(event).toEqual({
      message: new TextDecoder().decode(entry!.bytes),
      timestampMs: Math.floor((START_MS - MINUTE_MS) / 1000) * 1000,
      account: TRAIL_ACCOUNT,
      hour: Math.floor(START_MS / 3_600_000),
      sizeBytes: entry!.bytes.length,
    });
    expect((await status()).LatestCloudWatchLogsDeliveryTime).toEqual(new Date(START_MS));
  });

  test('what is accepted is delivered, filtered or pending, and only what the service kept is delivered', async () => {
    await begin();
    const { delivered, filtered } = totals();
    await rig.record(HOME);
    await rig.record(HOME, { source: 'import' });
    const at = (ms: number) => ({ members: { eventTime: new Date(START_MS + ms).toISOString().replace(/\.[0-9]+/, '') } });
    await rig.record(HOME, at(-15 * 24 * 60 * MINUTE_MS));
    await rig.record(HOME, at(3 * 60 * MINUTE_MS));
    await rig.settle(trails);
    expect(totals()).toEqual({ delivered: delivered + 1, filtered: filtered + 3 });
    expect(follower().refused()).toEqual({ tooOld: 1, tooNew: 1, invalid: 0 });
    expect(follower().cursor()).toBe(rig.journal.head());
  });

  test('nothing is delivered before StartLogging and after StopLogging, and the stop itself is', async () => {
    await rig.send(trails, 'CreateTrail', {
      Name: 'main',
      S3BucketName: BUCKET,
      CloudWatchLogsLogGroupArn: GROUP,
      CloudWatchLogsRoleArn: ROLE,
    });
    const early = await rig.record(HOME);
    await rig.send(trails, 'StartLogging', { Name: 'main' });
    const between = await rig.record(HOME);
    await rig.send(trails, 'StopLogging', { Name: 'main' });
    const late = await rig.record(HOME);
    await rig.settle(trails);
    expect(idsIn()).not.toContain(early);
    expect(idsIn()).toContain(between);
    expect(idsIn()).not.toContain(late);
    const names = groups.groups
      .get(GROUP)!
      .get(STREAM)!
      .map(({ message }) => (JSON.parse(message) as { eventName: string }).eventName);
    expect(names.at(-1)).toBe('StopLogging');
  });

  test('F25 a log group that is away keeps log files and digests going, and all that waits comes once, in order, when it is back', async () => {
    await begin();
    const before = idsIn().length;
    groups.outage = () => 'ServiceUnavailableException';
    const ids: string[] = [];
    for (let minutes = 0; minutes < 120; minutes += 10) {
      ids.push(await rig.record(HOME));
      await rig.pass(trails, 10 * MINUTE_MS, MINUTE_MS);
    }
    const during = await status();
    expect(during.LatestCloudWatchLogsDeliveryError).toBe('ServiceUnavailableException');
    expect(during.LatestDeliveryError).toBeUndefined();
    expect(trails.health(FOLLOWER)?.state).toBe('retrying');
    expect(trails.health(`trail/${TRAIL_ACCOUNT}/${HOME}/main`)?.state).toBe('ok');
    groups.outage = undefined;
    await rig.pass(trails, 2 * MINUTE_MS, MINUTE_MS);
    expect(idsIn().slice(before)).toEqual(ids);
    expect((await status()).LatestCloudWatchLogsDeliveryError).toBeUndefined();
    expect(follower().cursor()).toBe(rig.journal.head());
  });

  test('F25 after a crash between a put and its save, the events of that batch come twice and no others', async () => {
    await begin();
    const before = idsIn().length;
    const first = await rig.record(HOME);
    await rig.settle(trails);
    const second = await rig.record(HOME);
    // The process dies when it has put the event and is about to save that.
    const puts: string[] = [];
    groups.outage = (call) => {
      if (call === 'putEvents') {
        puts.push(call);
        rig.fault = { store: 'catalog', method: 'commit', nth: (rig.calls.get('catalog.commit') ?? 0) + 1, kind: 'refused', isCrash: true };
      }
      return undefined;
    };
    await rig.settle(trails);
    expect(rig.isDead()).toBe(true);
    groups.outage = undefined;
    rig.fault = undefined;
    trails = await rig.open();
    await rig.settle(trails);
    expect(idsIn().slice(before)).toEqual([first, second, second]);
    expect(totals().delivered).toBe(idsIn().length - 1);
  });

  test('a failure that the process outlives repeats nothing but the call that it hit', async () => {
    await begin();
    const before = idsIn().length;
    const id = await rig.record(HOME);
    rig.fault = { store: 'catalog', method: 'commit', nth: (rig.calls.get('catalog.commit') ?? 0) + 1, kind: 'refused' };
    await rig.settle(trails);
    rig.fault = undefined;
    await rig.pass(trails, 2 * MINUTE_MS, MINUTE_MS);
    expect(idsIn().slice(before)).toEqual([id]);
  });

  test('an event that the service refuses by itself is set apart, and the others are delivered', async () => {
    await begin();
    const put = groups.putEvents.bind(groups);
    groups.putEvents = async (target, stream, events) => {
      if (events.some(({ message }) => message.includes('Poison'))) {
        groups.outage = () => 'InvalidParameterException';
        return put(target, stream, events).finally(() => {
          groups.outage = undefined;
        });
      }
      return put(target, stream, events);
    };
    const before = idsIn().length;
    const ids = [await rig.record(HOME), await rig.record(HOME, { eventName: 'Poison' }), await rig.record(HOME)];
    await rig.settle(trails);
    expect(idsIn().slice(before)).toEqual([ids[0], ids[2]]);
    expect(follower().refused().invalid).toBe(1);
    expect((await status()).LatestCloudWatchLogsDeliveryError).toBe('InvalidParameterException');
  });

  test('a stream that somebody deletes is made again', async () => {
    await begin();
    groups.groups.get(GROUP)!.clear();
    const id = await rig.record(HOME);
    await rig.pass(trails, 2 * MINUTE_MS, MINUTE_MS);
    expect(idsIn()).toEqual([id]);
  });

  test('A25 a log group that is deleted shows in the status, and what waits goes to the one that UpdateTrail names', async () => {
    await begin();
    groups.groups.delete(GROUP);
    const id = await rig.record(HOME);
    await rig.settle(trails);
    expect((await status()).LatestCloudWatchLogsDeliveryError).toBe('ResourceNotFoundException');
    groups.groups.set(OTHER_GROUP, new Map());
    await rig.send(trails, 'UpdateTrail', { Name: 'main', CloudWatchLogsLogGroupArn: OTHER_GROUP });
    await rig.pass(trails, 2 * MINUTE_MS, MINUTE_MS);
    expect(idsIn(OTHER_GROUP)).toContain(id);
    expect((await status()).LatestCloudWatchLogsDeliveryError).toBeUndefined();
  });

  test('an empty group and role end delivery there, and its accounting; a trail that is deleted delivers what it had', async () => {
    await begin();
    const id = await rig.record(HOME);
    await rig.send(trails, 'UpdateTrail', { Name: 'main', CloudWatchLogsLogGroupArn: '', CloudWatchLogsRoleArn: '' });
    await rig.record(HOME);
    await rig.settle(trails);
    expect(idsIn()).toContain(id);
    expect(trails.logsFollowers()).toEqual([]);
    expect(await rig.catalog.list(['accounting', FOLLOWER])).toEqual([]);
    expect(await rig.send(trails, 'GetTrail', { Name: 'main' })).not.toHaveProperty('Trail.CloudWatchLogsRoleArn');

    await rig.send(trails, 'UpdateTrail', { Name: 'main', CloudWatchLogsLogGroupArn: GROUP, CloudWatchLogsRoleArn: ROLE });
    const last = await rig.record(HOME);
    await rig.send(trails, 'DeleteTrail', { Name: 'main' });
    await rig.settle(trails);
    expect(idsIn()).toContain(last);
    expect(trails.logsFollowers()).toEqual([]);
  });

  test('what a group refuses that no trail names any more is given up after ten minutes', async () => {
    await begin();
    groups.groups.delete(GROUP);
    await rig.record(HOME);
    await rig.send(trails, 'DeleteTrail', { Name: 'main' });
    await rig.pass(trails, 9 * MINUTE_MS, MINUTE_MS);
    expect(trails.logsFollowers()).toHaveLength(1);
    await rig.pass(trails, 4 * MINUTE_MS, MINUTE_MS);
    expect(trails.logsFollowers()).toEqual([]);
  });

  test('under load several streams are written to at one time', async () => {
    await begin();
    const members = { requestParameters: { padding: 'x'.repeat(200_000) } };
    const ids: string[] = [];
    for (let count = 0; count < 12; count++) ids.push(await rig.record(HOME, { members }));
    await rig.settle(trails);
    const streams = [...groups.groups.get(GROUP)!.keys()].sort();
    expect(streams).toEqual([STREAM, `${STREAM}_2`, `${STREAM}_3`]);
    const all = streams.flatMap((stream) => idsIn(GROUP, stream));
    expect(ids.filter((id) => all.filter((each) => each === id).length !== 1)).toEqual([]);
  });
});

describe('the log group and role of a trail', () => {
  const create = (members: object) => rig.send(trails, 'CreateTrail', { Name: 'main', S3BucketName: BUCKET, ...members });
  const both = { CloudWatchLogsLogGroupArn: GROUP, CloudWatchLogsRoleArn: ROLE };

  test('are both given, or neither', async () => {
    await expect(create({ CloudWatchLogsLogGroupArn: GROUP })).rejects.toMatchObject({ code: 'InvalidCloudWatchLogsRoleArnException' });
    await expect(create({ CloudWatchLogsRoleArn: ROLE })).rejects.toMatchObject({ code: 'InvalidCloudWatchLogsLogGroupArnException' });
    await create(both);
    await expect(rig.send(trails, 'UpdateTrail', { Name: 'main', CloudWatchLogsRoleArn: '' })).rejects.toMatchObject({
      code: 'InvalidCloudWatchLogsRoleArnException',
    });
  });

  test.each([
    ['arn:aws:logs:eu-central-1:123837392027:log-group:audit/trail', 'InvalidCloudWatchLogsLogGroupArnException'],
    ['arn:aws:logs:eu-central-1:999999999999:log-group:audit/trail:*', 'InvalidCloudWatchLogsLogGroupArnException'],
    ['arn:aws:logs:us-east-1:123837392027:log-group:audit/trail:*', 'InvalidCloudWatchLogsLogGroupArnException'],
    ['audit/trail', 'InvalidCloudWatchLogsLogGroupArnException'],
  ])('A18 refuses the group %s, and names it', async (arn, code) => {
    await expect(create({ ...both, CloudWatchLogsLogGroupArn: arn })).rejects.toMatchObject({
      code,
      message: expect.stringContaining(arn),
    });
  });

  test("A18 refuses another account's role, and names it", async () => {
    const arn = `arn:aws:iam::${STRANGER}:role/logs-delivery`;
    await expect(create({ ...both, CloudWatchLogsRoleArn: arn })).rejects.toMatchObject({
      code: 'InvalidCloudWatchLogsRoleArnException',
      message: expect.stringContaining(arn),
    });
  });

  test('are tried before they are accepted, and a refusal prints the policy that is missing', async () => {
    await expect(create({ ...both, CloudWatchLogsRoleArn: `${ROLE}-2` })).rejects.toMatchObject({
      code: 'InvalidCloudWatchLogsRoleArnException',
      message: expect.stringContaining('"Service":"cloudtrail.amazonaws.com"'),
    });
    await expect(create({ ...both, CloudWatchLogsLogGroupArn: OTHER_GROUP })).rejects.toMatchObject({
      code: 'InvalidCloudWatchLogsLogGroupArnException',
      message: `The log group ${OTHER_GROUP} does not exist.`,
    });
    groups.outage = () => 'AccessDeniedException';
    await expect(create(both)).rejects.toMatchObject({
      code: 'InvalidCloudWatchLogsLogGroupArnException',
      message: expect.stringContaining(`${GROUP.slice(0, -1)}log-stream:${STREAM}*`),
    });
    expect(await rig.catalog.list(['trail'])).toEqual([]);
  });

  test('are in every answer about the trail', async () => {
    expect(await create(both)).toMatchObject(both);
    expect(await rig.send(trails, 'GetTrail', { Name: 'main' })).toMatchObject({ Trail: both });
    expect(await rig.send(trails, 'DescribeTrails', {})).toMatchObject({ trailList: [both] });
  });

  test('cannot be given where no CloudWatch Logs is configured', async () => {
    const plain = new TrailRig();
    await plain.createBucket();
    await expect(plain.send(await plain.open(), 'CreateTrail', { Name: 'main', S3BucketName: BUCKET, ...both })).rejects.toMatchObject({
      code: 'CloudWatchLogsDeliveryUnavailableException',
    });
  });

  test('A20 are part of the fact that each change of the trail leaves', async () => {
    await create(both);
    await rig.send(trails, 'UpdateTrail', { Name: 'main', CloudWatchLogsLogGroupArn: '', CloudWatchLogsRoleArn: '' });
    const facts = (await rig.journal.read(0n, 100)).filter(({ factKind }) => factKind === 'configuration');
    const [first, second] = facts.map(
      ({ bytes }) => JSON.parse(new TextDecoder().decode(bytes)) as { beforeSha256: string; afterSha256: string },
    );
    expect(second!.beforeSha256).toBe(first!.afterSha256);
    expect(second!.afterSha256).not.toBe(second!.beforeSha256);
  });
});

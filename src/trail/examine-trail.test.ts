import { beforeEach, describe, expect, test } from 'vitest';
import { BUCKET, bucketPolicy, HOME, START_MS, STRANGER, TRAIL_ACCOUNT, TrailRig } from '../../test/support/trail-rig.ts';
import type { BucketName, ObjectKey } from '../event/types.ts';
import { createManualClock } from '../store/memory/clock.ts';
import { createMemoryLogGroups, type MemoryLogGroups } from '../store/memory/log-groups.ts';
import type { Trails } from './create-trails.ts';
import type { TrailCheckOutput } from './examine-trail.ts';

const NAME = BUCKET as BucketName;
const ARN = `arn:aws:cloudtrail:${HOME}:${TRAIL_ACCOUNT}:trail/main`;

interface PolicyDocument {
  readonly Statement: readonly { readonly Sid?: string; readonly Effect?: string }[];
}

async function newTrail(options: Parameters<TrailRig['createBucket']>[0] = {}): Promise<{ rig: TrailRig; trails: Trails }> {
  const rig = new TrailRig();
  await rig.createBucket(options);
  const trails = await rig.open();
  await rig.send(trails, 'CreateTrail', { Name: 'main', S3BucketName: BUCKET });
  return { rig, trails };
}

async function check(rig: TrailRig, trails: Trails): Promise<readonly TrailCheckOutput[]> {
  const { Checks } = (await rig.send(trails, 'CheckTrail', { Name: 'main' })) as { readonly Checks: readonly TrailCheckOutput[] };
  return Checks;
}

describe('CheckTrail', () => {
  test('says what holds where nothing is in the way', async () => {
    const { rig, trails } = await newTrail();
    expect(await check(rig, trails)).toEqual([
      { Check: 'bucket', Resource: `arn:aws:s3:::${BUCKET}`, Holds: 'takes what the trail writes' },
      {
        Check: 'object lock',
        Resource: `arn:aws:s3:::${BUCKET}`,
        Holds: 'off: what is delivered can be deleted by who may delete in the bucket',
      },
    ]);
  });

  test('EN3: each documented statement that is removed is named, and the corrected policy is taken', async () => {
    const { rig, trails } = await newTrail();
    const whole = bucketPolicy(BUCKET, TRAIL_ACCOUNT) as PolicyDocument;
    const other = {
      Sid: 'Other',
      Effect: 'Allow',
      Principal: { AWS: STRANGER },
      Action: 's3:GetObject',
      Resource: `arn:aws:s3:::${BUCKET}/*`,
    };
    expect(whole.Statement.length).toBe(2);
    for (const removed of whole.Statement) {
      const Statement = [other, ...whole.Statement.filter((statement) => statement !== removed)];
      await rig.objects.updateBucket(NAME, { policy: JSON.stringify({ ...whole, Statement }) });
      const [found] = await check(rig, trails);
      expect(found?.Problem).toMatch(new RegExp(`^InsufficientS3BucketPolicyException: .*Add the statement ${removed.Sid}`));
      expect((JSON.parse(found!.CorrectedPolicy!) as PolicyDocument).Statement.map(({ Sid }) => Sid)).toEqual([
        ...Statement.map(({ Sid }) => Sid),
        removed.Sid,
      ]);
      await rig.objects.updateBucket(NAME, { policy: found!.CorrectedPolicy! });
      expect((await check(rig, trails))[0]?.Holds).toBe('takes what the trail writes');
    }
  });

  test('EN3: CreateTrail answers the corrected policy with its refusal', async () => {
    const rig = new TrailRig();
    await rig.createBucket({ policy: null });
    const trails = await rig.open();
    const error = (await rig
      .send(trails, 'CreateTrail', { Name: 'main', S3BucketName: BUCKET })
      .catch((reason: unknown) => reason)) as Error;
    const policy = / The corrected policy: (.*)$/.exec(error.message)?.[1];
    await rig.objects.updateBucket(NAME, { policy: policy! });
    await rig.send(trails, 'CreateTrail', { Name: 'main', S3BucketName: BUCKET });
  });

  test('a statement that has the documented Sid and does not help stays beside the one that does', async () => {
    const { rig, trails } = await newTrail();
    await rig.objects.updateBucket(NAME, { policy: JSON.stringify(bucketPolicy(BUCKET, STRANGER)) });
    const [found] = await check(rig, trails);
    const sids = (JSON.parse(found!.CorrectedPolicy!) as PolicyDocument).Statement.map(({ Sid }) => Sid);
    expect(sids).toEqual(['AWSCloudTrailAclCheck20150319', 'AWSCloudTrailWrite20150319', 'AWSCloudTrailWrite20150319x2']);
  });

  test('what a statement denies has no corrected policy: which of the two is wanted, the owner knows', async () => {
    const { rig, trails } = await newTrail();
    const whole = bucketPolicy(BUCKET, TRAIL_ACCOUNT) as PolicyDocument;
    const deny = { Sid: 'Closed', Effect: 'Deny', Principal: '*', Action: 's3:PutObject', Resource: '*' };
    await rig.objects.updateBucket(NAME, { policy: JSON.stringify({ ...whole, Statement: [...whole.Statement, deny] }) });
    const [found] = await check(rig, trails);
    expect([found?.Problem?.includes('Statement Closed denies s3:PutObject'), found?.CorrectedPolicy]).toEqual([true, undefined]);
  });

  test("BP2: a bucket of a central account takes the trail's files, and shows its policy to nobody else", async () => {
    const { rig, trails } = await newTrail({ owner: STRANGER });
    expect((await check(rig, trails))[0]?.Holds).toBe(`takes what the trail writes, for its owner ${STRANGER}`);
    const secret = {
      Sid: 'Secret',
      Effect: 'Allow',
      Principal: { AWS: STRANGER },
      Action: 's3:GetObject',
      Resource: `arn:aws:s3:::${BUCKET}/*`,
    };
    await rig.objects.updateBucket(NAME, { policy: JSON.stringify({ Version: '2012-10-17', Statement: [secret] }) });
    const [found] = await check(rig, trails);
    expect(JSON.stringify(found)).not.toContain('Secret');
    expect((JSON.parse(found!.CorrectedPolicy!) as PolicyDocument).Statement.map(({ Sid }) => Sid)).toEqual([
      'AWSCloudTrailAclCheck20150319',
      'AWSCloudTrailWrite20150319',
    ]);
  });

  test('a bucket that is gone is named', async () => {
    const { rig, trails } = await newTrail();
    await rig.objects.delete(NAME, `AWSLogs/${TRAIL_ACCOUNT}/` as ObjectKey);
    await rig.objects.deleteBucket(NAME);
    expect(await check(rig, trails)).toEqual([
      {
        Check: 'bucket',
        Resource: `arn:aws:s3:::${BUCKET}`,
        Problem: `S3BucketDoesNotExistException: S3 bucket ${BUCKET} does not exist!`,
      },
    ]);
  });

  test('BP6: says how long Object Lock keeps what is delivered, and until when the newest receipt', async () => {
    const { rig, trails } = await newTrail();
    await rig.objects.updateBucket(NAME, { versioning: 'Enabled' });
    await rig.objects.updateBucket(NAME, { objectLock: {} });
    const lock = async () => (await check(rig, trails)).find(({ Check }) => Check === 'object lock')?.Holds;
    expect(await lock()).toBe('on, without a default retention: what is delivered can be deleted');
    await rig.objects.updateBucket(NAME, { objectLock: { default: { mode: 'COMPLIANCE', days: 400 } } });
    await rig.send(trails, 'StartLogging', { Name: 'main' });
    await rig.record(HOME);
    await rig.pass(trails, 600_000);
    expect(await lock()).toMatch(/^COMPLIANCE for 400 days; the newest receipt until \d{4}-/);
    expect((await rig.send(trails, 'CheckTrail', { Name: ARN })).TrailARN).toBe(ARN);
  });
});

describe('a trail whose bucket has Object Lock', () => {
  test('BP6, P15: each log file, digest, key and receipt is one version under retention, which nobody deletes', async () => {
    const rig = new TrailRig();
    await rig.createBucket();
    await rig.objects.updateBucket(NAME, { versioning: 'Enabled' });
    await rig.objects.updateBucket(NAME, { objectLock: { default: { mode: 'COMPLIANCE', years: 1 } } });
    const trails = await rig.open();
    await rig.send(trails, 'CreateTrail', { Name: 'main', S3BucketName: BUCKET, EnableLogFileValidation: true });
    await rig.send(trails, 'StartLogging', { Name: 'main' });
    await rig.record(HOME);
    await rig.pass(trails, 2 * 3_600_000);
    // The probe, and every object again.
    await rig.send(trails, 'UpdateTrail', { Name: 'main', S3BucketName: BUCKET });
    await trails.scrub(new AbortController().signal, () => undefined);
    const { versions } = await rig.objects.listVersions(NAME, { limit: 1_000 });
    expect(versions.filter(({ key }) => /\/CloudTrail(?:-Digest|-Evidence)?\//.test(key)).length).toBeGreaterThan(3);
    expect(new Set(versions.map(({ key }) => key)).size).toBe(versions.length);
    expect(versions.filter(({ retention }) => retention?.mode !== 'COMPLIANCE')).toEqual([]);
    for (const { key, versionId } of versions)
      await expect(rig.objects.delete(NAME, key, versionId!, { bypassGovernance: true })).rejects.toMatchObject({ reason: 'AccessDenied' });
  });

  describe('of a trail with a key, a topic and a log group', () => {
    const TOPIC = `arn:aws:sns:${HOME}:${TRAIL_ACCOUNT}:deliveries`;
    const GROUP = `arn:aws:logs:${HOME}:${TRAIL_ACCOUNT}:log-group:trails:*`;
    const ROLE = `arn:aws:iam::${TRAIL_ACCOUNT}:role/logs-delivery`;
    const Principal = { Service: 'cloudtrail.amazonaws.com' };
    const mine = { Effect: 'Allow', Principal: { AWS: TRAIL_ACCOUNT }, Action: '*', Resource: '*' };
    const document = (...Statement: object[]) => JSON.stringify({ Version: '2012-10-17', Statement });
    const encrypts = { Effect: 'Allow', Principal, Action: 'kms:GenerateDataKey*', Resource: '*' };
    const publishes = { Effect: 'Allow', Principal, Action: 'sns:Publish', Resource: TOPIC };

    let groups: MemoryLogGroups;
    let rig: TrailRig;
    let trails: Trails;
    let KeyId: string;

    const found = async (kind: string) => (await check(rig, trails)).find(({ Check }) => Check === kind)!;

    beforeEach(async () => {
      const clock = createManualClock({ startMs: START_MS });
      groups = createMemoryLogGroups({ clock, roles: new Set([ROLE]) });
      groups.groups.set(GROUP, new Map());
      rig = new TrailRig({ logGroups: groups });
      await rig.createBucket();
      trails = await rig.open();
      KeyId = (await rig.sendKms('CreateKey', { Policy: document(mine, encrypts) })).KeyMetadata.KeyId;
      rig.topics.topics.set(TOPIC, { policy: document(publishes), messages: [] });
      const logs = { CloudWatchLogsLogGroupArn: GROUP, CloudWatchLogsRoleArn: ROLE };
      await rig.send(trails, 'CreateTrail', { Name: 'main', S3BucketName: BUCKET, KmsKeyId: KeyId, SnsTopicName: 'deliveries', ...logs });
    });

    test('each is a check of its own, and holds', async () => {
      expect((await check(rig, trails)).map(({ Check, Problem }) => [Check, Problem])).toEqual(
        ['bucket', 'object lock', 'key', 'topic', 'log group'].map((kind) => [kind, undefined]),
      );
    });

    test('EN2: a key that is disabled, is to be deleted, or whose policy lacks the statement, is named', async () => {
      await rig.sendKms('DisableKey', { KeyId });
      expect((await found('key')).Problem).toMatch(/^KmsException: KMS key .* cannot be used: it is disabled\.$/);
      await rig.sendKms('EnableKey', { KeyId });
      await rig.sendKms('ScheduleKeyDeletion', { KeyId });
      expect((await found('key')).Problem).toMatch(/it is pending deletion\.$/);
      await rig.sendKms('CancelKeyDeletion', { KeyId });
      await rig.sendKms('EnableKey', { KeyId });
      await rig.sendKms('PutKeyPolicy', { KeyId, Policy: document(mine) });
      const { Problem, CorrectedPolicy } = await found('key');
      expect(Problem).toMatch(/^InsufficientEncryptionPolicyException: .*Add the statement AllowCloudTrailEncryptLogs\.$/);
      await rig.sendKms('PutKeyPolicy', { KeyId, Policy: CorrectedPolicy });
      expect((await found('key')).Holds).toBe('encrypts what the trail writes');
    });

    test('DL2: of a trail without a key, the key that its bucket encrypts with by default is asked as a delivery asks it', async () => {
      await rig.send(trails, 'UpdateTrail', { Name: 'main', KmsKeyId: '' });
      expect(await found('key')).toBeUndefined();
      await rig.objects.updateBucket(BUCKET, { encryption: { algorithm: 'aws:kms', keyId: KeyId } });
      expect(await found('key')).toMatchObject({ Resource: KeyId, Holds: 'encrypts what the trail writes, as the default of its bucket' });
      await rig.sendKms('DisableKey', { KeyId });
      expect((await found('key')).Problem).toMatch(/^KMS\.DisabledException: /);
      await rig.sendKms('EnableKey', { KeyId });
      await rig.sendKms('PutKeyPolicy', { KeyId, Policy: document(mine) });
      expect((await found('key')).Problem).toMatch(/^AccessDenied: /);
    });

    test("a topic's policy that lacks the statement is named with the one that would do; what denies has none", async () => {
      rig.topics.topics.set(TOPIC, { policy: document(mine), messages: [] });
      const { Problem, CorrectedPolicy } = await found('topic');
      expect(Problem).toMatch(/^InsufficientSnsTopicPolicyException: .*Add the statement AWSCloudTrailSNSPolicy20131101\.$/);
      rig.topics.topics.set(TOPIC, { policy: CorrectedPolicy!, messages: [] });
      expect((await found('topic')).Holds).toBe('takes what the trail sends');
      rig.topics.topics.set(TOPIC, { policy: document(publishes, { ...publishes, Sid: 'Closed', Effect: 'Deny' }), messages: [] });
      const denied = await found('topic');
      expect([denied.Problem?.includes('Statement Closed denies sns:Publish'), denied.CorrectedPolicy]).toEqual([true, undefined]);
    });

    test('EN5: a role that may not write to the log group is named with the policy that it needs', async () => {
      groups.outage = (call) => (call === 'createStream' ? 'AccessDeniedException' : undefined);
      const { Problem, CorrectedPolicy } = await found('log group');
      expect(Problem).toMatch(/^InvalidCloudWatchLogsLogGroupArnException: Access denied: .*Give the role .* this policy\.$/);
      expect((JSON.parse(CorrectedPolicy!) as PolicyDocument).Statement.map(({ Sid }) => Sid)).toEqual([
        'AWSCloudTrailCreateLogStream',
        'AWSCloudTrailPutLogEvents',
      ]);
    });

    test('a role that makes streams and may not write to them shows at the first delivery', async () => {
      groups.outage = (call) => (call === 'putEvents' ? 'AccessDeniedException' : undefined);
      await rig.send(trails, 'StartLogging', { Name: 'main' });
      await rig.record(HOME);
      await rig.pass(trails, 60_000);
      const { Problem, CorrectedPolicy } = await found('log group');
      expect([Problem, CorrectedPolicy?.includes('logs:PutLogEvents')]).toEqual([
        'AccessDeniedException: The last delivery to the log group failed.',
        true,
      ]);
    });
  });
});

import { describe, expect, test } from 'vitest';
import { BUCKET, bucketPolicy, HOME, START_MS, STRANGER, TRAIL_ACCOUNT, TrailRig } from '../../test/support/trail-rig.ts';
import { ApiError } from '../api/api-error.ts';
import type { Operation } from '../api/operation.ts';
import type { AccountId, BucketName, ObjectKey, Region } from '../event/types.ts';
import type { Trails } from './create-trails.ts';

const OTHER_REGION = 'us-west-2' as Region;
const ARN = `arn:aws:cloudtrail:${HOME}:${TRAIL_ACCOUNT}:trail/main`;

/** A rig with a bucket and no trail. */
async function newRig(): Promise<{ rig: TrailRig; trails: Trails }> {
  const rig = new TrailRig();
  await rig.createBucket();
  return { rig, trails: await rig.open() };
}

async function newTrail(input: object = {}): Promise<{ rig: TrailRig; trails: Trails }> {
  const { rig, trails } = await newRig();
  await rig.send(trails, 'CreateTrail', { Name: 'main', S3BucketName: BUCKET, ...input });
  return { rig, trails };
}

/** Code and message of a refusal. */
async function refusal(call: Promise<unknown>): Promise<string> {
  try {
    return `no refusal: ${JSON.stringify(await call)}`;
  } catch (error) {
    if (error instanceof ApiError) return `${error.code}: ${error.message}`;
    throw error;
  }
}

describe('CreateTrail', () => {
  test('answers the settings with their defaults, and leaves unset texts out', async () => {
    const { rig, trails } = await newRig();
    expect(await rig.send(trails, 'CreateTrail', { Name: 'main', S3BucketName: BUCKET })).toEqual({
      Name: 'main',
      S3BucketName: BUCKET,
      IncludeGlobalServiceEvents: true,
      IsMultiRegionTrail: false,
      TrailARN: ARN,
      LogFileValidationEnabled: false,
      IsOrganizationTrail: false,
      RecursiveLogging: true,
    });
    expect(await rig.send(trails, 'GetTrailStatus', { Name: 'main' })).toMatchObject({ IsLogging: false, TimeLoggingStarted: '' });
  });

  test('puts an empty object where the log files will be', async () => {
    const { rig, trails } = await newRig();
    await rig.createBucket({ bucket: 'other-bucket' as BucketName, prefix: 'logs' });
    await rig.send(trails, 'CreateTrail', { Name: 'main', S3BucketName: 'other-bucket', S3KeyPrefix: 'logs' });
    const probe = await rig.objects.head('other-bucket' as BucketName, `logs/AWSLogs/${TRAIL_ACCOUNT}/` as ObjectKey);
    expect(probe).toMatchObject({ sizeBytes: 0 });
  });

  test('refuses names with the texts that clients know', async () => {
    const { rig, trails } = await newRig();
    const names: [name: string, text: RegExp][] = [
      [
        'a',
        /^InvalidTrailNameException: Trail name too short\. Minimum allowed length: 3 characters\. Specified name length: 1 characters\.$/,
      ],
      ['a'.repeat(129), /too long\. Maximum allowed length: 128 characters\. Specified name length: 129 characters\.$/],
      ['-trail', /Trail name must starts with a letter or number\.$/],
      ['trail-', /Trail name must ends with a letter or number\.$/],
      ['tr ail', /can only contain uppercase letters/],
      ['tr__ail', /adjacent/],
      ['192.168.5.4', /IP address/],
    ];
    for (const [Name, text] of names) expect(await refusal(rig.send(trails, 'CreateTrail', { Name, S3BucketName: BUCKET }))).toMatch(text);
  });

  test('takes the values that mean "none" of every member', async () => {
    const { rig, trails } = await newRig();
    const unused = { SnsTopicName: '', KmsKeyId: '', IsOrganizationTrail: false, TagsList: [], RecursiveLogging: true };
    await rig.send(trails, 'CreateTrail', { Name: 'main', S3BucketName: BUCKET, ...unused });
  });

  test('refuses buckets that are malformed, missing or closed, and says which statement is missing', async () => {
    const { rig, trails } = await newRig();
    const closed: [bucket: string, policy: object | null, text: RegExp][] = [
      ['no-policy', null, /The bucket has no policy\. Add the statement AWSCloudTrailAclCheck20150319.*AWSCloudTrailWrite20150319/],
      [
        'not-for-us',
        bucketPolicy('not-for-us', STRANGER),
        /No statement allows s3:PutObject on .*Add the statement AWSCloudTrailWrite20150319/,
      ],
      ['other-prefix', bucketPolicy('other-prefix', TRAIL_ACCOUNT, 'logs'), /Add the statement AWSCloudTrailWrite20150319/],
      [
        'denies',
        {
          Version: '2012-10-17',
          Statement: [
            ...(bucketPolicy('denies', TRAIL_ACCOUNT) as { Statement: object[] }).Statement,
            { Sid: 'Closed', Effect: 'Deny', Principal: '*', Action: 's3:PutObject', Resource: '*' },
          ],
        },
        /Statement Closed denies s3:PutObject/,
      ],
    ];
    for (const [bucket, policy, text] of closed) {
      await rig.createBucket({ bucket: bucket as BucketName, policy });
      expect(await refusal(rig.send(trails, 'CreateTrail', { Name: 'main', S3BucketName: bucket }))).toMatch(
        new RegExp(
          `^InsufficientS3BucketPolicyException: Incorrect S3 bucket policy is detected for bucket: ${bucket}\\. .*${text.source}`,
        ),
      );
    }
    const create = (input: object) => refusal(rig.send(trails, 'CreateTrail', { Name: 'main', ...input }));
    expect(await create({ S3BucketName: 'missing-bucket' })).toBe(
      'S3BucketDoesNotExistException: S3 bucket missing-bucket does not exist!',
    );
    expect(await create({ S3BucketName: 'Bad_Bucket' })).toMatch(/^InvalidS3BucketNameException/);
    expect(await create({ S3BucketName: BUCKET, S3KeyPrefix: 'x'.repeat(201) })).toMatch(/^InvalidS3PrefixException/);
    expect(await create({ S3BucketName: BUCKET, S3KeyPrefix: '/x' })).toMatch(/^InvalidS3PrefixException/);
    expect(rig.calls.get('objects.put')).toBeUndefined();
  });

  test("A17 another account's bucket is taken when its policy names this trail, and not when it names another", async () => {
    const { rig, trails } = await newRig();
    const policyFor = (bucket: string, trail: string) => {
      const policy = bucketPolicy(bucket, TRAIL_ACCOUNT) as { Statement: { Condition?: object }[] };
      const Condition = { StringEquals: { 'aws:SourceArn': trail, 'aws:SourceAccount': TRAIL_ACCOUNT } };
      return { ...policy, Statement: policy.Statement.map((statement) => ({ ...statement, Condition })) };
    };
    for (const [bucket, trail] of [['shared-ours', ARN] as const, ['shared-theirs', `${ARN}2`] as const])
      await rig.createBucket({ bucket: bucket as BucketName, owner: STRANGER, policy: policyFor(bucket, trail) });
    const create = (bucket: string) => refusal(rig.send(trails, 'CreateTrail', { Name: 'main', S3BucketName: bucket }));
    expect(await create('shared-theirs')).toMatch(/^InsufficientS3BucketPolicyException/);
    expect(await create('shared-ours')).toMatch(/^no refusal/);
  });

  test('a multi-Region trail must include global service events', async () => {
    const { rig, trails } = await newRig();
    const input = { Name: 'main', S3BucketName: BUCKET, IsMultiRegionTrail: true, IncludeGlobalServiceEvents: false };
    expect(await refusal(rig.send(trails, 'CreateTrail', input))).toBe(
      'InvalidParameterCombinationException: Multi-Region trail must include global service events.',
    );
  });

  test('five trails a Region, multi-Region ones in every Region', async () => {
    const { rig, trails } = await newRig();
    const create = (Name: string, region: Region, input: object = {}) =>
      refusal(rig.send(trails, 'CreateTrail', { Name, S3BucketName: BUCKET, ...input }, rig.call(TRAIL_ACCOUNT, region)));
    for (const name of ['one', 'two', 'three', 'four']) expect(await create(name, HOME)).toMatch(/^no refusal/);
    expect(await create('everywhere', OTHER_REGION, { IsMultiRegionTrail: true })).toMatch(/^no refusal/);
    expect(await create('six', HOME)).toBe(
      `MaximumNumberOfTrailsExceededException: User: ${TRAIL_ACCOUNT} already has 5 trails in ${HOME}.`,
    );
    expect(await create('seven', OTHER_REGION, { IsMultiRegionTrail: true })).toMatch(/^MaximumNumberOfTrailsExceededException/);
    expect(await create('eight', OTHER_REGION)).toMatch(/^no refusal/);
  });

  test('a name is taken in its Region, by shadows as well', async () => {
    const { rig, trails } = await newTrail();
    const create = (region: Region, input: object = {}) =>
      refusal(rig.send(trails, 'CreateTrail', { Name: 'main', S3BucketName: BUCKET, ...input }, rig.call(TRAIL_ACCOUNT, region)));
    expect(await create(HOME)).toBe(`TrailAlreadyExistsException: Trail main already exists for customer: ${TRAIL_ACCOUNT}`);
    expect(await create(OTHER_REGION, { IsMultiRegionTrail: true })).toMatch(/^TrailAlreadyExistsException/);
    expect(await create(OTHER_REGION)).toMatch(/^no refusal/);
  });

  test('of two calls at once for one name, one is refused', async () => {
    const { rig, trails } = await newRig();
    const create = () => refusal(rig.send(trails, 'CreateTrail', { Name: 'main', S3BucketName: BUCKET }));
    const outcomes = (await Promise.all([create(), create()])).map((text) => text.split(':')[0]).sort();
    expect(outcomes).toEqual(['TrailAlreadyExistsException', 'no refusal']);
  });

  test('refuses a folder with the evidence of another trail of the name', async () => {
    const { rig, trails } = await newRig();
    const key = `AWSLogs/${TRAIL_ACCOUNT}/CloudTrail-Evidence/${HOME}/main/receipts/000000000001.note` as ObjectKey;
    await rig.objects.put(BUCKET, key, new TextEncoder().encode('a receipt of another installation'));
    expect(await refusal(rig.send(trails, 'CreateTrail', { Name: 'main', S3BucketName: BUCKET }))).toMatch(/^InvalidS3PrefixException/);
  });

  test('a foreign bucket that shows no policy is tried with the probe object', async () => {
    const { rig, trails } = await newRig();
    const bucket = 'foreign-bucket' as BucketName;
    await rig.objects.createBucket({ name: bucket, region: HOME, createdAtMs: START_MS, versioning: 'Off' });
    rig.fault = { store: 'objects', method: 'put', nth: 1, kind: 'refused' };
    const create = () => refusal(rig.send(trails, 'CreateTrail', { Name: 'main', S3BucketName: bucket }));
    expect(await create()).toMatch(/^InsufficientS3BucketPolicyException: .*SlowDown/);
    expect(await create()).toMatch(/^no refusal/);
  });
});

describe('UpdateTrail', () => {
  test('changes what is given, and an empty prefix takes the prefix away', async () => {
    const { rig, trails } = await newTrail();
    await rig.createBucket({ bucket: 'second-bucket' as BucketName, prefix: 'logs' });
    const moved = await rig.send(trails, 'UpdateTrail', {
      Name: ARN,
      S3BucketName: 'second-bucket',
      S3KeyPrefix: 'logs',
      EnableLogFileValidation: true,
    });
    expect(moved).toMatchObject({ S3BucketName: 'second-bucket', S3KeyPrefix: 'logs', LogFileValidationEnabled: true });
    const back = await rig.send(trails, 'UpdateTrail', { Name: 'main', S3BucketName: BUCKET, S3KeyPrefix: '' });
    expect(back).not.toHaveProperty('S3KeyPrefix');
    expect(back).toMatchObject({ S3BucketName: BUCKET, LogFileValidationEnabled: true });
  });

  test('to all Regions includes global events, and back to one does, until it is told not to', async () => {
    const { rig, trails } = await newTrail({ IncludeGlobalServiceEvents: false });
    const update = (input: object) => rig.send(trails, 'UpdateTrail', { Name: 'main', ...input });
    expect(await update({ IsMultiRegionTrail: true })).toMatchObject({ IsMultiRegionTrail: true, IncludeGlobalServiceEvents: true });
    expect(await refusal(update({ IncludeGlobalServiceEvents: false }))).toMatch(/^InvalidParameterCombinationException/);
    expect(await update({ IsMultiRegionTrail: false })).toMatchObject({ IsMultiRegionTrail: false, IncludeGlobalServiceEvents: true });
    expect(await update({ IncludeGlobalServiceEvents: false })).toMatchObject({ IncludeGlobalServiceEvents: false });
  });

  test('checks the new bucket as CreateTrail does', async () => {
    const { rig, trails } = await newTrail();
    const update = (input: object) => refusal(rig.send(trails, 'UpdateTrail', { Name: 'main', ...input }));
    expect(await update({ S3BucketName: 'missing-bucket' })).toMatch(/^S3BucketDoesNotExistException/);
    expect(await update({ S3KeyPrefix: 'elsewhere' })).toMatch(/^InsufficientS3BucketPolicyException/);
    expect(await update({ KmsKeyId: 'alias/x' })).toMatch(/^KmsKeyNotFoundException: KMS key alias\/x/);
  });
});

describe('who may see and change a trail', () => {
  const changing = ['UpdateTrail', 'DeleteTrail', 'StartLogging', 'StopLogging'];

  test('from another Region a multi-Region trail is seen and not changed; a single-Region one is not there', async () => {
    const { rig, trails } = await newTrail({ IsMultiRegionTrail: true });
    await rig.send(trails, 'CreateTrail', { Name: 'local', S3BucketName: BUCKET });
    const send = (operation: string, input: object) => refusal(rig.send(trails, operation, input, rig.call(TRAIL_ACCOUNT, OTHER_REGION)));
    for (const name of ['main', ARN]) {
      expect(await send('GetTrail', { Name: name })).toMatch(/"HomeRegion":"eu-central-1"/);
      expect(await send('GetTrailStatus', { Name: name })).toMatch(/"IsLogging":false/);
      for (const operation of changing)
        expect(await send(operation, { Name: name })).toMatch(/^InvalidHomeRegionException: .*eu-central-1/);
    }
    const unknown = (name: string) => `TrailNotFoundException: Unknown trail: ${name} for the user: ${TRAIL_ACCOUNT}`;
    for (const operation of ['GetTrail', ...changing]) expect(await send(operation, { Name: 'local' })).toBe(unknown('local'));
    const arnThere = `arn:aws:cloudtrail:${OTHER_REGION}:${TRAIL_ACCOUNT}:trail/local`;
    expect(await send('GetTrailStatus', { Name: 'local' }), 'as the service says it').toBe(unknown(arnThere));
    expect(await send('GetTrail', { Name: ARN.replace('main', 'local') })).toMatch(/^no refusal/);
    expect(await send('StopLogging', { Name: ARN.replace('main', 'local') })).toMatch(/^InvalidHomeRegionException/);
  });

  test('to another account a trail looks as one that does not exist', async () => {
    const { rig, trails } = await newTrail();
    for (const operation of ['GetTrail', 'GetTrailStatus', ...changing]) {
      const send = (Name: string) => refusal(rig.send(trails, operation, { Name }, rig.call(STRANGER)));
      const missing = ARN.replace('main', 'none');
      expect((await send(ARN)).replace(ARN, '')).toBe((await send(missing)).replace(missing, ''));
      expect(await send(ARN)).toMatch(/^TrailNotFoundException/);
    }
    const described = await rig.send(trails, 'DescribeTrails', { trailNameList: [ARN] }, rig.call(STRANGER));
    expect([described, await rig.send(trails, 'ListTrails', {}, rig.call(STRANGER))]).toEqual([{ trailList: [] }, { Trails: [] }]);
    expect(await rig.send(trails, 'GetTrailEvidence', {}, rig.call(STRANGER))).toEqual({ Trails: [] });
  });

  test('the administrator may ask for the evidence of all accounts; whoever else asks so gets that of the own account', async () => {
    const { rig, trails } = await newTrail();
    const ask = async (account: AccountId, input: object, isAdministrator: boolean) => {
      const call = rig.call(account);
      const { Trails } = await rig.send(trails, 'GetTrailEvidence', input, { ...call, principal: { ...call.principal, isAdministrator } });
      return Trails.map(({ TrailARN }: { TrailARN: string }) => TrailARN);
    };
    expect(await ask(STRANGER, { AllAccounts: true }, true)).toEqual([ARN]);
    expect(await ask(STRANGER, {}, true)).toEqual([]);
    for (const wanted of [true, 'true', 1]) expect(await ask(STRANGER, { AllAccounts: wanted }, false)).toEqual([]);
    expect(await ask(TRAIL_ACCOUNT, { AllAccounts: true }, false)).toEqual([ARN]);
    const named = ask(STRANGER, { TrailARN: ARN, AllAccounts: true }, false);
    expect(await refusal(named)).toMatch(/^TrailNotFoundException/);
  });

  test('a malformed ARN or name is refused as such', async () => {
    const { rig, trails } = await newTrail();
    const get = (Name: string) => refusal(rig.send(trails, 'GetTrail', { Name }));
    expect(await get('arn:aws:cloudtrail:eu-central-1:trail/main')).toMatch(/^CloudTrailARNInvalidException/);
    expect(await get(ARN.replace(':cloudtrail:', ':s3:'))).toMatch(/^CloudTrailARNInvalidException/);
    expect(await get('x')).toMatch(/^InvalidTrailNameException/);
    expect(await get(ARN.replace('arn:aws', 'arn:aws-cn'))).toMatch(/^TrailNotFoundException/);
  });
});

describe('DescribeTrails and ListTrails', () => {
  test('show shadows by default, home trails only when asked so, named ones wherever they are', async () => {
    const { rig, trails } = await newTrail({ IsMultiRegionTrail: true });
    await rig.send(trails, 'CreateTrail', { Name: 'west', S3BucketName: BUCKET }, rig.call(TRAIL_ACCOUNT, OTHER_REGION));
    const describe = async (region: Region, input: object = {}) => {
      const { trailList } = await rig.send(trails, 'DescribeTrails', input, rig.call(TRAIL_ACCOUNT, region));
      return trailList.map((trail: { Name: string }) => trail.Name);
    };
    const westArn = `arn:aws:cloudtrail:${OTHER_REGION}:${TRAIL_ACCOUNT}:trail/west`;
    expect([await describe(HOME), await describe(OTHER_REGION)]).toEqual([['main'], ['main', 'west']]);
    expect(await describe(OTHER_REGION, { includeShadowTrails: false })).toEqual(['west']);
    expect(await describe(HOME, { trailNameList: ['west', 'none', westArn] })).toEqual(['west']);
    expect(await describe(HOME, { trailNameList: ['west'] })).toEqual([]);
    expect(await refusal(describe(HOME, { trailNameList: ['x'] }))).toMatch(/^InvalidTrailNameException/);
    const listed = await rig.send(trails, 'ListTrails');
    expect(listed.Trails).toEqual([
      { TrailARN: ARN, Name: 'main', HomeRegion: HOME },
      { TrailARN: westArn, Name: 'west', HomeRegion: OTHER_REGION },
    ]);
  });
});

describe('StartLogging, StopLogging, DeleteTrail', () => {
  test('set the status at once; again changes nothing', async () => {
    const { rig, trails } = await newTrail();
    const status = () => rig.send(trails, 'GetTrailStatus', { Name: 'main' });
    await rig.send(trails, 'StartLogging', { Name: 'main' });
    const started = await status();
    expect(started).toMatchObject({
      IsLogging: true,
      StartLoggingTime: new Date(START_MS),
      TimeLoggingStarted: '2026-01-02T03:04:05Z',
      TimeLoggingStopped: '',
    });
    await rig.clock.advance(10_000);
    await rig.send(trails, 'StartLogging', { Name: 'main' });
    expect(await status()).toEqual(started);
    await rig.send(trails, 'StopLogging', { Name: 'main' });
    expect(await status()).toMatchObject({ IsLogging: false, StopLoggingTime: new Date(START_MS + 10_000) });
    await rig.send(trails, 'StopLogging', { Name: 'main' });
    await rig.send(trails, 'DeleteTrail', { Name: 'main' });
    expect(await refusal(status())).toMatch(/^TrailNotFoundException/);
    expect(await refusal(rig.send(trails, 'DeleteTrail', { Name: 'main' }))).toMatch(/^TrailNotFoundException/);
  });

  test('their events name what they touch by ARN, trail and bucket', async () => {
    const { rig, trails } = await newTrail();
    const operation = trails.operations.cloudtrail.find(({ name }) => name === 'StartLogging') as Operation<{ Name: string }, unknown>;
    expect((await operation.decide(rig.call(), { Name: 'main' })).resources).toEqual([
      { type: 'AWS::CloudTrail::Trail', name: ARN, account: TRAIL_ACCOUNT },
      { type: 'AWS::S3::Bucket', name: `arn:aws:s3:::${BUCKET}` },
    ]);
  });

  test('each change leaves a configuration fact with the hashes before and after', async () => {
    const { rig, trails } = await newTrail();
    await rig.send(trails, 'StartLogging', { Name: 'main' });
    await rig.send(trails, 'UpdateTrail', { Name: 'main', EnableLogFileValidation: true });
    await rig.send(trails, 'DeleteTrail', { Name: 'main' });
    const entries = await rig.journal.read(0n, 1000);
    const facts = entries
      .filter(({ factKind }) => factKind === 'configuration')
      .map(({ bytes }) => JSON.parse(Buffer.from(bytes).toString()));
    expect(facts.map(({ event, resource, principal }) => [event, resource, principal])).toEqual(
      ['CreateTrail', 'StartLogging', 'UpdateTrail', 'DeleteTrail'].map((event) => [event, ARN, `arn:aws:iam::${TRAIL_ACCOUNT}:root`]),
    );
    expect([facts[0].beforeSha256, facts.at(-1).afterSha256]).toEqual([null, null]);
    expect(facts.slice(1).map(({ beforeSha256 }) => beforeSha256)).toEqual(facts.slice(0, -1).map(({ afterSha256 }) => afterSha256));
    expect(new Set(facts.map(({ afterSha256 }) => afterSha256)).size).toBe(4);
  });

  test('a change that was decided on older settings is refused, and changes nothing', async () => {
    const { rig, trails } = await newTrail();
    const decision = await rig.decide(trails, 'StartLogging', { Name: 'main' });
    await rig.send(trails, 'UpdateTrail', { Name: 'main', EnableLogFileValidation: true });
    expect(await refusal(decision.apply!())).toMatch(/^ConflictException/);
    expect(await rig.send(trails, 'GetTrailStatus', { Name: 'main' })).toMatchObject({ IsLogging: false });
  });
});

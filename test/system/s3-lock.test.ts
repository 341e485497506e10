/**
 * Object Lock of the built-in S3 on the wire: codes, documents and headers as S3's clients know them.
 *
 * The same calls go to Ceph RGW where it is there, and must end alike.
 */
import {
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectLegalHoldCommand,
  GetObjectLockConfigurationCommand,
  GetObjectRetentionCommand,
  HeadObjectCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  PutObjectLegalHoldCommand,
  PutObjectLockConfigurationCommand,
  PutObjectRetentionCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { clientEnvironment, findAwsCli, findBoto3, run } from '../support/clients.ts';
import { HttpRig, RIG_KEY, RIG_REGION } from '../support/http-rig.ts';
import { hasRadosgw, startRadosgw } from '../support/radosgw.ts';

const DAY_MS = 24 * 3_600_000;
/** Whole seconds: RGW keeps no more. */
const inDays = (days: number) => new Date(Math.ceil(Date.now() / 1_000) * 1_000 + days * DAY_MS);

interface Service {
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  stop(): Promise<void>;
}

let rig: HttpRig;

async function startBuiltIn(): Promise<Service> {
  rig = await HttpRig.start();
  const { accessKeyId, secretAccessKey } = RIG_KEY;
  return { endpoint: rig.url, accessKeyId, secretAccessKey, stop: () => rig.close() };
}

async function startCeph(): Promise<Service> {
  const ceph = await startRadosgw();
  return { endpoint: ceph.endpoint, accessKeyId: 'snowtrail', secretAccessKey: 'snowtrail-secret', stop: async () => ceph.stop() };
}

const services: readonly (readonly [name: string, start: () => Promise<Service>])[] = [
  ['the built-in S3', startBuiltIn],
  ...(hasRadosgw() ? ([['Ceph RGW', startCeph]] as const) : []),
];

describe.each(services)('%s', (name, start) => {
  const isOurs = name === 'the built-in S3';
  let service: Service;
  let s3: S3Client;
  let count = 0;

  beforeAll(async () => {
    service = await start();
    const { endpoint, accessKeyId, secretAccessKey } = service;
    s3 = new S3Client({
      endpoint,
      region: 'us-east-1',
      credentials: { accessKeyId, secretAccessKey },
      forcePathStyle: true,
      maxAttempts: 1,
      requestChecksumCalculation: isOurs ? 'WHEN_SUPPORTED' : 'WHEN_REQUIRED',
    });
  });
  afterAll(async () => {
    s3?.destroy();
    await service?.stop();
  });

  async function newBucket(isLocked = true): Promise<string> {
    count += 1;
    const Bucket = `lock-wire-${count}`;
    await s3.send(new CreateBucketCommand({ Bucket, ...(isLocked && { ObjectLockEnabledForBucket: true }) }));
    return Bucket;
  }

  /** Status and code of a refusal. */
  async function refusal(sent: Promise<unknown>): Promise<string> {
    const error = await sent.then(
      () => undefined,
      (reason: Error & { $metadata?: { httpStatusCode?: number } }) => reason,
    );
    return error === undefined ? 'taken' : `${error.$metadata?.httpStatusCode} ${error.name}`;
  }

  const configuration = (Rule?: object) => ({ ObjectLockEnabled: 'Enabled' as const, ...(Rule && { Rule }) }) as object;

  test('the configuration of a bucket is put and read, and its default kept for each put', async () => {
    const Bucket = await newBucket();
    const read = async () => (await s3.send(new GetObjectLockConfigurationCommand({ Bucket }))).ObjectLockConfiguration;
    const put = (value: object) => s3.send(new PutObjectLockConfigurationCommand({ Bucket, ObjectLockConfiguration: value }));
    expect(await read()).toEqual({ ObjectLockEnabled: 'Enabled' });
    const rule = { DefaultRetention: { Mode: 'COMPLIANCE', Days: 3 } };
    await put(configuration(rule));
    expect(await read()).toMatchObject({ ObjectLockEnabled: 'Enabled', Rule: rule });
    await s3.send(new PutObjectCommand({ Bucket, Key: 'a', Body: 'x' }));
    const head = await s3.send(new HeadObjectCommand({ Bucket, Key: 'a' }));
    expect(head.ObjectLockMode).toBe('COMPLIANCE');
    expect(Math.abs(head.ObjectLockRetainUntilDate!.getTime() - inDays(3).getTime())).toBeLessThan(60_000);
  });

  test.each([
    ['MalformedXML', { Mode: 'COMPLIANCE', Days: 1, Years: 1 }, 400],
    ['MalformedXML', { Mode: 'compliance', Days: 1 }, 400],
    ['MalformedXML', { Mode: 'COMPLIANCE' }, 400],
    ['InvalidRetentionPeriod', { Mode: 'COMPLIANCE', Days: 0 }, 400],
    ['InvalidRetentionPeriod', { Mode: 'GOVERNANCE', Years: -1 }, 400],
  ])('%s for the default %j', async (code, DefaultRetention, status) => {
    const Bucket = await newBucket();
    const ObjectLockConfiguration = configuration({ DefaultRetention });
    expect(await refusal(s3.send(new PutObjectLockConfigurationCommand({ Bucket, ObjectLockConfiguration })))).toBe(`${status} ${code}`);
  });

  test('a bucket without Object Lock says so in the code of each call', async () => {
    const Bucket = await newBucket(false);
    await s3.send(new PutObjectCommand({ Bucket, Key: 'a', Body: 'x' }));
    const at = { Bucket, Key: 'a' };
    const Retention = { Mode: 'GOVERNANCE' as const, RetainUntilDate: inDays(1) };
    expect([
      await refusal(s3.send(new GetObjectLockConfigurationCommand({ Bucket }))),
      await refusal(s3.send(new PutObjectLockConfigurationCommand({ Bucket, ObjectLockConfiguration: configuration() }))),
      await refusal(s3.send(new PutObjectRetentionCommand({ ...at, Retention }))),
      await refusal(s3.send(new GetObjectRetentionCommand(at))),
      await refusal(s3.send(new PutObjectLegalHoldCommand({ ...at, LegalHold: { Status: 'ON' } }))),
      await refusal(s3.send(new GetObjectLegalHoldCommand(at))),
    ]).toEqual([
      '404 ObjectLockConfigurationNotFoundError',
      '409 InvalidBucketState',
      '400 InvalidRequest',
      '400 InvalidRequest',
      '400 InvalidRequest',
      '400 InvalidRequest',
    ]);
  });

  test('versioning of a locked bucket is not suspended', async () => {
    const Bucket = await newBucket();
    const VersioningConfiguration = { Status: 'Suspended' as const };
    expect(await refusal(s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration })))).toBe('409 InvalidBucketState');
  });

  test('a protected version is not deleted, alone or among others, and its bucket stays', async () => {
    const Bucket = await newBucket();
    const lock = { ObjectLockMode: 'COMPLIANCE' as const, ObjectLockRetainUntilDate: inDays(1) };
    const put = await s3.send(new PutObjectCommand({ Bucket, Key: 'a', Body: 'x', ...lock }));
    const at = { Bucket, Key: 'a', VersionId: put.VersionId };
    expect(await refusal(s3.send(new DeleteObjectCommand(at)))).toBe('403 AccessDenied');
    expect(await refusal(s3.send(new DeleteObjectCommand({ ...at, BypassGovernanceRetention: true })))).toBe('403 AccessDenied');
    const free = await s3.send(new PutObjectCommand({ Bucket, Key: 'free', Body: 'x' }));
    const Objects = [
      { Key: 'a', VersionId: put.VersionId },
      { Key: 'free', VersionId: free.VersionId },
    ];
    const many = await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
    expect(many.Errors?.map(({ Key, Code }) => `${Key} ${Code}`)).toEqual(['a AccessDenied']);
    expect(many.Deleted?.map(({ Key }) => Key)).toEqual(['free']);
    // No record says of what is protected that it was deleted.
    if (isOurs) expect(rig.names().slice(-3)).toEqual(['DeleteObjects', 'DeleteObject:AccessDenied', 'DeleteObject']);
    expect((await s3.send(new DeleteObjectCommand({ Bucket, Key: 'a' }))).DeleteMarker).toBe(true);
    expect(await refusal(s3.send(new DeleteBucketCommand({ Bucket })))).toBe('409 BucketNotEmpty');
    expect((await s3.send(new HeadObjectCommand(at))).ContentLength).toBe(1);
  });

  test('retention is read, made longer, and loosened by the bypass alone', async () => {
    const Bucket = await newBucket();
    const first = { ObjectLockMode: 'GOVERNANCE' as const, ObjectLockRetainUntilDate: inDays(5) };
    const put = await s3.send(new PutObjectCommand({ Bucket, Key: 'a', Body: 'x', ...first }));
    const at = { Bucket, Key: 'a', VersionId: put.VersionId };
    const retain = (Mode: 'GOVERNANCE' | 'COMPLIANCE', days: number, BypassGovernanceRetention?: true) =>
      refusal(
        s3.send(
          new PutObjectRetentionCommand({
            ...at,
            Retention: { Mode, RetainUntilDate: inDays(days) },
            ...(BypassGovernanceRetention && { BypassGovernanceRetention }),
          }),
        ),
      );
    expect((await s3.send(new GetObjectRetentionCommand(at))).Retention).toEqual({
      Mode: 'GOVERNANCE',
      RetainUntilDate: first.ObjectLockRetainUntilDate,
    });
    expect([
      await retain('GOVERNANCE', 6),
      await retain('GOVERNANCE', 4),
      await retain('COMPLIANCE', 6),
      await retain('GOVERNANCE', 4, true),
      await retain('COMPLIANCE', 6, true),
      await retain('COMPLIANCE', 7),
      await retain('COMPLIANCE', 6, true),
      await retain('GOVERNANCE', 9, true),
    ]).toEqual(['taken', '403 AccessDenied', '403 AccessDenied', 'taken', 'taken', 'taken', '403 AccessDenied', '403 AccessDenied']);
    expect(await refusal(s3.send(new DeleteObjectCommand({ ...at, BypassGovernanceRetention: true })))).toBe('403 AccessDenied');
  });

  test('a legal hold is put, read, and lifted', async () => {
    const Bucket = await newBucket();
    const put = await s3.send(new PutObjectCommand({ Bucket, Key: 'a', Body: 'x', ObjectLockLegalHoldStatus: 'ON' }));
    const at = { Bucket, Key: 'a', VersionId: put.VersionId };
    expect((await s3.send(new GetObjectLegalHoldCommand(at))).LegalHold).toEqual({ Status: 'ON' });
    expect((await s3.send(new HeadObjectCommand(at))).ObjectLockLegalHoldStatus).toBe('ON');
    expect(await refusal(s3.send(new DeleteObjectCommand({ ...at, BypassGovernanceRetention: true })))).toBe('403 AccessDenied');
    await s3.send(new PutObjectLegalHoldCommand({ ...at, LegalHold: { Status: 'OFF' } }));
    expect((await s3.send(new GetObjectLegalHoldCommand(at))).LegalHold).toEqual({ Status: 'OFF' });
    expect(await refusal(s3.send(new DeleteObjectCommand(at)))).toBe('taken');
  });

  // Ceph RGW does not lock copies.
  test.runIf(isOurs)('a copy and an upload in parts are locked as their calls say', async () => {
    const Bucket = await newBucket();
    await s3.send(new PutObjectCommand({ Bucket, Key: 'a', Body: 'x' }));
    const until = inDays(2);
    const lock = { ObjectLockMode: 'GOVERNANCE' as const, ObjectLockRetainUntilDate: until };
    await s3.send(new CopyObjectCommand({ Bucket, Key: 'copy', CopySource: `${Bucket}/a`, ...lock }));
    expect(await s3.send(new HeadObjectCommand({ Bucket, Key: 'copy' }))).toMatchObject(lock);
    expect((await s3.send(new HeadObjectCommand({ Bucket, Key: 'a' }))).ObjectLockMode).toBeUndefined();
    expect(await refusal(s3.send(new CreateMultipartUploadCommand({ Bucket, Key: 'parts', ...lock })))).toBe('taken');
  });

  test.each([
    ['a time that is over', { ObjectLockMode: 'COMPLIANCE', ObjectLockRetainUntilDate: new Date(Date.now() - DAY_MS) }],
    ['an unknown mode', { ObjectLockMode: 'compliance', ObjectLockRetainUntilDate: inDays(1) }],
    ['a mode without a time', { ObjectLockMode: 'COMPLIANCE' }],
  ])('a put with %s is an InvalidArgument', async (_, lock) => {
    const Bucket = await newBucket();
    const input = { Bucket, Key: 'a', Body: 'x', ...(lock as object) };
    const answer = await refusal(s3.send(new PutObjectCommand(input)));
    expect(isOurs ? answer : answer.slice(0, 3)).toBe(isOurs ? '400 InvalidArgument' : '400');
  });

  // Ceph RGW gives the code of a bucket's configuration.
  test.runIf(isOurs)('what was never locked has no configuration', async () => {
    const Bucket = await newBucket();
    await s3.send(new PutObjectCommand({ Bucket, Key: 'a', Body: 'x' }));
    expect(await refusal(s3.send(new GetObjectRetentionCommand({ Bucket, Key: 'a' })))).toBe('404 NoSuchObjectLockConfiguration');
  });

  test.runIf(isOurs)('the refused deletion is recorded as refused, with the version that it named', async () => {
    const Bucket = await newBucket();
    const put = await s3.send(new PutObjectCommand({ Bucket, Key: 'a', Body: 'x', ObjectLockLegalHoldStatus: 'ON' }));
    rig.records.length = 0;
    await refusal(s3.send(new DeleteObjectCommand({ Bucket, Key: 'a', VersionId: put.VersionId })));
    expect(rig.names()).toEqual(['DeleteObject:AccessDenied']);
    expect(rig.records[0]!.requestParameters).toMatchObject({ versionId: put.VersionId });
  });
});

const [aws, python] = await Promise.all([findAwsCli(), findBoto3()]);

describe('clients that people use', () => {
  let own: HttpRig;
  beforeAll(async () => {
    own = await HttpRig.start();
  });
  afterAll(() => own.close());
  const environment = () => clientEnvironment(own.url, RIG_KEY, RIG_REGION);

  test.skipIf(aws === undefined)('AWS CLI: a locked bucket, its default, the retention of an object, a refused deletion', async () => {
    const cli = async (...args: string[]) => {
      const { code, stdout, stderr } = await run(aws!, ['s3api', ...args], { env: environment(), cwd: '/tmp' });
      return code === 0 ? stdout.trim() : stderr.trim();
    };
    await cli('create-bucket', '--bucket', 'cli-lock', '--object-lock-enabled-for-bucket');
    const rule = '{"ObjectLockEnabled":"Enabled","Rule":{"DefaultRetention":{"Mode":"COMPLIANCE","Years":1}}}';
    expect(await cli('put-object-lock-configuration', '--bucket', 'cli-lock', '--object-lock-configuration', rule)).toBe('');
    expect(JSON.parse(await cli('get-object-lock-configuration', '--bucket', 'cli-lock'))).toEqual({
      ObjectLockConfiguration: JSON.parse(rule),
    });
    const { VersionId } = JSON.parse(await cli('put-object', '--bucket', 'cli-lock', '--key', 'a'));
    const { Retention } = JSON.parse(await cli('get-object-retention', '--bucket', 'cli-lock', '--key', 'a'));
    expect([Retention.Mode, Date.parse(Retention.RetainUntilDate) > Date.now() + 364 * DAY_MS]).toEqual(['COMPLIANCE', true]);
    expect(
      await cli('delete-object', '--bucket', 'cli-lock', '--key', 'a', '--version-id', VersionId, '--bypass-governance-retention'),
    ).toContain(
      'An error occurred (AccessDenied) when calling the DeleteObject operation: Access Denied because object protected by object lock.',
    );
  });

  test.skipIf(python === undefined)('boto3: legal hold and retention', async () => {
    const program = `
import boto3, botocore, datetime
s3 = boto3.client('s3')
s3.create_bucket(Bucket='boto-lock', ObjectLockEnabledForBucket=True)
until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=1)
v = s3.put_object(Bucket='boto-lock', Key='a', Body=b'x', ObjectLockMode='GOVERNANCE', ObjectLockRetainUntilDate=until)['VersionId']
s3.put_object_legal_hold(Bucket='boto-lock', Key='a', LegalHold={'Status': 'ON'})
print(s3.get_object_legal_hold(Bucket='boto-lock', Key='a')['LegalHold']['Status'], s3.head_object(Bucket='boto-lock', Key='a')['ObjectLockMode'])
s3.put_object_legal_hold(Bucket='boto-lock', Key='a', LegalHold={'Status': 'OFF'})
try: s3.delete_object(Bucket='boto-lock', Key='a', VersionId=v)
except botocore.exceptions.ClientError as e: print(e.response['Error']['Code'])
s3.put_object_retention(Bucket='boto-lock', Key='a', Retention={}, BypassGovernanceRetention=True)
s3.delete_object(Bucket='boto-lock', Key='a', VersionId=v)
s3.delete_bucket(Bucket='boto-lock')
`;
    const { stdout, stderr } = await run(python!, ['-c', program], { env: environment(), cwd: '/tmp' });
    expect([stdout.trim().split('\n'), stderr]).toEqual([['ON GOVERNANCE', 'AccessDenied'], '']);
  });
});

/**
 * The S3 subset and the other protocols, driven by the clients that people use: AWS CLI, boto3, SDK for JavaScript.
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { CloudTrailClient, CreateTrailCommand, DescribeTrailsCommand, ListTrailsCommand } from '@aws-sdk/client-cloudtrail';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectsCommand,
  GetBucketAclCommand,
  GetBucketLocationCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListObjectsCommand,
  ListObjectVersionsCommand,
  PutBucketPolicyCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  paginateListObjectsV2,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { clientEnvironment, findAwsCli, findBoto3, run } from '../support/clients.ts';
import { HttpRig, RIG_ACCOUNT, RIG_KEY, RIG_REGION } from '../support/http-rig.ts';
import { rigServices } from '../support/rig-services.ts';

let rig: HttpRig;
let folder = '';
const state = { trails: [] as string[] };
const [aws, python] = await Promise.all([findAwsCli(), findBoto3()]);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'snowtrail-s3-'));
  rig = await HttpRig.start({ services: rigServices(state) });
});
afterAll(async () => {
  await rig.close();
  await rm(folder, { recursive: true, force: true });
});

describe.skipIf(aws === undefined)('AWS CLI', () => {
  const cli = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await run(aws!, args, { env: clientEnvironment(rig.url, RIG_KEY, RIG_REGION), cwd: folder });
    expect([args.join(' '), code, stderr.replace(/^Completed .*$/gm, '').trim()]).toEqual([args.join(' '), 0, '']);
    return stdout;
  };
  const fails = async (...args: string[]): Promise<string> => {
    const { code, stderr } = await run(aws!, args, { env: clientEnvironment(rig.url, RIG_KEY, RIG_REGION), cwd: folder });
    expect(code).not.toBe(0);
    return stderr;
  };

  test('mb, cp, ls, sync, mv, rm, rb, with files above the multipart threshold', async () => {
    const big = randomBytes(20_000_000);
    await writeFile(join(folder, 'big.bin'), big);
    await mkdir(join(folder, 'tree/deep'), { recursive: true });
    await writeFile(join(folder, 'tree/deep/a b+&ü.txt'), 'text');
    await writeFile(join(folder, 'tree/empty'), '');
    await cli('s3', 'mb', 's3://cli-bucket');
    expect(await cli('s3', 'ls')).toContain('cli-bucket');
    await cli('s3', 'cp', 'big.bin', 's3://cli-bucket/big.bin', '--no-progress');
    await cli('s3', 'cp', 's3://cli-bucket/big.bin', 'back.bin', '--no-progress');
    expect((await readFile(join(folder, 'back.bin'))).equals(big)).toBe(true);
    await cli('s3', 'sync', 'tree', 's3://cli-bucket/tree', '--no-progress');
    expect(await cli('s3', 'sync', 'tree', 's3://cli-bucket/tree', '--no-progress')).toBe('');
    await cli('s3', 'sync', 's3://cli-bucket/tree', 'copy', '--no-progress');
    expect(await readFile(join(folder, 'copy/deep/a b+&ü.txt'), 'utf8')).toBe('text');
    await cli('s3', 'mv', 's3://cli-bucket/big.bin', 's3://cli-bucket/moved.bin', '--no-progress');
    await cli('s3', 'cp', 's3://cli-bucket/moved.bin', 'moved.bin', '--no-progress');
    expect((await readFile(join(folder, 'moved.bin'))).equals(big)).toBe(true);
    const listing = await cli('s3', 'ls', 's3://cli-bucket', '--recursive');
    expect(
      listing
        .trim()
        .split('\n')
        .map((line) => line.slice(31)),
    ).toEqual(['moved.bin', 'tree/deep/a b+&ü.txt', 'tree/empty']);
    expect(await cli('s3', 'ls', 's3://cli-bucket/')).toMatch(/PRE tree\/\n.*moved.bin\n$/);
    await cli('s3', 'rm', 's3://cli-bucket', '--recursive');
    await cli('s3', 'rb', 's3://cli-bucket');
    expect(rig.names()).toEqual(
      expect.arrayContaining([
        'CreateMultipartUpload',
        'UploadPart',
        'UploadPartCopy',
        'CompleteMultipartUpload',
        'HeadObject',
        'DeleteBucket',
      ]),
    );
  });

  test('s3api: what validate-logs and the documented set-up call', async () => {
    await cli('s3api', 'create-bucket', '--bucket', 'api-bucket', '--create-bucket-configuration', `LocationConstraint=${RIG_REGION}`);
    expect(JSON.parse(await cli('s3api', 'get-bucket-location', '--bucket', 'api-bucket'))).toEqual({ LocationConstraint: RIG_REGION });
    const policy = JSON.stringify({
      Version: '2012-10-17',
      Statement: [
        {
          Sid: 'AWSCloudTrailAclCheck20150319',
          Effect: 'Allow',
          Principal: { Service: 'cloudtrail.amazonaws.com' },
          Action: 's3:GetBucketAcl',
          Resource: 'arn:aws:s3:::api-bucket',
        },
      ],
    });
    await cli('s3api', 'put-bucket-policy', '--bucket', 'api-bucket', '--policy', policy);
    expect(JSON.parse(await cli('s3api', 'get-bucket-policy', '--bucket', 'api-bucket'))).toEqual({ Policy: policy });
    expect(JSON.parse(await cli('s3api', 'get-bucket-acl', '--bucket', 'api-bucket'))).toMatchObject({
      Grants: [{ Permission: 'FULL_CONTROL', Grantee: { Type: 'CanonicalUser' } }],
    });
    for (let index = 0; index < 5; index++) await rig.send('PUT', `/api-bucket/AWSLogs/${index}%0a`, { body: `${index}` });
    const listed = JSON.parse(await cli('s3api', 'list-objects', '--bucket', 'api-bucket', '--prefix', 'AWSLogs/', '--page-size', '2'));
    expect(listed.Contents.map(({ Key }: { Key: string }) => Key)).toEqual([0, 1, 2, 3, 4].map((index) => `AWSLogs/${index}\n`));
    const marked = JSON.parse(await cli('s3api', 'list-objects', '--bucket', 'api-bucket', '--marker', 'AWSLogs/3', '--no-paginate'));
    expect(marked.Contents.length).toBe(2);
    await cli('s3api', 'put-bucket-versioning', '--bucket', 'api-bucket', '--versioning-configuration', 'Status=Enabled');
    await cli(
      's3api',
      'put-object',
      '--bucket',
      'api-bucket',
      '--key',
      'v',
      '--body',
      'big.bin',
      '--metadata',
      'a=1',
      '--if-none-match',
      '*',
    );
    expect(await fails('s3api', 'put-object', '--bucket', 'api-bucket', '--key', 'v', '--if-none-match', '*')).toContain(
      'PreconditionFailed',
    );
    expect(await fails('s3api', 'get-object', '--bucket', 'api-bucket', '--key', 'nope', 'out')).toContain('NoSuchKey');
    expect(await fails('s3api', 'get-bucket-tagging', '--bucket', 'api-bucket')).toContain('NoSuchTagSet');
    expect(JSON.parse(await cli('s3api', 'list-object-versions', '--bucket', 'api-bucket', '--prefix', 'v')).Versions.length).toBe(1);
    const url = (await cli('s3', 'presign', 's3://api-bucket/v', '--expires-in', '60')).trim();
    expect((await (await fetch(url)).arrayBuffer()).byteLength).toBe(20_000_000);
  });

  test('cloudtrail and sts speak their protocols, and errors have their names', async () => {
    expect(JSON.parse(await cli('sts', 'get-caller-identity'))).toEqual({
      UserId: RIG_ACCOUNT,
      Account: RIG_ACCOUNT,
      Arn: `arn:aws:iam::${RIG_ACCOUNT}:root`,
    });
    await cli('cloudtrail', 'create-trail', '--name', 'cli-trail', '--s3-bucket-name', 'api-bucket');
    expect(await fails('cloudtrail', 'create-trail', '--name', 'cli-trail', '--s3-bucket-name', 'api-bucket')).toContain(
      'An error occurred (TrailAlreadyExistsException) when calling the CreateTrail operation: Trail cli-trail already exists',
    );
    expect(await fails('cloudtrail', 'start-query', '--query-statement', 'SELECT 1')).toContain('(UnsupportedOperationException)');
    const { stderr } = await run(aws!, ['cloudtrail', 'list-trails'], {
      env: clientEnvironment(rig.url, { ...RIG_KEY, secretAccessKey: 'wrong' }, RIG_REGION),
    });
    expect(stderr).toContain('(InvalidSignatureException)');
  });
});

describe.skipIf(python === undefined)('boto3', () => {
  test('uploads, downloads, pages, conditions, versions and presigned URLs', async () => {
    const script = `
import boto3, hashlib, io, os, urllib.request
from botocore.exceptions import ClientError
s3 = boto3.client('s3')
s3.create_bucket(Bucket='boto-bucket', CreateBucketConfiguration={'LocationConstraint': os.environ['AWS_REGION']})
s3.get_waiter('bucket_exists').wait(Bucket='boto-bucket')
data = os.urandom(20_000_000)
s3.upload_fileobj(io.BytesIO(data), 'boto-bucket', 'big', ExtraArgs={'Metadata': {'k': 'v'}, 'ContentType': 'x/y'})
out = io.BytesIO(); s3.download_fileobj('boto-bucket', 'big', out); assert out.getvalue() == data
head = s3.head_object(Bucket='boto-bucket', Key='big', ChecksumMode='ENABLED')
assert head['Metadata'] == {'k': 'v'} and head['ContentType'] == 'x/y' and head['ContentLength'] == len(data), head
assert s3.get_object(Bucket='boto-bucket', Key='big', Range='bytes=5-9')['Body'].read() == data[5:10]
for i in range(25): s3.put_object(Bucket='boto-bucket', Key='p/%02d \\u00fc+' % i, Body=b'%d' % i)
pages = list(s3.get_paginator('list_objects_v2').paginate(Bucket='boto-bucket', Prefix='p/', PaginationConfig={'PageSize': 7}))
assert [o['Key'] for p in pages for o in p['Contents']] == ['p/%02d \\u00fc+' % i for i in range(25)] and len(pages) == 4
pages = list(s3.get_paginator('list_objects').paginate(Bucket='boto-bucket', Delimiter='/', PaginationConfig={'PageSize': 1}))
assert [c['Prefix'] for p in pages for c in p.get('CommonPrefixes', [])] == ['p/'] and [o['Key'] for p in pages for o in p.get('Contents', [])] == ['big']
try: s3.put_object(Bucket='boto-bucket', Key='big', Body=b'x', IfNoneMatch='*'); raise SystemExit('stored')
except ClientError as e: assert e.response['Error']['Code'] == 'PreconditionFailed', e
try: s3.get_object(Bucket='boto-bucket', Key='big', IfNoneMatch=head['ETag']); raise SystemExit('read')
except ClientError as e: assert e.response['ResponseMetadata']['HTTPStatusCode'] == 304, e
for algorithm in ['CRC32', 'SHA1', 'SHA256']:
    s3.put_object(Bucket='boto-bucket', Key='sum', Body=b'hello', ChecksumAlgorithm=algorithm)
    got = s3.get_object(Bucket='boto-bucket', Key='sum', ChecksumMode='ENABLED'); assert got['Body'].read() == b'hello' and got['Checksum' + algorithm]
s3.put_bucket_versioning(Bucket='boto-bucket', VersioningConfiguration={'Status': 'Enabled'})
one = s3.put_object(Bucket='boto-bucket', Key='v', Body=b'1')['VersionId']; s3.delete_object(Bucket='boto-bucket', Key='v')
assert s3.get_object(Bucket='boto-bucket', Key='v', VersionId=one)['Body'].read() == b'1'
versions = s3.list_object_versions(Bucket='boto-bucket', Prefix='v'); assert len(versions['Versions']) == 1 and len(versions['DeleteMarkers']) == 1
put = s3.generate_presigned_url('put_object', Params={'Bucket': 'boto-bucket', 'Key': 'signed'}, ExpiresIn=60)
urllib.request.urlopen(urllib.request.Request(put, data=b'by url', method='PUT'))
assert urllib.request.urlopen(s3.generate_presigned_url('get_object', Params={'Bucket': 'boto-bucket', 'Key': 'signed'})).read() == b'by url'
s3.copy({'Bucket': 'boto-bucket', 'Key': 'big'}, 'boto-bucket', 'big-copy')
copied = s3.get_object(Bucket='boto-bucket', Key='big-copy')['Body'].read(); assert hashlib.sha256(copied).digest() == hashlib.sha256(data).digest()
listed = s3.list_objects_v2(Bucket='boto-bucket')['Contents']
deleted = s3.delete_objects(Bucket='boto-bucket', Delete={'Objects': [{'Key': o['Key']} for o in listed]}); assert len(deleted['Deleted']) == len(listed)
assert boto3.client('sts').get_caller_identity()['Account'] == '${RIG_ACCOUNT}'
ct = boto3.client('cloudtrail'); ct.create_trail(Name='boto-trail', S3BucketName='boto-bucket')
try: ct.create_trail(Name='boto-trail', S3BucketName='boto-bucket'); raise SystemExit('created twice')
except ct.exceptions.TrailAlreadyExistsException: pass
print('done')
`;
    const { code, stdout, stderr } = await run(python!, ['-c', script], {
      env: clientEnvironment(rig.url, RIG_KEY, RIG_REGION),
      cwd: folder,
    });
    expect([code, stdout.trim(), stderr.trim()]).toEqual([0, 'done', '']);
  });
});

describe('SDK for JavaScript v3', () => {
  const settings = () => ({ endpoint: rig.url, region: RIG_REGION, credentials: RIG_KEY, maxAttempts: 1 });
  const s3 = (more: object = {}) => new S3Client({ ...settings(), forcePathStyle: true, ...more });
  const Bucket = 'js-bucket';

  test('buckets and objects with its default checksums', async () => {
    const client = s3();
    await client.send(new CreateBucketCommand({ Bucket, CreateBucketConfiguration: { LocationConstraint: RIG_REGION } }));
    await client.send(new HeadBucketCommand({ Bucket }));
    expect((await client.send(new GetBucketLocationCommand({ Bucket }))).LocationConstraint).toBe(RIG_REGION);
    expect((await client.send(new ListBucketsCommand({}))).Buckets?.map(({ Name }) => Name)).toContain(Bucket);
    expect((await client.send(new GetBucketAclCommand({ Bucket }))).Grants).toMatchObject([
      { Permission: 'FULL_CONTROL', Grantee: { Type: 'CanonicalUser' } },
    ]);
    await client.send(new PutObjectCommand({ Bucket, Key: 'k', Body: 'hello', Metadata: { a: '1' }, ContentType: 'text/plain' }));
    const got = await client.send(new GetObjectCommand({ Bucket, Key: 'k' }));
    expect([await got.Body?.transformToString(), got.Metadata, got.ContentType, got.ChecksumCRC32]).toEqual([
      'hello',
      { a: '1' },
      'text/plain',
      'NhCmhg==',
    ]);
    await expect(client.send(new GetObjectCommand({ Bucket, Key: 'nope' }))).rejects.toMatchObject({ name: 'NoSuchKey' });
    await expect(client.send(new HeadObjectCommand({ Bucket, Key: 'nope' }))).rejects.toMatchObject({ name: 'NotFound' });
    await expect(client.send(new PutObjectCommand({ Bucket, Key: 'k', Body: 'x', IfNoneMatch: '*' }))).rejects.toMatchObject({
      name: 'PreconditionFailed',
    });
    await expect(client.send(new PutBucketPolicyCommand({ Bucket, Policy: 'x' }))).rejects.toMatchObject({ name: 'MalformedPolicy' });
    client.destroy();
  });

  test.each(['CRC32', 'CRC32C', 'SHA1', 'SHA256'] as const)('a stream with a trailing %s', async (ChecksumAlgorithm) => {
    const client = s3();
    const body = randomBytes(3_000_000);
    await client.send(
      new PutObjectCommand({
        Bucket,
        Key: ChecksumAlgorithm,
        Body: Readable.from([body.subarray(0, 1_000_000), body.subarray(1_000_000)]),
        ContentLength: body.length,
        ChecksumAlgorithm,
      }),
    );
    const got = await client.send(new GetObjectCommand({ Bucket, Key: ChecksumAlgorithm, ChecksumMode: 'ENABLED' }));
    expect(Buffer.from((await got.Body?.transformToByteArray())!).equals(body)).toBe(true);
    expect(got[`Checksum${ChecksumAlgorithm}`]).toBeTruthy();
    client.destroy();
  });

  test('pages, copies, versions, deletions and uploads in parts', async () => {
    const client = s3();
    for (let index = 0; index < 5; index++) await client.send(new PutObjectCommand({ Bucket, Key: `p/${index} ü`, Body: `${index}` }));
    const keys: (string | undefined)[] = [];
    for await (const page of paginateListObjectsV2({ client, pageSize: 2 }, { Bucket, Prefix: 'p/' }))
      keys.push(...(page.Contents ?? []).map(({ Key }) => Key));
    expect(keys).toEqual([0, 1, 2, 3, 4].map((index) => `p/${index} ü`));
    const folded = await client.send(new ListObjectsCommand({ Bucket, Delimiter: '/', EncodingType: 'url' }));
    expect(folded.CommonPrefixes).toEqual([{ Prefix: 'p/' }]);
    await client.send(new CopyObjectCommand({ Bucket, Key: 'copied', CopySource: `${Bucket}/${encodeURIComponent('p/1 ü')}` }));
    expect(await (await client.send(new GetObjectCommand({ Bucket, Key: 'copied' }))).Body?.transformToString()).toBe('1');
    await client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Enabled' } }));
    await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: keys.map((Key) => ({ Key: Key! })) } }));
    const versions = await client.send(new ListObjectVersionsCommand({ Bucket, Prefix: 'p/' }));
    expect([versions.Versions?.length, versions.DeleteMarkers?.length]).toEqual([5, 5]);

    const Key = 'parts';
    const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key }));
    const bodies = [randomBytes(6_000_000), randomBytes(1_000)];
    const Parts = await Promise.all(
      bodies.map(async (Body, index) => {
        const { ETag, ChecksumCRC32 } = await client.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: index + 1, Body }));
        return { ETag, ChecksumCRC32, PartNumber: index + 1 };
      }),
    );
    await client.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }));
    const got = await (await client.send(new GetObjectCommand({ Bucket, Key }))).Body!.transformToByteArray();
    expect(createHash('sha256').update(got).digest()).toEqual(createHash('sha256').update(Buffer.concat(bodies)).digest());
    await expect(client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }))).rejects.toMatchObject({ name: 'NoSuchUpload' });
    client.destroy();
  });

  test('cloudtrail and sts', async () => {
    const cloudtrail = new CloudTrailClient(settings());
    await cloudtrail.send(new CreateTrailCommand({ Name: 'js-trail', S3BucketName: Bucket }));
    expect((await cloudtrail.send(new ListTrailsCommand({}))).Trails).toEqual(expect.arrayContaining([{ Name: 'js-trail' }]));
    await expect(cloudtrail.send(new CreateTrailCommand({ Name: 'js-trail', S3BucketName: Bucket }))).rejects.toMatchObject({
      name: 'TrailAlreadyExistsException',
      message: 'Trail js-trail already exists',
    });
    await expect(cloudtrail.send(new DescribeTrailsCommand({}))).rejects.toMatchObject({
      name: 'UnsupportedOperationException',
      $metadata: { httpStatusCode: 400 },
    });
    const wrong = new CloudTrailClient({ ...settings(), credentials: { ...RIG_KEY, secretAccessKey: 'wrong' } });
    await expect(wrong.send(new ListTrailsCommand({}))).rejects.toMatchObject({
      name: 'InvalidSignatureException',
      $metadata: { httpStatusCode: 403 },
    });
    const identity = await new STSClient(settings()).send(new GetCallerIdentityCommand({}));
    expect(identity).toMatchObject({ Account: RIG_ACCOUNT, Arn: `arn:aws:iam::${RIG_ACCOUNT}:root` });
  });
});
